"""Record batches and the three requests around them, written by hand so that they can be written wrong."""

import gzip
import struct
import time

import crc32c

from peers import rawwire


def varint(number: int) -> bytes:
    """Zig-zag, as records have it."""
    value = (number << 1) ^ (number >> 63)
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(
    offset_delta: int, value: bytes | None = b"value", key: bytes | None = b"key", timestamp_delta: int = 0, headers: bytes = b"\0",
    length: int | None = None,
) -> bytes:
    """One record; `headers` is their count and bytes, `length` lies about the record's length."""
    body = b"\0" + varint(timestamp_delta) + varint(offset_delta)
    for part in (key, value):
        body += varint(-1) if part is None else varint(len(part)) + part
    body += headers
    return varint(len(body) if length is None else length) + body


def batch(records: bytes | None = None, count: int = 3, *, base_offset: int = 0, last_offset_delta: int | None = None, magic: int = 2,
          attributes: int = 0, base_timestamp: int = 1_700_000_000_000, max_timestamp: int | None = None, producer_id: int = -1,
          producer_epoch: int = -1, base_sequence: int = -1, crc_xor: int = 0, length_add: int = 0) -> bytes:
    """A batch of version 2. Whatever is not given is right."""
    if records is None:
        records = b"".join(record(i) for i in range(count))
    protected = struct.pack(
        ">hiqqqhii", attributes, count - 1 if last_offset_delta is None else last_offset_delta, base_timestamp,
        base_timestamp if max_timestamp is None else max_timestamp, producer_id, producer_epoch, base_sequence, count,
    ) + records
    crc = crc32c.crc32c(protected) ^ crc_xor
    tail = struct.pack(">ibI", -1, magic, crc) + protected
    return struct.pack(">qi", base_offset, len(tail) + length_add) + tail


def gzip_batch(records: bytes, count: int, **wrong) -> bytes:
    return batch(gzip.compress(records, 9), count, attributes=1, **wrong)


PRODUCE = 0


def produce_request(topic: str, records: bytes | None, *, version: int = 8, acks: int = -1, partition: int = 0, correlation_id: int = 5) -> bytes:
    """Produce v3-8 for one partition."""
    blob = struct.pack(">i", -1) if records is None else struct.pack(">i", len(records)) + records
    body = rawwire.string(None) + struct.pack(">hi", acks, 10_000) + struct.pack(">i", 1) + rawwire.string(topic)
    body += struct.pack(">ii", 1, partition) + blob
    return rawwire.request(PRODUCE, version, body, correlation_id=correlation_id)


def produce(connection: rawwire.Connection, topic: str, records: bytes | None, **how) -> tuple[int, int]:
    """(error code, base offset) of a Produce v8 of one partition."""
    answer = connection.call(produce_request(topic, records, **how))
    name_length = struct.unpack_from(">h", answer, 8)[0]
    _, error, base_offset = struct.unpack_from(">ihq", answer, 10 + name_length + 4)
    return error, base_offset


def end_offset(connection: rawwire.Connection, topic: str) -> int:
    error, offset = rawwire.end_offset(connection, topic)
    assert error == 0, f"ListOffsets answered {error}"
    return offset


def create(connection: rawwire.Connection, topic: str):
    """CreateTopics v2, one partition; returns when the partition can be asked."""
    body = struct.pack(">i", 1) + rawwire.string(topic) + struct.pack(">ih", 1, 1) + struct.pack(">ii", 0, 0) + struct.pack(">ib", 10_000, 0)
    connection.call(rawwire.request(19, 2, body))
    for _ in range(100):
        if rawwire.end_offset(connection, topic)[0] == 0:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no leader of {topic}")
