"""Processes die and stand still under load from librdkafka and Java: every acknowledged record is there afterwards, once and in order."""

import time

import pytest

from .loads import PARTITIONS, Load
from .nodes import wait_for

CLIENTS = ("librdkafka", "java")


@pytest.fixture
def loads(make_cluster):
    """A cluster of three, a topic per client, both written to."""
    cluster = make_cluster()
    started = []
    for client in CLIENTS:
        topic = cluster.topic(f"by-{client}", PARTITIONS, 3, min__insync__replicas=2)
        started.append(Load(client, cluster, topic))
    for load in started:
        load.wait_writing()
    yield cluster, started
    for load in started:
        load.kill()


def everything_is_there(loads):
    print({load.client: load.finish() for load in loads})
    for load in loads:
        load.check()


def all_in_sync(cluster, loads):
    for load in loads:
        cluster.wait_isr(load.topic, 3, seconds=120)


def leader(cluster, loads):
    return cluster.leader(loads[0].topic)


def controller(cluster, loads):
    return cluster.controller()


def follower(cluster, loads):
    leading, active = cluster.leader(loads[0].topic), cluster.controller()
    return next(node for node in cluster.nodes if node not in (leading, active))


def test_kill_of_leader_controller_and_follower(loads):
    cluster, started = loads
    for victim in (leader, controller, follower):
        time.sleep(2)
        node = victim(cluster, started)
        node.kill9()
        time.sleep(3)
        cluster.start([node])
        all_in_sync(cluster, started)
    everything_is_there(started)  # How long nobody could write is measured by ./dev bench cluster: on a busy machine a sync takes seconds.


@pytest.mark.parametrize("victim", [leader, pytest.param(controller, marks=pytest.mark.long), pytest.param(follower, marks=pytest.mark.long)],
                         ids=lambda f: f.__name__)
def test_standstill(loads, victim):
    """SIGSTOP for longer than the session: the broker is fenced, the others go on; when it goes on it finds its place again."""
    cluster, started = loads
    time.sleep(1)
    node = victim(cluster, started)
    cluster.pause(node)
    time.sleep(12)
    others = [load.topic for load in started]
    for topic in others:
        wait_for(lambda: all(p.leader not in (-1, node.number) for p in cluster.admin().list_topics(topic, timeout=10).topics[topic].partitions.values()),
                 what="leaders elsewhere")
    cluster.go_on(node)
    all_in_sync(cluster, started)
    everything_is_there(started)
