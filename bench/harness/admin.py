"""Topics, by hand-written requests: no client library, so that making one costs the same everywhere."""
import struct
import time

from peers import rawwire
from peers.rawwire import request, string

LIST_OFFSETS, CREATE_TOPICS, DELETE_TOPICS, METADATA, DESCRIBE_CLUSTER = 2, 19, 20, 3, 60


def create(connection, names, partitions, replicas, configs):
    body = struct.pack(">i", len(names))
    for name in names:
        body += string(name) + struct.pack(">ihii", partitions, replicas, 0, len(configs))
        for key, value in configs.items():
            body += string(key) + string(str(value))
    answer = rawwire.Answer(connection.call(request(CREATE_TOPICS, 2, body + struct.pack(">i?", 240_000, False))))
    answer.take(">i")
    for _, error, text in answer.array(lambda: (answer.string(), answer.take(">h"), answer.string())):
        if error:
            raise RuntimeError(f"CreateTopics: error {error} {text}")


def delete(connection, names):
    body = struct.pack(">i", len(names)) + b"".join(string(name) for name in names) + struct.pack(">i", 60_000)
    connection.call(request(DELETE_TOPICS, 1, body))


def metadata(connection, names):
    """(broker ids, {topic: [(error, partition, leader, isr)]}) by Metadata v1."""
    body = struct.pack(">i", len(names)) + b"".join(string(name) for name in names)
    answer = rawwire.Answer(connection.call(request(METADATA, 1, body)))

    def broker():
        number, _, _, _ = answer.take(">i"), answer.string(), answer.take(">i"), answer.string()
        return number

    def partition():
        error, index, leader = answer.take(">hii")
        answer.array(">i")
        return error, index, leader, tuple(answer.array(">i"))

    def topic():
        answer.take(">h")
        name = answer.string()
        answer.take(">?")
        return name, answer.array(partition)

    brokers = answer.array(broker)
    answer.take(">i")
    return brokers, dict(answer.array(topic))


def wait_for_leaders(connection, names, partitions, isr=1, seconds=240):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        _, topics = metadata(connection, names)
        if all(len(topics[name]) == partitions and all(not error and leader >= 0 and len(members) >= isr
                                                       for error, _, leader, members in topics[name]) for name in names):
            return
        time.sleep(0.005)
    raise RuntimeError(f"no leaders of {names[:3]} within {seconds} s")


def refused(connection, led):
    """How many of {topic: [partitions]} the broker cannot serve yet: ListOffsets v1 of their ends."""
    body = struct.pack(">ii", -1, len(led))
    for name, partitions in led.items():
        body += string(name) + struct.pack(">i", len(partitions)) + b"".join(struct.pack(">iq", index, -1) for index in partitions)
    answer = rawwire.Answer(connection.call(request(LIST_OFFSETS, 1, body)))
    errors = answer.array(lambda: (answer.string(), [error for _, error, _, _ in answer.array(">ihqq")]))
    return sum(error != 0 for _, found in errors for error in found)


def wait_until_served(connection, broker, names, seconds=240):
    """Until `broker`, at the other end, serves all partitions that it leads. Metadata tells of a leader before there is a log: Apache Kafka's
    brokers make theirs afterwards, a thousand within seconds."""
    led = {name: [index for _, index, leader, _ in found if leader == broker] for name, found in metadata(connection, names)[1].items()}
    deadline = time.monotonic() + seconds
    while refused(connection, led):
        if time.monotonic() > deadline:
            raise RuntimeError(f"broker {broker} does not serve {names[:3]} within {seconds} s")
        time.sleep(0.005)


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
