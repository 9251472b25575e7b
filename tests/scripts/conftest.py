"""Every scenario runs four times: each peer's tools against each peer. What Apache's tools say to Apache Kafka is right.

The reference comes from a run of its own, so that Apache's tools against Apache Kafka are a test of the normalization.
"""

import difflib
import hashlib
import inspect
import json
from pathlib import Path

import pytest

from peers.broker import new_broker
from peers.paths import PEERS, TESTS
from peers.tools import TOOLS
from scripts import transcript
from scripts.transcript import Transcript


def pytest_generate_tests(metafunc):
    if "tools" in metafunc.fixturenames:
        peer = metafunc.config.getoption("--peer")
        kinds = {"apache": ["java"], "samsa": ["samsa"]}.get(peer, list(TOOLS))
        metafunc.parametrize("tools", kinds, indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """--peer apache: Apache's tools on Apache Kafka. --peer samsa: Samsa's on Samsa. both: all four. ci: all but the first."""
    items[:] = [i for i in items if not (i.get_closest_marker("apache_broker") and i.callspec.params["broker"] != "apache")]
    if config.getoption("--peer") == "ci":
        items[:] = [i for i in items if "tools" not in i.fixturenames or i.callspec.params != {"tools": "java", "broker": "apache"}]


@pytest.fixture(scope="session")
def tools(request):
    return TOOLS[request.param]()


@pytest.fixture(scope="session")
def brokers():
    """brokers(kind): one for the whole run, started when it is first asked for."""
    running = {}

    def of(kind: str):
        if kind not in running:
            running[kind] = new_broker(kind, "scripts").create()
        return running[kind]

    yield of
    for one in running.values():
        one.destroy()


@pytest.fixture
def broker(request, brokers):
    return brokers(request.param)


def reference(key: str, scenario, broker) -> list[dict]:
    """What Apache's tools say. Kept in build/ until the scenario or the version changes, for it takes a JVM for every command."""
    sources = [Path(inspect.getfile(scenario)), Path(transcript.__file__), TESTS / "peers" / "kafka" / "pom.xml"]
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    file = PEERS / "kafka" / "references" / f"{key}-{stamp}.json"
    if not file.exists():
        steps = steps_of(scenario, TOOLS["java"](), broker())
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(steps, indent=1, ensure_ascii=False))
    return json.loads(file.read_text())


@pytest.fixture
def compare(tools, broker, brokers):
    """compare(scenario): runs it here and asserts the transcript of Apache Kafka's tools against Apache Kafka."""

    def both(scenario, against: str = "apache"):
        """against="same broker" takes as right what Apache's tools say to the broker under test."""
        key = f"{scenario.__module__}.{scenario.__name__}"
        if against == "same broker":
            key += f".{broker.kind}.{broker.port}"
            expected = reference(key, scenario, lambda: broker)
        else:
            expected = reference(key, scenario, lambda: brokers("apache"))
        found = steps_of(scenario, tools, broker)
        if found != expected:
            pytest.fail(difference(expected, found), pytrace=False)

    return both


def steps_of(scenario, tools, broker) -> list[dict]:
    run = Transcript(tools, broker)
    scenario(run)
    return run.steps


def difference(expected: list[dict], found: list[dict]) -> str:
    parts = ["--- Apache Kafka   +++ here"]
    for right, here in zip(expected, found, strict=True):
        if right != here:
            parts += ["", f"$ {right['command']}"]
            for field in ("code", "out", "err"):
                one, other = (json.dumps(step[field], indent=1, ensure_ascii=False).splitlines() for step in (right, here))
                parts += [f"[{field}] {line}" for line in list(difflib.unified_diff(one, other, lineterm="", n=1))[2:]]
    return "\n".join(parts)
