"""The few bytes of Kafka's wire that tests write by hand: frames, headers, and three requests.

Independent of every client library and of Samsa's own codec, so that a mistake in one of those cannot hide here.
"""

import socket
import struct


def string(text: str | None) -> bytes:
    """Classic string: int16 length, -1 for null."""
    if text is None:
        return struct.pack(">h", -1)
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


def header(api_key: int, version: int, correlation_id: int = 1, client_id: str | None = "raw", flexible: bool = False) -> bytes:
    """Request header v1, or v2 when `flexible` (an empty tagged section follows)."""
    head = struct.pack(">hhi", api_key, version, correlation_id) + string(client_id)
    return head + (b"\0" if flexible else b"")


def frame(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


def request(api_key: int, version: int, body: bytes = b"", **kwargs) -> bytes:
    return frame(header(api_key, version, **kwargs) + body)


class Answer:
    """Reads the fields of an answer one after the other, from behind the correlation id on. `flexible`: with compact lengths and tags."""

    def __init__(self, frame: bytes, flexible: bool = False):
        self.data, self.at, self.flexible = frame, 4, flexible

    def take(self, layout: str):
        """By a layout of struct: one value, or a tuple of several or none."""
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values[0] if len(values) == 1 else values

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(">B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self) -> str | None:
        size = self.varint() - 1 if self.flexible else self.take(">h")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def array(self, element) -> list:
        """`element`: a layout, or a function that reads one. Null is none."""
        count = self.varint() - 1 if self.flexible else self.take(">i")
        return [self.take(element) if isinstance(element, str) else element() for _ in range(count)]

    def tags(self):
        """The end of a struct, or of the header; no tagged field is expected. Nothing where the answer is not flexible."""
        if self.flexible and (count := self.varint()) != 0:
            raise ValueError(f"{count} tagged fields")


class Connection:
    """One blocking TCP connection that speaks frames."""

    def __init__(self, host: str, port: int, timeout: float = 10.0):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.settimeout(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, raw: bytes):
        self.socket.sendall(raw)

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = self.socket.recv(count)
            if not part:
                raise ConnectionResetError("closed by the broker")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self) -> bytes:
        """The next response frame without its length. ConnectionError when the broker closed the connection."""
        (length,) = struct.unpack(">i", self._exactly(4))
        return self._exactly(length)

    def call(self, raw: bytes) -> bytes:
        self.send(raw)
        return self.receive()

    def is_closed_by_peer(self, within: float) -> bool:
        """True when the broker closes within that many seconds without sending a byte first."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False


API_VERSIONS = 18
METADATA = 3


def api_versions_v0(connection: Connection) -> dict[int, tuple[int, int]]:
    """ApiVersions v0: key -> (min, max)."""
    answer = connection.call(request(API_VERSIONS, 0, correlation_id=77))
    correlation_id, error, count = struct.unpack_from(">ihi", answer)
    if correlation_id != 77 or error != 0:
        raise ValueError(f"ApiVersions answered correlation {correlation_id}, error {error}")
    return {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", answer[10 : 10 + 6 * count])}


def live_brokers(connection: Connection) -> int:
    """How many brokers Metadata v1 names (0 until the broker is unfenced)."""
    answer = connection.call(request(METADATA, 1, struct.pack(">i", 0), correlation_id=78))
    correlation_id, brokers = struct.unpack_from(">ii", answer)
    if correlation_id != 78:
        raise ValueError(f"Metadata answered correlation {correlation_id}")
    return brokers


LIST_OFFSETS = 2


def end_offset(connection: Connection, topic: str, partition: int = 0) -> tuple[int, int]:
    """(error code, end offset) by ListOffsets v1."""
    body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, -1)
    answer = Answer(connection.call(request(LIST_OFFSETS, 1, body, correlation_id=79)))
    answer.take(">i"), answer.string(), answer.take(">i")
    _, error, _, offset = answer.take(">ihqq")
    return error, offset


def quorum_leader(connection):
    """The node id of the active controller by DescribeQuorum v0; None while there is none."""
    body = b"\x02\x13__cluster_metadata\x02" + struct.pack(">i", 0) + b"\0\0\0"
    answer = Answer(connection.call(request(55, 0, body, flexible=True)), flexible=True)
    answer.tags()
    if answer.take(">h") or answer.varint() - 1 != 1:
        return None
    answer.string()
    answer.varint()
    _, error, leader = answer.take(">ihi")
    return leader if error == 0 and leader > 0 else None


def log_dirs(connection: Connection, version: int = 1) -> list:
    """DescribeLogDirs v1, 4 or 5, of all topics: [(directory, {topic: [(partition, size, lag, future)]}, (total, usable, cordoned))], as far as
    the version has the last ones."""
    flexible = version >= 2
    body = b"\0\0" if flexible else struct.pack(">i", -1)
    answer = Answer(connection.call(request(35, version, body, flexible=flexible)), flexible)

    def partition():
        about = answer.take(">iqq?")
        answer.tags()
        return about

    def topic():
        found = (answer.string(), answer.array(partition))
        answer.tags()
        return found

    def directory():
        if error := answer.take(">h"):
            raise ValueError(f"error {error}")
        name, topics = answer.string(), dict(answer.array(topic))
        about = answer.take({1: ">", 4: ">qq", 5: ">qq?"}[version])
        answer.tags()
        return name, topics, about

    answer.tags()
    answer.take(">i")  # throttle_time_ms
    if version >= 3 and (error := answer.take(">h")):
        raise ValueError(f"error {error}")
    return answer.array(directory)
