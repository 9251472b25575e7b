"""What every suite shares: which peers to run against, and one running broker per peer."""

import os

import pytest

from peers.broker import KINDS, new_broker


def pytest_addoption(parser):
    parser.addoption(
        "--peer", choices=["apache", "samsa", "both", "ci"], default=os.environ.get("SAMSA_TEST_PEER", "ci"),
        help="run against Apache Kafka, Samsa or both; ci (default): Samsa, and Apache Kafka where that is quick",
    )
    parser.addoption("--client", action="append", help="interop: only this client (may be repeated)")


def chosen_kinds(config) -> list[str]:
    peer = config.getoption("--peer")
    return [peer] if peer in KINDS else list(KINDS)


def pytest_generate_tests(metafunc):
    for fixture in ("broker", "make_broker"):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, chosen_kinds(metafunc.config), indirect=True, scope="session")


@pytest.fixture(scope="session")
def broker(request):
    """A broker shared by all tests of one peer. Tests name their own topics and groups, and leave it running."""
    one = new_broker(request.param, "shared").create()
    yield one
    one.destroy()


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
