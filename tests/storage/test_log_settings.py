"""What a topic's settings do to its log: the same records into Samsa and Apache Kafka, the same settings, and then the same offsets, records, files
and refusals on both. Records are sent one by one, so that batches and with them segments are alike (60 s)."""

import json
import os
import re
import shutil
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from peers import rawwire, tools
from peers.broker import Apache, Samsa
from peers.paths import scratch_root

from .test_real_disk import at_once, wait_until

SETTINGS = dict(
    log__retention__check__interval__ms="300", log__initial__task__delay__ms="300", log__cleaner__backoff__ms="200", auto__create__topics__enable="false",
    log__flush__offset__checkpoint__interval__ms="500", log__flush__start__offset__checkpoint__interval__ms="500", log__flush__scheduler__interval__ms="200",
    log__flush__interval__ms="9000000000000", log__cleaner__threads="2", log__retention__ms="-1")
HOUR = 3_600_000
MIB = 1 << 20


def now():
    return int(time.time() * 1000)


@pytest.fixture(scope="module")
def both():
    made = []
    for kind in (Apache, Samsa):
        directory = scratch_root() / f"log-settings-{kind.kind}"
        shutil.rmtree(directory, ignore_errors=True)
        made.append(kind(directory, **SETTINGS))
    try:
        for one in made:
            assert one.format().returncode == 0
            one.start(wait=False)
        for one in made:
            one.wait_ready()
        yield made
    finally:
        for one in made:
            one.destroy()


def create(brokers, name, **config):
    for one in brokers:
        admin = AdminClient({"bootstrap.servers": one.bootstrap})
        admin.create_topics([NewTopic(name, 1, 1, config={k.replace("_", "."): str(v) for k, v in config.items()})])[name].result(60)


def configure(one, topic, name, value):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    resource.add_incremental_config(ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET))
    admin = AdminClient({"bootstrap.servers": one.bootstrap})
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(60)


def produce(one, topic, records, **settings):
    """Each (timestamp, key, value) as a batch of its own, in order; gives the errors' names and the rest as None."""
    errors = []
    producer = Producer({"bootstrap.servers": one.bootstrap, "batch.num.messages": 1, "linger.ms": 0, "message.timeout.ms": 60_000, "message.max.bytes": 20_000_000,
                         "max.in.flight.requests.per.connection": 1} | {k.replace("_", "."): v for k, v in settings.items()})
    for timestamp, key, value in records:
        producer.produce(topic, key=key, value=value, timestamp=timestamp, on_delivery=lambda error, _: errors.append(None if error is None else error.name()))
        producer.poll(0)
    assert producer.flush(90) == 0
    return errors


def offsets(one, topic):
    consumer = Consumer({"bootstrap.servers": one.bootstrap, "group.id": "g"})
    try:
        return consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)
    finally:
        consumer.close()


def read(one, topic):
    consumer = Consumer({"bootstrap.servers": one.bootstrap, "group.id": "g", "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found, deadline = [], time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error() is None:
                found.append((message.offset(), message.key(), message.value(), message.timestamp()[1]))
            elif message.error().code() == KafkaError._PARTITION_EOF:
                return found
            elif not message.error().retriable():
                raise KafkaException(message.error())
        raise AssertionError("not read to the end")
    finally:
        consumer.close()


def segments(one, topic, suffix=".log"):
    return sorted(f.name for f in (one.data_dir / f"{topic}-0").iterdir() if f.name.endswith(suffix))


def checkpoint(one, name):
    """{topic: offset} of partition 0."""
    try:
        lines = (one.data_dir / name).read_text().splitlines()[2:]
    except FileNotFoundError:
        return {}
    return {line.split()[0]: int(line.split()[2]) for line in lines if line.split()[1] == "0"}


def dump(one, topic, *arguments):
    files = ",".join(str(one.data_dir / f"{topic}-0" / name) for name in segments(one, topic))
    done = tools.run(tools.SamsaTools(), "kafka-dump-log", "--files", files, *arguments, timeout=100)
    assert done.code == 0, done.err
    return done.out


def on_both(both, look, what, limit=90):
    """Waits until both look alike, and as they should: `what` says of a value whether it is right."""
    for one in both:
        wait_until(lambda one=one: what(look(one)), limit, f"{one.kind}: {look(one)}")
    first, second = (look(one) for one in both)
    assert first == second


def test_retention_by_time_and_size(both):
    start = now()
    records = [((start - 2 * HOUR if i < 25 else start), None, bytes(100_000)) for i in range(45)]
    create(both, "by-time", segment_bytes=MIB)
    create(both, "by-size", segment_bytes=MIB)
    assert at_once(produce, *[(one, topic, records) for one in both for topic in ("by-time", "by-size")]) == [[None] * 45] * 4
    for one in both:
        for topic, setting, value in (("by-time", "retention.ms", HOUR), ("by-size", "retention.bytes", 2 * MIB)):
            configure(one, topic, setting, value)
    on_both(both, lambda one: offsets(one, "by-time"), lambda found: found == (20, 45))  # The segment that holds a younger record stays.
    on_both(both, lambda one: offsets(one, "by-size"), lambda found: found == (20, 45))
    # All of it is old: a new segment takes the place of the active one.
    create(both, "all-old")
    for one in both:
        produce(one, "all-old", records[:5])
        configure(one, "all-old", "retention.ms", HOUR)
    on_both(both, lambda one: (offsets(one, "all-old"), segments(one, "all-old")), lambda found: found == ((5, 5), ["00000000000000000005.log"]))


def test_roll(both):
    start = now() - HOUR
    create(both, "by-age", segment_ms=1000)
    create(both, "by-bytes", segment_bytes=MIB)
    create(both, "by-index", segment_index_bytes=48, index_interval_bytes=1)
    for one in both:
        produce(one, "by-age", [(start + ms, None, b"v") for ms in (0, 1000, 1001, 1500, 2002, 2001, 9000)])
        produce(one, "by-bytes", [(start, None, bytes(300_000)) for _ in range(8)])
        produce(one, "by-index", [(start + i, None, bytes(100)) for i in range(20)])
    for topic in ("by-age", "by-bytes", "by-index"):
        on_both(both, lambda one: segments(one, topic), lambda found: len(found) > 2)


def refusal(what, *arguments, **settings):
    try:
        what(*arguments, **settings)
    except KafkaException as error:
        return error.args[0].name()
    return None


def test_internal_segment_bytes(both):
    """Kafka's setting for its own tests: segments below the least of segment.bytes, which it beats."""
    create(both, "tiny", internal_segment_bytes=500, segment_bytes=MIB)
    create(both, "tiny-later")
    for one in both:
        for topic in ("tiny", "tiny-later"):
            assert produce(one, topic, [(now(), None, bytes(150))] * 8) == [None] * 8
    on_both(both, lambda one: (segments(one, "tiny"), segments(one, "tiny-later")), lambda found: (len(found[0]), len(found[1])) == (4, 1))
    for one in both:
        configure(one, "tiny-later", "internal.segment.bytes", 700)
        configure(one, "tiny-later", "segment.bytes", 2 * MIB)
    on_both(both, lambda one: produce(one, "tiny-later", [(now(), None, bytes(150))] * 4) and len(segments(one, "tiny-later")), lambda found: found > 1)
    for size in (400, 431, 432, 600):  # Around what one segment holds.
        answers = [produce(one, "tiny", [(now(), None, bytes(size))]) for one in both]
        assert answers[0] == answers[1], (size, answers)
    resource = ConfigResource(ResourceType.TOPIC, "tiny")
    admins = [AdminClient({"bootstrap.servers": one.bootstrap}) for one in both]
    shown = [admin.describe_configs([resource])[resource].result(60) for admin in admins]
    said = [{name: getattr(settings["internal.segment.bytes"], name) for name in ("value", "source", "is_read_only", "is_default", "is_sensitive")} for settings in shown]
    assert said[0] == said[1] and said[1]["value"] == "500"
    assert [settings["segment.bytes"].value for settings in shown] == [str(MIB)] * 2
    for value in ("0", "-1", "1", "many"):
        refused = [refusal(create, [one], f"no{value}", internal_segment_bytes=value) for one in both]
        changed = [refusal(configure, one, "tiny", "internal.segment.bytes", value) for one in both]
        assert refused[0] == refused[1] and changed[0] == changed[1], (value, refused, changed)


def test_timestamps(both):
    start = now()
    create(both, "bounded", message_timestamp_before_max_ms=HOUR, message_timestamp_after_max_ms=HOUR // 2)
    create(both, "stamped", message_timestamp_type="LogAppendTime", message_timestamp_before_max_ms=HOUR)
    times = [start, start - HOUR // 2, start - 2 * HOUR, start + HOUR // 4, start + HOUR]
    answers = [[produce(one, topic, [(t, None, b"v")])[0] for t in times for topic in ("bounded", "stamped")] for one in both]
    assert answers[0] == answers[1]
    assert answers[1] == [None, None, None, None, "INVALID_TIMESTAMP", None, None, None, "INVALID_TIMESTAMP", None]
    for one in both:
        assert all(start <= timestamp <= now() for *_, timestamp in read(one, "stamped"))


def test_largest_batch(both):
    create(both, "small", max_message_bytes=1000)
    for size in (900, 929, 930, 931, 932, 1000):
        answers = [produce(one, "small", [(now(), None, bytes(size))]) for one in both]
        assert answers[0] == answers[1], size
    assert answers[1] == ["MSG_SIZE_TOO_LARGE"]


def test_codecs_and_levels(both):
    value = json.dumps([{"name": f"record {i * 7919 % 1000}", "size": i * i} for i in range(3000)]).encode()
    cases = [("producer", {}), ("uncompressed", {}), ("snappy", {}), *[(codec, {f"compression_{codec}_level": level}) for codec, levels in
                                                                     (("gzip", (1, 9)), ("lz4", (1, 17)), ("zstd", (1, 22))) for level in levels]]

    def size(one, number, codec, level):
        create([one], f"codec{number}", compression_type=codec, **level)
        assert produce(one, f"codec{number}", [(now(), b"k", value)] * 2, compression_type="snappy" if codec == "producer" else "gzip" if codec == "lz4" else "lz4") == [None, None]
        said = re.findall(r"compresscodec: (\w+)", dump(one, f"codec{number}"))
        assert said == [{"producer": "snappy", "uncompressed": "none"}.get(codec, codec)] * 2
        assert [record[:3] for record in read(one, f"codec{number}")] == [(0, b"k", value), (1, b"k", value)]
        return (one.data_dir / f"codec{number}-0" / f"{0:020}.log").stat().st_size

    sizes = {one.kind: at_once(size, *[(one, number, *case) for number, case in enumerate(cases)]) for one in both}
    for number, (codec, level) in enumerate(cases):
        theirs, ours = sizes["apache"][number], sizes["samsa"][number]
        assert 0.85 * theirs <= ours <= 1.06 * theirs, (codec, level, theirs, ours)
    for low, high in ((3, 4), (5, 6), (7, 8)):
        assert sizes["samsa"][high] < sizes["samsa"][low], cases[high]


def test_flushed_as_asked(both):
    create(both, "by-count", flush_messages=10)
    create(both, "by-flush-ms", flush_ms=500)
    create(both, "never")
    for one in both:
        for topic in ("by-count", "by-flush-ms", "never"):
            produce(one, topic, [(now(), None, b"v")] * 25)
    for one in both:
        wait_until(lambda: checkpoint(one, "recovery-point-offset-checkpoint").get("by-count", 0) >= 20, 60, f"{one.kind}: flush.messages")
        wait_until(lambda: checkpoint(one, "recovery-point-offset-checkpoint").get("by-flush-ms", 0) == 25, 60, f"{one.kind}: flush.ms")
        assert checkpoint(one, "recovery-point-offset-checkpoint").get("never", 0) == 0


def test_deleted_records_and_files(both):
    create(both, "cut", segment_bytes=MIB, file_delete_delay_ms=4000)
    for one in both:
        produce(one, "cut", [(now(), None, bytes(100_000))] * 35)
        admin = AdminClient({"bootstrap.servers": one.bootstrap})
        for done in admin.delete_records([TopicPartition("cut", 0, 25)], request_timeout=60).values():
            assert done.result(60).low_watermark == 25
        wait_until(lambda: segments(one, "cut", ".log.deleted") == [f"{base:020}.log.deleted" for base in (0, 10)], 60, f"{one.kind}: {segments(one, 'cut', '')}")
    on_both(both, lambda one: (offsets(one, "cut"), segments(one, "cut")), lambda found: found == ((25, 35), ["00000000000000000020.log", "00000000000000000030.log"]))
    on_both(both, lambda one: checkpoint(one, "log-start-offset-checkpoint").get("cut"), lambda found: found == 25)
    on_both(both, lambda one: segments(one, "cut", ".deleted"), lambda found: not found)  # After file.delete.delay.ms.


def test_preallocated(both):
    create(both, "ahead", preallocate="true", segment_bytes=MIB)
    files = [one.data_dir / "ahead-0" / f"{0:020}.log" for one in both]
    for one in both:
        produce(one, "ahead", [(now(), None, bytes(1000))])
    theirs, ours = (f.stat() for f in files)
    assert theirs.st_size == MIB
    # The disk's blocks alone, so that nobody has to look for the end of the records.
    assert ours.st_size < 2000 and ours.st_blocks * 512 >= MIB
    for one in both:
        produce(one, "ahead", [(now(), None, bytes(100_000))] * 12)
    theirs, ours = (f.stat() for f in files)
    assert theirs.st_size == ours.st_size < MIB
    assert ours.st_blocks * 512 < ours.st_size + 65_536


def keyed(start, end, keys, at, step):
    return [(at + (i - start) * step, b"k%d" % (i % keys), None if i % 17 == 16 else b"value %d" % i) for i in range(start, end)]


def test_compaction(both):
    """The same records stay at the same offsets: dirty ratio, tombstones and their horizon, both policies, lags."""
    start = now() - HOUR
    compact = dict(cleanup_policy="compact", segment_ms=10_000)
    create(both, "keeps-tombstones", **compact, min_cleanable_dirty_ratio="0.01")
    create(both, "drops-tombstones", **compact, min_cleanable_dirty_ratio="0.01", delete_retention_ms=0)
    create(both, "too-clean", **compact, min_cleanable_dirty_ratio="1.0")
    create(both, "too-young", **compact, min_cleanable_dirty_ratio="0.01", min_compaction_lag_ms=HOUR // 2)
    create(both, "overdue", **compact, min_cleanable_dirty_ratio="1.0", max_compaction_lag_ms=60_000)
    create(both, "both-policies", cleanup_policy="compact,delete", segment_ms=10_000, retention_ms=HOUR // 2, min_cleanable_dirty_ratio="0.01")
    topics = ["keeps-tombstones", "drops-tombstones", "too-clean", "too-young", "overdue", "both-policies"]
    records = keyed(0, 150, 10, start, 2000) + keyed(150, 200, 10, start + HOUR - 60_000, 200)
    assert not any(any(errors) for errors in at_once(produce, *[(one, topic, records) for one in both for topic in topics]))
    # Once more, so that what met its delete horizon in the first round is looked at again.

    def again(one, topic):
        wait_until(lambda: len(read(one, topic)) < 100, 90, f"{one.kind}: {topic}")
        produce(one, topic, keyed(200, 250, 10, start + HOUR - 30_000, 400))

    at_once(again, *[(one, topic) for one in both for topic in ("keeps-tombstones", "drops-tombstones")])
    for topic in ("keeps-tombstones", "drops-tombstones", "overdue", "both-policies"):
        on_both(both, lambda one: read(one, topic), lambda found: len(found) < 125)
    wait_until(lambda: read(both[0], "drops-tombstones") == read(both[1], "drops-tombstones"), 60, "not the same")
    left = read(both[1], "both-policies")
    assert left and left[0][3] >= start + HOUR - 60_000 and offsets(both[1], "both-policies")[0] > 0
    assert len(read(both[0], "too-clean")) == len(read(both[1], "too-clean")) == 200
    # Only what is older than min.compaction.lag.ms was touched.
    on_both(both, lambda one: read(one, "too-young"), lambda found: 50 < len(found) < 200)
    assert "deleteHorizonMs" in dump(both[1], "keeps-tombstones") and "deleteHorizonMs" in dump(both[0], "keeps-tombstones")
    last = {}
    for offset, (_, key, value) in enumerate(records):
        last[key] = (offset, value)
    found = {key: (offset, value) for offset, key, value, _ in read(both[1], "overdue")}
    assert {key: one for key, one in last.items() if one[1] is not None}.items() <= found.items()


@pytest.mark.parametrize("version", [4, 5])
def test_sizes_of_directories(both, version):
    create(both, f"sized{version}")
    sizes = set()
    for one in both:
        produce(one, f"sized{version}", [(now(), None, bytes(1000))] * 10)
        with one.connection() as connection:
            (name, topics, about), = rawwire.log_dirs(connection, version)
        assert name == str(one.data_dir)
        disk = os.statvfs(one.data_dir)
        assert about[0] == disk.f_blocks * disk.f_frsize
        assert abs(about[1] - disk.f_bavail * disk.f_frsize) < 1 << 30
        assert list(about[2:]) == [False] * (version - 4)
        (index, size, lag, future), = topics[f"sized{version}"]
        assert (index, lag, future) == (0, 0, False)
        assert size == (one.data_dir / f"sized{version}-0" / f"{0:020}.log").stat().st_size > 10_000
        sizes.add(size)
    assert len(sizes) == 1


def ended(one):
    one.stop()
    return {f.name: f for f in one.data_dir.iterdir()}


def test_what_a_stop_leaves(both):  # The last one.
    """The same files, the same names in them; the clean-shutdown file has the broker's epoch."""
    create(both, "some")
    for one in both:
        produce(one, "some", [(now(), b"k", b"v")] * 3)
    left = [ended(one) for one in both]
    names = [{re.sub(r"^__.*", "__", n) for n in files if not n.startswith((".samsa", ".lock"))} for files in left]
    assert names[0] == names[1]
    for files in left:
        shutdown = json.loads(files[".kafka_cleanshutdown"].read_text())
        assert shutdown["version"] == 0 and shutdown["brokerEpoch"] > 0 and len(shutdown) == 2
        assert re.fullmatch(r"0\n\d+\n(\S+ \d+ \d+\n)*", files["replication-offset-checkpoint"].read_text())
        properties = dict(line.split("=", 1) for line in files["meta.properties"].read_text().splitlines() if not line.startswith("#"))
        assert set(properties) == {"version", "cluster.id", "node.id", "directory.id"} and len(properties["directory.id"]) == 22
    inside = [sorted(f.name for f in files["some-0"].iterdir()) for files in left]
    assert inside[0] == inside[1]
    ends = [checkpoint(one, "recovery-point-offset-checkpoint") for one in both]
    same = {t for t in ends[0] if not t.startswith("__")}
    assert {t: ends[0][t] for t in same} == {t: ends[1][t] for t in same}
