"""Which clients there are, and what each of them cannot do.

`lacks` names operations of the contract; codecs and assignors are those the client library comes with. The drivers say the
same of themselves and test_capabilities.py compares, so a gap is stated in two places and never an accident.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from peers.paths import INTEROP

DRIVERS = Path(__file__).resolve().parent / "drivers"

OPERATIONS = {
    "hello", "create_topic", "delete_topic", "create_partitions", "list_topics", "describe_topic", "topic_configs",
    "set_topic_config", "produce", "open", "join", "assignment", "poll", "commit", "close", "committed", "set_committed",
    "list_offsets", "list_groups", "describe_group", "delete_group", "delete_records", "describe_cluster",
}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

# What a library cannot express inside an operation it has.
FEATURES = {
    "acks", "create_configs", "idempotence", "headers", "null_header", "repeated_header", "timestamps", "static_member", "start_by_time",
    "null_record", "empty_text", "time_beyond_end",
}

ERRORS = {
    "OFFSET_OUT_OF_RANGE": 1, "UNKNOWN_TOPIC_OR_PARTITION": 3, "MESSAGE_TOO_LARGE": 10, "INVALID_TOPIC_EXCEPTION": 17,
    "INVALID_TIMESTAMP": 32, "TOPIC_ALREADY_EXISTS": 36, "INVALID_PARTITIONS": 37, "INVALID_REPLICATION_FACTOR": 38,
    "INVALID_CONFIG": 40, "NON_EMPTY_GROUP": 68, "GROUP_ID_NOT_FOUND": 69, "INVALID_RECORD": 87,
}


@dataclass(frozen=True)
class Client:
    name: str
    version: str
    program: tuple[str, ...]
    assignors: tuple[str, ...] = ()
    codecs: tuple[str, ...] = CODECS
    lacks: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()  # of FEATURES
    # Errors the library does not pass on as Kafka's number: the error, or error:operation -> what its driver gives instead.
    error_codes: dict[str, int] = field(default_factory=dict, hash=False)
    protocol_names: dict[str, str] = field(default_factory=dict, hash=False)

    def command(self) -> list[str]:
        return list(self.program)

    def can(self, *operations: str) -> bool:
        return self.lacks.isdisjoint(operations)

    def has(self, feature: str) -> bool:
        assert feature in FEATURES, feature
        return feature not in self.without

    def expected(self, error: str, operation: str = "") -> int:
        """The number this client reports for an error of the broker."""
        return self.error_codes.get(f"{error}:{operation}", self.error_codes.get(error, ERRORS[error]))

    def protocol_name(self, assignor: str) -> str:
        """The assignor's name as the group protocol has it, where the library has one of its own."""
        return self.protocol_names.get(assignor, assignor)


def python(name: str) -> tuple[str, ...]:
    return (sys.executable, str(DRIVERS / "python" / f"{name}_driver.py"))


def java(version: str) -> tuple[str, ...]:
    classpath = os.pathsep.join([str(INTEROP / "java" / version / "classes"), str(INTEROP / "java" / version / "libs" / "*")])
    options = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
    return ("java", *options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classpath, "Driver")


def go(name: str) -> tuple[str, ...]:
    return (str(INTEROP / "go" / name),)


def node() -> tuple[str, ...]:
    return ("node", str(INTEROP / "node" / "driver.js"))


def rust() -> tuple[str, ...]:
    return (str(INTEROP / "rust" / "release" / "rskafka-driver"),)


JAVA_ASSIGNORS = ("range", "roundrobin", "sticky", "cooperative-sticky")

ALL = [
    Client("confluent-kafka", "2.16.1", python("confluent"), assignors=("range", "roundrobin", "cooperative-sticky")),
    Client(
        "kafka-python", "3.0.12", python("kafka_python"), assignors=("range", "roundrobin", "sticky", "cooperative-sticky"),
        without=frozenset({"null_record", "null_header"}),
    ),
    Client(
        "aiokafka", "0.14.0", python("aiokafka"), assignors=("range", "roundrobin", "sticky"),
        lacks=frozenset({"delete_group", "set_committed"}), without=frozenset({"null_record"}), error_codes={"INVALID_RECORD": 0},
    ),
    *(Client(f"java-{version}", version, java(version), assignors=JAVA_ASSIGNORS) for version in ("2.8.2", "3.9.2", "4.3.1", "4.4.0")),
    Client("franz-go", "1.22.2", go("franz-go"), assignors=("range", "roundrobin", "sticky", "cooperative-sticky")),
    Client("sarama", "1.61.1", go("sarama"), assignors=("range", "roundrobin", "sticky"), lacks=frozenset({"describe_cluster"})),
    Client(
        "kafkajs", "2.2.4", node(), assignors=("roundrobin",), protocol_names={"roundrobin": "RoundRobinAssigner"},
        without=frozenset({"null_header", "static_member", "time_beyond_end"}),
    ),
    Client(
        "rskafka", "0.6.0", rust(), lacks=OPERATIONS - {
            "hello", "create_topic", "delete_topic", "list_topics", "produce", "open", "poll", "close", "list_offsets", "delete_records",
        }, without=frozenset({"acks", "create_configs", "idempotence", "null_header", "repeated_header", "static_member"}),
    ),
    Client(
        "kcat", "1.7.1", python("kcat"), assignors=("range", "roundrobin", "cooperative-sticky"),
        lacks=OPERATIONS - {
            "hello", "list_topics", "describe_topic", "produce", "open", "join", "assignment", "poll", "close", "list_offsets",
        }, without=frozenset({"timestamps", "empty_text", "null_record"}),
    ),
]
