"""A cluster grows by a broker and shrinks again, with the operator's tools, while librdkafka and Java write to it and read from it."""

import json
import threading

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions

from peers.tools import TOOLS, run

from .loads import PARTITIONS, Load
from .nodes import COMBINED, wait_for
from .test_operations import fill

BROKER = "broker"
CLIENTS = ("librdkafka", "java")
FOURTH = 4


class Reader(threading.Thread):
    """Reads a partition from its beginning on; what it has seen is a prefix of the log, in order."""

    def __init__(self, cluster, topic):
        super().__init__()
        self.cluster, self.topic, self.values, self.ending = cluster, topic, [], threading.Event()

    def run(self):
        consumer = Consumer({"bootstrap.servers": self.cluster.bootstrap, "group.id": "reader", "enable.auto.commit": False, "log_level": 0})
        consumer.assign([TopicPartition(self.topic, 0, 0)])
        while not self.ending.is_set():
            self.values += [int(m.value()) for m in consumer.consume(500, timeout=0.2) if m.error() is None]
        consumer.close()

    def finish(self):
        seen = len(self.values)
        wait_for(lambda: len(self.values) > seen, what="records for the reader")
        self.ending.set()
        self.join()
        assert self.values == list(range(len(self.values)))


def placed(cluster, topic):
    return [sorted(p.replicas) for p in cluster.admin().list_topics(topic, timeout=10).topics[topic].partitions.values()]


def written(cluster, name, content):
    path = cluster.directory / name
    path.write_text(json.dumps(content))
    return str(path)


def test_grow_and_shrink_under_load(make_cluster):
    """Apache's tools on Samsa, Samsa's on Apache Kafka: each tool's other side is the other broker's."""
    tools = TOOLS["java" if make_cluster.kind == "samsa" else "samsa"]()
    cluster = make_cluster(roles=[COMBINED] * 3 + [BROKER], start=False)
    cluster.format()
    cluster.start(cluster.nodes[:3])
    heavy = cluster.topic("heavy", [[1, 2], [2, 3]])
    fill(cluster, heavy, 20)
    fill(cluster, heavy, 20, partition=1)
    topics = {client: cluster.topic(f"by-{client}", PARTITIONS, 3, min__insync__replicas=2) for client in CLIENTS}
    loads = [Load(client, cluster, topic) for client, topic in topics.items()]
    readers = [Reader(cluster, topic) for topic in topics.values()]

    def tool(name, *words):
        words = list(words)
        at = 1 if name == "kafka-cluster" else 0  # It wants its verb first.
        words[at:at] = ["--bootstrap-server", f"{cluster[1].host}:{cluster[1].port}"]
        done = run(tools, name, *words, timeout=90)
        assert done.code == 0, (name, words, done)
        return done.out

    def plan(name, brokers):
        """Every topic onto these brokers, as the tool proposes it."""
        every = {"topics": [{"topic": topic} for topic in (heavy, *topics.values())], "version": 1}
        said = tool("kafka-reassign-partitions", "--generate", "--broker-list", brokers, "--topics-to-move-json-file", written(cluster, "every.json", every))
        return written(cluster, name, json.loads([line for line in said.splitlines() if line.startswith("{")][1]))

    def verified(path):
        said = tool("kafka-reassign-partitions", "--verify", "--reassignment-json-file", path)
        return "in progress" not in said and "is completed" in said

    try:
        for load in loads:
            load.wait_writing()
        for reader in readers:
            reader.start()
        # Before there is a fourth broker, on which it might be made too.
        wait_for(lambda: "__consumer_offsets" in cluster.admin().list_topics(timeout=10).topics, what="the topic of the groups")
        # Grow: a broker that was not there, a plan with it, so slow that it can be looked at, called off, and carried out.
        cluster.start([cluster[FOURTH]])
        wait_for(lambda: len(cluster.admin().list_topics(timeout=10).brokers) == 4, what="four brokers")
        onto_three = plan("grow.json", "2,3,4")
        before = {topic: placed(cluster, topic) for topic in (heavy, *topics.values())}
        tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", onto_three, "--throttle", "100000")
        assert "is still in progress" in tool("kafka-reassign-partitions", "--verify", "--reassignment-json-file", onto_three)
        assert f"{heavy}-" in tool("kafka-reassign-partitions", "--list")
        tool("kafka-reassign-partitions", "--cancel", "--reassignment-json-file", onto_three)
        wait_for(lambda: placed(cluster, heavy) == before[heavy], what="the heavy topic where it was")
        tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", onto_three, "--throttle", "20000000", "--additional")
        wait_for(lambda: verified(onto_three), 120, "the end of the move", pause=0.5)
        assert all(1 not in replicas for topic in before for replicas in placed(cluster, topic))
        assert any(FOURTH in replicas for topic in before for replicas in placed(cluster, topic))
        # More partitions, of which some may lie there too.
        for done in cluster.admin().create_partitions([NewPartitions(topic, PARTITIONS + 3) for topic in topics.values()]).values():
            done.result(30)
        for topic in topics.values():
            cluster.wait_isr(topic, 3)
        # Shrink: nothing is left on it, it stops, it is forgotten.
        drained = plan("drain.json", "1,2,3")
        tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", drained)
        wait_for(lambda: verified(drained), 120, "the end of the draining", pause=0.5)
        for found in cluster.admin().list_topics(timeout=10).topics.values():
            assert all(FOURTH not in p.replicas for p in found.partitions.values()), found
        assert cluster[FOURTH].stop() in (0, 143)  # A Java process that ends by SIGTERM says 143.
        wait_for(lambda: len(cluster.admin().list_topics(timeout=10).brokers) == 3, what="three brokers")
        assert "no longer registered" in tool("kafka-cluster", "unregister", "--id", str(FOURTH))
        for reader in readers:
            reader.finish()
        for load in loads:
            print(load.client, load.finish())
            load.check()
    finally:
        for reader in readers:
            reader.ending.set()
        for load in loads:
            load.kill()
