"""Our definitions (src/protocol/**/*.api) say the same as the schemas inside Apache Kafka's jars, for every message and field."""

import pytest

from wire.kafka_schemas import VERSIONS, kafka_messages, kafka_normal, our_messages

# Not a message on the wire or in a log: the quorum-state file is JSON.
ELSEWHERE = {"QuorumStateData"}


@pytest.fixture(scope="module", params=VERSIONS)
def both(request):
    kafka = {name: kafka_normal(schema) for name, schema in kafka_messages(request.param).items() if name not in ELSEWHERE}
    return kafka, our_messages(request.param)


def test_the_same_messages(both):
    kafka, ours = both
    assert sorted(ours) == sorted(kafka)
    assert len(ours) > 260


def differences(path, ours, kafka):
    """Readable lines, one for each thing that differs."""
    if isinstance(ours, list) and ours and isinstance(ours[0], dict) and isinstance(kafka, list):
        names = [f["name"] for f in ours], [f["name"] for f in kafka]
        if names[0] != names[1]:
            yield f"{path}: fields {names[0]}, in Kafka {names[1]}"
            return
        for one, other in zip(ours, kafka):
            yield from differences(f"{path}.{one['name']}", one, other)
    elif isinstance(ours, dict) and isinstance(kafka, dict):
        for key in ours:
            yield from differences(path if key == "fields" else f"{path} {key}", ours[key], kafka[key])
    elif ours != kafka:
        yield f"{path}: {ours!r}, in Kafka {kafka!r}"


def test_the_same_fields(both):
    kafka, ours = both
    found = [line for name in sorted(kafka.keys() & ours.keys()) for line in differences(name, ours[name], kafka[name])]
    assert not found, "\n".join(found)
