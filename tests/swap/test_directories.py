"""What lies in log directories beside whole partitions goes from one program to the other too: replicas that are deleted, that move, that nobody knows;
producers' sequences; the start of a log that DeleteRecords moved; preallocated segments of a killed process (60 s)."""

import re
import shutil
import time
from pathlib import Path

import pytest
from badinput import records
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from peers.broker import Apache, Samsa
from peers.paths import scratch_root
from storage.test_log_dirs import alter, place
from storage.test_real_disk import wait_until

from .test_swap import patiently

OUT_OF_ORDER = 45
NOW = int(time.time() * 1000)
PIECE = records.batch(records.record(0, bytes(100_000)), 1)


class Pair:
    def __init__(self, first, second, name):
        directory = scratch_root() / f"swap-{name}"
        shutil.rmtree(directory, ignore_errors=True)
        common = dict(auto__create__topics__enable="false", log__initial__task__delay__ms="500", log__segment__bytes="1048576",
                      log__flush__offset__checkpoint__interval__ms="300", log__flush__start__offset__checkpoint__interval__ms="300")
        # The first leaves everything half done.
        self.first = first(directory, log__segment__delete__delay__ms="3600000", replica__alter__log__dirs__io__max__bytes__per__second="1000", **common)
        self.second = second(directory, log__segment__delete__delay__ms="1000", **common)
        self.second.port, self.second.controller_port = self.first.port, self.first.controller_port
        self.dirs = [directory / "data", directory / "other"]
        for one in (self.first, self.second):
            one.overrides |= {"log.dirs": ",".join(map(str, self.dirs))}

    def names(self, pattern):
        return sorted(d.name for directory in self.dirs for d in directory.glob(pattern))

    def destroy(self):
        for one in (self.first, self.second):
            one.destroy()
        shutil.rmtree(self.dirs[1], ignore_errors=True)


@pytest.fixture(params=[(Apache, Samsa), (Samsa, Apache)], ids=["from-apache", "from-samsa"])
def pair(request):
    made = Pair(*request.param, re.sub(r"\W+", "-", request.node.name))
    yield made
    made.destroy()


def send(broker, topic, batch, wanted=0):
    """The error and base offset of a batch, once there is a leader."""
    deadline = time.monotonic() + 60
    while True:
        with broker.connection() as connection:
            error, offset = records.produce(connection, topic, batch)
        if error not in (3, 5, 6) or time.monotonic() > deadline:
            assert error == wanted
            return offset
        time.sleep(0.1)


def bounds(broker, topic):
    """(start, end) of partition 0."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g"})
    try:
        return patiently(lambda: consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30))
    finally:
        consumer.close()


def sequence(start, count=5):
    return records.batch(count=count, producer_id=4711, producer_epoch=0, base_sequence=start, base_timestamp=NOW)  # An old one would be forgotten.


def test_half_done(pair):
    first, second = pair.first, pair.second
    first.create()
    admin = AdminClient({"bootstrap.servers": first.bootstrap})
    for done in admin.create_topics([NewTopic(name, 1, 1, config={"preallocate": "true"} if name == "kept" else {}) for name in ("kept", "deleted", "moving")]).values():
        done.result(60)
    for _ in range(25):
        for topic in ("kept", "deleted", "moving"):
            send(first, topic, PIECE)
    assert send(first, "kept", sequence(0)) == 25
    for done in admin.delete_records([TopicPartition("kept", 0, 15)], request_timeout=60).values():
        assert done.result(60).low_watermark == 15
    admin.delete_topics(["deleted"])["deleted"].result(60)
    here = Path(place(first, 0, "moving")[0])
    there = next(d for d in pair.dirs if d != here)
    assert alter(first, str(there), "moving", 0) == {0: 0}
    wait_until(lambda: pair.names("moving-0.*-future") and pair.names("deleted-0.*-delete"), 60, "it is not half done")
    time.sleep(1)
    first.kill9()
    # A replica that the metadata knows nothing of.
    shutil.copytree(next(d for directory in pair.dirs for d in directory.glob("kept-0")), pair.dirs[0] / "foreign-0")
    (pair.dirs[0] / "foreign-0" / "partition.metadata").write_text("version: 0\ntopic_id: 4L6g3nShT-eMCtK--X86sw")
    if isinstance(first, Apache):  # As a killed process leaves it: zeros to the end.
        assert max(f.stat().st_size for f in (pair.dirs[0] / "foreign-0").glob("*.log")) == 1048576

    second.start()
    wait_until(lambda: not pair.names("*-delete"), 60, f"not deleted: {pair.names('*')}")
    wait_until(lambda: place(second, 0, "moving") == (str(there), None), 90, "not moved to the end")
    wait_until(lambda: len(pair.names("foreign-0.*-stray")) == 1 and not pair.names("foreign-0"), 60, "nothing is set aside")
    assert re.fullmatch(r"foreign-0\.[0-9a-f]{32}-stray", pair.names("foreign-0*")[0])
    assert bounds(second, "kept") == (15, 30) and bounds(second, "moving") == (0, 25)
    # The producer goes on where it was: what it repeats is known, what is missing is missed.
    assert send(second, "kept", sequence(0)) == 25
    send(second, "kept", sequence(6), OUT_OF_ORDER)
    assert send(second, "kept", sequence(5)) == 30
    second.kill9()

    first.start()
    assert bounds(first, "kept") == (15, 35) and bounds(first, "moving") == (0, 25)
    assert send(first, "kept", sequence(5)) == 30
    assert send(first, "kept", sequence(10)) == 35
    assert place(first, 0, "moving") == (str(there), None)
    assert len(pair.names("foreign-0.*-stray")) == 1
    first.stop()
