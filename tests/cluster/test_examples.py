"""The worked examples of replication: what each says is asked of the wire."""

import struct
import threading
import time

from confluent_kafka import ElectionType, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka import TopicPartition as Place

from peers import rawwire

from .loads import read_all
from .nodes import EARLIEST, high_watermark, list_offset, log_end, wait_for

CONTROLLER = "controller"
BROKER = "broker"
PATIENT = {"broker__session__timeout__ms": 60000, "replica__lag__time__max__ms": 60000}


def produce(cluster, topic, values, acks="all", partition=0, **config):
    """{value: offset or KafkaError name}, in the order of sending."""
    producer = Producer({"bootstrap.servers": cluster.alive, "acks": acks, "linger.ms": 0, "log_level": 0, "message.timeout.ms": 20000} | config)
    found = {}
    for value in values:
        producer.produce(topic, value=str(value), partition=partition,
                         on_delivery=lambda error, message: found.__setitem__(message.value().decode(), error.name() if error else message.offset()))
        producer.flush(30)  # One batch each.
    return found


def test_high_watermark_is_what_all_in_sync_replicas_have(make_cluster):
    """A leader at 105, followers at 102 and 105: consumers read up to 102."""
    cluster = make_cluster(**PATIENT)
    topic = cluster.topic("watermark", [[1, 2, 3]])
    produce(cluster, topic, range(102))
    wait_for(lambda: len({size_of(n, topic) for n in cluster.nodes}) == 1, what="102 everywhere")
    cluster.pause(cluster[3])
    produce(cluster, topic, range(102, 105), acks="1")
    assert log_end(cluster[1], topic) == 105
    wait_for(lambda: size_of(cluster[2], topic) == size_of(cluster[1], topic), what="105 on the other follower")
    time.sleep(1)
    assert high_watermark(cluster[1], topic) == 102
    assert sorted(read_all(cluster.alive, topic, 0)) == list(range(102))
    cluster.go_on(cluster[3])
    wait_for(lambda: high_watermark(cluster[1], topic) == 105, what="high watermark 105")
    assert sorted(read_all(cluster.alive, topic, 0)) == list(range(105))


def size_of(node, topic, partition=0):
    """Bytes of any replica's log."""
    with rawwire.Connection(node.host, node.port) as connection:
        found = [size for _, topics, _ in rawwire.log_dirs(connection) for index, size, _, _ in topics.get(topic, ()) if index == partition]
    return found[0] if found else None


def test_low_watermark_is_the_least_log_start(make_cluster):
    """DeleteRecords answers when every live replica has moved its log start; its answer is the least of them."""
    cluster = make_cluster(**PATIENT)
    topic = cluster.topic("low", [[1, 2, 3]])
    produce(cluster, topic, range(20))
    deleted = cluster.admin().delete_records([Place(topic, 0, 7)])
    assert [done.result(30).low_watermark for done in deleted.values()] == [7]
    for node in cluster.nodes:
        wait_for(lambda: first_offset(node, topic) == 7, what=f"log start 7 on node {node.number}")
    cluster.pause(cluster[3])
    try:
        for done in cluster.admin().delete_records([Place(topic, 0, 12)], operation_timeout=2, request_timeout=10).values():
            done.result(30)
        raise AssertionError("answered although a replica has not moved")
    except KafkaException as error:
        assert error.args[0].code() in (KafkaError.REQUEST_TIMED_OUT, KafkaError._TIMED_OUT), error
    cluster.go_on(cluster[3])
    deleted = cluster.admin().delete_records([Place(topic, 0, 12)])
    assert [done.result(30).low_watermark for done in deleted.values()] == [12]
    assert list_offset(cluster[1], topic, at=EARLIEST) == (0, 12)


def first_offset(node, topic):
    """The least offset that this replica still gives a debugging reader: below it is out of range (1)."""
    with rawwire.Connection(node.host, node.port) as connection:
        for offset in range(100):
            body = struct.pack(">iiiibii", -2, 0, 0, 1 << 20, 0, 0, -1) + struct.pack(">i", 1) + rawwire.string(topic)
            body += struct.pack(">iiiqqi", 1, 0, -1, offset, -1, 1 << 20) + struct.pack(">i", 0) + rawwire.string("")
            answer = connection.call(rawwire.request(1, 11, body))
            (error,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + 4 + 4 + 2 + len(topic) + 4 + 4)
            if error == 0:
                return offset
    return None


def test_min_insync_replicas_of_four(make_cluster):
    """Replication factor 4, min.insync.replicas 3: with one broker down writes go on, with two they are refused, then they resume."""
    cluster = make_cluster(roles=[CONTROLLER, BROKER, BROKER, BROKER, BROKER], broker__session__timeout__ms=3000, broker__heartbeat__interval__ms=500)
    topic = cluster.topic("four", [[2, 3, 4, 5]], min__insync__replicas=3)
    assert produce(cluster, topic, ["all four"]) == {"all four": 0}
    cluster[5].kill9()
    cluster.wait_isr(topic, 3)
    assert produce(cluster, topic, ["three"]) == {"three": 1}
    cluster[4].kill9()
    cluster.wait_isr(topic, 2)
    refused = produce(cluster, topic, ["two"], retries=0)
    assert refused == {"two": "NOT_ENOUGH_REPLICAS"}
    assert produce(cluster, topic, ["acks 1"], acks="1") == {"acks 1": 2}
    assert high_watermark(cluster[2], topic) == 2  # Not visible below min.insync.replicas (KIP-966).
    waiting = {}
    writer = threading.Thread(target=lambda: waiting.update(produce(cluster, topic, ["again"], **{"message.timeout.ms": 60000})))
    writer.start()
    cluster.start([cluster[4]])
    writer.join(60)
    assert waiting == {"again": 3}
    assert read_all(cluster.alive, topic, 0) == {0: "all four", 1: "three", 2: "acks 1", 3: "again"}


def test_two_idempotent_producers_through_a_failover(make_cluster):
    """A and B interleaved on one partition, retries in flight: nothing twice, nothing out of order."""
    cluster = make_cluster()
    topic = cluster.topic("both", [[1, 2, 3]], min__insync__replicas=2)
    found, stop = {}, threading.Event()

    def write(name):
        producer = Producer({"bootstrap.servers": cluster.bootstrap, "enable.idempotence": True, "linger.ms": 1, "log_level": 0})
        number = 0
        while not stop.is_set():
            for _ in range(5):
                producer.produce(topic, value=f"{name} {number}", partition=0,
                                 on_delivery=lambda e, m: found.__setitem__(m.value().decode(), e.name() if e else m.offset()))
                number += 1
            producer.poll(0.01)
        assert producer.flush(60) == 0

    writers = [threading.Thread(target=write, args=(name,)) for name in "AB"]
    for writer in writers:
        writer.start()
    wait_for(lambda: len(found) > 200, what="records of both")
    cluster[1].kill9()
    before = len(found)
    wait_for(lambda: len(found) > before + 200, what="records after the failover")
    stop.set()
    for writer in writers:
        writer.join(90)
    assert not [value for value, where in found.items() if not isinstance(where, int)]
    there = read_all(cluster.alive, topic, 0)
    assert {offset: value for value, offset in found.items()} == there
    for name in "AB":
        numbers = [int(value.split()[1]) for _, value in sorted(there.items()) if value.startswith(name)]
        assert numbers == list(range(len(numbers)))


def test_unclean_election(make_cluster):
    """The last in-sync replica is gone: the partition waits; with an unclean election it comes back without what only that one had."""
    cluster = make_cluster(roles=[CONTROLLER, BROKER, BROKER, BROKER], broker__session__timeout__ms=3000, broker__heartbeat__interval__ms=500)
    topic = cluster.topic("unclean", [[2, 3]])
    assert produce(cluster, topic, range(5)) == {str(i): i for i in range(5)}
    cluster[3].kill9()
    cluster.wait_isr(topic, 1)
    assert produce(cluster, topic, range(5, 8)) == {str(i): i for i in range(5, 8)}
    cluster[2].kill9()
    cluster.start([cluster[3]])
    wait_for(lambda: cluster.partition(topic).leader == -1, what="no leader")
    time.sleep(4)
    assert cluster.partition(topic).leader == -1  # Unclean election is off: it waits.
    elected = cluster.admin().elect_leaders(ElectionType.UNCLEAN, [Place(topic, 0)])
    assert [error for error in elected.result(30).values()] == [None]
    wait_for(lambda: cluster.partition(topic).leader == 3, what="the unclean leader")
    if cluster[3].kind == "samsa":  # The loss is said.
        wait_for(lambda: f"{topic}-0: leads by an unclean election from offset 5 on" in cluster[3].log(), what="a line about the unclean election")
    assert sorted(read_all(cluster.alive, topic, 0)) == list(range(5))
    assert produce(cluster, topic, ["new"]) == {"new": 5}
    cluster.start([cluster[2]])
    cluster.wait_isr(topic, 2)
    assert read_all(cluster.alive, topic, 0) == {0: "0", 1: "1", 2: "2", 3: "3", 4: "4", 5: "new"}
    described = cluster.admin().describe_topics(TopicCollection([topic]))
    assert [len(done.result(30).partitions[0].isr) for done in described.values()] == [2]
