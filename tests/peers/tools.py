"""Kafka's command line tools: Apache Kafka's Java programs and Samsa's, behind one call."""

import atexit
import os
import select
import struct
import subprocess
import threading
import time
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
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-storage": "kafka.tools.StorageTool",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-replica-verification": "org.apache.kafka.tools.ReplicaVerificationTool",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
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

    def run(self, tool: str, words: tuple[str, ...], given: bytes, timeout: float) -> Done:
        """In a virtual machine that stays warm: its start and its first steps cost more than everything that a tool does."""
        if JavaTools.server is None or JavaTools.server.poll() is not None:
            command = [
                "java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
                f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/tools-log4j2.properties",
                "-cp", self.classpath, f"{TESTS}/peers/kafka/ToolServer.java",
            ]
            JavaTools.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                                env=os.environ | {"TZ": "UTC"}, start_new_session=True)
            timeout += 60
        ask, answer = JavaTools.server.stdin, JavaTools.server.stdout.fileno()
        texts = [one.encode() for one in (MAIN_CLASSES[tool], *words)]
        parts = [sized(texts[0]), struct.pack(">i", len(words)), *map(sized, texts[1:]), sized(given)]
        ask.write(b"".join(parts))
        ask.flush()
        until = time.monotonic() + timeout
        (code,) = struct.unpack(">i", self.exactly(answer, 4, until))
        out, err = (self.exactly(answer, struct.unpack(">i", self.exactly(answer, 4, until))[0], until) for _ in range(2))
        return Done(code, out.decode(errors="replace"), err.decode(errors="replace"))

    @staticmethod
    def exactly(answer: int, count: int, until: float) -> bytes:
        data = b""
        while len(data) < count:
            ready = select.select([answer], [], [], max(0.0, until - time.monotonic()))[0]
            more = os.read(answer, count - len(data)) if ready else b""
            if not more:
                JavaTools.end()
                raise TimeoutError("a Java tool did not end in time, or took the virtual machine with it")
            data += more
        return data

    @staticmethod
    def end():
        """The next tool starts a new virtual machine."""
        if JavaTools.server is not None:
            JavaTools.server.kill()
            JavaTools.server.wait()
            JavaTools.server = None

    server: subprocess.Popen | None = None


def sized(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


class SamsaTools:
    kind = "samsa"

    def __init__(self):
        """bin/ of the tree has the same links; these follow SAMSA_BIN."""
        self.bin = scratch_root() / "bin"
        self.bin.mkdir(exist_ok=True)
        for tool in MAIN_CLASSES:
            link, target = self.bin / f"{tool}.sh", Path(os.environ.get("SAMSA_TOOLS_BIN", samsa_bin()))
            if link.is_symlink() and link.readlink() == target:
                continue
            fresh = self.bin / f".{tool}.{os.getpid()}.{threading.get_ident()}"  # In one step: others may be running it.
            fresh.symlink_to(target)
            fresh.replace(link)

    def command(self, tool: str, *arguments: str) -> list[str]:
        return [str(self.bin / f"{tool}.sh"), *arguments]


atexit.register(JavaTools.end)
TOOLS = {"java": JavaTools, "samsa": SamsaTools}


def run(tools, tool: str, *arguments: str, stdin: str | bytes | Path = "", timeout: float = 60.0) -> Done:
    """Runs to its end. `stdin` is text, bytes, or a file to read from."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    if tools.kind == "java" and not isinstance(stdin, Path):
        return tools.run(tool, arguments, given, timeout)
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
