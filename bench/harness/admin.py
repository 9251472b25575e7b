"""Topics, by hand-written requests: no client library, so that making one costs the same everywhere."""
import struct
import time

from peers import rawwire
from peers.rawwire import request, string

CREATE_TOPICS, DELETE_TOPICS, METADATA, DESCRIBE_CLUSTER = 19, 20, 3, 60


def create(connection, names, partitions, replicas, configs):
    body = struct.pack(">i", len(names))
    for name in names:
        body += string(name) + struct.pack(">ihii", partitions, replicas, 0, len(configs))
        for key, value in configs.items():
            body += string(key) + string(str(value))
    answer = connection.call(request(CREATE_TOPICS, 2, body + struct.pack(">i?", 240_000, False)))
    count, at = struct.unpack_from(">i", answer, 8)[0], 12
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        at += 2 + length
        error, text = struct.unpack_from(">hh", answer, at)
        at += 4 + max(text, 0)
        if error:
            raise RuntimeError(f"CreateTopics: error {error} {answer[at - max(text, 0):at]}")


def delete(connection, names):
    body = struct.pack(">i", len(names)) + b"".join(string(name) for name in names) + struct.pack(">i", 60_000)
    connection.call(request(DELETE_TOPICS, 1, body))


def metadata(connection, names):
    """(broker ids, {topic: [(error, partition, leader, isr)]}) by Metadata v1."""
    answer = connection.call(request(METADATA, 1, struct.pack(">i", len(names)) + b"".join(string(name) for name in names)))
    at = 4

    def take(layout):
        nonlocal at
        values = struct.unpack_from(layout, answer, at)
        at += struct.calcsize(layout)
        return values[0] if len(values) == 1 else values

    def text():
        nonlocal at
        length = take(">h")
        at += max(length, 0)
        return answer[at - max(length, 0):at].decode()

    brokers = []
    for _ in range(take(">i")):
        brokers.append(take(">i"))
        text(), take(">i"), text()
    take(">i")
    topics = {}
    for _ in range(take(">i")):
        take(">h")
        name = text()
        take(">?")
        rows = []
        for _ in range(take(">i")):
            error, index, leader = take(">hii")
            take(f">{take('>i')}i")
            isr = take(f">{count}i") if (count := take(">i")) else ()
            rows.append((error, index, leader, isr if isinstance(isr, tuple) else (isr,)))
        topics[name] = rows
    return brokers, topics


def wait_for_leaders(connection, names, partitions, isr=1, seconds=240):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _, topics = metadata(connection, names)
        if all(len(topics[name]) == partitions and all(not error and leader >= 0 and len(members) >= isr
                                                       for error, _, leader, members in topics[name]) for name in names):
            return
        time.sleep(0.005)
    raise RuntimeError(f"no leaders of {names[:3]} within {seconds} s")


def connect(port, timeout=240):
    return rawwire.Connection("127.0.0.1", port, timeout=timeout)


def _varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _text(value):
    return _varint(len(value) + 1) + value.encode()


def reassign(connection, targets):
    """AlterPartitionReassignments v0. targets: {topic: [replicas of partition 0, of partition 1, ...]}."""
    body = struct.pack(">i", 240_000) + _varint(len(targets) + 1)
    for name, partitions in targets.items():
        body += _text(name) + _varint(len(partitions) + 1)
        for index, replicas in enumerate(partitions):
            body += struct.pack(">i", index) + _varint(len(replicas) + 1) + struct.pack(f">{len(replicas)}i", *replicas) + b"\0"
        body += b"\0"
    answer = connection.call(request(45, 0, body + b"\0", flexible=True))
    (error,) = struct.unpack_from(">h", answer, 9)
    if error:
        raise RuntimeError(f"AlterPartitionReassignments: error {error}")


def reassigning(connection):
    """Whether any partition is being moved: ListPartitionReassignments v0."""
    answer = connection.call(request(46, 0, struct.pack(">i", 60_000) + b"\0\0", flexible=True))
    _, error, text = struct.unpack_from(">ihB", answer, 5)
    if error:
        raise RuntimeError(f"ListPartitionReassignments: error {error}")
    return answer[12 + max(0, text - 1)] > 1


def elect_preferred(connection, topics):
    """ElectLeaders v2. topics: {name: number of partitions}."""
    body = b"\0" + _varint(len(topics) + 1)
    for name, partitions in topics.items():
        body += _text(name) + _varint(partitions + 1) + struct.pack(f">{partitions}i", *range(partitions)) + b"\0"
    answer = connection.call(request(43, 2, body + struct.pack(">i", 240_000) + b"\0", flexible=True))
    (error,) = struct.unpack_from(">h", answer, 9)
    if error:
        raise RuntimeError(f"ElectLeaders: error {error}")
