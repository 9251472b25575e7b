"""Frames and headers that are wrong: the connection is closed without an answer, and the next one is served."""

import random
import struct
import time

import pytest

from badinput import records
from badinput.conftest import resident_mb
from peers import rawwire
from peers.rawwire import API_VERSIONS, METADATA, frame, header, request

OVERSIZED = 104_857_601  # one more than socket.request.max.bytes
BIG = 0x7FFFFFFF
FETCH = 1

CLOSING = {
    "negative length": struct.pack(">i", -5),
    "length of all ones": struct.pack(">i", -1),
    "oversized length": struct.pack(">i", OVERSIZED) + b"x" * 100,
    "largest length": struct.pack(">i", BIG) + b"x" * 100,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + b"\x11" * 300,
    "empty frame": struct.pack(">i", 0),
    "header cut short": frame(b"\0\x12\0"),
    "client id longer than the frame": frame(struct.pack(">hhih", API_VERSIONS, 0, 1, 30000)),
    "unknown api key": request(999, 0),
    "negative api key": request(-1, 0),
    "removed api key": request(4, 0),
    "controller's api key": request(52, 0, flexible=True),
    "version too high": request(METADATA, 99, flexible=True),
    "version too low": records.produce_request("t", records.batch(), version=2),
    "negative version": request(METADATA, -1),
    "fetch of old": request(FETCH, 3, struct.pack(">iiii", -1, 100, 1, 0)),
    "body missing": request(METADATA, 1),
    "array longer than the frame": request(METADATA, 1, struct.pack(">i", 5) + rawwire.string("a")),
    "array of two thousand million": request(METADATA, 1, struct.pack(">i", BIG)),
    "compact array of two thousand million": request(METADATA, 9, b"\xff\xff\xff\xff\x07", flexible=True),
    "varint that never ends": request(METADATA, 9, b"\xff" * 12, flexible=True),
    "tagged fields longer than the frame": frame(header(METADATA, 9) + b"\x01\x00\xff\xff\x03"),
    "string longer than the frame": request(METADATA, 1, struct.pack(">ih", 1, 32000) + b"abc"),
    "null where none may be": request(METADATA, 1, struct.pack(">ih", 1, -1)),
}


@pytest.mark.parametrize("name", CLOSING)
def test_connection_is_closed(broker, serves, name):
    log_before = len(broker.log())
    with broker.connection() as connection:
        connection.send(CLOSING[name])
        assert connection.is_closed_by_peer(within=10), f"{name}: an answer or silence"
    deadline = time.monotonic() + 5
    while len(broker.log()) == log_before:
        assert time.monotonic() < deadline, f"{name}: no line in the log"
        time.sleep(0.05)


def test_what_came_before_is_answered(broker, serves):
    good = 20
    with broker.connection() as connection:
        connection.send(b"".join(request(API_VERSIONS, 0, correlation_id=i) for i in range(good)) + request(999, 0))
        assert [struct.unpack(">i", connection.receive()[:4])[0] for _ in range(good)] == list(range(good))
        assert connection.is_closed_by_peer(within=10)


def test_api_versions_of_an_unknown_version(broker, serves):
    with broker.connection() as connection:
        # Version 0 of the answer, with the one entry that says what would be understood; then the connection goes on.
        answer = connection.call(request(API_VERSIONS, 99, b"\xff\xff garbage", correlation_id=7, flexible=True))
        low, high = rawwire.api_versions_v0(connection)[API_VERSIONS]
        assert answer == struct.pack(">ihihhh", 7, 35, 1, API_VERSIONS, low, high)


@pytest.mark.parametrize("software", ["", "f o", "-dash", "dash-"], ids=["empty", "space", "leading", "trailing"])
def test_api_versions_of_a_nameless_client(broker, serves, software):
    def compact(text):
        return bytes([len(text) + 1]) + text.encode()

    with broker.connection() as connection:
        answer = connection.call(request(API_VERSIONS, 3, compact(software) + compact("1") + b"\0", correlation_id=8, flexible=True))
        assert struct.unpack_from(">ih", answer) == (8, 42)


@pytest.mark.parametrize("length", [-1, -2])
def test_null_client_id_is_fine(broker, length):
    """Any negative length is null."""
    with broker.connection() as connection:
        answer = connection.call(frame(struct.pack(">hhih", API_VERSIONS, 0, 9, length)))
        assert struct.unpack_from(">ih", answer) == (9, 0)


def test_cut_in_the_middle(broker, serves, topic):
    whole = records.produce_request(topic, records.batch())
    for length in (1, 3, 4, 10, len(whole) // 2, len(whole) - 1):
        with broker.connection() as connection:
            connection.send(whole[:length])
    with broker.connection() as connection:
        assert records.end_offset(connection, topic) == 6


def test_request_cut_short_inside_its_frame(broker, serves, topic):
    """Every prefix of a good request in a frame of its own length: closed or answered with an error, and nothing appended."""
    whole = records.produce_request(topic, records.batch())[4:]
    for length in range(0, len(whole), 7):
        with broker.connection() as connection:
            connection.send(frame(whole[:length]))
            connection.socket.settimeout(10)
            try:
                connection.receive()
            except ConnectionError:
                pass
    with broker.connection() as connection:
        assert records.end_offset(connection, topic) == 6


def test_garbage(broker, serves):
    """Two hundred frames of noise: each ends in a closed connection or an answer, never in silence."""
    noise = random.Random(20261121)
    for _ in range(200):
        body = noise.randbytes(noise.choice([1, 4, 8, 20, 100, 1000]))
        if noise.random() < 0.5:  # a plausible header, so that the noise reaches the bodies
            body = header(noise.choice([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 22, 32]), noise.randrange(4, 7)) + body
        with broker.connection() as connection:
            connection.send(frame(body))
            connection.socket.settimeout(0.5)
            try:
                connection.receive()
            except ConnectionError:
                pass
            except TimeoutError:
                pass  # noise can be a good request that waits, such as a Fetch
    serves()


def test_slow_frames_hold_nobody_up(broker, serves):
    slow = request(API_VERSIONS, 0, correlation_id=3)
    with broker.connection() as connection:
        for byte in slow:
            connection.send(bytes([byte]))
            serves()
            time.sleep(0.02)
        assert struct.unpack_from(">ih", connection.receive()) == (3, 0)


def test_many_half_frames(broker, serves):
    before = resident_mb(broker)
    # Kafka makes room for the whole frame at once, so its heap bears fewer.
    count, announced = (200, 50_000_000) if broker.kind == "samsa" else (100, 1_000_000)
    held = [broker.connection() for _ in range(count)]
    try:
        for connection in held:
            # Memory is for what came, not for what was said.
            connection.send(struct.pack(">i", announced) + b"\0" * 100)
        time.sleep(1)
        serves()
        if broker.kind == "samsa":
            assert resident_mb(broker) - before < 200
    finally:
        for connection in held:
            connection.close()


def test_idle_connections_are_closed(make_broker):
    broker = make_broker(connections__max__idle__ms="1500")
    with broker.connection() as idle, broker.connection() as busy:
        rawwire.api_versions_v0(idle)
        for _ in range(8):
            rawwire.api_versions_v0(busy)
            time.sleep(0.4)
        assert idle.is_closed_by_peer(within=5)
        rawwire.api_versions_v0(busy)


def test_an_idle_half_frame_is_closed(make_broker):
    broker = make_broker(connections__max__idle__ms="1500")
    with broker.connection() as small, broker.connection() as large:
        small.send(struct.pack(">i", 50) + b"\0\x03")
        large.send(struct.pack(">i", 5_000_000) + b"\0" * 100_000)
        assert small.is_closed_by_peer(within=30)
        assert large.is_closed_by_peer(within=30)
    with broker.connection() as next_one:
        rawwire.api_versions_v0(next_one)


def test_a_slow_frame_is_not_idle(make_broker):
    """What comes byte by byte for longer than an idle connection may stay is served."""
    broker = make_broker(connections__max__idle__ms="3000")
    with broker.connection(timeout=30) as connection:
        for byte in request(API_VERSIONS, 0, correlation_id=3):
            connection.send(bytes([byte]))
            time.sleep(0.4)
        assert struct.unpack_from(">ih", connection.receive()) == (3, 0)


def test_who_takes_no_answers_is_closed(make_broker):
    broker = make_broker(connections__max__idle__ms="1500")
    with broker.connection() as deaf:
        deaf.socket.settimeout(30)
        asked = request(API_VERSIONS, 0)
        # More answers than the system's buffers hold: the broker can send no more, then it lets go.
        with pytest.raises((ConnectionError, TimeoutError)) as end:
            while True:
                deaf.send(asked * 1000)
        assert end.type is not TimeoutError
    with broker.connection() as next_one:
        rawwire.api_versions_v0(next_one)


def test_connections_of_one_address(make_broker):
    """An address that has as many connections as it may is refused the next one, until it lets one go."""
    broker = make_broker(max__connections__per__ip="5")
    held = []
    try:
        while True:
            connection = broker.connection()
            held.append(connection)
            rawwire.api_versions_v0(connection)
            assert len(held) <= 5
    except ConnectionError:
        assert len(held) >= 3  # A combined Apache Kafka has one or two of its own
    for connection in held:
        connection.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            with broker.connection() as again:
                rawwire.api_versions_v0(again)
            break
        except ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_request_that_waits_is_idle_too(make_broker):
    """A fetch that asks to wait for hours does not keep its connection for hours."""
    broker = make_broker(connections__max__idle__ms="5000")
    with broker.connection() as connection:
        records.create(connection, "waiting")
        partition = struct.pack(">iqi", 0, 0, 1000)
        body = struct.pack(">iiiib", -1, 7_200_000, 1, 1000, 0) + struct.pack(">i", 1) + rawwire.string("waiting") + struct.pack(">i", 1) + partition
        connection.send(request(FETCH, 4, body))
        assert connection.is_closed_by_peer(within=30)
    with broker.connection() as next_one:
        rawwire.api_versions_v0(next_one)
