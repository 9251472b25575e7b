"""Random messages of every API, record and version have the same bytes here and in Apache Kafka's own classes, both ways.

One side makes messages from its own schemas; the other one decodes each, encodes it again and must come to the same bytes. A field
in another place, width or version, a default or a null that is taken differently shows as a difference.
SAMSA_WIRE_COUNT: messages per message and version (default 4). SAMSA_WIRE_SEED: where the random numbers begin.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from peers.paths import BUILD, REPO
from wire.kafka_schemas import VERSIONS, jars, kafka_messages
from wire.test_schemas import ELSEWHERE

COUNT = os.environ.get("SAMSA_WIRE_COUNT", "4")
SEED = os.environ.get("SAMSA_WIRE_SEED", "1")
OURS = os.environ.get("SAMSA_WIRE_PROBE", str(BUILD / "release" / "samsa_wire_probe"))


class Kafka:
    """WireProbe.java, compiled against one release of Kafka."""

    def __init__(self, version: str):
        source, self.home = Path(__file__).with_name("WireProbe.java"), BUILD / "wire" / f"{version}-classes"
        self.version, self.libs = version, jars(version)
        self.messages = {name: schema for name, schema in kafka_messages(version).items() if name not in ELSEWHERE}
        stamp, wanted = self.home / "stamp", hashlib.sha256(source.read_bytes()).hexdigest()
        self.home.mkdir(parents=True, exist_ok=True)
        if not stamp.exists() or stamp.read_text() != wanted:
            subprocess.run(["javac", "-nowarn", "-cp", f"{self.libs}/*", "-d", str(self.home), str(source)], check=True, timeout=120)
            stamp.write_text(wanted)
        self.classes = self.home / "messages.txt"
        self.classes.write_text("".join(f"{name} {schema['class']}\n" for name, schema in sorted(self.messages.items())))

    def run(self, *words: str, lines: str = "") -> subprocess.CompletedProcess:
        command = ["java", "-Xmx512m", "-cp", f"{self.home}:{self.libs}/*", "WireProbe", *words, str(self.classes)]
        return subprocess.run(command, input=lines, capture_output=True, text=True, timeout=900)

    def versions(self) -> int:
        """How many pairs of message and version there are."""
        ranges = [schema["validVersions"].split("-") for schema in self.messages.values()]
        return sum(int(r[-1]) - int(r[0]) + 1 for r in ranges)


def ours(*words: str, lines: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([OURS, *words], input=lines, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module", params=VERSIONS)
def kafka(request):
    return Kafka(request.param)


def tail(result) -> str:
    return "\n".join(line[:2000] for line in result.stdout.splitlines()[-20:]) + result.stderr[-2000:]


def test_kafka_reads_what_we_write(kafka):
    made = ours("generate", SEED, COUNT)
    assert made.returncode == 0, made.stderr
    result = kafka.run("check", lines=made.stdout)
    assert result.returncode == 0, tail(result)
    checked = int(result.stdout.split()[-3])
    assert checked == kafka.versions() * int(COUNT)
    if kafka.version == VERSIONS[-1]:
        assert result.stdout.endswith(" skipped 0\n")


def test_we_read_what_kafka_writes(kafka):
    made = kafka.run("generate", SEED, COUNT)
    assert made.returncode == 0, made.stderr[-2000:]
    result = ours("check", lines=made.stdout)
    assert result.returncode == 0, tail(result)
    assert result.stdout == f"checked {kafka.versions() * int(COUNT)}\n"


def errors_of(kafka: Kafka) -> list[tuple[str, ...]]:
    """Code, name, whether it may be tried again, and text."""
    return [tuple(line.split(" ", 3)) for line in kafka.run("errors").stdout.splitlines()]


def test_the_table_of_errors(kafka):
    """base/errors.def has Kafka's codes, names and texts, each once, and says the same of what may be tried again.

    The texts are those of the oldest version that knows the error: a later one may say the same thing in other words.
    """
    theirs = errors_of(kafka)
    assert len(theirs) > 130
    table = (REPO / "src" / "base" / "errors.def").read_text()
    found = re.findall(r'^SAMSA_ERROR\(\w+, (\w+), (-?\d+), (\w+), "(.+)"\)$', table, re.M)
    ours_all = [(code, name, retriable, text) for name, code, retriable, text in found]
    assert len(ours_all) == table.count("\nSAMSA_ERROR(") == len({row[0] for row in ours_all})
    last = max(int(code) for code, _, _, _ in theirs)
    assert sorted(row[:3] for row in ours_all if int(row[0]) <= last) == sorted(row[:3] for row in theirs)
    texts = {row[0]: row[3] for row in theirs}
    if kafka.version == VERSIONS[-1]:
        assert max(int(row[0]) for row in ours_all) == last
        texts |= {row[0]: row[3] for row in errors_of(Kafka(VERSIONS[0]))}
    assert {row[0]: row[3] for row in ours_all if int(row[0]) <= last} == texts
