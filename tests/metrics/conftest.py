"""Apache Kafka with its JMX port, Samsa with its metrics port, and the same small work done on both."""

import re
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from metrics import table
from peers.broker import Apache, Samsa, free_ports
from peers.paths import scratch_root

RECORDS, BATCH, TOPIC, GROUP = 1000, 100, "small-work", "small-group"


class ApacheWithJmx(Apache):
    def __init__(self, directory):
        super().__init__(directory)
        (self.jmx_port,) = free_ports(1)

    def server_command(self):
        java, *rest = super().server_command()
        jmx = {"": "", ".port": f"={self.jmx_port}", ".rmi.port": f"={self.jmx_port}", ".host": "=127.0.0.1", ".authenticate": "=false",
               ".ssl": "=false"}
        return [java, *(f"-Dcom.sun.management.jmxremote{key}{value}" for key, value in jmx.items()), "-Djava.rmi.server.hostname=127.0.0.1",
                *rest]


@dataclass
class Attribute:
    """One attribute of an MBean of Kafka's, and the series that it is with us."""
    mbean: str
    name: str
    value: str

    @property
    def keys(self) -> dict[str, str]:
        return table.parse_mbean(self.mbean)[1]

    @property
    def number(self) -> float:
        return float(self.value)

    def __str__(self):
        return f"{self.mbean} {self.name}"


def mbeans(port: int) -> list[Attribute]:
    source = Path(__file__).with_name("MBeans.java")
    out = subprocess.run(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", str(source), str(port)], capture_output=True, text=True,
                         timeout=120, check=True).stdout
    return [Attribute(*line.split("\t")) for line in out.splitlines() if line.count("\t") == 2]


class Page:
    """One scrape, as the official parser reads it."""

    def __init__(self, url: str):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            self.text = answer.read().decode()
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text, re.M))
        self.samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                name = sample.name
                if name not in self.types and self.types.get(name.removesuffix("_total")) == "counter":
                    name = name.removesuffix("_total")  # The parser adds it to counters that have another ending.
                self.samples.setdefault(name, []).append((sample.labels, sample.value))

    def value(self, name: str, **labels: str) -> float:
        """The one value with exactly these labels."""
        found = [value for have, value in self.samples.get(name, []) if have == labels]
        assert len(found) == 1, (name, labels, self.samples.get(name))
        return found[0]

    def total(self, name: str, **labels: str) -> float:
        """The sum over all that have these labels, and perhaps more."""
        return sum(value for have, value in self.samples.get(name, []) if labels.items() <= have.items())


def do_small_work(bootstrap: str) -> Consumer:
    """Creates a topic, fills partition 0 in batches that are the same every time, reads it in a group and commits."""
    common = {"bootstrap.servers": bootstrap}
    admin = AdminClient(common)
    for done in admin.create_topics([NewTopic(TOPIC, 2, 1)]).values():
        done.result()
    producer = Producer(common | {"batch.num.messages": BATCH, "linger.ms": 2000, "acks": "all"})
    producer.list_topics(TOPIC, 10)
    for number in range(RECORDS):
        producer.produce(TOPIC, f"value {number:06d}".encode(), partition=0, timestamp=1_700_000_000_000)
    assert producer.flush(30) == 0
    consumer = Consumer(common | {"group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([TOPIC])
    count, deadline = 0, time.monotonic() + 60
    while count < RECORDS and time.monotonic() < deadline:
        count += sum(1 for message in consumer.consume(RECORDS, 0.5) if not message.error())
    assert count == RECORDS
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, RECORDS)], asynchronous=False)
    return consumer


@pytest.fixture(scope="session")
def kafkas():
    """The MBeans of Apache Kafka after the work, while the group is there."""
    broker = ApacheWithJmx(scratch_root() / "apache-metrics")
    broker.create()
    try:
        consumer = do_small_work(broker.bootstrap)
        time.sleep(1)
        found = mbeans(broker.jmx_port)
        consumer.close()
        return found
    finally:
        broker.destroy()


@pytest.fixture(scope="session")
def samsa():
    broker = Samsa(scratch_root() / "samsa-metrics")
    broker.create()
    yield broker
    broker.destroy()


@pytest.fixture(scope="session")
def page(samsa):
    """Samsa's metrics after the same work."""
    consumer = do_small_work(samsa.bootstrap)
    time.sleep(1)
    found = Page(samsa.metrics_url)
    consumer.close()
    return found
