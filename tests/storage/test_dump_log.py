"""kafka-dump-log.sh says of the same files, line for line, what Apache Kafka's own DumpLogSegments says: files that either program wrote."""

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from peers import maven, tools
from peers.broker import Apache, Samsa
from peers.paths import BUILD, scratch_root

from .test_real_disk import at_once

WIRE_PROBE = BUILD / "release" / "samsa_wire_probe"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
SMALL = {"segment.bytes": "1048576", "index.interval.bytes": "512"}
KINDS = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint")
# Random ones of these differ: what 4.3 does not know; fractions, which Java prints with more digits than needed before version 19.
LATER = {"StreamsGroupMetadataValue", "UnregisterControllerRecord", "ClientQuotaRecord"}
SAMSA = tools.SamsaTools()


class Java:
    """Apache Kafka's tool in one process for all calls (Dumps.java)."""

    process = None

    @classmethod
    def run(cls, *arguments):
        if cls.process is None:
            cls.process = subprocess.Popen(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", str(maven.kafka_libs() / "*"), str(Path(__file__).with_name("Dumps.java"))],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        cls.process.stdin.write("\x1f".join(arguments).encode() + b"\n")
        cls.process.stdin.flush()
        code, size = struct.unpack(">ii", cls.process.stdout.read(8))
        out = cls.process.stdout.read(size).decode()
        (size,) = struct.unpack(">i", cls.process.stdout.read(4))
        return tools.Done(code, out, cls.process.stdout.read(size).decode())


@pytest.fixture(scope="module", autouse=True)
def java_ends():
    yield
    if Java.process is not None:
        Java.process.stdin.close()
        Java.process.wait(30)
        Java.process = None


def dump(which, files, *arguments):
    arguments = ("--files", ",".join(str(f) for f in files), *arguments)
    return Java.run(*arguments) if which is Java else tools.run(which, "kafka-dump-log", *arguments, timeout=100)


def same(files, *arguments, code=0):
    """Both tools over the files; what they say, once it is known to be equal."""
    files = list(files)
    assert files
    java, samsa = dump(Java, files, *arguments), dump(SAMSA, files, *arguments)
    assert java.code == code, java.err
    assert samsa.code == code, samsa.err
    for number, (theirs, ours) in enumerate(zip(java.out.splitlines(), samsa.out.splitlines()), 1):
        assert theirs == ours, f"line {number}"
    assert java.out == samsa.out
    if code == 0:
        assert java.err == samsa.err
    return samsa.out


def prepare(broker):
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    topics = [NewTopic(f"codec-{codec}", 1, 1, config=SMALL) for codec in CODECS]
    topics += [NewTopic(name, 1, 1, config=SMALL) for name in ("transactional", "offset-records", "transaction-records", "share-records", "metadata-records", "remote-records")]
    topics += [NewTopic("stamped", 1, 1, config={"message.timestamp.type": "LogAppendTime"}), NewTopic("numbers", 1, 1)]
    for done in admin.create_topics(topics).values():
        done.result(60)


def write(broker, transactions):
    servers = {"bootstrap.servers": broker.bootstrap, "linger.ms": 5}

    def compressed(codec):
        producer = Producer(servers | {"compression.type": codec, "enable.idempotence": True})
        for i in range(400):
            producer.produce(f"codec-{codec}", key=None if i % 7 == 0 else f"k\u00e4{i}", value=None if i % 11 == 0 else f"{i} " + "x" * 50,
                             headers=[("n", str(i).encode()), ("none", None)] if i % 3 == 0 else None)
            if i % 50 == 0:
                producer.flush(30)
        assert producer.flush(60) == 0

    at_once(compressed, *[(codec,) for codec in CODECS])
    producer = Producer(servers)
    for i in range(300):
        producer.produce("stamped", value=f"{i}".encode() + b"\xff\xc3\x28")
        producer.produce("numbers", key=i.to_bytes(4, "big"), value=(i << 33).to_bytes(8, "big"))
    assert producer.flush(60) == 0
    if transactions:
        producer = Producer(servers | {"transactional.id": "t"})
        producer.init_transactions(60)
        for n in range(6):
            producer.begin_transaction()
            for i in range(20):
                producer.produce("transactional", key=f"{n}", value=f"{n} {i}")
            producer.flush(30)
            producer.abort_transaction(60) if n % 2 else producer.commit_transaction(60)


def consume(broker, group, protocol):
    settings = {"bootstrap.servers": broker.bootstrap, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer(settings)
    consumer.subscribe(["codec-none", "stamped"])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and consumer.poll(0.5) is None:
        pass
    consumer.commit(offsets=[TopicPartition("stamped", 0, 7)], asynchronous=False)
    consumer.close()


def random_records(broker):
    """Records of every kind that internal topics hold, with random fields, as records of ordinary topics."""
    done = subprocess.run([str(WIRE_PROBE), "generate", "17", "3"], capture_output=True, text=True, check=True)
    types = dict(line.split() for line in subprocess.run([str(WIRE_PROBE), "records"], capture_output=True, text=True, check=True).stdout.splitlines())
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    keys = {}
    for line in done.stdout.splitlines():
        fields = line.split()
        name, version, body = fields[0], int(fields[1]), bytes.fromhex(fields[2] if len(fields) > 2 else "")
        if name not in types or name in LATER:
            continue
        kind, number = types[name].split(":")
        if kind == "remote":
            continue
        topic = ("transaction-records" if name.startswith("TransactionLog") else
                 "share-records" if name.startswith(("ShareSnapshot", "ShareUpdate")) else "offset-records")
        if kind == "key":
            keys[name.removesuffix("Key")] = int(number).to_bytes(2, "big") + body
            producer.produce(topic, key=keys[name.removesuffix("Key")], value=None)
        elif kind == "value":
            producer.produce(topic, key=keys.get(name.removesuffix("Value"), b""), value=version.to_bytes(2, "big") + body)
        else:
            frame = bytes([1, int(number), version])
            producer.produce(f"{kind}-records", value=frame + body)
    for record in remote_log_records():
        producer.produce("remote-records", value=record)
    for topic in ("offset-records", "transaction-records", "share-records"):
        producer.produce(topic, key=(99).to_bytes(2, "big"), value=b"")
    assert producer.flush(60) == 0


def remote_log_records():
    """What __remote_log_metadata holds, in all states, by hand: random ones are seldom possible."""
    topic = b"\6topic" + bytes(range(16)) + struct.pack(">i", 3) + b"\0"
    segment = topic + bytes(range(16, 32)) + b"\0"
    epochs = b"\3" + struct.pack(">iqb", 0, 5, 0) + struct.pack(">iqb", 2, 8, 0)
    about = struct.pack(">qqiqq", 5, 9, 1, 1000, 2000) + epochs + struct.pack(">i", 4096)
    for state in range(5):
        byte = bytes([state])
        for custom in (b"\0", b"\4abc"):
            yield b"\1\0\0" + segment + about + custom + byte + (b"\1\0\1\1" if state % 2 else b"\0")
            yield b"\1\1\0" + segment + struct.pack(">iq", 1, 2000) + custom + byte + b"\0"
        yield b"\1\2\0" + topic + struct.pack(">iq", 1, 2000) + byte + b"\0"
        yield b"\1\3\0" + bytes(range(16)) + about + b"\0" + byte + b"\0"


class Written:
    """Stopped directories of one program, with everything in them."""

    def __init__(self, kind):
        directory = scratch_root() / f"dump-log-{kind.__name__.lower()}"
        shutil.rmtree(directory, ignore_errors=True)
        self.broker = kind(directory, log__segment__bytes="1048576", log__index__interval__bytes="512").create()
        try:
            prepare(self.broker)
            write(self.broker, transactions=kind is Apache)
            at_once(consume, (self.broker, "classic-group", "classic"), (self.broker, "new-group", "consumer"))
            random_records(self.broker)
            assert self.broker.stop() == (143 if kind is Apache else 0)
        finally:
            self.broker.kill9()
        self.data = self.broker.data_dir

    def files(self, *patterns):
        return sorted(f for pattern in patterns for f in self.data.glob(pattern) if f.suffix in KINDS)


@pytest.fixture(scope="module")
def both_written():
    kinds = [Apache, Samsa]
    made = dict(zip(kinds, at_once(Written, *[(kind,) for kind in kinds])))
    yield made
    for one in made.values():
        one.broker.destroy()


@pytest.fixture(scope="module", params=[Apache, Samsa], ids=["apache", "samsa"])
def written(request, both_written):
    return both_written[request.param]


def test_batches_records_and_contents(written):
    files = written.files("codec-*/*", "stamped-0/*", "transactional-0/*", "numbers-0/*")
    assert "baseOffset" in same(files)
    assert same(files, "--deep-iteration").count("\n| offset: ") > 2000
    assert "payload" in same(files, "--print-data-log")
    same(files, "--print-data-log", "--skip-record-metadata")
    same(files, "--print-data-log", "--max-bytes", "5000")


def test_indexes(written):
    files = written.files("codec-*/*index", "stamped-0/*index", "transactional-0/*index", "__*/*index")
    same(files, "--verify-index-only")
    assert "passed sanity check" in same(files, "--index-sanity-check")


def test_internal_topics_and_metadata(written):
    assert '"type"' in same(written.files("__consumer_offsets-*/*.log"), "--offsets-decoder")
    for topic in written.data.glob("__transaction_state-0"):
        same(topic.glob("*.log"), "--transaction-log-decoder")
    metadata = written.files("__cluster_metadata-0/*") + written.files("bootstrap.checkpoint")
    assert "TOPIC_RECORD" in same(metadata, "--cluster-metadata-decoder")


@pytest.mark.parametrize("topic, decoder", [("offset-records", "offsets"), ("transaction-records", "transaction-log"), ("share-records", "share-group-state"),
                                            ("metadata-records", "cluster-metadata"), ("remote-records", "remote-log-metadata")])
def test_every_kind_of_record(written, topic, decoder):
    text = same(written.files(f"{topic}-0/*.log"), f"--{decoder}-decoder", "--skip-record-metadata")
    assert text.count("\n| ") > 5


def test_classes_of_keys_and_values(written):
    files = written.files("numbers-0/*.log")
    package = "org.apache.kafka.tools.api."
    text = same(files, "--key-decoder-class", package + "IntegerDecoder", "--value-decoder-class", package + "LongDecoder")
    assert f"key: 299 payload: {299 << 33}" in text
    same(files, "--key-decoder-class", "nobody.knows.It", code=1)


def test_damaged_files(written, tmp_path):
    for file in written.files("codec-none-0/*"):
        shutil.copy(file, tmp_path)
    log = min(tmp_path.glob("*.log"))
    content = bytearray(log.read_bytes())
    content[70] ^= 1
    log.write_bytes(content)
    assert "isvalid: false" in same([log])
    log.write_bytes(content[:-3])
    assert "invalid bytes at the end" in same([log])
    log.write_bytes(content)
    index = log.with_suffix(".index")
    entries = bytearray(index.read_bytes())
    assert len(entries) >= 16
    entries[11] += 1
    index.write_bytes(entries)
    assert "Mismatches" in dump(SAMSA, [index]).err
    same([index])
    index.write_bytes(entries + bytes(8000))  # As a crash leaves it.
    same([index])
    same([log.with_suffix(".timeindex")], "--verify-index-only")
    snapshot = min(tmp_path.glob("*.snapshot"), default=None)
    if snapshot:
        snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"\1")
        assert dump(SAMSA, [snapshot]).code == dump(Java, [snapshot]).code == 0


def test_what_cannot_be_shown(tmp_path):
    (tmp_path / "word.log").write_bytes(b"")
    (tmp_path / "00000000000000000000.log").write_bytes(bytes(100))
    for arguments in ([tmp_path / "00000000000000000001.log"], [tmp_path / "word.log"], [tmp_path / "00000000000000000000.log"]):
        same(arguments, code=1)
    (tmp_path / "some.other").write_bytes(b"")
    same([tmp_path / "some.other"])
    assert Java.run("--deep-iteration").code == tools.run(SAMSA, "kafka-dump-log", "--deep-iteration").code == 1
