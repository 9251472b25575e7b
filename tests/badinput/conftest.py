"""A topic per test, and the proof after every test that nothing was lost and the next good request is served."""

import itertools
import time

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from badinput import records
from peers import rawwire

numbers = itertools.count()


@pytest.fixture(scope="session")
def admin(broker):
    return AdminClient({"bootstrap.servers": broker.bootstrap})


@pytest.fixture
def topic(broker, admin):
    """A topic with two good batches in it. After the test they are still there, and a third goes behind whatever else was accepted."""
    name = f"bad-{next(numbers)}"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    with broker.connection() as connection:
        for first in (0, 3):
            assert produced(connection, name) == (0, first)
        yield name
    with broker.connection() as connection:
        end = records.end_offset(connection, name)
        assert end >= 6
        assert records.produce(connection, name, records.batch()) == (0, end)


def produced(connection, name):
    """The leader of a new topic may need a moment."""
    for _ in range(100):
        answer = records.produce(connection, name, records.batch())
        if answer[0] not in (3, 6):
            break
        time.sleep(0.05)
    return answer


@pytest.fixture
def serves(broker):
    """serves(): a new connection is answered at once."""

    def check():
        started = time.monotonic()
        with broker.connection(5) as connection:
            assert 18 in rawwire.api_versions_v0(connection)
        assert time.monotonic() - started < 3

    yield check
    check()


def resident_mb(broker) -> float:
    """The broker's resident memory now."""
    with open(f"/proc/{broker.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6
