"""Several log directories: replicas move between them while they serve, and cordoned ones get nothing new."""

import shutil
import struct
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from peers import rawwire
from peers.broker import Samsa
from peers.paths import scratch_root

from .test_real_disk import PARTITIONS, ROUNDS, Load, assert_nothing_lost, create_topic, read_back, wait_until

LOG_DIR_NOT_FOUND, REPLICA_NOT_AVAILABLE, INVALID_REPLICA_ASSIGNMENT = 57, 9, 39


@pytest.fixture
def node(request):
    directory = scratch_root() / f"dirs-{request.node.name}"
    shutil.rmtree(directory, ignore_errors=True)
    one = Samsa(directory, auto__create__topics__enable="false")
    one.dirs = [str(directory / name) for name in ("a", "b")]
    one.overrides |= {"log.dirs": ",".join(one.dirs)}
    one.data_dir = directory / "a"
    yield one.create()
    one.destroy()
    for name in one.dirs:
        shutil.rmtree(name, ignore_errors=True)


def alter(node, directory, topic, *partitions):
    """AlterReplicaLogDirs v1: the error code of each partition."""
    body = struct.pack(">i", 1) + rawwire.string(directory) + struct.pack(">i", 1) + rawwire.string(topic) + struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)
    with node.connection() as connection:
        answer = rawwire.Answer(connection.call(rawwire.request(34, 1, body)))
    assert answer.take(">ii")[1] == 1 and answer.string() == topic
    return dict(answer.array(">ih"))


def describe(node):
    """{directory: {(topic, partition): (size, lag, future)}}."""
    with node.connection() as connection:
        return {directory: {(topic, partition): tuple(about) for topic, partitions in topics.items() for partition, *about in partitions}
                for directory, topics, _ in rawwire.log_dirs(connection)}


def place(node, partition, topic="t"):
    """(directory, its future directory or None)"""
    current = future = None
    for directory, logs in describe(node).items():
        if (topic, partition) in logs:
            if logs[topic, partition][2]:
                future = directory
            else:
                current = directory
    return current, future


def test_moved_under_load(node):
    create_topic(node, segment_bytes="1048576")
    load = Load(node, size=1000)
    load.wait_for_more(5000)
    assert {place(node, p)[0] for p in range(PARTITIONS)} == set(node.dirs)  # Spread over both.
    for to in (node.dirs[0], node.dirs[1]):
        assert set(alter(node, to, "t", *range(PARTITIONS)).values()) == {0}
        wait_until(lambda: all(place(node, p) == (to, None) for p in range(PARTITIONS)), 120, "not moved")
        load.wait_for_more(1000)
    assert set(alter(node, node.dirs[1], "t", *range(PARTITIONS)).values()) == {0}  # Nothing to do.
    load.stop()
    assert_nothing_lost(load, read_back(node))
    node.stop()
    node.start()
    assert all(place(node, p) == (node.dirs[1], None) for p in range(PARTITIONS))
    assert_nothing_lost(load, read_back(node))
    assert not list((node.directory / "a").glob("t-?"))


def test_killed_while_moving(node):
    create_topic(node, segment_bytes="1048576")
    load = Load(node, size=4000)
    for number in range(ROUNDS // 2):
        load.wait_for_more(1500)
        to = node.dirs[number % 2]
        assert set(alter(node, to, "t", *range(PARTITIONS)).values()) == {0}
        time.sleep(0.05 * number)
        node.kill9()
        node.start()
        # A partition that is still being recovered stands nowhere.
        wait_until(lambda: all(current and not future for current, future in (place(node, p) for p in range(PARTITIONS))), 120, "the moves do not end")
    load.stop()
    assert_nothing_lost(load, read_back(node))
    assert node.stop() == 0


def test_what_cannot_be_moved(node):
    create_topic(node)
    assert alter(node, "/no/such/directory", "t", 0) == {0: LOG_DIR_NOT_FOUND}
    assert alter(node, node.dirs[0], "nobody", 0) == {0: REPLICA_NOT_AVAILABLE}
    assert alter(node, node.dirs[0], "t", 99) == {99: REPLICA_NOT_AVAILABLE}


def cordon(admin, value):
    configure(admin, "cordoned.log.dirs", value)


def test_moved_no_faster_than_allowed(node):
    admin = create_topic(node)
    limit = "replica.alter.log.dirs.io.max.bytes.per.second"
    configure(admin, limit, "400000")
    load = Load(node, size=4000)
    load.wait_for_more(2000)
    load.stop()
    here = place(node, 0)[0]
    to = next(d for d in node.dirs if d != here)
    began = time.monotonic()
    assert alter(node, to, "t", 0) == {0: 0}
    time.sleep(1)
    held = place(node, 0)
    # Two megabytes and more at 400 kB/s; a machine that stood still for five seconds proves nothing.
    assert held == (here, to) or time.monotonic() - began > 5
    configure(admin, limit, str(1 << 40))
    wait_until(lambda: place(node, 0) == (to, None), 120, "not moved")  # The pause under way ends first.
    assert_nothing_lost(load, read_back(node))
    assert node.stop() == 0


def configure(admin, name, value):
    resource = ConfigResource(ResourceType.BROKER, "1")
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET))
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(60)


def test_cordoned(node):
    admin = create_topic(node)
    cordon(admin, node.dirs[1])
    other = next(p for p in range(PARTITIONS) if place(node, p)[0] == node.dirs[0])
    wait_until(lambda: alter(node, node.dirs[1], "t", other) == {other: INVALID_REPLICA_ASSIGNMENT}, 120, "the directory is not cordoned")
    create_topic(node, "fresh", partitions=6)
    wait_until(lambda: sum(topic == "fresh" for topic, _ in describe(node)[node.dirs[0]]) == 6, 120, "not all in the other directory")
    cordon(admin, ",".join(node.dirs))

    def refused():
        try:
            for done in admin.create_topics([NewTopic("never", 1, 1)], validate_only=True).values():
                done.result(30)
        except KafkaException as error:
            return error.args[0].name() == "INVALID_REPLICATION_FACTOR"
        return False

    wait_until(refused, 120, "topics are still created")
    cordon(admin, "")
    wait_until(lambda: not refused(), 120, "topics are not created again")
    assert alter(node, node.dirs[1], "t", other) == {other: 0}
    wait_until(lambda: place(node, other) == (node.dirs[1], None), 120, "not moved")


def test_the_first_lines_say_what_is_promised(node):
    assert "acknowledged records are in the page cache" in node.log() and "synced to disk" not in node.log()
    assert node.stop() == 0
    node.overrides["log.flush.interval.messages"] = "1"
    node.start()
    assert "acknowledged records are synced to disk" in node.log()
