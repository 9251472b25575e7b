"""Loads that write while things happen to the cluster, and the reading back: every acknowledged record at its offset, every value once, in order."""

import json
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from peers import maven

HERE = Path(__file__).resolve().parent
PARTITIONS = 3


def compiled(program):
    """The command of one of our Java programs, compiled once, next to the jars."""
    libs = maven.kafka_libs()
    classes = libs.parent / "cluster-load"
    source = HERE / f"{program}.java"
    stamp = classes / f"{program}.class"
    if not stamp.exists() or stamp.stat().st_mtime < source.stat().st_mtime:
        classes.mkdir(exist_ok=True)
        subprocess.run(["javac", "-cp", str(libs / "*"), "-d", str(classes), str(source)], check=True)
    from peers.paths import TESTS
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/tools-log4j2.properties",
            "-cp", f"{classes}:{libs}/*", program]


COMMANDS = {"librdkafka": lambda: [sys.executable, str(HERE / "load.py")], "java": lambda: compiled("ClusterLoad")}


class Load:
    def __init__(self, client, cluster, topic, rate=300, partitions=PARTITIONS):
        self.client, self.cluster, self.topic, self.partitions = client, cluster, topic, partitions
        self.out = cluster.directory / f"{topic}-{client}.acknowledged"
        self.errors = open(cluster.directory / f"{topic}-{client}.errors", "w+")
        prefix = cluster.net.inside(0) if cluster.net else []
        self.process = subprocess.Popen([*prefix, *COMMANDS[client](), cluster.bootstrap, topic, str(partitions), str(rate), str(self.out)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def wait_writing(self):
        assert self.process.stdout.readline() == "writing\n", self._complaints()

    def finish(self):
        """Ends the load; its figures. Every record must have been acknowledged in the end."""
        self.process.stdin.write("end\n")
        out, _ = self.process.communicate(timeout=150)
        assert self.process.returncode == 0, self._complaints()
        self.figures = json.loads(out.splitlines()[-1])
        assert self.figures["failed"] == 0, self._complaints()
        return self.figures

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _complaints(self):
        self.errors.seek(0)
        return self.errors.read()[-3000:]

    def check(self):
        """Reads everything back."""
        acknowledged, somewhere = [{} for _ in range(self.partitions)], [[] for _ in range(self.partitions)]
        for line in self.out.read_text().splitlines():
            partition, offset, value = line.split()
            if offset == "None":  # librdkafka, of a batch that was there already (DUPLICATE_SEQUENCE_NUMBER): nobody says where.
                somewhere[int(partition)].append(value)
            else:
                acknowledged[int(partition)][int(offset)] = value
        assert sum(map(len, acknowledged)) + sum(map(len, somewhere)) == self.figures["acknowledged"]
        for partition, expected in enumerate(acknowledged):
            found = read_all(self.cluster.alive, self.topic, partition)
            assert set(somewhere[partition]) <= set(found.values()), f"{self.topic}-{partition}: acknowledged and not there"
            lost = {offset: value for offset, value in expected.items() if found.get(offset) != value}
            assert not lost, f"{self.topic}-{partition}: acknowledged and not there: {dict(list(lost.items())[:5])} of {len(lost)}"
            values = [int(found[offset]) for offset in sorted(found)]
            assert values == list(range(len(values))), f"{self.topic}-{partition}: not once and in order: {first_break(values)}"


def first_break(values):
    at = next(i for i, value in enumerate(values) if value != i)
    return f"at {at}: {values[max(0, at - 3):at + 4]}"


def read_all(bootstrap, topic, partition, isolation="read_uncommitted"):
    """{offset: value} of a partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.partition.eof": True, "isolation.level": isolation,
                         "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 0})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found, deadline = {}, time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            for message in consumer.consume(1000, timeout=0.3):
                if message.error() is None:
                    found[message.offset()] = message.value().decode()
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return found
        raise AssertionError(f"{topic}-{partition}: the end was not reached after {len(found)} records")
    finally:
        consumer.close()
