"""Links are lost under load, each node in a network namespace: nobody is told, packets vanish. Runs as root; without it there is nothing to run."""

import ctypes
import os
import time

import pytest

from .loads import PARTITIONS, Load
from .network import Net
from .nodes import wait_for

pytestmark = [] if os.geteuid() == 0 else [pytest.mark.parametrize("needs_root", [])]
CLONE_NEWNET = 0x40000000


@pytest.fixture
def net():
    """The namespaces; this thread works in that of the clients meanwhile, and so do the clients' own threads."""
    made = Net(3)
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    hub = os.open(f"/run/netns/{made.namespace(0)}", os.O_RDONLY)
    assert libc.setns(hub, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    yield made
    assert libc.setns(home, CLONE_NEWNET) == 0
    os.close(home)
    os.close(hub)
    made.remove()


def leader(cluster, topic):
    return cluster.leader(topic)


def controller(cluster, topic):
    return cluster.controller()


def follower(cluster, topic):
    return next(node for node in cluster.nodes if node not in (cluster.leader(topic), cluster.controller()))


@pytest.mark.parametrize("victim", [controller, pytest.param(leader, marks=pytest.mark.long), pytest.param(follower, marks=pytest.mark.long)],
                         ids=lambda f: f.__name__)
def test_link_loss(net, make_cluster, victim):
    """Longer than the session: the node is fenced and its leaderships go elsewhere; what it took and nobody confirmed was never acknowledged."""
    cluster = make_cluster(net=net)
    loads = []
    try:
        for client in ("librdkafka", "java"):
            loads.append(Load(client, cluster, cluster.topic(f"by-{client}", PARTITIONS, 3, min__insync__replicas=2)))
        for load in loads:
            load.wait_writing()
        time.sleep(1)
        node = victim(cluster, loads[0].topic)
        net.lose(node.number)
        node.paused = True
        for load in loads:
            wait_for(lambda: all(p.leader not in (-1, node.number) and len(p.isrs) == 2
                                 for p in cluster.admin().list_topics(load.topic, timeout=10).topics[load.topic].partitions.values()),
                     what="leaders elsewhere")
        time.sleep(2)
        net.heal(node.number)
        node.paused = False
        for load in loads:
            cluster.wait_isr(load.topic, 3, seconds=120)
        for load in loads:
            load.finish()
            load.check()
    finally:
        for load in loads:
            load.kill()
