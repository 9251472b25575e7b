"""One running broker, Apache Kafka or Samsa, behind one class: the same properties, the same life.

Both are KRaft nodes of their own (broker and controller in one process), formatted the way Kafka's documentation
does it, on free ports of 127.0.0.1, with data and logs in a directory of their own below build/.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import maven, rawwire
from .paths import TESTS, samsa_bin, scratch_root
from .tools import JavaTools, SamsaTools

CLUSTER_ID = "c2Ftc2EtdGVzdC1jbHVzdA"  # 16 bytes in base64url; any will do

BASE_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.partitions": "1",
    "log.retention.ms": "-1",  # tests write records with times long ago
}


class StartError(RuntimeError):
    """The broker ended, or never answered. Carries the exit code (None: it was still running) and its log."""

    def __init__(self, text: str, exit_code: int | None, log: str):
        super().__init__(f"{text}\n--- end of its log ---\n{log[-3000:]}")
        self.exit_code = exit_code
        self.log = log


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different: bound together, then released."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


# Signals by which a process ends itself.
CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}


class Broker:
    """start, stop (controlled), kill9, restart. Subclasses say which program runs."""

    kind = ""
    start_timeout = 90.0

    def __init__(self, directory: Path, **overrides: str):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = self.directory / "data"
        self.log_file = self.directory / "broker.log"
        self.properties_file = self.directory / "server.properties"
        self.port, self.controller_port = free_ports(2)
        self.overrides = {key.replace("__", "."): value for key, value in overrides.items()}
        self.cluster_id = CLUSTER_ID
        self.process: subprocess.Popen | None = None

    # What the two peers do differently.

    def server_command(self) -> list[str]:
        raise NotImplementedError

    def storage_command(self, *arguments: str) -> list[str]:
        raise NotImplementedError

    # What they share.

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def controller(self) -> str:
        return f"127.0.0.1:{self.controller_port}"

    def properties(self) -> dict[str, str]:
        return BASE_PROPERTIES | {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.data_dir),
        } | self.overrides

    def write_properties(self):
        lines = [f"{key}={value}\n" for key, value in self.properties().items()]
        self.properties_file.write_text("".join(lines))

    def format(self) -> subprocess.CompletedProcess:
        """kafka-storage format, as the documentation has it for one combined node."""
        self.write_properties()
        return subprocess.run(
            self.storage_command("format", "--standalone", "-t", self.cluster_id, "-c", str(self.properties_file)),
            capture_output=True, text=True, timeout=120,
        )

    def create(self) -> "Broker":
        """Format and start. The usual way into a test."""
        done = self.format()
        if done.returncode != 0:
            raise StartError("format failed", done.returncode, done.stdout + done.stderr)
        return self.start()

    def start(self, wait: bool = True) -> "Broker":
        assert self.process is None, "already started"
        self.write_properties()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self.server_command(), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                start_new_session=True, cwd=self.directory,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Returns when Metadata names this broker. Raises StartError when the process ends or the time is over."""
        deadline = time.monotonic() + self.start_timeout
        while time.monotonic() < deadline:
            code = self.process.poll()
            if code is not None:
                self.process = None
                raise StartError(f"{self.kind} ended with exit code {code}", code, self.log())
            try:
                with rawwire.Connection("127.0.0.1", self.port, timeout=5) as connection:
                    if rawwire.live_brokers(connection) > 0:
                        return
            except OSError:
                pass
            time.sleep(0.1)
        self.kill9()
        raise StartError(f"{self.kind} did not answer within {self.start_timeout:.0f} s", None, self.log())

    def wait_exit(self, timeout: float = 60.0) -> int:
        """For starts that must fail: the exit code."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise
        self.process = None
        return code

    def stop(self, timeout: float = 60.0) -> int | None:
        """Controlled shutdown by SIGTERM. The exit code; None when it was not running."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill9(self):
        """Ends it. One that crashed by itself before that is a failure of whatever test it was for."""
        if self.process is not None:
            ended = self.process.poll()
            self.process.kill()
            self.process.wait()
            self.process = None
            assert ended is None or -ended not in CRASHES, f"{self.kind} ended by signal {-ended}; see {self.log_file}"

    def restart(self) -> "Broker":
        self.stop()
        return self.start()

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def connection(self, timeout: float = 10.0) -> rawwire.Connection:
        return rawwire.Connection("127.0.0.1", self.port, timeout=timeout)

    def destroy(self):
        """End it, however it feels about that, and forget its data."""
        self.kill9()
        shutil.rmtree(self.data_dir, ignore_errors=True)


class Apache(Broker):
    kind = "apache"

    def server_command(self) -> list[str]:
        return [
            "java", "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:-UsePerfData",
            f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/log4j2.properties",
            "-cp", str(maven.kafka_libs() / "*"), "kafka.Kafka", str(self.properties_file),
        ]

    def storage_command(self, *arguments: str) -> list[str]:
        return JavaTools().command("kafka-storage", *arguments)


class Samsa(Broker):
    kind = "samsa"
    start_timeout = 30.0

    def properties(self) -> dict[str, str]:
        # Several run at the same time; the port that was chosen stands in the start-up block.
        return {"samsa.metrics.listener": "127.0.0.1:0"} | super().properties()

    @property
    def metrics_url(self) -> str:
        return re.findall(r"^  metrics +(http://\S+)$", self.log(), re.M)[-1]

    def server_command(self) -> list[str]:
        return [str(samsa_bin()), "serve", str(self.properties_file)]

    def storage_command(self, *arguments: str) -> list[str]:
        return SamsaTools().command("kafka-storage", *arguments)


KINDS = {"apache": Apache, "samsa": Samsa}


def new_broker(kind: str, name: str, **overrides: str) -> Broker:
    """A broker of that kind with an empty directory of its own; `name` says in the tree whose it is."""
    directory = scratch_root() / f"{kind}-{name}-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    return KINDS[kind](directory, **overrides)
