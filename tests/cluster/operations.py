"""Requests of operators that librdkafka has no call for, by hand."""

import struct

from peers import rawwire


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def text(value):
    return varint(len(value) + 1) + value.encode()


def call(node, key, version, body):
    with rawwire.Connection(node.host, node.port, timeout=60) as connection:
        return connection.call(rawwire.request(key, version, body, flexible=True))


def reassign(node, topic, targets):
    """AlterPartitionReassignments v0: {partition: replicas, or None to cancel}. The errors of the partitions."""
    body = struct.pack(">i", 30_000) + b"\x02" + text(topic) + varint(len(targets) + 1)
    for partition, replicas in targets.items():
        listed = b"\0" if replicas is None else varint(len(replicas) + 1) + struct.pack(f">{len(replicas)}i", *replicas)
        body += struct.pack(">i", partition) + listed + b"\0"
    answer = call(node, 45, 0, body + b"\0\0")
    (error,) = struct.unpack_from(">h", answer, 9)
    return error


def reassigning(node):
    """Whether anything is being moved: ListPartitionReassignments v0."""
    answer = call(node, 46, 0, struct.pack(">i", 30_000) + b"\0\0")
    _, error, length = struct.unpack_from(">ihB", answer, 5)
    assert error == 0, error
    return answer[12 + max(0, length - 1)] > 1


def unregister(node, broker):
    """UnregisterBroker v0: its error."""
    return struct.unpack_from(">h", call(node, 64, 0, struct.pack(">i", broker) + b"\0"), 9)[0]


def update_feature(node, name, level, kind=1):
    """UpdateFeatures v2: the error of the whole."""
    body = struct.pack(">i", 30_000) + b"\x02" + text(name) + struct.pack(">hb", level, kind) + b"\0" + b"\0" + b"\0"
    return struct.unpack_from(">h", call(node, 57, 2, body), 9)[0]


def preferred_replica(node, topic, rack, partition=0):
    """Where the leader sends a consumer of that rack (Fetch v11); -1: nowhere else."""
    body = struct.pack(">iiiibii", -1, 0, 0, 1 << 20, 0, 0, -1) + struct.pack(">i", 1) + rawwire.string(topic)
    body += struct.pack(">iiiqqi", 1, partition, -1, 0, -1, 1 << 20) + struct.pack(">i", 0) + rawwire.string(rack)
    with rawwire.Connection(node.host, node.port) as connection:
        answer = connection.call(rawwire.request(1, 11, body))
    at = 4 + 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4
    error, _, _, _, aborted = struct.unpack_from(">hqqqi", answer, at)
    assert error == 0, error
    return struct.unpack_from(">i", answer, at + 30 + max(0, aborted) * 16)[0]
