"""Record batches that are wrong: the partition's error, nothing appended, and the connection goes on."""

import gzip
import struct
import time
import zlib

import pytest

from badinput.conftest import resident_mb
from badinput.records import batch, end_offset, gzip_batch, produce, produce_request, record, varint

CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP = 2, 87, 32
# What cannot be inflated, or not even taken apart: Apache Kafka answers UNKNOWN_SERVER_ERROR, for want of an exception of its own. A better word is welcome.
UNREADABLE = (-1, CORRUPT_MESSAGE, INVALID_RECORD)
three = b"".join(record(i) for i in range(3))
good = batch()

WRONG = {
    "corrupt crc": (batch(crc_xor=1), CORRUPT_MESSAGE),
    "flipped byte in a value": (good[:-3] + bytes([good[-3] ^ 0x40]) + good[-2:], CORRUPT_MESSAGE),
    "no records at all": (b"", INVALID_RECORD),
    "null records": (None, INVALID_RECORD),
    "two batches": (good + good, INVALID_RECORD),
    "shorter than a batch header": (good[:40], INVALID_RECORD),
    "batch cut short": (good[:-4], INVALID_RECORD),
    "length beyond the end": (batch(length_add=50), INVALID_RECORD),
    "length too short": (batch(length_add=-10), CORRUPT_MESSAGE),
    "length below the smallest batch": (struct.pack(">qi", 0, 10) + good[12:], CORRUPT_MESSAGE),
    "negative length": (struct.pack(">qi", 0, -7) + good[12:], CORRUPT_MESSAGE),
    "largest length": (struct.pack(">qi", 0, 0x7FFFFFFF) + good[12:], UNREADABLE),
    "base offset": (batch(base_offset=5), INVALID_RECORD),
    "more records announced": (batch(three, 5), INVALID_RECORD),
    "fewer records announced": (batch(three, 2), INVALID_RECORD),
    "no records announced": (batch(three, 0, last_offset_delta=2), INVALID_RECORD),
    "negative count": (batch(three, -3, last_offset_delta=2), INVALID_RECORD),
    "last offset delta": (batch(three, 3, last_offset_delta=7), INVALID_RECORD),
    "control batch": (batch(attributes=0x20), INVALID_RECORD),
    "sequence missing": (batch(producer_id=4000, producer_epoch=0, base_sequence=-1), INVALID_RECORD),
    "unknown codec": (batch(attributes=5), UNREADABLE),
    "record longer than the batch": (batch(record(0, length=1000), 1), INVALID_RECORD),
    "record of negative length": (batch(record(0, length=-3), 1), INVALID_RECORD),
    "key longer than its record": (batch(varint(20) + b"\0" + varint(0) + varint(0) + varint(500) + b"k" * 15, 1), INVALID_RECORD),
    "header count beyond the record": (batch(record(0, headers=varint(1000)), 1), INVALID_RECORD),
    "negative header count": (batch(record(0, headers=varint(-2)), 1), INVALID_RECORD),
    "noise as gzip": (batch(b"\x37" * 60, 3, attributes=1), UNREADABLE),
    "noise as snappy": (batch(b"\x37" * 60, 3, attributes=2), UNREADABLE),
    "noise as lz4": (batch(b"\x37" * 60, 3, attributes=3), UNREADABLE),
    "noise as zstd": (batch(b"\x37" * 60, 3, attributes=4), UNREADABLE),
    "gzip cut short": (batch(gzip.compress(three * 20)[:30], 60, attributes=1), UNREADABLE),
    "gzip of fewer records": (gzip_batch(three, 5), INVALID_RECORD),
    "gzip of more records": (gzip_batch(three, 2), INVALID_RECORD),
    "timestamp far ahead": (batch(base_timestamp=4_000_000_000_000), INVALID_TIMESTAMP),
}


@pytest.mark.parametrize("name", WRONG)
def test_batch_is_refused(broker, serves, topic, name):
    blob, expected = WRONG[name]
    if broker.kind == "apache" and name == "null records":
        return  # 4.3.1 throws a NullPointerException and never answers
    log_before = len(broker.log())
    with broker.connection() as connection:
        error, offset = produce(connection, topic, blob)
        assert error in (expected if isinstance(expected, tuple) else (expected,))
        assert offset == -1
        assert end_offset(connection, topic) == 6
    if broker.kind == "samsa" and error in (CORRUPT_MESSAGE, INVALID_RECORD):  # Kafka says nothing of most of them
        told_of_it(broker, log_before)


def told_of_it(broker, log_before):
    """A line in the log. At most five a second are written one by one; what is above is told as a count within a second."""
    deadline = time.monotonic() + 30
    while not any(word in broker.log()[log_before:] for word in ("refused a batch", "were left out")):
        assert time.monotonic() < deadline, "no line in the log"
        time.sleep(0.05)


def test_offsets_with_holes(broker, serves, topic):
    """Kafka gives the records of an uncompressed batch new offsets, in their order; to refuse the batch is right as well."""
    with broker.connection() as connection:
        answer = produce(connection, topic, batch(record(0) + record(5) + record(9), 3))
        assert answer in ((0, 6), (INVALID_RECORD, -1))
        assert end_offset(connection, topic) == (9 if answer[0] == 0 else 6)


def test_fire_and_forget_with_a_wrong_batch_closes(broker, serves, topic):
    """With acks 0 there is no answer that could say it."""
    with broker.connection() as connection:
        connection.send(produce_request(topic, batch(crc_xor=1), acks=0))
        assert connection.is_closed_by_peer(within=10)


@pytest.mark.parametrize("acks", [2, -2, 100])
def test_acks_that_are_none(broker, serves, topic, acks):
    with broker.connection() as connection:
        assert produce(connection, topic, good, acks=acks)[0] == 21
        assert end_offset(connection, topic) == 6


def test_wrong_partition_of_many(broker, serves, topic):
    with broker.connection() as connection:
        assert produce(connection, topic, good, partition=7)[0] == 3
        assert produce(connection, topic, good, partition=-1)[0] == 3


def zeros_as_zstd(head: bytes, count: int) -> bytes:
    """A frame of raw `head` and `count` zeros in blocks that say "this byte, n times": four bytes for 128 KiB."""
    def block(kind: int, size: int, content: bytes, last: int) -> bytes:
        return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content
    out = bytes.fromhex("28b52ffd") + b"\0" + b"\x38"  # Window of 128 KiB.
    out += block(0, len(head), head, 0)
    full, rest = divmod(count, 1 << 17)
    return out + block(1, 1 << 17, b"\0", 0) * full + block(1, rest, b"\0", 1)


def zeros_as_lz4(head: bytes, count: int) -> bytes:
    """A frame of independent blocks of 4 MiB, each a literal zero and one long match."""
    descriptor = b"\x60\x70"
    out = bytes.fromhex("04224d18") + descriptor + LZ4_HEADER_CHECK
    out += struct.pack("<I", len(head) | 0x80000000) + head
    while count > 0:
        size = min(count, 4 << 20)
        count -= size
        if size < 64:
            out += struct.pack("<I", size | 0x80000000) + bytes(size)
            continue
        match = size - 1 - 12 - 4 - 15  # One literal, then the match, then the last literals that a block must end with.
        block = b"\x1f\0\1\0" + b"\xff" * (match // 255) + bytes([match % 255]) + b"\xc0" + bytes(12)
        out += struct.pack("<I", len(block)) + block
    return out + struct.pack("<I", 0)


LZ4_HEADER_CHECK = b"\x73"  # Of the descriptor above: the second byte of its xxHash.


@pytest.mark.parametrize(("codec", "pack", "inflated_mb"), [(4, zeros_as_zstd, 900), (3, zeros_as_lz4, 200)], ids=["zstd", "lz4"])
def test_bombs_of_other_codecs(broker, serves, topic, codec, pack, inflated_mb):
    size = inflated_mb * 1_000_000
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    packed = pack(varint(len(body) + size + 1) + body, size + 1)
    assert len(packed) < 1_000_000
    before = resident_mb(broker)
    with broker.connection(timeout=60) as connection:
        error, _ = produce(connection, topic, batch(packed, 1, attributes=codec))
        assert error in (0, INVALID_RECORD, CORRUPT_MESSAGE, 10)
    if broker.kind == "samsa":
        assert resident_mb(broker) - before < 100


@pytest.mark.parametrize("inflated_mb", [100, 900])
def test_compressed_bomb(broker, serves, topic, inflated_mb):
    """A batch within every limit that inflates a thousandfold. Kafka takes it; the broker's memory must not follow it."""
    size = inflated_mb * 1_000_000
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    head = varint(len(body) + size + 1) + body
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(head)
    block = bytes(1_000_000)
    for _ in range(inflated_mb):
        packed += packer.compress(block)
    packed += packer.compress(b"\0") + packer.flush()
    assert len(packed) < 1_000_000
    before = resident_mb(broker)
    with broker.connection(timeout=60) as connection:
        started = time.monotonic()
        error, _ = produce(connection, topic, batch(packed, 1, attributes=1))
        assert error in (0, INVALID_RECORD, CORRUPT_MESSAGE, 10)
        assert time.monotonic() - started < 30
    if broker.kind == "samsa":
        assert resident_mb(broker) - before < 100
