"""A data directory goes from Apache Kafka to Samsa and back: every record, offset, timestamp and group offset stays."""

import shutil
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from peers.broker import Apache, Samsa
from peers.paths import scratch_root

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
SMALL = {"segment.bytes": "1048576", "index.interval.bytes": "512"}
OVERRIDES = {"log__retention__check__interval__ms": "3600000", "auto__create__topics__enable": "false", "log__segment__bytes": "1048576"}


class Pair:
    """Both programs on one directory, one at a time."""

    def __init__(self, name):
        directory = scratch_root() / f"swap-{name}"
        shutil.rmtree(directory, ignore_errors=True)
        self.apache = Apache(directory, **OVERRIDES)
        self.samsa = Samsa(directory, **OVERRIDES)
        self.samsa.port, self.samsa.controller_port = self.apache.port, self.apache.controller_port
        self.bootstrap = self.apache.bootstrap

    def destroy(self):
        self.apache.kill9()
        self.samsa.kill9()
        self.apache.destroy()


@pytest.fixture
def pair(request):
    made = Pair(request.node.name.replace("[", "-").replace("]", ""))
    yield made
    made.destroy()


def create_topics(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(f"codec-{codec}", 1, 1, config=SMALL) for codec in CODECS]
    topics += [NewTopic("keyed", 3, 1, config=SMALL), NewTopic("transactional", 1, 1, config=SMALL), NewTopic("many", 1, 1, config=SMALL)]
    topics += [NewTopic("stamped", 1, 1, config={"message.timestamp.type": "LogAppendTime"}), NewTopic("compacted", 1, 1, config={"cleanup.policy": "compact"})]
    for done in admin.create_topics(topics).values():
        done.result(60)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(admin.list_topics(timeout=30).topics) < len(topics):
        time.sleep(0.2)


NOT_YET = {"NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_LEADER_FOR_PARTITION", "NOT_LEADER_OR_FOLLOWER",
           "LEADER_NOT_AVAILABLE", "REPLICA_NOT_AVAILABLE", "_WAIT_COORD", "_TIMED_OUT", "_TRANSPORT"}


def patiently(call):
    """What the call gives once leaders and coordinators are there: a broker that has just started is still loading them."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return call()
        except KafkaException as error:
            if time.monotonic() > deadline or not (error.args[0].name() in NOT_YET or error.args[0].retriable()):
                raise
        time.sleep(0.5)


def write(bootstrap, tag, transactions):
    for codec in CODECS:
        producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
        for i in range(500):
            producer.produce(f"codec-{codec}", key=f"{tag}-{i}", value=f"{tag} value {i} " + "x" * 50, headers={"n": str(i).encode(), "none": None})
        assert producer.flush(60) == 0
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for i in range(900):
        producer.produce("keyed", key=f"k{i % 30}", value=f"{tag} {i}")
        producer.produce("compacted", key=f"k{i % 30}", value=None if i % 10 == 9 else f"{tag} {i}")
        producer.produce("stamped", value=f"{tag} {i}")
    for i in range(3000):
        producer.produce("many", value=f"{tag} {i} " + "y" * 1000)
        producer.poll(0)
    assert producer.flush(120) == 0
    if transactions:
        producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "t", "linger.ms": 5})
        patiently(lambda: producer.init_transactions(60))
        for n in range(6):
            producer.begin_transaction()
            for i in range(20):
                producer.produce("transactional", key=f"{n}", value=f"{tag} {n} {i}")
            if n % 2:
                producer.flush(30)
                patiently(lambda: producer.abort_transaction(60))
            else:
                patiently(lambda: producer.commit_transaction(60))


def read(bootstrap):
    """Everything a reader of committed data sees, and where the partitions begin and end."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False, "isolation.level": "read_committed",
                         "auto.offset.reset": "earliest", "enable.partition.eof": True})
    try:
        seen, ends = {}, {}
        partitions = [TopicPartition(name, p, 0) for name, topic in consumer.list_topics(timeout=30).topics.items()
                      if not name.startswith("__") for p in topic.partitions]
        for partition in partitions:
            ends[partition.topic, partition.partition] = patiently(lambda p=partition: consumer.get_watermark_offsets(p, timeout=30))
            seen[partition.topic, partition.partition] = []
        consumer.assign(partitions)
        finished = set()
        deadline = time.monotonic() + 120
        while len(finished) < len(partitions) and time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                if message.error().code() != -191:  # _PARTITION_EOF
                    raise KafkaException(message.error())
                finished.add((message.topic(), message.partition()))
                continue
            finished.discard((message.topic(), message.partition()))
            seen[message.topic(), message.partition()].append(
                (message.offset(), message.key(), message.value(), message.timestamp(), message.headers()))
        assert len(finished) == len(partitions), "not read to the end"
        middle = seen["many", 0][len(seen["many", 0]) // 2][3][1]
        times = patiently(lambda: consumer.offsets_for_times([TopicPartition("many", 0, middle)], timeout=30))
        return seen, ends, [(t.topic, t.partition, t.offset) for t in times]
    finally:
        consumer.close()


def commit(bootstrap, offset):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kept"})
    patiently(lambda: consumer.commit(offsets=[TopicPartition("keyed", p, offset + p) for p in range(3)], asynchronous=False))
    consumer.close()


def committed(bootstrap):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "kept"})
    try:
        return [p.offset for p in patiently(lambda: consumer.committed([TopicPartition("keyed", p) for p in range(3)], timeout=60))]
    finally:
        consumer.close()


def compare(first, second):
    for part in (0, 1):
        assert first[part].keys() == second[part].keys()
        for key in first[part]:
            assert first[part][key] == second[part][key], key
    assert first[2] == second[2]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_there_and_back(pair, how):
    end = (lambda broker: broker.stop()) if how == "stopped" else (lambda broker: broker.kill9())
    pair.apache.create()
    create_topics(pair.bootstrap)
    write(pair.bootstrap, "apache", transactions=True)
    commit(pair.bootstrap, 100)
    before = read(pair.bootstrap)
    assert sum(len(records) for records in before[0].values()) > 8000
    end(pair.apache)

    pair.samsa.start()
    compare(before, read(pair.bootstrap))
    assert committed(pair.bootstrap) == [100, 101, 102]
    write(pair.bootstrap, "samsa", transactions=False)
    commit(pair.bootstrap, 200)
    between = read(pair.bootstrap)
    assert sum(len(r) for r in between[0].values()) > sum(len(r) for r in before[0].values()) + 8000
    end(pair.samsa)

    pair.apache.start()
    compare(between, read(pair.bootstrap))
    assert committed(pair.bootstrap) == [200, 201, 202]
    write(pair.bootstrap, "again", transactions=True)
    after = read(pair.bootstrap)
    assert all(len(after[0][key]) > len(between[0][key]) for key in between[0])
    log = pair.apache.log()
    # That a busy machine keeps its controller waiting is no error of a file.
    errors = [line for line in log[max(0, log.rfind("Kafka Server started")):].splitlines()
              if " ERROR " in line and "EventPerformanceMonitor" not in line and "event queue overloaded" not in line]
    assert not errors, errors[:5]
