"""Several listeners with names of their own: for clients, between brokers, for controllers; what each tells those who come by it."""

import re
import socket
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from peers import rawwire
from peers.broker import StartError, free_ports

from .loads import read_all
from .nodes import wait_for
from .test_examples import produce

PRODUCE, VOTE = 0, 52


def open_connections(port):
    """How many connections to this port of the machine are established."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for fields in map(str.split, lines) if int(fields[2].rsplit(":", 1)[1], 16) == port and fields[3] == "01")


def name_listeners(cluster):
    for node in cluster.nodes:
        node.internal_port = free_ports(1)[0]
        node.overrides |= {
            "listeners": f"CLIENT://127.0.0.1:{node.port},INTERNAL://127.0.0.1:{node.internal_port},CTL://127.0.0.1:{node.controller_port}",
            "advertised.listeners": f"CLIENT://localhost:{node.port},INTERNAL://127.0.0.1:{node.internal_port}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CTL:PLAINTEXT",
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CTL",
        }


def named(port):
    """Who a client is sent to when it comes by this port."""
    found = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}).list_topics(timeout=10).brokers
    return {number: (broker.host, broker.port) for number, broker in found.items()}


def apis(port):
    with rawwire.Connection("127.0.0.1", port) as connection:
        return set(rawwire.api_versions_v0(connection))


def test_listeners_by_name(make_cluster):
    cluster = make_cluster(start=False)
    name_listeners(cluster)
    cluster.create()
    topic = cluster.topic("named", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    assert produce(cluster, topic, range(20)) == {str(i): i for i in range(20)}
    assert read_all(cluster.alive, topic, 0) == {i: str(i) for i in range(20)}
    for node in cluster.nodes:
        assert named(node.port) == {n.number: ("localhost", n.port) for n in cluster.nodes}
        assert named(node.internal_port) == {n.number: ("127.0.0.1", n.internal_port) for n in cluster.nodes}
        assert open_connections(node.internal_port) >= 2, "the followers come by the listener between brokers"
        assert PRODUCE in apis(node.port) and VOTE not in apis(node.port)
        assert PRODUCE not in apis(node.controller_port) and VOTE in apis(node.controller_port)
    # A request for the controller comes by the clients' listener of a broker that is not it.
    active = cluster.controller()
    other = next(node for node in cluster.nodes if node is not active)
    other_admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{other.port}", "log_level": 0})
    wait_for(lambda: len(other_admin.describe_cluster().result(10).nodes) == 3, what="three brokers")
    active.kill9()
    wait_for(lambda: cluster.partition(topic, active.number - 1).leader not in (-1, active.number), what="another leader")
    assert produce(cluster, topic, ["after"])["after"] == 20
    cluster.start([active])
    cluster.wait_isr(topic, 3)


@pytest.mark.parametrize("wrong, word", [
    ({"inter.broker.listener.name": "NOWHERE"}, "NOWHERE"),
    ({"listener.security.protocol.map": "CLIENT:PLAINTEXT,CTL:PLAINTEXT"}, "INTERNAL"),
    ({"advertised.listeners": "CLIENT://0.0.0.0:9092"}, "0.0.0.0"),
    ({"controller.listener.names": "INTERNAL"}, "listener"),
    ({"advertised.listeners": "OTHER://localhost:9092"}, "OTHER"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else "")
def test_listeners_that_do_not_fit(make_cluster, wrong, word):
    cluster = make_cluster(roles=["broker,controller"], start=False)
    name_listeners(cluster)
    cluster.format()
    cluster[1].overrides |= wrong
    with pytest.raises(StartError) as refused:
        cluster[1].start()
    assert refused.value.exit_code not in (None, 0)
    assert re.search(re.escape(word), refused.value.log), refused.value.log[-1500:]
    with socket.socket() as still_free:
        still_free.bind(("127.0.0.1", cluster[1].internal_port))
