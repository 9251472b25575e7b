"""What every suite shares: which peers to run against, and one running broker per peer."""

import os
import shutil
from pathlib import Path

import pytest

from peers.broker import KINDS, new_broker
from peers.paths import scratch_root


def pytest_addoption(parser):
    parser.addoption(
        "--peer", choices=["apache", "samsa", "both", "ci"], default=os.environ.get("SAMSA_TEST_PEER", "ci"),
        help="run against Apache Kafka, Samsa or both; ci (default): Samsa, and Apache Kafka where that is quick",
    )
    parser.addoption("--long", action="store_true", help="also what is marked as long and left out of ./dev test")
    parser.addoption("--nodes", type=int, default=1, help="interop: a cluster of so many nodes, and topics with a replica on up to three of them")
    parser.addoption("--client", action="append", help="interop: only this client (may be repeated)")


def chosen_kinds(config) -> list[str]:
    peer = config.getoption("--peer")
    return [peer] if peer in KINDS else list(KINDS)


def pytest_generate_tests(metafunc):
    for fixture, scope in (("broker", "session"), ("make_broker", "function")):
        if fixture in metafunc.fixturenames:
            kinds = chosen_kinds(metafunc.config)
            if metafunc.definition.get_closest_marker("samsa_only"):
                kinds = [kind for kind in kinds if kind == "samsa"]
            metafunc.parametrize(fixture, kinds, indirect=True, scope=scope)


def pytest_collection_modifyitems(config, items):
    """What has nobody to run against, under --peer or --client, is left out rather than counted as skipped."""
    items[:] = [i for i in items if not any("empty parameter set" in m.kwargs.get("reason", "") for m in i.iter_markers("skip"))]
    if not config.getoption("--long"):
        items[:] = [i for i in items if not i.get_closest_marker("long")]


def pytest_sessionstart(session):
    """Forgets the brokers of earlier runs; those of a run that is still going stay."""
    for directory in scratch_root().glob("*-*-*"):
        pid = directory.name.rsplit("-", 1)[1]
        if directory.is_dir() and pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def broker(request):
    """A broker shared by all tests of one peer. Tests name their own topics and groups, and leave it running."""
    one = shared_broker(request.param, request.config.getoption("--nodes")).create()
    yield one
    one.destroy()


def shared_broker(kind: str, nodes: int):
    if nodes == 1:
        return new_broker(kind, "shared")
    from cluster.nodes import Cluster  # it needs what tests/setup installs

    one = Cluster(kind, "shared", ("broker,controller",) * nodes, default__replication__factor=min(3, nodes),
                   offsets__topic__num__partitions=4, group__initial__rebalance__delay__ms=0)
    one.cluster_id = one.nodes[0].cluster_id
    return one


@pytest.fixture
def make_broker(request):
    """Makes brokers that belong to one test: make_broker(**overrides), with `__` for `.` in setting names.

    Formatted and started unless start=False.
    """
    made = []

    def make(start=True, **overrides):
        one = new_broker(request.param, f"{request.node.name.split('[')[0]}-{len(made)}", **overrides)
        made.append(one)
        return one.create() if start else one

    make.kind = request.param
    yield make
    for one in made:
        one.destroy()
