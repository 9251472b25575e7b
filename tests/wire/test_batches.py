"""Record batches, ours against Apache Kafka's own classes: the same bytes where nothing is compressed, the same records both ways with
every codec and magic, and the same verdict on what a leader accepts from a client, over batches that are damaged in many ways."""

import hashlib
import os
import random
import struct
import subprocess

import pytest

from peers.maven import kafka_libs
from peers.paths import BUILD, TESTS

OURS = os.environ.get("SAMSA_BATCH_PROBE", str(BUILD / "release" / "samsa_batch_probe"))
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
STANDARD = -2147483648  # The codec's standard level.
NOW = 1_760_000_000_000


def ours(mode, lines):
    result = subprocess.run([OURS, mode], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=300, check=True)
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def kafka():
    """A function like ours(), in Kafka's words."""
    source, home, libs = TESTS / "wire" / "BatchProbe.java", BUILD / "wire" / "batches", kafka_libs()
    stamp, wanted = home / "stamp", hashlib.sha256(source.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-nowarn", "-Xlint:none", "-cp", f"{libs}/*", "-d", str(home), str(source)], check=True, timeout=120)
        stamp.write_text(wanted)

    def run(mode, lines):
        result = subprocess.run(["java", "-Xmx512m", "-cp", f"{home}:{libs}/*", "BatchProbe", mode], input="\n".join(lines) + "\n",
                                capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout.splitlines()

    return run


def blob(rng, nulls=True):
    if nulls and rng.random() < 0.2:
        return "-"
    size = rng.choice([0, 1, 5, 30, 63, 64, 65, 300, 9000])
    data = rng.randbytes(size) if rng.random() < 0.5 else (b"abcabcab" * size)[:size]
    return data.hex() or "."


def some_headers(rng):
    count = rng.choice([0, 0, 1, 3])
    return ",".join(f"{('h' * rng.randrange(0, 4)).encode().hex() or '.'}:{blob(rng)}" for _ in range(count)) or "-"


def spec(rng, codec, magic=2, consecutive=False):
    """One line that describes a batch."""
    base = 0 if consecutive else rng.choice([0, 1, 1 << 40])
    producer = "-1 -1 -1" if magic < 2 or rng.random() < 0.5 else f"{rng.randrange(1 << 40)} {rng.randrange(100)} {rng.randrange(1 << 31)}"
    stamped = magic == 1 and rng.random() < 0.3 or magic == 2 and not consecutive and rng.random() < 0.2
    horizon = rng.choice(["-", "-", str(NOW + 5000)]) if magic == 2 and not consecutive else "-"
    lines = [f"B {magic} {codec} {STANDARD} {base} {rng.choice([-1, 0, 7])} {NOW + 99 if stamped else '-'} {producer} "
             f"{int(rng.random() < 0.3 and producer[0] != '-')} {horizon}"]
    offset = base
    for _ in range(rng.choice([1, 2, 10, 40])):
        timestamp = -1 if magic == 0 else NOW + rng.randrange(-10**6, 10**6)
        lines.append(f"{offset} {timestamp} {blob(rng)} {blob(rng)} {some_headers(rng) if magic == 2 else '-'}")
        offset += 1 if consecutive or magic < 2 else rng.choice([1, 1, 1, 5, 1000])
    return " | ".join(lines)


def test_uncompressed_batches_have_the_same_bytes(kafka):
    rng = random.Random(1)
    specs = [spec(rng, "none") for _ in range(200)]
    specs += [f"M {rng.randrange(1 << 40)} {rng.randrange(100)} {i % 2} {i} {1000 + i} {i} {NOW + i}" for i in range(20)]
    for line, mine, theirs in zip(specs, ours("write", specs), kafka("write", specs), strict=True):
        assert mine == theirs, line[:500]


@pytest.mark.parametrize("codec", CODECS)
def test_each_reads_what_the_other_writes(kafka, codec):
    rng = random.Random(codec)
    specs = [spec(rng, codec) for _ in range(60)]
    mine, theirs = ours("write", specs), kafka("write", specs)
    read = ours("read", mine)
    for name, got in (("Kafka of ours", kafka("read", mine)), ("ours of Kafka's", ours("read", theirs)), ("Kafka of its own", kafka("read", theirs))):
        for line, want, have in zip(specs, read, got, strict=True):
            assert have == want, f"{name}: {line[:300]}"
    assert not any(line.startswith("error") for line in read)


@pytest.mark.parametrize("level", [("gzip", 1), ("gzip", 9), ("lz4", 1), ("lz4", 17), ("zstd", -100), ("zstd", 1), ("zstd", 19)])
def test_levels_are_understood_by_the_other(kafka, level):
    codec, number = level
    rng = random.Random(number)
    specs = [spec(rng, codec).replace(str(STANDARD), str(number)) for _ in range(5)]
    mine, theirs = ours("write", specs), kafka("write", specs)
    assert ours("read", theirs) == kafka("read", mine)


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4"])
def test_old_message_sets_are_read_as_kafka_reads_them(kafka, magic, codec):
    rng = random.Random(magic)
    written = kafka("write", [spec(rng, codec, magic) for _ in range(30)])
    for want, have in zip(kafka("read", written), ours("read", written), strict=True):
        assert have.replace(" crc-ok", "").replace(" crc-several", "") == want


TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = 0x82F63B78 ^ (byte >> 1) if byte & 1 else byte >> 1
    TABLE.append(byte)


def with_crc(batch):
    crc = 0xFFFFFFFF
    for byte in batch[21:]:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return batch[:17] + struct.pack(">I", crc ^ 0xFFFFFFFF) + batch[21:]


HEADER = {"base offset": (0, ">q"), "length": (8, ">i"), "magic": (16, ">b"), "attributes": (21, ">h"), "last offset delta": (23, ">i"),
          "base timestamp": (27, ">q"), "max timestamp": (35, ">q"), "producer id": (43, ">q"), "epoch": (51, ">h"),
          "sequence": (53, ">i"), "count": (57, ">i")}


def damaged(rng, batch):
    """The batch with some header field or byte changed; most often with the CRC put right."""
    batch = bytearray(batch)
    what = rng.choice([*HEADER, "byte", "byte", "byte", "cut", "twice", "tail", "nothing"])
    if what in HEADER:
        at, form = HEADER[what]
        bits = 8 * struct.calcsize(form)
        values = [0, 1, 2, 3, 4, 5, 7, -1, -2, 8, 16, 32, 64, 100, (1 << (bits - 1)) - 1, -(1 << (bits - 1))]
        struct.pack_into(form, batch, at, rng.choice([value for value in values if -(1 << (bits - 1)) <= value < 1 << (bits - 1)]))
    elif what == "byte":
        batch[rng.randrange(21, len(batch))] = rng.randrange(256)
    elif what == "cut":
        del batch[rng.randrange(len(batch)):]
    elif what == "twice":
        batch += bytes(batch)
    elif what == "tail":
        batch += rng.randbytes(rng.randrange(40))
    if len(batch) > 61 and rng.random() < 0.95:
        size = struct.unpack_from(">i", batch, 8)[0] + 12
        if size == len(batch):
            batch = bytearray(with_crc(bytes(batch)))
    return what, bytes(batch)


def agree(what, codec, mine, theirs):
    """The same verdict, but for these, where ours is meant to be another."""
    if mine == theirs:
        return True
    if theirs == "UNKNOWN_SERVER_ERROR":  # An exception without an error code: what the batch says, or while writing it anew.
        return mine in ("INVALID_RECORD", "CORRUPT_MESSAGE", "MESSAGE_TOO_LARGE") or mine.startswith("ok rewrite")
    if codec == "none" and mine.startswith("ok rewrite"):  # Offsets that are not 0, 1, 2...: Kafka keeps them, which consumers notice.
        return theirs == mine.replace("rewrite", "keep")
    if codec != "none" and what == "byte" and mine == "INVALID_RECORD":  # Damage behind the last record, to where Kafka does not read.
        return theirs.startswith(("ok", "INVALID_"))
    # A length that ends within the header: Kafka reads the codec behind it all the same.
    return what == "length" and mine == "CORRUPT_MESSAGE" and theirs == "UNSUPPORTED_COMPRESSION_TYPE"


@pytest.mark.parametrize("codec", CODECS)
def test_a_leader_accepts_and_refuses_what_kafkas_does(kafka, codec):
    rng = random.Random(f"damage {codec}")
    whole = [bytes.fromhex(line) for line in ours("write", [spec(rng, codec, consecutive=True) for _ in range(100)]) if len(line) < 6000]
    lines, names = [], []
    for _ in range(1500):
        what, batch = damaged(rng, rng.choice(whole))
        target = rng.choice(["producer", "producer", "producer", "none", "lz4"])
        lines.append(f"{rng.choice([3, 6, 7, 12])} {rng.randrange(2)} {int(rng.random() < 0.2)} {NOW} {rng.choice([9223372036854775807, 500000])} "
                     f"{rng.choice([3600000, 500000, 9223372036854775807])} {rng.choice([1048588, 2000])} {target} {batch.hex()}")
        names.append(what)
    different = [f"{name}: ours {mine}, Kafka {theirs}: {line[:400]}"
                 for name, line, mine, theirs in zip(names, lines, ours("validate", lines), kafka("validate", lines), strict=True)
                 if not agree(name, codec, mine, theirs)]
    assert not different, f"{len(different)} of {len(lines)}:\n" + "\n".join(different[:20])
