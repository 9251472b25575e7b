"""What one client wrote, every other reads: one topic, written by all of them with all their codecs."""

import pytest

from confluent_kafka.admin import AdminClient, NewTopic
from interop import capabilities
from interop.scenarios import produce, read_from

BASE_TIME = 1_700_000_000_000
TOPIC = "written-by-all"


@pytest.fixture(scope="session")
def written(broker, drivers) -> list[dict]:
    """The records of the topic, in their order."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(TOPIC, 1, min(3, len(broker.bootstrap.split(","))))])[TOPIC].result(30)
    everything: list[dict] = []
    for client in capabilities.ALL:
        writer = drivers(client, broker)
        for codec in client.codecs:
            records = [
                {"partition": 0, "key": f"{client.name} {codec} {i}", "value": f"written by {client.name} " * 20, "headers": [["codec", codec]]}
                for i in range(2)
            ]
            if client.has("timestamps"):
                for record in records:
                    record["timestamp"] = BASE_TIME + len(everything)
            assert produce(writer, TOPIC, records, codec=codec) == [len(everything), len(everything) + 1]
            everything += records
    return everything


def test_every_client_reads_what_all_wrote(written, driver, fresh, members):
    found = read_from(driver, members(), TOPIC, "earliest", len(written))
    assert [r["offset"] for r in found] == list(range(len(written)))
    for wrote, read in zip(written, found, strict=True):
        assert {name: read[name] for name in wrote} == wrote
