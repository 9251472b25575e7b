"""A topic that is really compacted goes from one program to the other and back: the last value of every key, tombstones and the empty batches
that keep a producer's last sequence; each side compacts what the other wrote and compacted. Half a minute a direction."""

import re
import shutil
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from peers.broker import Apache, Samsa
from peers.paths import scratch_root
from swap.test_segments import complaints, dump
from swap.test_swap import patiently

TOPIC = "squeezed"
OVERRIDES = {"log__cleaner__backoff__ms": "300", "log__retention__check__interval__ms": "1000", "auto__create__topics__enable": "false"}
# The smallest segments that Kafka allows; tombstones are to stay.
CONFIG = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "86400000",
          "file.delete.delay.ms": "1000"}
DELETED = 10


@pytest.fixture(params=["from-apache", "from-samsa"])
def pair(request):
    directory = scratch_root() / f"swap-compacted-{request.param}"
    shutil.rmtree(directory, ignore_errors=True)
    apache, samsa = Apache(directory, **OVERRIDES), Samsa(directory, **OVERRIDES)
    samsa.port, samsa.controller_port = apache.port, apache.controller_port
    yield (apache, samsa) if request.param == "from-apache" else (samsa, apache)
    apache.kill9()
    samsa.kill9()
    apache.destroy()


def write(broker, tag, model):
    """Three segments of new values for the same keys. One producer's records are all replaced by those of another; some keys are deleted."""
    def produce(producer, key, value):
        producer.produce(TOPIC, key=key, value=value)
        model[key.encode()] = None if value is None else value.encode()
        producer.poll(0)

    first = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 5})
    for i in range(20):
        produce(first, f"replaced-{i}", f"{tag} old")
        produce(first, f"deleted-{i % DELETED}", f"{tag} to be deleted")
    assert first.flush(60) == 0
    second = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True, "linger.ms": 5})
    for i in range(20):
        produce(second, f"replaced-{i}", f"{tag} new")
    for i in range(DELETED):
        produce(second, f"deleted-{i}", None)
    for i in range(3300):
        produce(second, f"fill-{i % 50}", f"{tag} {i} " + "x" * 1000)
    produce(second, f"last-{tag}", tag)
    assert second.flush(60) == 0


def segments(broker):
    return sorted((broker.data_dir / f"{TOPIC}-0").glob("*.log"))


def size(broker):
    total = 0
    for file in segments(broker):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            pass  # Just renamed.
    return total


def wait_compacted(broker):
    """Until there is little more than the segment that is being written."""
    deadline = time.monotonic() + 120
    while size(broker) > 1_400_000:
        assert time.monotonic() < deadline, f"{broker.kind} does not compact: {size(broker)} bytes\n{broker.log()[-2000:]}"
        time.sleep(0.3)


def read(broker):
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "none", "enable.auto.commit": False, "enable.partition.eof": True})
    try:
        start = patiently(lambda: consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30))
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        seen = []
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                if message.error().code() == -191:  # _PARTITION_EOF
                    return start, seen
                raise KafkaException(message.error())
            seen.append((message.offset(), message.key(), message.value(), message.timestamp()))
        raise AssertionError("not read to the end")
    finally:
        consumer.close()


def check(seen, model):
    newest = {}
    for _, key, value, _ in seen[1]:
        newest[key] = value
    assert {key: newest.get(key) for key in model} == model
    # Not only read last: what was replaced in the compacted part is gone.
    values = [value for _, key, value, _ in seen[1] if key.startswith(b"replaced-")]
    assert not any(value.endswith(b"old") for value in values)
    assert len([key for _, key, value, _ in seen[1] if key.startswith(b"deleted-")]) <= 2 * DELETED


def check_dump(broker):
    """Apache Kafka's own tool finds no fault with the compacted segments, and the producer whose records are gone in them."""
    closed = segments(broker)[:-1]
    assert closed
    files = [f for log in closed for f in (log, log.with_suffix(".index"), log.with_suffix(".timeindex"))]
    text = dump(files, "--deep-iteration")
    assert not complaints(text), complaints(text)[:5]
    empty = re.findall(r"^baseOffset: .* count: 0 baseSequence: (-?\d+) .* producerId: (\d+) .* (?:CreateTime|LogAppendTime): (-?\d+) size: 61 ", text, re.M)
    assert empty, text[:2000]
    assert all(int(sequence) >= 0 and int(written) > 0 for sequence, _, written in empty), empty
    assert re.search(r"deleteHorizonMs: OptionalLong\[\d+\]", text), "the tombstones' batches say when they go"


def test_there_and_back(pair):
    one, other = pair
    model = {}
    one.create()
    admin = AdminClient({"bootstrap.servers": one.bootstrap})
    for done in admin.create_topics([NewTopic(TOPIC, 1, 1, config=CONFIG)]).values():
        done.result(60)
    for turn, (broker, next_one) in enumerate([(one, other), (other, one)]):
        write(broker, f"{broker.kind}{turn}", model)
        wait_compacted(broker)
        before = read(broker)
        check(before, model)
        broker.stop()
        check_dump(broker)
        next_one.start()
        after = read(next_one)
        assert after[0] == before[0]
        # It may have compacted further meanwhile, but never beyond what a reader needs.
        assert set(after[1]) <= set(before[1])
        check(after, model)
    write(one, "end", model)
    wait_compacted(one)
    check(read(one), model)
    log = one.log() + other.log()
    assert not re.search(r"not compacted|as uncleanable|is offline", log)
