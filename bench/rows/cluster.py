"""Three nodes on this machine, replication factor 3."""
import threading
import time

from harness import admin, loads
from harness.row import percentiles, row, stage, volume

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


def failover(side, end):
    """librdkafka writes to one partition all the time; `end(broker)` ends its leader. The longest gap in acknowledged writes."""
    side.format()
    side.start()
    topic = side.topic()
    time.sleep(2)
    number, _ = leader_of(side, topic)
    leader = side.brokers[number - 1]
    found = {}
    writer = threading.Thread(target=lambda: found.update(loads.rd("gap", side.bootstrap, topic, seconds=30, rate=200, size=100)))
    writer.start()
    time.sleep(5)
    end(leader)
    time.sleep(10)
    began = time.monotonic()
    leader.start(wait=False)
    while time.monotonic() - began < 60 and len(leader_of(side, topic, exclude=(leader,))[1]) < 3:
        time.sleep(0.02)
    back = time.monotonic() - began
    writer.join()
    if found.get("errors"):
        raise RuntimeError(f"{found['errors']} writes failed")
    return {"longest gap s": found["gap"] / 1000, "back in all ISRs s": back}


@row("three nodes: kill -9 of a leader", stage=stage(nodes=3, alone=True), target={"longest gap s": 0.5, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.kill9())


@row("three nodes: SIGTERM of a leader", stage=stage(nodes=3, alone=True), target={"longest gap s": 0.05, "back in all ISRs s": 1})
def _(side):
    return failover(side, lambda broker: broker.stop())
