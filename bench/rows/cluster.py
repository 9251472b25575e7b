"""Three nodes on this machine, replication factor 3."""
import threading
import time

from harness import admin, loads
from harness.nodes import prefer_broker
from harness.row import in_one_state, percentiles, row, stage, volume
from peers import rawwire
from rows.throughput import SHORT, TURNS

THREE = stage(nodes=3)


def replicated(name, target=None, partitions=6, **options):
    @row(f"three nodes: {name}", stage=THREE, target=target or {})
    def _(side):
        return volume(side.wire("produce", side.topic(partitions), **options))


replicated("produce 1 KiB, lz4, batch 128 KiB, acks=all, to one leader", {"CPU s/GB": 3}, seconds=4, batch=131072, codec="lz4")
replicated("produce 1 KiB, batch 16 KiB, acks=all, to one leader", seconds=4)
replicated("produce 1 KiB, batch 16 KiB, acks=all, 50 connections", seconds=4, connections=50)
replicated("produce 1 KiB, idempotent, acks=all, to one leader", seconds=4, idempotent=1)


@row("three nodes: consume 1 KiB, six partitions from one node", stage=THREE, turns=TURNS)
def _(side):
    topic = side.topic(6)
    side.wire("produce", topic, records=300_000, seconds=30, batch=131072)
    return in_one_state(side, lambda: volume(side.wire("consume", topic, again=1, seconds=SHORT)))


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


def failover(side, end, make_topic=None, **client):
    """librdkafka writes to one partition all the time; `end(broker)` ends its leader. The longest gap in acknowledged writes."""
    side.format()
    side.start()
    topic = make_topic() if make_topic else side.topic()
    time.sleep(2)
    number, _ = leader_of(side, topic)
    leader = side.brokers[number - 1]
    found = {}
    writer = threading.Thread(target=lambda: found.update(loads.rd("gap", side.bootstrap, topic, seconds=40, rate=200, size=100, **client)))
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


# A client that does not wait a tenth of a second before it tries again: what is left is the broker's part and librdkafka's other waits.
@row("three nodes: SIGTERM of a leader, the client's retry.backoff.ms=10", stage=stage(nodes=3, alone=True), once=True,
     target={"longest gap s": 0.05, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.stop(), backoff=10)


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


@row("three nodes: kill -9 of the controller, which leads", stage=stage(nodes=3, alone=True), target={"longest gap s": 0.8, "back in all ISRs s": 1})
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


def states(connection, names):
    """{(topic, partition): (leader, members of the ISR)}"""
    _, found = admin.metadata(connection, names)
    return {(name, index): (leader, len(isr)) for name, rows in found.items() for _, index, leader, isr in rows}


class Many:
    """Many partitions of two replicas each on three nodes."""

    def __init__(self, side, connection, topics, partitions):
        self.side, self.connection, self.names, self.partitions = side, connection, [f"many-{number}" for number in range(topics)], partitions
        self.batches = [self.names[at:at + 10] for at in range(0, topics, 10)]
        self.order = {}  # The replicas of each, in order.

    def create(self):
        for batch in self.batches:
            self.side.topics(batch, self.partitions, replicas=2)

    def reassign(self):
        for batch in self.batches:
            admin.reassign(self.connection, {name: [self.order[name, index] for index in range(self.partitions)] for name in batch})

    def elect(self):
        for batch in self.batches:
            admin.elect_preferred(self.connection, {name: self.partitions for name in batch})

    def placed(self):
        """Nothing is being moved, and a broker that clients ask has heard of leaders and full ISRs among the new replicas."""
        if admin.reassigning(self.connection):
            return False
        return all(leader in self.order[key] and isr == 2 for key, (leader, isr) in states(self.connection, self.names).items())

    def led_by_preferred(self):
        return [leader == self.order[key][0] for key, (leader, _) in states(self.connection, self.names).items()]

    def move(self):
        """To two of three brokers, the one that leads not among them."""
        self.order = {key: [leader % 3 + 1, (leader + 1) % 3 + 1] for key, (leader, _) in states(self.connection, self.names).items()}
        return timed(self.reassign, self.placed, "move")

    def lead_elsewhere(self):
        """Every leadership to the other replica. The order of the replicas says who is to lead, so that is turned first, which copies nothing and moves
        no leader; again where a busy broker was fenced meanwhile and leaders moved by themselves."""
        for _ in range(5):
            led = {key: leader for key, (leader, _) in states(self.connection, self.names).items()}
            self.order = {key: sorted(pair, key=lambda number, leader=led[key]: number == leader) for key, pair in self.order.items()}
            self.reassign()
            until(self.placed, "the order of the replicas")
            if not any(self.led_by_preferred()):
                return timed(self.elect, lambda: all(self.led_by_preferred()), "lead elsewhere")
        raise RuntimeError("leaders move without being asked to")


def many(side, topics, partitions):
    side.format()
    side.start()
    with side.connect() as connection:
        run = Many(side, connection, topics, partitions)
        return {"create s": timed(run.create, lambda: True, "create"), "move s": run.move(), "lead elsewhere s": run.lead_elsewhere(),
                "memory MB": side.resident_mb()}


# Leaders move when they are told to, not also by themselves after five minutes.
STILL = stage(nodes=3, alone=True, files=True, auto__leader__rebalance__enable="false")


@row("three nodes: 10,000 partitions", stage=STILL, once=True, long=True)
def _(side):
    return many(side, 50, 200)


@row("three nodes: 1,000 partitions", stage=STILL, once=True)
def _(side):
    return many(side, 10, 100)
