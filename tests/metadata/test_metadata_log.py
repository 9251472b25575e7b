"""The metadata log and what format writes, held against Apache Kafka: its tools read ours, and both start on the other's directory."""

import json
import re
import subprocess

import pytest

from peers import maven
from peers.broker import Apache, Samsa
from peers.paths import scratch_root
from peers.tools import JavaTools, SamsaTools


def dump(path):
    classpath = ":".join(str(jar) for jar in sorted(maven.kafka_libs().glob("*.jar")))
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classpath, "org.apache.kafka.tools.DumpLogSegments",
         "--cluster-metadata-decoder", "--files", str(path)],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not re.search(r"isvalid: false|exception|Error", done.stdout), done.stdout
    return done.stdout


def records(text):
    return [json.loads(found) for found in re.findall(r"payload: (\{.*\})$", text, re.M)]


def run(tools, tool, *arguments):
    done = subprocess.run(tools.command(tool, *arguments), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def share(first, second):
    """Two programs for one node: same directory, same ports."""
    second.port, second.controller_port = first.port, first.controller_port
    second.data_dir, second.cluster_id = first.data_dir, first.cluster_id
    return second


@pytest.fixture
def place(request):
    name = re.sub(r"\W+", "-", request.node.name)
    root = scratch_root() / "metadata" / name
    subprocess.run(["rm", "-rf", str(root)], check=True)
    return root


def test_kafka_reads_what_samsa_writes(place):
    samsa = Samsa(place / "samsa")
    samsa.create()
    try:
        run(SamsaTools(), "kafka-topics", "--bootstrap-server", samsa.bootstrap, "--create", "--topic", "orders", "--partitions", "3",
            "--replication-factor", "1", "--config", "retention.ms=1234567")
        samsa.stop()
        log = samsa.data_dir / "__cluster_metadata-0"
        text = dump(log / "00000000000000000000.log")
        assert '"leaderId":1' in text and "KRaftVoters" in text
        types = [r["type"] for r in records(text)]
        assert types[0] == "BEGIN_TRANSACTION_RECORD" and "END_TRANSACTION_RECORD" in types
        features = {r["data"]["name"]: r["data"]["featureLevel"] for r in records(text) if r["type"] == "FEATURE_LEVEL_RECORD"}
        assert features == {"metadata.version": 30, "transaction.version": 2, "group.version": 1, "share.version": 1, "streams.version": 1,
                            "eligible.leader.replicas.version": 1}
        at = types.index("TOPIC_RECORD")
        assert types[at:at + 5] == ["TOPIC_RECORD", "CONFIG_RECORD", "PARTITION_RECORD", "PARTITION_RECORD", "PARTITION_RECORD"]
        assert "SnapshotHeader" in dump(log / "00000000000000000000-0000000000.checkpoint")
        assert len(records(dump(samsa.data_dir / "bootstrap.checkpoint"))) == 6
        info = run(JavaTools(), "kafka-storage", "info", "-c", str(samsa.properties_file))
        assert samsa.cluster_id in info and "node.id=1" in info
    finally:
        samsa.destroy()


def test_format_writes_what_kafka_writes(place):
    ours, theirs = Samsa(place / "samsa"), Apache(place / "apache")
    assert ours.format().returncode == 0
    assert theirs.format().returncode == 0
    for name in ("bootstrap.checkpoint",):
        mine, other = records(dump(ours.data_dir / name)), records(dump(theirs.data_dir / name))
        assert sorted(json.dumps(r) for r in mine) == sorted(json.dumps(r) for r in other)
    shape = [re.sub(r'"voterDirectoryId":"[^"]*"|"port":\d+|"lastContainedLogTimestamp":\d+', "x", line.split("headerKeys")[1])
             for path in (ours, theirs) for line in dump(path.data_dir / "__cluster_metadata-0" / "00000000000000000000-0000000000.checkpoint").splitlines()
             if "headerKeys" in line]
    assert shape[: len(shape) // 2] == shape[len(shape) // 2:]


def describe(tools, node):
    lines = run(tools, "kafka-topics", "--bootstrap-server", node.bootstrap, "--describe").splitlines()
    return sorted(re.sub(r"\s+", " ", line).strip() for line in lines if line.strip())


@pytest.mark.parametrize("first", ["samsa", "apache"])
def test_one_node_changes_its_program(place, first):
    samsa, apache = Samsa(place / "samsa"), Apache(place / "apache")
    one, other = (samsa, apache) if first == "samsa" else (apache, samsa)
    share(one, other)
    tools = JavaTools()
    try:
        one.create()
        run(tools, "kafka-topics", "--bootstrap-server", one.bootstrap, "--create", "--topic", "first", "--partitions", "2", "--replication-factor", "1",
            "--config", "max.message.bytes=99999")
        before = describe(tools, one)
        one.stop()
        other.start()
        assert describe(tools, other) == before
        run(tools, "kafka-topics", "--bootstrap-server", other.bootstrap, "--create", "--topic", "second", "--partitions", "3", "--replication-factor", "1")
        run(tools, "kafka-topics", "--bootstrap-server", other.bootstrap, "--delete", "--topic", "first")
        between = describe(tools, other)
        other.stop()
        one.start()
        assert describe(tools, one) == between
        one.stop()
    finally:
        one.kill9()
        other.kill9()
        one.destroy()


def test_wrong_directories_are_refused(place):
    samsa = Samsa(place / "samsa")
    samsa.write_properties()
    samsa.data_dir.mkdir(parents=True)
    samsa.start(wait=False)
    assert samsa.wait_exit() != 0
    assert "not formatted" in samsa.log()

    assert samsa.format().returncode == 0
    again = samsa.format()
    assert again.returncode != 0 and "already formatted" in again.stdout + again.stderr

    samsa.overrides["node.id"] = "7"
    samsa.start(wait=False)
    assert samsa.wait_exit() != 0
    assert "node.id" in samsa.log() or "node id" in samsa.log()
    samsa.destroy()
