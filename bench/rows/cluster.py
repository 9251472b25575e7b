"""Three nodes on this machine, replication factor 3."""
import threading
import time

from harness import admin, loads
from harness.nodes import prefer_broker
from harness.row import percentiles, row, stage, volume
from peers import rawwire

THREE = stage(nodes=3)


def replicated(name, target=None, partitions=6, **options):
    @row(f"three nodes: {name}", stage=THREE, target=target or {})
    def _(side):
        return volume(side.wire("produce", side.topic(partitions), **options))


replicated("produce 1 KiB, lz4, batch 128 KiB, acks=all", {"CPU s/GB": 3}, records=200_000, seconds=15, batch=131072, codec="lz4")
replicated("produce 1 KiB, batch 16 KiB, acks=all", records=150_000, seconds=15)
replicated("produce 1 KiB, batch 16 KiB, acks=all, 50 connections", records=150_000, seconds=15, connections=50)


@row("three nodes: end to end, 1,000/s, acks=all, librdkafka", stage=THREE, main="p99 ms")
def _(side):
    result = side.rd("latency", side.topic(), rate=1000, seconds=6, size=1024, linger=0)
    return percentiles(result)


PATIENCE = 900  # Seconds for one step with many partitions; past that the row fails.


def until(condition, what, seconds=PATIENCE):
    """Seconds until condition() holds, asked again after a hundredth of the time that has passed: asking costs the brokers too."""
    began = time.monotonic()
    while not condition():
        passed = time.monotonic() - began
        if passed > seconds:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(max(0.01, passed / 100))


def leader_of(side, topic, exclude=()):
    for broker in side.brokers:
        if broker not in exclude and broker.process:
            with admin.connect(broker.port) as connection:
                _, topics = admin.metadata(connection, [topic])
                return topics[topic][0][2], topics[topic][0][3]
    raise RuntimeError("no broker left")


def failover(side, end, make_topic=None):
    """librdkafka writes to one partition all the time; `end(broker)` ends its leader. The longest gap in acknowledged writes."""
    side.format()
    side.start()
    topic = make_topic() if make_topic else side.topic()
    time.sleep(2)
    number, _ = leader_of(side, topic)
    leader = side.brokers[number - 1]
    found = {}
    writer = threading.Thread(target=lambda: found.update(loads.rd("gap", side.bootstrap, topic, seconds=40, rate=200, size=100)))
    writer.start()
    time.sleep(5)
    end(leader)
    time.sleep(10)
    # Its followers must have left it out, or there is nothing to come back to.
    until(lambda: number not in leader_of(side, topic, exclude=(leader,))[1], "the ISR without it", 60)
    began = time.monotonic()
    leader.start(wait=False)
    prefer_broker(leader.process.pid)
    until(lambda: len(leader_of(side, topic, exclude=(leader,))[1]) == 3, "back in all ISRs", 180)
    back = time.monotonic() - began
    writer.join()
    if found.get("errors"):
        raise RuntimeError(f"{found['errors']} writes failed")
    return {"longest gap s": found["gap"] / 1000, "back in all ISRs s": back}


@row("three nodes: kill -9 of a leader", stage=stage(nodes=3, alone=True), once=True, target={"longest gap s": 0.5, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.kill9())


@row("three nodes: SIGTERM of a leader", stage=stage(nodes=3, alone=True), once=True, target={"longest gap s": 0.05, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.stop())


def controller_of(side):
    for broker in side.brokers:
        with admin.connect(broker.port) as connection:
            if found := rawwire.quorum_leader(connection):
                return found
    raise RuntimeError("no controller")


def topic_led_by(side, number):
    for _ in range(60):
        topic = side.topic()
        if leader_of(side, topic)[0] == number:
            return topic
    raise RuntimeError(f"no topic came to be led by {number}")


@row("three nodes: kill -9 of the controller, which leads", stage=stage(nodes=3, alone=True), target={"longest gap s": 0.5, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.kill9(), lambda: topic_led_by(side, controller_of(side)))


@row("three nodes: move 6 partitions of 50 MB", stage=THREE)
def _(side):
    """Each to the broker after the one it is on."""
    topic = side.topic(6, replicas=1)
    side.wire("produce", topic, records=300_000, seconds=60, batch=131072, acks=-1)
    with side.connect() as connection:
        _, topics = admin.metadata(connection, [topic])
        target = [[leader % 3 + 1] for _, _, leader, _ in sorted(topics[topic], key=lambda row: row[1])]
        before, began = side.cpu(), time.monotonic()
        admin.reassign(connection, {topic: target})
        until(lambda: not admin.reassigning(connection), "move")
        seconds = time.monotonic() - began
    return {"MB/s": 300_000 * 1024 / 1e6 / seconds, "CPU s/GB": (side.cpu() - before) / (300_000 * 1024 / 1e9)}


def timed(act, condition, what):
    began = time.monotonic()
    act()
    until(condition, what)
    return time.monotonic() - began


def leaders(connection, names):
    """{topic: [leader of partition 0, of partition 1, ...]}"""
    _, found = admin.metadata(connection, names)
    return {name: [leader for _, _, leader, _ in sorted(rows, key=lambda row: row[1])] for name, rows in found.items()}


def many(side, topics, partitions):
    """Creates them with two replicas each, moves all (two of three brokers, the one that led not among them), then has all led by their other replica."""
    side.format()
    side.start()
    names = [f"many-{number}" for number in range(topics)]
    batches = [names[at:at + 10] for at in range(0, topics, 10)]

    def create():
        for batch in batches:
            side.topics(batch, partitions, replicas=2)

    def reassign(to):
        for batch in batches:
            admin.reassign(connection, {name: to[name] for name in batch})

    def elect():
        for batch in batches:
            admin.elect_preferred(connection, {name: partitions for name in batch})

    figures = {"create s": timed(create, lambda: True, "create")}
    with side.connect() as connection:
        moved = {name: [[was % 3 + 1, (was + 1) % 3 + 1] for was in led] for name, led in leaders(connection, names).items()}

        def there():
            """Nothing is being moved, and a broker that clients ask has heard of the new leaders."""
            if admin.reassigning(connection):
                return False
            led = leaders(connection, names)
            return all(now in pair for name in names for now, pair in zip(led[name], moved[name]))

        figures["move s"] = timed(lambda: reassign(moved), there, "move")
        # The order of the replicas decides who is to lead: the one that does not now. Nothing is copied and nobody leads elsewhere by this.
        before = leaders(connection, names)
        turned = {name: [sorted(pair, key=lambda number: number == led) for pair, led in zip(moved[name], before[name])] for name in names}
        reassign(turned)
        until(lambda: not admin.reassigning(connection), "the order of the replicas")
        wanted = {name: [pair[0] for pair in turned[name]] for name in names}
        if any(now == then for name in names for now, then in zip(leaders(connection, names)[name], wanted[name])):
            raise RuntimeError("led elsewhere before it was asked for")
        figures["lead elsewhere s"] = timed(elect, lambda: leaders(connection, names) == wanted, "lead elsewhere")
    return figures | {"memory MB": side.resident_mb()}


# Leaders move when they are told to, not also by themselves after five minutes.
STILL = stage(nodes=3, alone=True, auto__leader__rebalance__enable="false")


@row("three nodes: 10,000 partitions", stage=STILL, once=True, long=True)
def _(side):
    return many(side, 50, 200)


@row("three nodes: 1,000 partitions", stage=STILL, once=True)
def _(side):
    return many(side, 10, 100)
