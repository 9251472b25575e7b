"""The budget of the hot road (docs/PERFORMANCE.md): what one request may cost in system calls, memory taken, bytes copied and hops between
shards. The node counts itself (samsa_* metrics); the limits are what is reached now, with a little room for its periodic work."""

import itertools
import pytest

from budgets import wire
from budgets.conftest import PARTITIONS, TOPIC, costs

WARM, MANY = 300, 600
PRODUCE_ALLOCATIONS, FETCH_ALLOCATIONS = 10, 18
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
    """One hop: a message there and one back. A shard that slept is woken, and sleeps again. By turns with the connection's own shard, or the connection
    would move to the other one."""
    requests = [wire.produce(TOPIC, partition, wire.record_batch(100)) for partition in near_and_far]

    def by_turns(count):
        for _ in range(count // 2):
            for request in requests:
                produce_many(connection, request, 1)

    by_turns(WARM)
    cost = node.cost(lambda: by_turns(MANY), MANY)
    check(cost, "produce on both shards", system_calls=6 + NOISE * 3, allocations=PRODUCE_ALLOCATIONS + 2, allocator_calls=NOISE,
          copied_bytes=NOISE * 10, shard_messages=1 + NOISE)


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
    check(cost, "pipelined produce", system_calls=2.5, allocations=PRODUCE_ALLOCATIONS + 1, allocator_calls=NOISE, copied_bytes=40, shard_messages=NOISE)


@pytest.mark.parametrize("codec", wire.CODECS)
def test_produce_compressed(node, connection, near_and_far, codec):
    """As without: what is looked at is inflated into memory that the shard keeps."""
    request = wire.produce(TOPIC, near_and_far[0], wire.compressed_batch(codec, 50, 1000))
    produce_many(connection, request, WARM)
    cost = node.cost(lambda: produce_many(connection, request, MANY), MANY)
    check(cost, f"produce of {codec}", system_calls=4 + NOISE * 3, allocations=PRODUCE_ALLOCATIONS + 1, allocator_calls=NOISE, copied_bytes=NOISE * 10,
          shard_messages=NOISE)


def test_produce_idempotent(node, connection, near_and_far):
    """As without: the last five batches of a producer are remembered where they are."""
    producer, epoch = wire.new_producer(connection)
    requests = iter([wire.produce(TOPIC, near_and_far[0], wire.record_batch(100, producer_id=producer, producer_epoch=epoch, base_sequence=number))
                     for number in range(WARM + MANY)])

    def in_order(count):
        for request in itertools.islice(requests, count):
            produce_many(connection, request, 1)

    in_order(WARM)
    cost = node.cost(lambda: in_order(MANY), MANY)
    check(cost, "idempotent produce", system_calls=4 + NOISE * 3, allocations=PRODUCE_ALLOCATIONS + 1, allocator_calls=NOISE, copied_bytes=NOISE * 10,
          shard_messages=NOISE)


def test_produce_keyed(node, connection):
    """Small batches for all partitions in one request: a write for each, and one hop to the other shard for all that it has of them."""
    request = wire.produce_to(TOPIC, {partition: wire.record_batch(100) for partition in range(PARTITIONS)})
    produce_many(connection, request, WARM)
    cost = node.cost(lambda: produce_many(connection, request, MANY), MANY)
    check(cost, "keyed produce", system_calls=PARTITIONS + 7 + NOISE * 3, allocations=PRODUCE_ALLOCATIONS + PARTITIONS, allocator_calls=NOISE,
          copied_bytes=NOISE * 10, shard_messages=2 + NOISE)


@pytest.mark.parametrize("value_bytes, leads_calls, follows_calls, copies", [(100, 8, 4, 1), (40_000, 12, 6, 0)])
def test_produce_to_leader_and_follower(leader_and_follower, value_bytes, leads_calls, follows_calls, copies):
    """A follower's fetch costs its leader what a consumer's does; the follower receives, writes and asks for more. What is larger than 16 KiB is copied on
    neither side, and received into memory of its own; it may come in two parts, with a poll between them."""
    request = wire.produce(TOPIC, 0, wire.record_batch(value_bytes))
    with leader_and_follower[0].connection(timeout=60) as connection:
        produce_many(connection, request, WARM)
        leads, follows = costs(leader_and_follower, lambda: produce_many(connection, request, MANY), MANY)
    limits = {"copied_bytes": copies * (value_bytes + 200) + 10, "shard_messages": NOISE}  # 10: of the metadata log, which both have too.
    check(leads, f"produce of {value_bytes} bytes with a follower, the leader", system_calls=leads_calls + NOISE * 3,
          allocations=PRODUCE_ALLOCATIONS + FETCH_ALLOCATIONS, allocator_calls=NOISE, **limits)
    check(follows, f"produce of {value_bytes} bytes with a follower, the follower", system_calls=follows_calls + NOISE * 3, allocations=13 + NOISE,
          allocator_calls=1 - copies + NOISE, **limits)


@pytest.mark.parametrize("value_bytes, calls, copies", [(100, 4, 1.0), (14_000, 4, 1.0), (40_000, 6, 0.0), (130_000, 7, 0.0)])
def test_fetch_in_a_session(node, connection, near_and_far, value_bytes, calls, copies):
    """Poll, receive, send; records from 16 KiB on go from the page cache to the socket by sendfile, shorter ones are read into one buffer
    with what stands around them, which costs fewer calls (copies: per byte of records)."""
    partition = near_and_far[0]
    batch = wire.record_batch(value_bytes)
    offset = append(connection, partition, batch)
    session, size = wire.fetched(connection.call(wire.fetch(TOPIC, partition, offset, len(batch), (0, 0))), TOPIC)
    assert session != 0 and size == len(batch)
    fetches = in_session(connection, lambda at: wire.fetch(TOPIC, partition, offset, len(batch), at), session,
                         lambda answer: wire.fetched(answer, TOPIC) == (session, len(batch)))
    fetches(WARM)
    cost = node.cost(lambda: fetches(MANY), MANY)
    check(cost, f"fetch of {value_bytes} bytes", system_calls=calls + NOISE * 3, allocations=FETCH_ALLOCATIONS + 1, allocator_calls=1 + NOISE,
          copied_bytes=copies * len(batch) + NOISE * 10, shard_messages=NOISE)


def in_session(connection, request, session, good):
    """A function that makes so many fetches in a session, whose last answer is good."""
    epochs = itertools.count(1)

    def fetches(count):
        for _ in range(count):
            answer = connection.call(request((session, next(epochs))))
        assert good(answer)

    return fetches


def append(connection, partition, batch):
    """The offset of the batch."""
    answer = connection.call(wire.produce(TOPIC, partition, batch))
    assert wire.produce_error(answer, TOPIC) == 0
    return int.from_bytes(answer[4 + 4 + 2 + len(TOPIC) + 4 + 4 + 2:][:8], "big")


def test_fetch_by_topic_id(node, connection, near_and_far):
    """As clients of today ask: nothing of the allocator, no byte copied."""
    partition = near_and_far[0]
    batch = wire.record_batch(40_000)
    offset, topic = append(connection, partition, batch), node.topic_id(TOPIC)
    session, size = wire.fetched_by_id(connection.call(wire.fetch_by_id(topic, partition, offset, len(batch), (0, 0))))
    assert session != 0 and size == len(batch)
    fetches = in_session(connection, lambda at: wire.fetch_by_id(topic, partition, offset, len(batch), at), session,
                         lambda answer: wire.fetched_by_id(answer) == (session, len(batch)))
    fetches(WARM)
    cost = node.cost(lambda: fetches(MANY), MANY)
    check(cost, "fetch by topic id of 40000 bytes", system_calls=7 + NOISE * 3, allocations=FETCH_ALLOCATIONS + 1,
          allocator_calls=NOISE, copied_bytes=NOISE * 10, shard_messages=NOISE)


def test_fetch_on_another_shard(node, connection, near_and_far):
    """One hop, a message there and one back, and one to take away what watches the partition; by turns with the connection's own shard. Memory that is
    taken on one thread and given back on another one comes from the allocator now and then."""
    batch, topic = wire.record_batch(40_000), node.topic_id(TOPIC)
    requests = [wire.fetch_by_id(topic, partition, append(connection, partition, batch), len(batch), (0, -1)) for partition in near_and_far]

    def by_turns(count):
        for _ in range(count // 2):
            for request in requests:
                assert wire.fetched_by_id(connection.call(request)) == (0, len(batch))

    by_turns(WARM)
    cost = node.cost(lambda: by_turns(MANY), MANY)
    check(cost, "fetch on both shards", system_calls=10.5 + NOISE * 3, allocations=FETCH_ALLOCATIONS + 6, allocator_calls=4,
          copied_bytes=NOISE * 10, shard_messages=1.5 + NOISE)


def test_the_counters_count(node, connection, near_and_far):
    """A counter that stands still would keep every budget."""
    batch = wire.record_batch(1000)
    offset = append(connection, near_and_far[1], batch)

    def work():
        for _ in range(MANY):
            produce_many(connection, wire.produce(TOPIC, near_and_far[0], wire.record_batch(10)), 1)
            assert wire.fetched(connection.call(wire.fetch(TOPIC, near_and_far[1], offset, len(batch))), TOPIC)[1] == len(batch)

    cost = node.cost(work, 2 * MANY)
    print(f"\nboth: {cost}")
    assert cost.system_calls > 3 and all(cost.calls[name] > 0.4 for name in ("epoll_wait", "recv", "sendmsg", "pread", "pwrite"))
    assert cost.shard_messages > 0.8 and cost.allocations > 5 and cost.copied_bytes > len(batch) / 4
