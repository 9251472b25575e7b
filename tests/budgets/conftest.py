"""A node of two shards, a pair of nodes, and what their own counters say that some work cost."""

import base64
import subprocess
import urllib.request
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.nodes import COMBINED, Cluster
from peers.broker import Samsa
from peers.paths import scratch_root
from peers.tools import SamsaTools

TOPIC = "budget"
PARTITIONS = 8


@dataclass
class Cost:
    """Per request."""
    system_calls: float
    calls: dict[str, float]
    allocations: float
    allocator_calls: float
    copied_bytes: float
    shard_messages: float

    def __str__(self):
        shown = ", ".join(f"{name} {count:.2f}" for name, count in self.calls.items() if count > 0.005)
        return (f"{self.system_calls:.2f} system calls ({shown}), {self.allocations:.2f} allocations, {self.allocator_calls:.3f} of the allocator, "
                f"{self.copied_bytes:.1f} bytes copied, {self.shard_messages:.2f} messages to other shards")


def counters(broker: Samsa) -> dict[str, float]:
    with urllib.request.urlopen(broker.metrics_url, timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("samsa_"):
            continue
        for sample in family.samples:
            name = sample.labels.get("call", sample.name.removeprefix("samsa_").removesuffix("_total"))
            found[name] = found.get(name, 0) + sample.value
    return found


def costs(brokers: list[Samsa], work, requests: int) -> list[Cost]:
    """What each of the requests that `work()` makes costs each of the brokers; what it costs to ask is taken off."""
    first, before = ([counters(broker) for broker in brokers] for _ in range(2))
    work()
    after = [counters(broker) for broker in brokers]
    found = []
    for one, two, three in zip(first, before, after):
        each = {name: max(0.0, three[name] - 2 * two[name] + one[name]) / requests for name in three}
        calls = {name: each[name] for name in ("epoll_wait", "recv", "sendmsg", "sendfile", "pread", "pwrite", "eventfd")}
        found.append(Cost(sum(calls.values()), calls, each["allocations"], each["allocator_calls"], each["copied_bytes"], each["shard_messages"]))
    return found


class Counting(Samsa):
    def topic_id(self, topic: str) -> bytes:
        about = dict(line.split(": ", 1) for line in (self.data_dir / f"{topic}-0" / "partition.metadata").read_text().splitlines())
        return base64.urlsafe_b64decode(about["topic_id"] + "==")

    def cost(self, work, requests: int) -> Cost:
        return costs([self], work, requests)[0]


@pytest.fixture(scope="session")
def node():
    one = Counting(scratch_root() / "samsa-budgets", **{"samsa.shards": "2"})
    one.create()
    made = subprocess.run(SamsaTools().command("kafka-topics", "--bootstrap-server", one.bootstrap, "--create", "--topic", TOPIC, "--partitions",
                                               str(PARTITIONS)), capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stdout + made.stderr
    yield one
    one.destroy()


@pytest.fixture
def connection(node):
    with node.connection(timeout=60) as one:
        yield one


@pytest.fixture(scope="session")
def leader_and_follower():
    """Two nodes of one shard each, and the topic on both, led by the first."""
    cluster = Cluster("samsa", "budgets", roles=(COMBINED, "broker"), samsa__shards=1)
    try:
        cluster.create()
        cluster.topic(TOPIC, partitions=[[1, 2]])
        yield cluster.nodes
    finally:
        cluster.destroy()


@pytest.fixture(scope="session")
def near_and_far(node):
    """Partitions of different shards. A connection that asks for one of them alone moves to its shard while the test warms up; one that asks for both
    by turns stays, and always has one of them on the other shard."""
    from budgets import wire
    places = {}
    with node.connection(timeout=60) as connection:
        for partition in range(PARTITIONS):
            request = wire.produce(TOPIC, partition, wire.record_batch(10))
            messages = node.cost(lambda: [connection.call(request) for _ in range(20)], 20).shard_messages
            places.setdefault("far" if messages > 1 else "near", partition)
            if len(places) == 2:
                return places["near"], places["far"]
    raise AssertionError("all partitions are on one shard")
