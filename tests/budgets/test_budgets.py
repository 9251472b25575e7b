"""The budget of the hot road (docs/PERFORMANCE.md): what one request may cost in system calls, memory taken, bytes copied and hops between
shards. The node counts itself (samsa_* metrics); the limits are what is reached now, with a little room for its periodic work."""

import pytest

from budgets import wire
from budgets.conftest import TOPIC

WARM, MANY = 300, 600
PRODUCE_ALLOCATIONS, FETCH_ALLOCATIONS = 11, 20
NOISE = 0.1  # Per request: timers, the metrics port, indexes that grow.


def produce_many(connection, request, count):
    for _ in range(count):
        answer = connection.call(request)
    assert wire.produce_error(answer, TOPIC) == 0


def check(cost, what, **limits):
    print(f"\n{what}: {cost}")
    over = {name: (getattr(cost, name), limit) for name, limit in limits.items() if getattr(cost, name) > limit}
    assert not over, f"{what} is over its budget (found, limit): {over}; all: {cost}"


@pytest.mark.parametrize("value_bytes, calls", [(100, 4), (16_000, 5), (130_000, 7)])
def test_produce_on_its_shard(node, connection, near_and_far, value_bytes, calls):
    """Poll, receive, write, send; of a large request first its length, and the socket's buffer may hold it in parts."""
    request = wire.produce(TOPIC, near_and_far[0], wire.record_batch(value_bytes))
    produce_many(connection, request, WARM)
    cost = node.cost(lambda: produce_many(connection, request, MANY), MANY)
    check(cost, f"produce of {value_bytes} bytes", system_calls=calls + NOISE * 3, allocations=PRODUCE_ALLOCATIONS + 1, allocator_calls=NOISE,
          copied_bytes=NOISE * 10, shard_messages=NOISE)


def test_produce_on_another_shard(node, connection, near_and_far):
    """One hop: a message there and one back. A shard that slept is woken, and sleeps again."""
    request = wire.produce(TOPIC, near_and_far[1], wire.record_batch(100))
    produce_many(connection, request, WARM)
    cost = node.cost(lambda: produce_many(connection, request, MANY), MANY)
    check(cost, "produce on another shard", system_calls=8 + NOISE * 3, allocator_calls=NOISE, copied_bytes=NOISE * 10, shard_messages=2 + NOISE)


def test_pipelined_produce(node, connection, near_and_far):
    """What is there is read, and what is done is answered, in one go."""
    burst = 16
    request = wire.produce(TOPIC, near_and_far[0], wire.record_batch(100)) * burst

    def bursts(count):
        for _ in range(count):
            connection.send(request)
            for _ in range(burst):
                answer = connection.receive()
        assert wire.produce_error(answer, TOPIC) == 0

    bursts(WARM // burst)
    count = MANY // burst * 2
    cost = node.cost(lambda: bursts(count), count * burst)
    check(cost, "pipelined produce", system_calls=2.5, allocator_calls=NOISE, copied_bytes=40)


@pytest.mark.parametrize("value_bytes, calls, copies", [(100, 4, 1.0), (14_000, 4, 1.0), (40_000, 6, 0.0), (130_000, 7, 0.0)])
def test_fetch_in_a_session(node, connection, near_and_far, value_bytes, calls, copies):
    """Poll, receive, send; records from 16 KiB on go from the page cache to the socket by sendfile, shorter ones are read into one buffer
    with what stands around them, which costs fewer calls (copies: per byte of records)."""
    partition = near_and_far[0]
    batch = wire.record_batch(value_bytes)
    appended = connection.call(wire.produce(TOPIC, partition, batch))
    offset = int.from_bytes(appended[4 + 4 + 2 + len(TOPIC) + 4 + 4 + 2:][:8], "big")
    session, size = wire.fetched(connection.call(wire.fetch(TOPIC, partition, offset, len(batch), (0, 0))), TOPIC)
    assert session != 0 and size == len(batch)
    epoch = 0

    def fetches(count):
        nonlocal epoch
        for _ in range(count):
            epoch += 1
            answer = connection.call(wire.fetch(TOPIC, partition, offset, len(batch), (session, epoch)))
        assert wire.fetched(answer, TOPIC) == (session, len(batch))

    fetches(WARM)
    cost = node.cost(lambda: fetches(MANY), MANY)
    check(cost, f"fetch of {value_bytes} bytes", system_calls=calls + NOISE * 3, allocations=FETCH_ALLOCATIONS + 1, allocator_calls=1 + NOISE,
          copied_bytes=copies * len(batch) + NOISE * 10, shard_messages=NOISE)
