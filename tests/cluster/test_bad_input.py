"""What a cluster refuses, with a clear line, and without overwriting anything."""

import re
import struct
import subprocess
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic

from peers import rawwire
from peers.broker import StartError

from .nodes import COMBINED, wait_for
from .test_examples import produce, read_all

BROKER = "broker"
FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, STALE_BROKER_EPOCH, INCONSISTENT_CLUSTER_ID, INVALID_VOTER_KEY, UNSUPPORTED_VERSION = 74, 75, 77, 104, 125, 35


def text(value):
    """Compact string."""
    return bytes([len(value) + 1]) + value.encode()


def meta(node):
    return (node.data_dir / "meta.properties").read_text()


def test_wrong_cluster_id(make_cluster):
    """A broker of another cluster is not let in and says why; its directory stays as it is."""
    cluster = make_cluster(roles=[COMBINED, BROKER], start=False)
    cluster.format_one(cluster[1])
    cluster.format_one(cluster[2], cluster_id="YW5vdGhlci1jbHVzdGVyIQ")
    before = meta(cluster[2])
    cluster.start([cluster[1]])
    cluster[2].start(wait=False)
    wait_for(lambda: "INCONSISTENT_CLUSTER_ID" in cluster[2].log(), 90, "a line about the cluster id")
    assert sorted(cluster.admin().list_topics(timeout=10).brokers) == [1]
    assert meta(cluster[2]) == before


def test_node_id_that_is_taken(make_cluster):
    """While node 2 lives another process with its id is refused; node 2 is not disturbed."""
    cluster = make_cluster(roles=[COMBINED, BROKER, BROKER], start=False)
    for node in cluster.nodes:
        node.overrides["node.id"] = {1: "1", 2: "2", 3: "2"}[node.number]
        cluster.format_one(node)
    cluster.start([cluster[1], cluster[2]])
    topic = cluster.topic("taken", [[2]])
    cluster[3].start(wait=False)
    wait_for(lambda: "DUPLICATE_BROKER_REGISTRATION" in cluster[3].log() or "DuplicateBrokerRegistration" in cluster[3].log(), 60, "a line about the node id")
    time.sleep(1)
    assert cluster.admin().list_topics(timeout=10).brokers[2].port == cluster[2].port
    assert produce(cluster, topic, ["here"]) == {"here": 0}


def fetch_error(node, topic, leader_epoch):
    body = struct.pack(">iiiibii", -1, 0, 0, 1 << 20, 0, 0, -1) + struct.pack(">i", 1) + rawwire.string(topic)
    body += struct.pack(">iiiqqi", 1, 0, leader_epoch, 0, -1, 1 << 20) + struct.pack(">i", 0) + rawwire.string("")
    with rawwire.Connection(node.host, node.port) as connection:
        answer = connection.call(rawwire.request(1, 11, body))
    return struct.unpack_from(">h", answer, 4 + 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4)[0]


def heartbeat_error(node, broker, epoch):
    body = struct.pack(">iqqbb", broker, epoch, 0, 0, 0) + b"\0"
    with rawwire.Connection(node.host, node.controller_port) as connection:
        answer = connection.call(rawwire.request(63, 0, body, flexible=True))
    return struct.unpack_from(">h", answer, 4 + 1 + 4)[0]


def vote_errors(node, cluster_id, epoch, voter, candidate=9):
    """(error of the whole, of the partition) by Vote v1."""
    body = text(cluster_id) + struct.pack(">i", voter) + b"\x02" + text("__cluster_metadata") + b"\x02"
    body += struct.pack(">iii", 0, epoch, candidate) + bytes(32) + struct.pack(">iq", 0, 0) + b"\0\0\0"
    with rawwire.Connection(node.host, node.controller_port) as connection:
        answer = connection.call(rawwire.request(52, 1, body, flexible=True))
    (error,) = struct.unpack_from(">h", answer, 5)
    at = 7 + 1 + 1 + len("__cluster_metadata") + 1
    return error, None if error else struct.unpack_from(">ih", answer, at)[1]


def test_stale_epochs_and_unknown_voters(make_cluster):
    cluster = make_cluster()
    first = cluster.controller()
    others = [node.number for node in cluster.nodes if node is not first]
    topic = cluster.topic("epochs", [[first.number, *others]])
    first.kill9()  # Now the quorum and the partition are both in their second epoch.
    moved = wait_for(lambda: (leader := cluster.partition(topic).leader) in others and cluster[leader], what="a new leader")
    produce(cluster, topic, ["x"])
    assert fetch_error(moved, topic, 0) == FENCED_LEADER_EPOCH
    assert fetch_error(moved, topic, 99) == UNKNOWN_LEADER_EPOCH
    assert fetch_error(moved, topic, -1) == 0
    active = cluster.controller()
    assert heartbeat_error(active, active.number, 1) == STALE_BROKER_EPOCH
    assert heartbeat_error(active, 77, 1) == STALE_BROKER_EPOCH  # Never registered.
    assert vote_errors(active, active.cluster_id, 1, active.number) == (0, FENCED_LEADER_EPOCH)
    assert vote_errors(active, "YW5vdGhlci1jbHVzdGVyIQ", 99, active.number)[0] == INCONSISTENT_CLUSTER_ID
    assert vote_errors(active, active.cluster_id, 1 << 20, 55) == (0, INVALID_VOTER_KEY)
    assert cluster.controller() is active  # None of this has disturbed it.


def test_controller_that_is_no_voter(make_cluster):
    """controller.quorum.voters must name a controller itself."""
    cluster = make_cluster(roles=[COMBINED], start=False)
    cluster[1].overrides["controller.quorum.voters"] = "7@127.0.0.1:9"
    cluster[1].write_properties()
    subprocess.run(cluster[1].storage_command("format", "-t", cluster[1].cluster_id, "-c", str(cluster[1].properties_file)), capture_output=True)
    cluster[1].start(wait=False)
    assert cluster[1].wait_exit(60) != 0
    assert "controller.quorum.voters" in cluster[1].log()


def test_metadata_version_that_nobody_knows(make_cluster):
    cluster = make_cluster(roles=[COMBINED], start=False)
    cluster[1].write_properties()
    done = subprocess.run(cluster[1].storage_command("format", "-t", cluster[1].cluster_id, "-c", str(cluster[1].properties_file), "-r", "9.9"),
                          capture_output=True, text=True)
    assert done.returncode != 0 and "9.9" in done.stdout + done.stderr
    assert not (cluster[1].data_dir / "meta.properties").exists()
    cluster.format_one(cluster[1])
    cluster.start()
    # UpdateFeatures v1: metadata.version to 99.
    body = struct.pack(">i", 30000) + b"\x02" + text("metadata.version") + struct.pack(">hb", 99, 1) + b"\0" + b"\0" + b"\0"
    with rawwire.Connection(cluster[1].host, cluster[1].port) as connection:
        answer = connection.call(rawwire.request(57, 1, body, flexible=True))
    assert struct.unpack_from(">h", answer, 9)[0] == 95 or b"metadata.version" in answer, answer
    cluster.topic("still-there", 1, 1)


def registration_error(node, broker, metadata_versions):
    """BrokerRegistration v4: (error, broker epoch)."""
    body = struct.pack(">i", broker) + text(node.cluster_id) + b"some incarnation"
    body += b"\x02" + text("PLAINTEXT") + text("127.0.0.1") + struct.pack(">Hh", 9, 0) + b"\0"
    features = {"metadata.version": metadata_versions, "kraft.version": (0, 1), "transaction.version": (0, 2), "group.version": (0, 1), "share.version": (0, 1),
                "streams.version": (0, 1), "eligible.leader.replicas.version": (0, 1)}
    body += bytes([len(features) + 1]) + b"".join(text(name) + struct.pack(">hh", *levels) + b"\0" for name, levels in features.items())
    body += b"\0" + b"\0" + b"\x02" + b"directory-of-%03d" % broker + struct.pack(">q", -1) + b"\0"
    with rawwire.Connection(node.host, node.controller_port) as connection:
        answer = connection.call(rawwire.request(62, 4, body, flexible=True))
    return struct.unpack_from(">hq", answer, 9)


def test_broker_of_another_metadata_version(make_cluster):
    """One that does not know the cluster's metadata.version is not let in; one that does is."""
    cluster = make_cluster(roles=[COMBINED])
    assert registration_error(cluster[1], 70, (7, 29))[0] == UNSUPPORTED_VERSION
    assert registration_error(cluster[1], 71, (31, 40))[0] == UNSUPPORTED_VERSION
    error, epoch = registration_error(cluster[1], 72, (7, 30))
    assert error == 0 and epoch > 0
    assert sorted(cluster.admin().list_topics(timeout=10).brokers) == [1]  # It is fenced, as it sends no heartbeats.
    cluster.topic("still-there", 1, 1)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def finalize(path, feature, level):
    """Rewrites the level of a feature in a snapshot."""
    raw = bytearray(path.read_bytes())
    at = raw.index(feature.encode()) + len(feature)
    raw[at:at + 2] = struct.pack(">h", level)
    start = 0
    while start < len(raw):
        length = 12 + struct.unpack_from(">i", raw, start + 8)[0]
        struct.pack_into(">I", raw, start + 17, crc32c(raw[start + 21:start + length]))
        start += length
    path.write_bytes(raw)


@pytest.mark.parametrize("feature, level", [("metadata.version", 99), ("group.version", 7)])
def test_metadata_of_a_later_release(make_cluster, feature, level):
    """A node ends with a line about what it does not know, and leaves the snapshot alone."""
    cluster = make_cluster(roles=[COMBINED], start=False)
    cluster.format()
    (snapshot,) = cluster[1].data_dir.rglob("*.checkpoint")
    finalize(snapshot, feature, level)
    before = snapshot.read_bytes()
    cluster[1].start(wait=False)
    assert cluster[1].wait_exit(90) != 0
    assert re.search(rf"{feature}.*{level}|{level}.*{feature}|feature level {level}", cluster[1].log(), re.I), cluster[1].log()[-3000:]
    assert snapshot.read_bytes() == before


@pytest.mark.samsa_only
def test_a_start_without_a_quorum_can_be_stopped(make_cluster):
    """A broker whose controllers are not there waits for them, and ends when it is told to."""
    cluster = make_cluster(roles=["controller", BROKER], start=False)
    cluster.format()
    cluster[2].start(wait=False)
    wait_for(lambda: cluster[2].log(), what="a first line")
    time.sleep(2)
    assert cluster[2].process.poll() is None
    began = time.monotonic()
    assert cluster[2].stop() == 0
    assert time.monotonic() - began < 30  # It would wait for a minute (initial.broker.registration.timeout.ms).


def test_lost_majority(make_cluster):
    """Two of three controllers are gone: nothing changes, writes that need no controller go on; with one back everything does."""
    cluster = make_cluster(roles=["controller", "controller", "controller", BROKER, BROKER])
    topic = cluster.topic("before", [[4, 5]])
    active = cluster._quorum_leader()
    gone = [node for node in cluster.nodes[:3] if node.number != active][:1] + [cluster[active]]
    for node in gone:
        node.kill9()
    assert produce(cluster, topic, ["without a controller"]) == {"without a controller": 0}
    with pytest.raises(KafkaException):
        for done in cluster.admin().create_topics([NewTopic("nobody-decides", 1, 1)], request_timeout=5, operation_timeout=4).values():
            done.result(30)
    assert "nobody-decides" not in cluster.admin().list_topics(timeout=10).topics
    cluster.start(gone[:1])
    cluster.topic("after", 1, 2)
    assert read_all(cluster.alive, topic, 0) == {0: "without a controller"}
    with rawwire.Connection(cluster[4].host, cluster[4].port) as connection:
        assert wait_for(lambda: rawwire.quorum_leader(connection), what="a quorum")


def test_start_without_format_says_so(make_cluster):
    cluster = make_cluster(roles=[COMBINED], start=False)
    with pytest.raises(StartError) as refused:
        cluster[1].start()
    assert refused.value.exit_code != 0 and "meta.properties" in refused.value.log
