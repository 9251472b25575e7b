"""Apache Kafka's own tools and admin client drive what an operator does to a cluster of Samsa nodes. One cluster for all, about a minute."""

import json
import os
import re
import subprocess

import pytest

from peers.tools import JavaTools, SamsaTools, run

from .loads import compiled, read_all
from .nodes import COMBINED, Cluster, wait_for
from .test_examples import produce
from .test_operations import fill

BROKER, CONTROLLER = "broker", "controller"


@pytest.fixture(scope="module")
def cluster(request):
    """Nodes 1 to 3 are voters and brokers, 4 and 5 brokers; 6 is a controller that is no voter yet. metadata.version is that of 4.2."""
    if request.config.getoption("--peer") == "apache":
        pytest.fail("this suite is about Samsa")
    one = Cluster("samsa", "java-tools", [COMBINED] * 3 + [BROKER] * 2 + [CONTROLLER], voters="dynamic", initial=(1, 2, 3))
    for node in one.nodes:
        node.overrides["metadata.log.dir"] = str(node.data_dir)
    try:
        one.format("--release-version", "4.2")
        one.start()
        yield one
    finally:
        one.destroy()


def runner(cluster, tools):
    """tool(name, words...): what it says; its exit code must be `code`."""

    def tool(name, *words, code=0, where="--bootstrap-server"):
        words = list(map(str, words))
        at = 1 if name == "kafka-cluster" else 0  # It wants its verb first.
        words[at:at] = [where, cluster.alive if where == "--bootstrap-server" else f"127.0.0.1:{cluster[1].controller_port}"]
        done = run(tools, name, *words, timeout=90)
        assert done.code == code, (name, words, done)
        return done.out + done.err

    return tool


@pytest.fixture
def tool(cluster):
    return runner(cluster, JavaTools())


def written(cluster, name, content):
    path = cluster.directory / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def moves(*rows):
    return {"version": 1, "partitions": [{"topic": topic, "partition": partition, "replicas": replicas} for topic, partition, replicas in rows]}


def replicas(cluster, topic):
    return [cluster.partition(topic, p).replicas for p in sorted(cluster.admin().list_topics(topic, timeout=10).topics[topic].partitions)]


def test_reassign(cluster, tool):
    """A proposal, carried out with a throttle while it is looked at, to its end; another one is called off."""
    topic = cluster.topic("reassigned", [[1, 2], [2, 3]])
    fill(cluster, topic, 2)
    said = tool("kafka-reassign-partitions", "--generate", "--broker-list", "4,5", "--topics-to-move-json-file",
                written(cluster, "topics.json", {"topics": [{"topic": topic}], "version": 1}))
    current, proposed = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    assert [p["replicas"] for p in current["partitions"]] == [[1, 2], [2, 3]]
    assert all(sorted(p["replicas"]) == [4, 5] for p in proposed["partitions"])
    plan = written(cluster, "plan.json", proposed)
    said = tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", plan, "--throttle", 50_000_000)
    assert "Successfully started partition reassignments" in said and "throttle" in said
    limits = tool("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", "4")
    assert "follower.replication.throttled.rate=50000000" in limits
    wait_for(lambda: "is completed" in (said := tool("kafka-reassign-partitions", "--verify", "--reassignment-json-file", plan, "--preserve-throttles"))
             and "in progress" not in said, what="the end of the move", pause=0.5)
    assert replicas(cluster, topic) == [p["replicas"] for p in proposed["partitions"]]
    said = tool("kafka-reassign-partitions", "--verify", "--reassignment-json-file", plan)
    assert "Clearing broker-level throttles" in said and f"Clearing topic-level throttles on topic {topic}" in said
    assert "throttled" not in tool("kafka-configs", "--describe", "--entity-type", "brokers", "--entity-name", "4")
    # So slow that it does not end: listed, refused a second time, called off.
    back = written(cluster, "back.json", moves((topic, 0, [1, 2])))
    tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", back, "--throttle", 1000)
    assert f"{topic}-0" in tool("kafka-reassign-partitions", "--list")
    assert "existing" in tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", back, code=1)
    assert "Successfully cancelled" in tool("kafka-reassign-partitions", "--cancel", "--reassignment-json-file", back)
    assert "No partition reassignments found" in tool("kafka-reassign-partitions", "--list")
    assert sorted(cluster.partition(topic, 0).replicas) == [4, 5]
    assert len(read_all(cluster.alive, topic, 0)) == 200


def test_leader_election(cluster, tool):
    topic = cluster.topic("led", [[4, 1], [5, 4]])
    produce(cluster, topic, range(3))
    cluster[4].kill9()
    wait_for(lambda: cluster.partition(topic).leader == 1, what="another leader")
    unavailable = tool("kafka-leader-election", "--election-type", "preferred", "--topic", topic, "--partition", 0, code=1)
    assert "PREFERRED_LEADER_NOT_AVAILABLE" in unavailable or "preferred leader" in unavailable.lower(), unavailable
    cluster.start([cluster[4]])
    cluster.wait_isr(topic, 2)
    assert "Successfully completed leader election" in tool("kafka-leader-election", "--election-type", "preferred", "--topic", topic, "--partition", 0)
    assert cluster.leader(topic).number == 4
    which = written(cluster, "elect.json", {"partitions": [{"topic": topic, "partition": 1}]})
    said = tool("kafka-leader-election", "--election-type", "preferred", "--path-to-json-file", which)
    assert "Valid replica already elected" in said
    tool("kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")
    # Both replicas go, the one that lagged comes back first: only an unclean election helps.
    other = cluster.topic("unclean", [[4, 5]])
    assert produce(cluster, other, ["both"]) == {"both": 0}
    cluster[5].kill9()
    cluster.wait_isr(other, 1)
    produce(cluster, other, ["only 4 has it"])
    cluster[4].kill9()
    cluster.start([cluster[5]])
    wait_for(lambda: cluster.partition(other).leader == -1, what="no leader")
    assert "Successfully completed leader election (UNCLEAN)" in tool("kafka-leader-election", "--election-type", "unclean", "--topic", other, "--partition", 0)
    assert cluster.leader(other).number == 5
    assert read_all(cluster.alive, other, 0) == {0: "both"}
    cluster.start([cluster[4]])
    cluster.wait_isr(other, 2)


def test_metadata_quorum(cluster, tool):
    """A controller is made a voter and taken out again."""
    status = tool("kafka-metadata-quorum", "describe", "--status")
    assert f"ClusterId:              {cluster[1].cluster_id}" in status and re.search(r"LeaderId: +[123]\n", status), status

    def voters():
        said = tool("kafka-metadata-quorum", "describe", "--replication")
        return {int(line.split()[0]) for line in said.splitlines()[1:] if line.split()[-1] in ("Leader", "Follower")}

    assert voters() == {1, 2, 3}
    wait_for(lambda: " 6" in re.sub(r"\s+", " ", tool("kafka-metadata-quorum", "describe", "--replication").replace("\n", " ")), what="the observer", pause=0.3)
    node = cluster[6]
    said = tool("kafka-metadata-quorum", "--command-config", node.properties_file, "add-controller")
    assert "Added controller 6" in said
    wait_for(lambda: voters() == {1, 2, 3, 6}, what="four voters", pause=0.3)
    assert "already part" in tool("kafka-metadata-quorum", "--command-config", node.properties_file, "add-controller", code=1)
    directory = re.search(r"directory.id=(\S+)", (node.data_dir / "meta.properties").read_text())[1]
    assert re.search("Removed +KRaft controller 6", tool("kafka-metadata-quorum", "remove-controller", "--controller-id", 6, "--controller-directory-id", directory))
    wait_for(lambda: voters() == {1, 2, 3}, what="three voters", pause=0.3)
    tool("kafka-metadata-quorum", "remove-controller", "--controller-id", 6, "--controller-directory-id", directory, code=1)


def test_features(cluster, tool):
    """metadata.version goes up and, where nothing of its records changed, down; a feature is switched off and on."""
    assert "4.2-IV1" in tool("kafka-features", "describe")
    assert "was upgraded" in tool("kafka-features", "upgrade", "--release-version", "4.3")
    assert "4.3-IV0" in tool("kafka-features", "describe")
    refused = tool("kafka-features", "downgrade", "--metadata", "3.3-IV3", code=1)
    assert "Could not" in refused or "INVALID_UPDATE_VERSION" in refused or "downgrade" in refused
    assert "was downgraded" in tool("kafka-features", "downgrade", "--feature", "transaction.version=1")
    assert "was upgraded" in tool("kafka-features", "upgrade", "--feature", "transaction.version=2")
    assert "was disabled" in tool("kafka-features", "disable", "--feature", "streams.version")
    assert "was upgraded" in tool("kafka-features", "upgrade", "--feature", "streams.version=1")
    tool("kafka-features", "upgrade", "--feature", "metadata.version=99", code=1)


def test_cluster_and_log_dirs(cluster, tool):
    assert cluster[1].cluster_id in tool("kafka-cluster", "cluster-id")
    endpoints = tool("kafka-cluster", "list-endpoints")
    assert all(str(node.port) in endpoints for node in cluster.brokers)
    assert "controller" in tool("kafka-cluster", "list-endpoints", where="--bootstrap-controller")
    topic = cluster.topic("sized", [[1, 2]])
    produce(cluster, topic, range(10))
    said = tool("kafka-log-dirs", "--describe", "--topic-list", topic, "--broker-list", "1,2,3")
    found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    sizes = {b["broker"]: [p["size"] for d in b["logDirs"] for p in d["partitions"] if p["partition"] == f"{topic}-0"] for b in found["brokers"]}
    assert sizes[1] and sizes[1] == sizes[2] and sizes[1][0] > 0 and sizes[3] == []


def test_configs(cluster, tool):
    topic = cluster.topic("configured", 1, 1)
    for kind, name, key, value in (("topics", topic, "retention.ms", 5000), ("brokers", 1, "log.cleaner.threads", 2), ("brokers", None, "num.io.threads", 9),
                                   ("groups", "some-group", "consumer.session.timeout.ms", 46000), ("client-metrics", "some-metrics", "interval.ms", 10000)):
        who = ("--entity-type", kind, *(("--entity-default",) if name is None else ("--entity-name", name)))
        assert "Completed updating" in tool("kafka-configs", "--alter", *who, "--add-config", f"{key}={value}")
        assert f"{key}={value}" in tool("kafka-configs", "--describe", *who)
        assert "Completed updating" in tool("kafka-configs", "--alter", *who, "--delete-config", key)
        assert f"{key}={value}" not in tool("kafka-configs", "--describe", *who)
    assert "Unknown" in tool("kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "no.such=1", code=1)


def test_admin_client(cluster):
    """Java's admin client, call by call: AdminCalls.java."""
    done = subprocess.run([*compiled("AdminCalls"), cluster.alive, f"127.0.0.1:{cluster[1].controller_port}"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    said = done.stdout.split()
    assert said[-1] == "end" and len(said) > 25, said


def test_unregister(cluster, tool):
    """A broker is drained, stopped and forgotten."""
    cluster.topic("drained", [[5, 1]])
    everything = moves(*[(topic, p.id, [1 + p.id % 3, 1 + (p.id + 1) % 3][:len(p.replicas)])
                         for topic, found in cluster.admin().list_topics(timeout=10).topics.items() for p in found.partitions.values() if 5 in p.replicas])
    plan = written(cluster, "drain.json", everything)
    tool("kafka-reassign-partitions", "--execute", "--reassignment-json-file", plan)
    wait_for(lambda: "in progress" not in tool("kafka-reassign-partitions", "--verify", "--reassignment-json-file", plan), what="the end of the draining", pause=0.5)
    assert cluster[5].stop() == 0
    assert "Broker 5 is no longer registered" in tool("kafka-cluster", "unregister", "--id", 5)
    wait_for(lambda: str(cluster[5].port) not in tool("kafka-cluster", "list-endpoints", "--include-fenced-brokers"), what="nobody who knows it", pause=0.2)
    assert "not currently registered" in tool("kafka-cluster", "unregister", "--id", 5, code=1)


@pytest.mark.parametrize("tools", [JavaTools, SamsaTools], ids=lambda t: t.kind)
def test_replica_verification(cluster, tools):
    """Apache's tool and ours say the same of replicas that are alike, and of one that is not."""
    topic = cluster.topic(f"verified-{tools.kind}", [[1, 2, 3]])
    produce(cluster, topic, range(5))

    def until(word):
        command = tools().command("kafka-replica-verification", "--broker-list", cluster.alive, "--topics-include", topic, "--time", "-2",
                                  "--report-interval-ms", "300", "--max-wait-ms", "100")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"TZ": "UTC"}) as process:
            try:
                said = []
                for line in process.stdout:
                    said.append(re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: ", "", line.rstrip()))
                    if re.search(word, line):
                        return said
                raise AssertionError(said)
            finally:
                process.kill()

    said = until("max lag is 0")
    assert (said[0], said[-1]) == ("verification process is started", f"max lag is 0 for partition {topic}-0 at offset 5 among 1 partitions")
    assert cluster[3].stop() == 0
    segment = cluster[3].data_dir / f"{topic}-0" / "00000000000000000000.log"
    with open(segment, "r+b") as file:
        file.seek(17)  # The checksum of the first batch.
        file.write(b"\x01\x02\x03\x04")
    cluster.start([cluster[3]])
    cluster.wait_isr(topic, 3)
    assert re.search(f"partition {topic}-0 has unmatched checksum at offset 0; replica [123]'s checksum ", "\n".join(until("unmatched")))
