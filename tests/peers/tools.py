"""Kafka's command line tools: Apache Kafka's Java programs and Samsa's, behind one call."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import maven
from .paths import PEERS, TESTS, samsa_bin, scratch_root

MAIN_CLASSES = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-storage": "kafka.tools.StorageTool",
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class JavaTools:
    kind = "java"

    def __init__(self):
        # Named one by one: the class data archive, which halves the start of a tool, wants the same list each time.
        self.classpath = ":".join(str(jar) for jar in sorted(maven.kafka_libs().glob("*.jar")))
        self.archive = PEERS / "kafka" / "tools.jsa"

    def command(self, tool: str, *arguments: str) -> list[str]:
        how = "SharedArchiveFile" if self.archive.exists() else "ArchiveClassesAtExit"
        return [
            "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", f"-XX:{how}={self.archive}",
            "-Xlog:disable", "-Xlog:all=off", f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/tools-log4j2.properties",
            "-cp", self.classpath, MAIN_CLASSES[tool], *arguments,
        ]


class SamsaTools:
    kind = "samsa"

    def __init__(self):
        """bin/ of the tree has the same links; these follow SAMSA_BIN."""
        self.bin = scratch_root() / "bin"
        self.bin.mkdir(exist_ok=True)
        for tool in MAIN_CLASSES:
            link = self.bin / f"{tool}.sh"
            link.unlink(missing_ok=True)
            link.symlink_to(samsa_bin())

    def command(self, tool: str, *arguments: str) -> list[str]:
        return [str(self.bin / f"{tool}.sh"), *arguments]


TOOLS = {"java": JavaTools, "samsa": SamsaTools}


def run(tools, tool: str, *arguments: str, stdin: str | bytes | Path = "", timeout: float = 60.0) -> Done:
    """Runs to its end. `stdin` is text, bytes, or a file to read from."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    source = {"stdin": open(stdin, "rb")} if isinstance(stdin, Path) else {"input": given}
    try:
        done = subprocess.run(tools.command(tool, *arguments), **source, capture_output=True, timeout=timeout, env=os.environ | {"TZ": "UTC"})
    finally:
        if isinstance(stdin, Path):
            source["stdin"].close()
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def start(tools, tool: str, *arguments: str, **popen) -> subprocess.Popen:
    """Starts one that goes on until it is stopped."""
    return subprocess.Popen(tools.command(tool, *arguments), start_new_session=True, **popen)
