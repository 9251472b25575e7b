"""The hot requests by hand, so that each costs the node the same every time."""

import struct

import cramjam
import lz4.frame

from badinput.records import batch, record
from peers import rawwire

PRODUCE, FETCH, INIT_PRODUCER_ID = 0, 1, 22
CODECS = {"gzip": (1, lambda data: cramjam.gzip.compress(data)), "snappy": (2, lambda data: cramjam.snappy.compress_raw(data)),
          "lz4": (3, lambda data: lz4.frame.compress(data, block_linked=False)), "zstd": (4, lambda data: cramjam.zstd.compress(data))}


def record_batch(value_bytes: int, **more) -> bytes:
    """One record with a value of so many bytes."""
    return batch(record(0, b"v" * value_bytes), 1, **more)


def compressed_batch(codec: str, count: int, value_bytes: int) -> bytes:
    """So many records, of text that repeats itself."""
    number, compress = CODECS[codec]
    records = b"".join(record(i, (b"line %d of a log, " % i * value_bytes)[:value_bytes]) for i in range(count))
    return batch(bytes(compress(records)), count, attributes=number)


def produce(topic: str, partition: int, records: bytes, acks: int = -1) -> bytes:
    return produce_to(topic, {partition: records}, acks)


def produce_to(topic: str, batches: dict[int, bytes], acks: int = -1) -> bytes:
    """One request for several partitions."""
    body = rawwire.string(None) + struct.pack(">hii", acks, 30000, 1) + rawwire.string(topic) + struct.pack(">i", len(batches))
    for partition, records in batches.items():
        body += struct.pack(">ii", partition, len(records)) + records
    return rawwire.request(PRODUCE, 8, body)


def new_producer(connection: rawwire.Connection) -> tuple[int, int]:
    """(producer id, epoch) by InitProducerId v0."""
    answer = rawwire.Answer(connection.call(rawwire.request(INIT_PRODUCER_ID, 0, rawwire.string(None) + struct.pack(">i", 60000))))
    _, error, producer, epoch = answer.take(">ihqh")
    assert error == 0, error
    return producer, epoch


def produce_error(answer: bytes, topic: str) -> int:
    return struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic) + 4 + 4)[0]


def fetch(topic: str, partition: int, offset: int, max_bytes: int, session: tuple[int, int] = (0, -1)) -> bytes:
    body = struct.pack(">iiiibii", -1, 30000, 1, max_bytes, 0, *session)
    body += struct.pack(">i", 1) + rawwire.string(topic) + struct.pack(">iiiqqi", 1, partition, -1, offset, -1, max_bytes)
    return rawwire.request(FETCH, 11, body + struct.pack(">i", 0) + rawwire.string(""))


def fetch_by_id(topic_id: bytes, partition: int, offset: int, max_bytes: int, session: tuple[int, int]) -> bytes:
    """Version 13, as clients of today send it."""
    body = struct.pack(">iiiibii", -1, 30000, 1, max_bytes, 0, *session)
    body += b"\x02" + topic_id + b"\x02" + struct.pack(">iiqiqi", partition, -1, offset, -1, -1, max_bytes) + b"\0" + b"\0"
    return rawwire.request(FETCH, 13, body + b"\x01" + b"\x01" + b"\0", flexible=True)


def fetched_by_id(answer: bytes) -> tuple[int, int]:
    """(session id, bytes of records) of the answer for one partition."""
    read = rawwire.Answer(answer, flexible=True)
    read.tags()
    _, error, session = read.take(">ihi")
    assert error == 0 and read.varint() - 1 == 1
    read.take(">16s")
    assert read.varint() - 1 == 1
    _, error, _, _, _ = read.take(">ihqqq")
    assert error == 0 and read.varint() <= 1
    read.take(">i")
    return session, read.varint() - 1


def fetched(answer: bytes, topic: str) -> tuple[int, int]:
    """(session id, bytes of records) of the answer for one partition."""
    at = 4 + 4
    _, session = struct.unpack_from(">hi", answer, at)
    at += 6 + 4 + 2 + len(topic) + 4
    (_, error, _, _, _, aborted) = struct.unpack_from(">ihqqqi", answer, at)
    assert error == 0 and aborted <= 0
    return session, struct.unpack_from(">i", answer, at + 4 + 2 + 24 + 4 + 4)[0]
