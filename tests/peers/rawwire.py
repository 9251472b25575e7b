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
    answer = connection.call(request(LIST_OFFSETS, 1, body, correlation_id=79))
    (name_length,) = struct.unpack_from(">h", answer, 8)
    _, error, _, offset = struct.unpack_from(">ihqq", answer, 10 + name_length + 4)
    return error, offset


def quorum_leader(connection):
    """The node id of the active controller by DescribeQuorum v0; None while there is none."""
    body = b"\x02\x13__cluster_metadata\x02" + struct.pack(">i", 0) + b"\0\0\0"
    answer = connection.call(request(55, 0, body, flexible=True))
    at = 4 + 1  # Correlation id, tags.
    (error,) = struct.unpack_from(">h", answer, at)
    if error:
        return None
    at += 2 + 1 + 1 + len("__cluster_metadata") + 1
    _, error, leader = struct.unpack_from(">ihi", answer, at)
    return leader if error == 0 and leader > 0 else None
