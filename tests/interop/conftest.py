"""Parametrizes the scenarios over the clients, and keeps one driver process at a time per client and broker."""

import itertools
import uuid

import pytest

from interop import capabilities
from interop.driver import Driver, DriverError


def chosen_clients(config):
    names = config.getoption("--client")
    return [c for c in capabilities.ALL if not names or c.name in names]


def pytest_generate_tests(metafunc):
    """`needs` lists operations, `features` features, `each` the attribute (codecs, assignors) to spread over."""
    if "client" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("scenario")
    needs = marker.kwargs.get("needs", ()) if marker else ()
    features = marker.kwargs.get("features", ()) if marker else ()
    each = marker.kwargs.get("each") if marker else None
    able = [c for c in chosen_clients(metafunc.config) if c.can(*needs) and all(c.has(f) for f in features)]
    if each:
        argument = each.removesuffix("s")
        rows = [pytest.param(c, value, id=f"{c.name}-{value}") for c in able for value in getattr(c, each)]
        metafunc.parametrize(("client", argument), rows, scope="session")
    else:
        metafunc.parametrize("client", able, ids=lambda c: c.name, scope="session")


CI_CLIENT = "confluent-kafka"


def asks(item, argument: str):
    """What this test was parametrized with, or None where it has no such argument or lies in another folder."""
    return getattr(item, "callspec", None) and item.callspec.params.get(argument) if "client" in item.fixturenames else None


def pytest_collection_modifyitems(config, items):
    """With --peer ci the whole matrix runs against Samsa, and one client against Apache Kafka, to keep the scenarios honest."""
    if config.getoption("--peer") == "ci":
        items[:] = [i for i in items if not (asks(i, "broker") == "apache" and asks(i, "client").name != CI_CLIENT)]


@pytest.fixture(scope="session")
def drivers():
    """At most a few processes alive: the last one used of each (client, bootstrap)."""
    running: dict[tuple[str, str], Driver] = {}  # by client and first address

    def get(client, broker) -> Driver:
        addresses = broker.bootstrap.split(",")
        key = (client.name, addresses[0])
        for other in [k for k in running if k != key or not running[k].alive]:
            running.pop(other).close()
        if key not in running:
            running[key] = Driver(client, addresses)
        return running[key]

    yield get
    for driver in running.values():
        driver.close()


@pytest.fixture
def driver(drivers, client, broker):
    """The driver of this test's client, connected to this test's broker."""
    return drivers(client, broker)


counter = itertools.count()


@pytest.fixture
def fresh(client):
    """fresh(word): a name nobody used, for a topic or group."""
    run = uuid.uuid4().hex[:6]
    return lambda word: f"{word}-{client.name}-{run}-{next(counter)}"


@pytest.fixture
def members(driver):
    """members(): ids for consumers and group members, closed at the end whatever happens."""
    made: list[str] = []

    def new() -> str:
        made.append(f"c{next(counter)}")
        return made[-1]

    yield new
    for one in made:
        if driver.alive and one not in driver.closed:
            try:
                driver.call("close", id=one)
            except DriverError:  # never opened: the test has failed before
                pass
