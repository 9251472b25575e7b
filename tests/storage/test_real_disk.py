"""One node on real disks that fail in real ways: killed under load, full to the brim, paused, a directory that answers with errors.

What was acknowledged is written down as it happens, and read back afterwards: the same value at the same offset. The short form takes about a
minute; SAMSA_STORAGE_ROUNDS=50 (or any number) kills that many times. Mounting needs root: without it the tests that mount are skipped, and say so.
"""

import fcntl
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from peers.broker import Samsa
from peers.paths import scratch_root

ROUNDS = int(os.environ.get("SAMSA_STORAGE_ROUNDS", "5"))
PARTITIONS = 4
mounts = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a disk needs root")
EXT4_SHUTDOWN = 0x8004587D  # The file system answers everything with EIO from then on.


@pytest.fixture
def node(request):
    """Makes the node of one test, with its settings."""
    made = []

    def make(directory=None, **overrides):
        directory = directory or scratch_root() / f"disk-{request.node.name}"
        shutil.rmtree(directory, ignore_errors=True)
        made.append(Samsa(directory, auto__create__topics__enable="false", **overrides))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None:
            one.process.send_signal(signal.SIGCONT)
        one.destroy()


@pytest.fixture
def mounted(request):
    """Makes an ext4 of that many MB in a file, mounted by the loop driver."""
    made = []

    def make(megabytes, name="mount"):
        root = scratch_root() / f"disk-{request.node.name}-{name}"
        shutil.rmtree(root, ignore_errors=True)
        (root / "mnt").mkdir(parents=True)
        subprocess.run(["truncate", "-s", f"{megabytes}M", root / "image"], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", root / "image"], check=True)
        subprocess.run(["mount", "-o", "loop", root / "image", root / "mnt"], check=True)
        made.append(root)
        return root / "mnt"

    yield make
    for root in made:
        subprocess.run(["umount", "-l", root / "mnt"], check=False)
        shutil.rmtree(root, ignore_errors=True)


def create_topic(node, name="t", partitions=PARTITIONS, **config):
    admin = AdminClient({"bootstrap.servers": node.bootstrap})
    admin.create_topics([NewTopic(name, partitions, 1, config={k.replace("_", "."): v for k, v in config.items()})])[name].result(60)
    return admin


class Load:
    """Producers that go on until they are stopped, and what they were told was kept: {(topic, partition): {offset: value}}."""

    def __init__(self, node, topic="t", size=300, timeout_ms=60_000, idempotent=True):
        self.topic, self.size = topic, size
        self.acknowledged = {(topic, p): {} for p in range(PARTITIONS)}
        self.refused = []
        self.producer = Producer({"bootstrap.servers": node.bootstrap, "enable.idempotence": idempotent, "acks": "all", "linger.ms": 2, "message.timeout.ms": timeout_ms,
                                  "reconnect.backoff.max.ms": 500, "retry.backoff.ms": 50, "queue.buffering.max.messages": 2000})
        self.stopping = False
        self.sent = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping:
            value = b"%d " % self.sent + b"v" * self.size
            try:
                self.producer.produce(self.topic, value=value, partition=self.sent % PARTITIONS, on_delivery=self.delivered)
                self.sent += 1
            except BufferError:
                self.producer.poll(0.05)
            self.producer.poll(0)

    def delivered(self, error, message):
        if error is not None:
            self.refused.append(error.name())
            return
        here = self.acknowledged[message.topic(), message.partition()]
        assert here.setdefault(message.offset(), message.value()) == message.value(), "one offset, two records"

    def count(self):
        return sum(len(records) for records in self.acknowledged.values())

    def wait_for_more(self, more, limit=120):
        goal, deadline = self.count() + more, time.monotonic() + limit
        while self.count() < goal:
            assert time.monotonic() < deadline, f"{self.count()} of {goal} were acknowledged; refused: {self.refused[-5:]}"
            time.sleep(0.02)

    def stop(self):
        self.stopping = True
        self.thread.join(120)
        assert self.producer.flush(120) == 0


def read_back(node, topic="t"):
    consumer = Consumer({"bootstrap.servers": node.bootstrap, "group.id": "reader", "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    found, finished, deadline = {(topic, p): {} for p in range(PARTITIONS)}, set(), time.monotonic() + 120
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
        while len(finished) < PARTITIONS:
            assert time.monotonic() < deadline, "not read to the end"
            for message in consumer.consume(1000, 1):
                if message.error():
                    if message.error().code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(message.error())
                    finished.add(message.partition())
                    continue
                found[topic, message.partition()][message.offset()] = message.value()
    finally:
        consumer.close()
    return found


def first_record(node, topic="t"):
    """Whether a reader gets a record of partition 0; what it is told on the way (a broker that was away) does not count."""
    consumer = Consumer({"bootstrap.servers": node.bootstrap, "group.id": "g", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    deadline = time.monotonic() + 90
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                return True
        return False
    finally:
        consumer.close()


def assert_nothing_lost(load, found, low=None):
    for partition, records in load.acknowledged.items():
        kept = {offset: value for offset, value in records.items() if offset >= (low or {}).get(partition, 0)}
        lost = [offset for offset, value in kept.items() if found[partition].get(offset) != value]
        assert not lost, f"{partition}: {len(lost)} of {len(kept)} acknowledged records are not there, first at {min(lost)}"


def test_killed_again_and_again(node):
    one = node(log__segment__bytes="1048576", log__flush__offset__checkpoint__interval__ms="1000").create()
    create_topic(one, segment_bytes="1048576")
    load = Load(one)
    for number in range(ROUNDS):
        load.wait_for_more(1500)
        time.sleep(random.random())
        one.kill9()
        one.start()
    load.wait_for_more(500)
    load.stop()
    found = read_back(one)
    assert_nothing_lost(load, found)
    # An idempotent producer that is not told twice writes nothing twice.
    for partition, records in found.items():
        assert sorted(records) == list(range(len(records))), partition
        assert len(set(records.values())) == len(records), f"{partition}: written twice"
    assert one.stop() == 0


def test_paused(node):
    one = node(broker__session__timeout__ms="3000", broker__heartbeat__interval__ms="500").create()
    create_topic(one)
    load = Load(one)
    for seconds in (1, 4):  # Longer than broker.session.timeout.ms: it is fenced and comes back.
        load.wait_for_more(300)
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        one.process.send_signal(signal.SIGCONT)
        load.wait_for_more(300)
    load.stop()
    assert_nothing_lost(load, read_back(one))
    assert one.stop() == 0


@mounts
def test_full_to_the_brim(node, mounted):
    """Log and metadata on one disk, and a stranger who takes its last byte."""
    disk = mounted(56)
    one = node(log__segment__bytes="1048576", log__segment__delete__delay__ms="1000", log__retention__check__interval__ms="1000")
    one.overrides |= {"log.dirs": str(disk / "data")}
    one.data_dir = disk / "data"
    one.create()
    admin = create_topic(one, segment_bytes="1048576", file_delete_delay_ms="1000")
    load = Load(one, size=4000, timeout_ms=4000, idempotent=False)
    wait_until(lambda: load.refused, 120, "the disk never became full")
    # However fast they are, producers do not get at the reserve: 5 % of such a small disk.
    assert os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > 1_000_000
    fill(disk / "filler")
    # Reading goes on, and so does the metadata log: a topic is made, whose directories have to wait.
    assert first_record(one)
    create_topic(one, "later", partitions=2)
    # Killed while not a byte is left it starts again, and serves.
    one.kill9()
    fill(disk / "filler")
    one.start()
    assert first_record(one)
    # Room is made by deleting records; nobody helps the node beyond that.
    low = {}
    for p in range(PARTITIONS):
        offset = max(load.acknowledged["t", p]) // 2
        low["t", p] = offset
        for done in admin.delete_records([TopicPartition("t", p, offset)], request_timeout=60).values():
            assert done.result(90).low_watermark == offset
    before = load.count()
    wait_until(lambda: load.count() > before + 100, 120, "service did not resume")
    load.stop()
    assert_nothing_lost(load, read_back(one), low)
    later = Producer({"bootstrap.servers": one.bootstrap, "message.timeout.ms": 90_000})
    delivered = []
    for p in range(2):
        later.produce("later", b"x", partition=p, on_delivery=lambda error, _: delivered.append(error))
    assert later.flush(100) == 0 and delivered == [None, None]
    assert one.stop() == 0


@mounts
def test_a_failed_directory_and_one_that_serves(node, mounted):
    disk = mounted(64)
    one = node(metadata__log__dir="")
    good = one.directory / "good"
    one.overrides |= {"log.dirs": f"{good},{disk / 'bad'}", "metadata.log.dir": str(good)}
    one.data_dir = good
    one.create()
    create_topic(one, "t", partitions=PARTITIONS)
    load = Load(one, timeout_ms=5000, idempotent=False)
    load.wait_for_more(400)
    load.stop()
    bad = {int(d.name.rsplit("-", 1)[1]) for d in (disk / "bad").glob("t-*")}
    assert 0 < len(bad) < PARTITIONS
    handle = os.open(disk, os.O_RDONLY)
    fcntl.ioctl(handle, EXT4_SHUTDOWN, struct.pack("I", 2))
    os.close(handle)
    after = Load(one, timeout_ms=5000, idempotent=False)
    wait_until(lambda: after.refused and all(len(after.acknowledged["t", p]) > 50 for p in range(PARTITIONS) if p not in bad), 120,
               "the good directory does not serve")
    after.stop()
    assert not any(after.acknowledged["t", p] for p in bad)
    assert one.process.poll() is None
    consumer = Consumer({"bootstrap.servers": one.bootstrap, "group.id": "reader", "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    serving = [p for p in range(PARTITIONS) if p not in bad]
    consumer.assign([TopicPartition("t", p, 0) for p in serving])
    wanted = sum(len(part.acknowledged["t", p]) for part in (load, after) for p in serving)
    read, deadline = 0, time.monotonic() + 120
    while read < wanted and time.monotonic() < deadline:
        read += sum(1 for message in consumer.consume(1000, 1) if not message.error())
    consumer.close()
    assert read >= wanted
    assert one.stop() == 0


def fill(path):
    """Takes every byte that is left."""
    with open(path, "ab", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def at_once(function, *arguments):
    """function(*a) for each a of the arguments, all at the same time; what they return, in order."""
    with ThreadPoolExecutor(8) as pool:
        return [done.result() for done in [pool.submit(function, *a) for a in arguments]]


def wait_until(condition, limit, what):
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
