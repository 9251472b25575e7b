"""Every scenario runs four times: each peer's tools against each peer. What Apache's tools say to Apache Kafka is right.

The reference comes from a run of its own, so that Apache's tools against Apache Kafka are a test of the normalization.
"""

import difflib
import json

import pytest

from peers.broker import new_broker
from peers.tools import TOOLS
from scripts.transcript import Transcript


def pytest_generate_tests(metafunc):
    if "tools" in metafunc.fixturenames:
        peer = metafunc.config.getoption("--peer")
        kinds = {"apache": ["java"], "samsa": ["samsa"]}.get(peer, list(TOOLS))
        metafunc.parametrize("tools", kinds, indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """--peer apache: Apache's tools on Apache Kafka. --peer samsa: Samsa's tools on Samsa. Otherwise all four."""


@pytest.fixture(scope="session")
def tools(request):
    return TOOLS[request.param]()


@pytest.fixture(scope="session")
def reference_broker():
    one = new_broker("apache", "reference").create()
    yield one
    one.destroy()


references: dict[str, list[dict]] = {}


@pytest.fixture
def compare(request, tools, broker):
    """compare(scenario): runs it here and asserts the transcript of Apache Kafka's tools against Apache Kafka."""

    def both(scenario, against: str = "apache"):
        """against="same broker" takes as right what Apache's tools say to the broker under test."""
        key = f"{scenario.__module__}.{scenario.__name__}"
        right_broker = broker if against == "same broker" else request.getfixturevalue("reference_broker")
        if against == "same broker":
            key += broker.kind
        if key not in references:
            references[key] = steps_of(scenario, TOOLS["java"](), right_broker)
        expected = references[key]
        found = steps_of(scenario, tools, broker)
        if found != expected:
            pytest.fail(difference(expected, found), pytrace=False)

    return both


def steps_of(scenario, tools, broker) -> list[dict]:
    transcript = Transcript(tools, broker)
    scenario(transcript)
    return transcript.steps


def difference(expected: list[dict], found: list[dict]) -> str:
    parts = ["--- Apache Kafka   +++ here"]
    for right, here in zip(expected, found, strict=True):
        if right != here:
            parts += ["", f"$ {right['command']}"]
            for field in ("code", "out", "err"):
                one, other = (json.dumps(step[field], indent=1, ensure_ascii=False).splitlines() for step in (right, here))
                parts += [f"[{field}] {line}" for line in list(difflib.unified_diff(one, other, lineterm="", n=1))[2:]]
    return "\n".join(parts)
