"""What operators do to a cluster that is in use: move, drain, rebalance, upgrade, add voters, read from near."""

import shutil
import subprocess
import time

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from peers import rawwire
from peers.broker import free_ports
from peers.tools import SamsaTools

from .loads import read_all
from .nodes import COMBINED, wait_for
from .operations import preferred_replica, reassign, reassigning, unregister, update_feature
from .test_examples import produce

BROKER = "broker"


def fill(cluster, topic, megabytes, partition=0):
    producer = Producer({"bootstrap.servers": cluster.alive, "log_level": 0, "compression.type": "none", "queue.buffering.max.kbytes": 200_000})
    value = "x" * 10_000
    for number in range(megabytes * 100):
        producer.produce(topic, value=f"{number} {value}", partition=partition)
    assert producer.flush(60) == 0


def set_config(cluster, kind, name, **values):
    """None takes a value away again."""
    entries = [ConfigEntry(key.replace("__", "."), "" if value is None else str(value),
                           incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET) for key, value in values.items()]
    for done in cluster.admin().incremental_alter_configs([ConfigResource(kind, str(name), incremental_configs=entries)]).values():
        done.result(30)


def test_move_cancel_drain_and_forget(make_cluster):
    """A fourth broker takes a partition over while it is written and read, is drained again, stopped and unregistered."""
    cluster = make_cluster(roles=[COMBINED, BROKER, BROKER, BROKER])
    topic = cluster.topic("moving", [[1, 2], [2, 3]])
    fill(cluster, topic, 5)
    assert reassign(cluster[1], topic, {0: [4, 3], 1: [4, 2]}) == 0
    wait_for(lambda: not reassigning(cluster[2]), what="the end of the move")
    wait_for(lambda: cluster.partition(topic, 0).replicas == [4, 3] and cluster.partition(topic, 1).replicas == [4, 2], what="the new replicas")
    assert len(read_all(cluster.alive, topic, 0)) == 500
    # Drained: nothing is on it any more.
    assert reassign(cluster[1], topic, {0: [3, 1], 1: [2, 1]}) == 0
    wait_for(lambda: not reassigning(cluster[1]), what="the end of the draining")
    wait_for(lambda: cluster.partition(topic, 0).replicas == [3, 1] and cluster.partition(topic, 1).replicas == [2, 1], what="the new replicas")
    cluster[4].kill9()
    # A move to a broker that is dead cannot come to its end: it is cancelled.
    assert reassign(cluster[1], topic, {0: [3, 4]}) == 0
    assert reassigning(cluster[1])
    assert reassign(cluster[1], topic, {0: None}) == 0
    wait_for(lambda: not reassigning(cluster[1]), what="nothing being moved")
    assert cluster.partition(topic, 0).replicas == [3, 1]
    cluster.wait_isr(topic, 2)
    assert unregister(cluster[1], 4) == 0
    assert unregister(cluster[1], 4) == 102  # BROKER_ID_NOT_REGISTERED
    assert len(read_all(cluster.alive, topic, 0)) == 500


def test_move_within_a_throttle(make_cluster):
    """leader. and follower.replication.throttled.*: 20 MB at 4 MB/s take their time; without the limit they are there at once."""
    cluster = make_cluster(roles=[COMBINED, BROKER, BROKER])
    topic = cluster.topic("throttled", [[2]])
    fill(cluster, topic, 20)
    for broker in (1, 2, 3):
        set_config(cluster, ResourceType.BROKER, broker, leader__replication__throttled__rate=4_000_000, follower__replication__throttled__rate=4_000_000)
    set_config(cluster, ResourceType.TOPIC, topic, leader__replication__throttled__replicas="0:2", follower__replication__throttled__replicas="0:3")
    time.sleep(1)
    began = time.monotonic()
    assert reassign(cluster[1], topic, {0: [2, 3]}) == 0
    time.sleep(2.5)
    assert reassigning(cluster[1])  # At most 4 MB/s and a second's worth in advance.
    for broker in (1, 2, 3):
        set_config(cluster, ResourceType.BROKER, broker, leader__replication__throttled__rate=None, follower__replication__throttled__rate=None)
    wait_for(lambda: not reassigning(cluster[1]), what="the end of the move")
    assert time.monotonic() - began > 2.5
    cluster.wait_isr(topic, 2)


def test_reading_from_the_nearest_replica(make_cluster):
    cluster = make_cluster(start=False, replica__selector__class="org.apache.kafka.common.replica.RackAwareReplicaSelector")
    for node in cluster.nodes:
        node.overrides["broker.rack"] = f"rack{node.number}"
    cluster.create()
    topic = cluster.topic("near", [[1, 2, 3]])
    produce(cluster, topic, range(50))
    wait_for(lambda: preferred_replica(cluster[1], topic, "rack3") == 3, what="the replica in rack3")
    assert preferred_replica(cluster[1], topic, "rack1") == -1
    assert preferred_replica(cluster[1], topic, "elsewhere") == -1
    consumer = Consumer({"bootstrap.servers": cluster.alive, "group.id": "near", "client.rack": "rack2", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found = []
    wait_for(lambda: found.extend(int(m.value()) for m in consumer.consume(100, timeout=0.5) if not m.error()) or len(found) >= 50, what="50 records")
    assert found == list(range(50))
    produce(cluster, topic, range(50, 60))
    wait_for(lambda: found.extend(int(m.value()) for m in consumer.consume(100, timeout=0.5) if not m.error()) or len(found) >= 60, what="10 more")
    assert found == list(range(60))
    consumer.close()


def test_leaders_go_home(make_cluster):
    """auto.leader.rebalance.enable: the preferred replica leads again when it is back."""
    cluster = make_cluster(leader__imbalance__check__interval__seconds=1)
    topic = cluster.topic("home", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    cluster[2].kill9()
    wait_for(lambda: cluster.partition(topic, 1).leader == 3, what="another leader")
    cluster.start([cluster[2]])
    wait_for(lambda: [cluster.partition(topic, p).leader for p in range(3)] == [1, 2, 3], what="the preferred leaders")


def test_features_are_upgraded(make_cluster):
    """metadata.version from that of 4.0 to that of 4.3, while topics are in use; not back below what changed the metadata."""
    cluster = make_cluster(start=False)
    for node in cluster.nodes:
        cluster.format_one(node, "--release-version", "4.0")
    cluster.start()
    topic = cluster.topic("upgraded", 3, 3)
    produce(cluster, topic, range(5))
    assert wait_for(lambda: update_feature(cluster[2], "metadata.version", 30) == 0, what="the upgrade")
    assert update_feature(cluster[2], "metadata.version", 99) != 0
    produce(cluster, topic, range(5, 10))
    cluster.topic("after", 3, 3)
    cluster.stop()
    cluster.start()
    assert sorted(map(int, read_all(cluster.alive, topic, 0).values())) == list(range(10))


def test_dynamic_quorum(make_cluster):
    """--initial-controllers, with brokers of their own (--no-initial-controllers): any controller may go."""
    cluster = make_cluster(roles=["controller", "controller", "controller", BROKER, BROKER], voters="dynamic")
    topic = cluster.topic("dynamic", [[4, 5]])
    for _ in range(2):
        active = cluster[cluster._quorum_leader()]
        active.kill9()
        wait_for(lambda: cluster._quorum_leader() not in (None, active.number), what="another controller")
        produce(cluster, topic, ["x"])
        cluster.start([active])
    cluster.topic("after", 1, 2)
    with rawwire.Connection(cluster[4].host, cluster[4].port) as connection:
        assert rawwire.quorum_leader(connection) in (1, 2, 3)


def voters(cluster):
    """{id: directory} as kafka-metadata-quorum has it."""
    command = SamsaTools().command("kafka-metadata-quorum", "--bootstrap-server", cluster[1].bootstrap, "describe", "--replication")
    rows = [line.split() for line in subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.splitlines()[1:]]
    return {int(row[0]): row[1] for row in rows if row and row[-1] in ("Leader", "Follower")}


def test_controllers_join_by_themselves(make_cluster):
    """controller.quorum.auto.join.enable: from one voter to three; the one that lost its disk comes back under its id; snapshots on the way."""
    cluster = make_cluster(roles=[COMBINED, "controller", "controller"], voters="dynamic", initial=(1,), start=False,
                           controller__quorum__auto__join__enable="true", metadata__log__max__record__bytes__between__snapshots=2000)
    cluster.format()
    cluster.start([cluster[1]])
    for number in range(20):
        cluster.topic(f"before-{number}", 1, 1)
    cluster.start([cluster[2], cluster[3]])
    wait_for(lambda: set(voters(cluster)) == {1, 2, 3}, what="three voters")
    assert list((cluster[2].data_dir / "__cluster_metadata-0").glob("*.checkpoint")), "it began with a snapshot"
    cluster[3].kill9()
    shutil.rmtree(cluster[3].data_dir)
    cluster.format_one(cluster[3], "--no-initial-controllers")
    before = voters(cluster)
    cluster.start([cluster[3]])
    wait_for(lambda: set(now := voters(cluster)) == {1, 2, 3} and now[3] != before[3], what="its new directory among the voters")
    cluster.topic("after", 1, 1)
    cluster[2].kill9()
    cluster.topic("two-of-three", 1, 1)


def quorum_line(cluster, node, name):
    """A line of kafka-metadata-quorum describe --status, as that broker has it."""
    command = SamsaTools().command("kafka-metadata-quorum", "--bootstrap-server", f"{node.host}:{node.port}", "describe", "--status")
    said = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    return next(line.split(":", 1)[1].strip() for line in said.splitlines() if line.startswith(name))


def test_a_static_quorum_becomes_a_dynamic_one(make_cluster):
    """kraft.version 0 to 1 by kafka-features; then a voter leaves and comes back by kafka-metadata-quorum. With Samsa's tools."""
    cluster = make_cluster()

    def tool(name, *words):
        done = subprocess.run(SamsaTools().command(name, "--bootstrap-server", cluster[1].bootstrap, *map(str, words)), capture_output=True, text=True, timeout=90)
        return done.stdout + done.stderr

    # Every voter tells its directory first; on a busy machine that takes a moment.
    wait_for(lambda: "was upgraded to 1" in tool("kafka-features", "upgrade", "--feature", "kraft.version=1"), what="the upgrade", pause=0.5)
    assert "Could not downgrade kraft.version" in tool("kafka-features", "downgrade", "--feature", "kraft.version=0")
    before = wait_for(lambda: len(set((found := voters(cluster)).values())) == 3 and found, what="three directories")
    leaving = next(node for node in cluster.nodes if node is not cluster.controller())
    said = tool("kafka-metadata-quorum", "remove-controller", "--controller-id", leaving.number, "--controller-directory-id", before[leaving.number])
    assert "Removed" in said, said
    wait_for(lambda: leaving.number not in voters(cluster), what="two voters")
    cluster.topic("two-voters", 1, 3)
    leaving.overrides["metadata.log.dir"] = str(leaving.data_dir)
    leaving.write_properties()
    wait_for(lambda: "Added controller" in tool("kafka-metadata-quorum", "--command-config", leaving.properties_file, "add-controller"), what="the voter again", pause=0.5)
    wait_for(lambda: voters(cluster) == before, what="three voters")
    cluster.stop()
    cluster.start()
    cluster.topic("after", 1, 3)


def test_a_voter_moves_to_another_address(make_cluster):
    """UpdateRaftVoter: controllers come back with other ports, a follower and then the leader; the quorum needs them there."""
    cluster = make_cluster(voters="dynamic")
    leading = cluster.controller()
    following, stayed = (node for node in cluster.nodes if node is not leading)
    for node in (following, leading):
        assert node.stop() in (0, 143)
        node.controller_port = free_ports(1)[0]
        cluster._say_where(node)  # The others' bootstrap servers still name the old port.
        node.write_properties()
        cluster.start([node])
        wait_for(lambda: f":{node.controller_port}" in quorum_line(cluster, node, "CurrentVoters"), what="the new address in the set of voters")
    # The one that has stayed where it was dies: those that moved are the majority.
    stayed.kill9()
    cluster.topic("after", [[following.number, leading.number]])  # Named: who has just died may be chosen yet.
    cluster.start([stayed])
    cluster.topic("with-all", 1, 3)


def test_snapshots_by_age(make_cluster):
    """metadata.log.max.snapshot.interval.ms: a few bytes of metadata are put into a snapshot when it is time; a node starts from it."""
    cluster = make_cluster(metadata__log__max__snapshot__interval__ms=1500)
    cluster.topic("old", 3, 3)

    def snapshots(node):
        return sorted(int(path.name.split("-")[0]) for path in (node.data_dir / "__cluster_metadata-0").glob("*.checkpoint") if not path.name.startswith("0" * 20 + "-"))

    for node in cluster.nodes:
        first = wait_for(lambda: snapshots(node), what=f"a snapshot of node {node.number}")[-1]
        wait_for(lambda: snapshots(node)[-1] > first, what=f"another one of node {node.number}")
    cluster.stop()
    cluster.start()
    cluster.wait_isr("old", 3)
    assert len(cluster.admin().list_topics("old", timeout=10).topics["old"].partitions) == 3


def test_a_whole_cluster_stops(make_cluster):
    """All at once: the last ones have no controller any more, see that and end."""
    cluster = make_cluster()
    cluster.topic("stopped", 3, 3)
    assert cluster.stop() == [0, 0, 0]
    cluster.start()
    cluster.wait_isr("stopped", 3)
