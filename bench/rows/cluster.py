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
    ended = time.monotonic()
    time.sleep(10)
    # Its followers must have left it out, or there is nothing to come back to.
    while len(leader_of(side, topic, exclude=(leader,))[1]) == 3 and time.monotonic() - ended < 25:
        time.sleep(0.05)
    began = time.monotonic()
    leader.start(wait=False)
    prefer_broker(leader.process.pid)
    while time.monotonic() - began < 60 and len(leader_of(side, topic, exclude=(leader,))[1]) < 3:
        time.sleep(0.02)
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
        while admin.reassigning(connection):
            time.sleep(0.02)
        seconds = time.monotonic() - began
    return {"MB/s": 300_000 * 1024 / 1e6 / seconds, "CPU s/GB": (side.cpu() - before) / (300_000 * 1024 / 1e9)}


def many(side, topics, partitions):
    side.format()
    side.start()
    names = [f"many-{number}" for number in range(topics)]
    began = time.monotonic()
    for at in range(0, topics, 10):
        side.topics(names[at:at + 10], partitions, replicas=2)
    figures = {"create s": time.monotonic() - began}
    with side.connect() as connection:
        _, found = admin.metadata(connection, names)
        target = {}
        for name, rows in found.items():
            target[name] = [[leader % 3 + 1, (leader + 1) % 3 + 1] for _, _, leader, _ in sorted(rows, key=lambda row: row[1])]
        began = time.monotonic()
        for at in range(0, topics, 10):
            admin.reassign(connection, {name: target[name] for name in names[at:at + 10]})
        while admin.reassigning(connection):
            time.sleep(0.05)
        figures["move s"] = time.monotonic() - began
        began = time.monotonic()
        admin.elect_preferred(connection)
        figures["lead elsewhere s"] = time.monotonic() - began
    return figures | {"memory MB": side.resident_mb()}


@row("three nodes: 10,000 partitions", stage=stage(nodes=3, alone=True), once=True, long=True)
def _(side):
    return many(side, 50, 200)


@row("three nodes: 1,000 partitions", stage=stage(nodes=3, alone=True), once=True)
def _(side):
    return many(side, 10, 100)
