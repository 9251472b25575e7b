"""Three combined nodes with static voters: one leads, the others follow, any one may die."""

import re
import subprocess
import time

import pytest

from peers.broker import Samsa, free_ports
from peers.paths import scratch_root
from peers.tools import JavaTools, SamsaTools


def run(tools, tool, *arguments):
    done = subprocess.run(tools.command(tool, *arguments), capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come about in time")


@pytest.fixture
def three():
    root = scratch_root() / "metadata" / "quorum"
    subprocess.run(["rm", "-rf", str(root)], check=True)
    ports = free_ports(3)
    voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(ports))
    nodes = []
    for i, port in enumerate(ports):
        node = Samsa(root / str(i + 1), node__id=str(i + 1), controller__quorum__voters=voters)
        node.controller_port = port
        node.overrides["controller.quorum.bootstrap.servers"] = ""
        node.write_properties()
        done = subprocess.run(node.storage_command("format", "-t", node.cluster_id, "-c", str(node.properties_file)), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        nodes.append(node)
    for node in nodes:
        node.start(wait=False)
    for node in nodes:
        node.wait_ready()
    yield nodes
    for node in nodes:
        node.destroy()


def leader_of(nodes):
    """The node that last became leader, by its own log."""
    best = None
    for node in nodes:
        for epoch in re.findall(r"raft: leader in epoch (\d+)", node.log()):
            if node.process is not None and (best is None or int(epoch) > best[0]):
                best = (int(epoch), node)
    return best and best[1]


def create(node, name):
    return run(SamsaTools(), "kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", name, "--partitions", "3",
               "--replication-factor", "1")


def topics(node):
    return sorted(run(SamsaTools(), "kafka-topics", "--bootstrap-server", node.bootstrap, "--list")[1].split())


def test_any_node_takes_requests_and_all_know_the_outcome(three):
    for i, node in enumerate(three):
        code, text = create(node, f"topic-{i}")
        assert code == 0, text
    for node in three:
        wait_for(lambda: topics(node) == ["topic-0", "topic-1", "topic-2"])
    code, text = run(JavaTools(), "kafka-topics", "--bootstrap-server", three[1].bootstrap, "--describe", "--topic", "topic-0")
    assert code == 0 and "PartitionCount: 3" in text, text


def test_leader_dies_and_comes_back(three):
    assert create(three[0], "before")[0] == 0
    old = wait_for(lambda: leader_of(three))
    old.kill9()
    others = [node for node in three if node is not old]
    wait_for(lambda: leader_of(others))
    code, text = create(others[0], "after")
    assert code == 0, text
    old.start()
    for node in three:
        wait_for(lambda: topics(node) == ["after", "before"])
