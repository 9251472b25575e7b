"""kafka-configs, kafka-get-offsets, kafka-broker-api-versions."""

import re

import pytest

from scripts.test_console import make, produce


def configs(t, *words, **how):
    t.run("kafka-configs", "--bootstrap-server", "$B", *words, **how)


def of_a_topic(t):
    topic = t.topic("a")
    make(t, topic)
    one = ["--entity-type", "topics", "--entity-name", topic]
    configs(t, *one, "--describe")
    configs(t, *one, "--alter", "--add-config", "retention.ms=12345,cleanup.policy=[compact,delete]")
    configs(t, *one, "--describe", sort=True)
    configs(t, "--topic", topic, "--describe", sort=True)
    configs(t, *one, "--alter", "--delete-config", "retention.ms")
    configs(t, *one, "--describe")
    configs(t, *one, "--describe", "--all", sort=True)
    configs(t, *one, "--alter", "--delete-config", "segment.ms")
    configs(t, *one, "--alter", "--add-config", "no.such=1")
    configs(t, *one, "--alter", "--add-config", "retention.ms=soon")
    configs(t, *one, "--alter", "--add-config", "retention.ms")
    configs(t, "--entity-type", "topics", "--entity-name", t.topic("missing"), "--describe")
    configs(t, "--entity-type", "topics", "--entity-name", t.topic("missing"), "--alter", "--add-config", "retention.ms=1")


def of_brokers(t):
    one = ["--entity-type", "brokers", "--entity-name", "1"]
    configs(t, *one, "--alter", "--add-config", "log.cleaner.threads=2")
    configs(t, *one, "--describe")
    configs(t, *one, "--alter", "--delete-config", "log.cleaner.threads")
    configs(t, *one, "--describe")
    every = ["--entity-type", "brokers", "--entity-default"]
    configs(t, *every, "--alter", "--add-config", "log.retention.ms=86400000")
    configs(t, *every, "--describe")
    configs(t, *every, "--alter", "--delete-config", "log.retention.ms")
    configs(t, *every, "--describe")
    configs(t, *one, "--alter", "--add-config", "node.id=5")
    configs(t, "--entity-type", "waiters", "--describe")


def of_thread_pools(t):
    """Kafka lets a pool of threads grow to twice its size and shrink to half at a time."""
    one = ["--entity-type", "brokers", "--entity-name", "1"]
    every = ["--entity-type", "brokers", "--entity-default"]

    for name, size in (("num.io.threads", 8), ("num.network.threads", 3), ("background.threads", 10), ("num.replica.fetchers", 1),
                       ("num.recovery.threads.per.data.dir", 2), ("log.cleaner.threads", 1)):
        none = () if name == "log.cleaner.threads" else (0, -1)  # There Apache Kafka says "/ by zero".
        few = (size // 2 - 1,) if size > 3 else ()
        for value in (2 * size + 1, *few, *none, "many", 2 * size):
            configs(t, *every, "--alter", "--add-config", f"{name}={value}")
        configs(t, *every, "--describe")
        configs(t, *every, "--alter", "--delete-config", name)
        configs(t, *one, "--alter", "--add-config", f"{name}={size + 1}")
        configs(t, *one, "--alter", "--delete-config", name)


def of_throttles(t):
    one = ["--entity-type", "brokers", "--entity-name", "1"]
    every = ["--entity-type", "brokers", "--entity-default"]
    for name in ("leader.replication.throttled.rate", "follower.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"):
        configs(t, *one, "--alter", "--add-config", f"{name}=100000")
        configs(t, *one, "--describe")
        configs(t, *every, "--alter", "--add-config", f"{name}=200000")
        configs(t, *one, "--describe")
        configs(t, *every, "--describe")
        configs(t, *one, "--alter", "--delete-config", name)
        configs(t, *every, "--alter", "--delete-config", name)
        configs(t, *one, "--alter", "--add-config", f"{name}=-1")
        configs(t, *one, "--alter", "--add-config", f"{name}=fast")
        configs(t, *one, "--describe")


def of_users(t):
    """Quotas and credentials; each cluster starts without any, and this leaves none."""
    user, client = t.topic("user"), t.topic("client")
    configs(t, "--user", user, "--alter", "--add-config", "producer_byte_rate=1024,consumer_byte_rate=20000000")
    configs(t, "--user", user, "--alter", "--add-config", "producer_byte_rate=fast")
    configs(t, "--entity-type", "users", "--entity-name", user, "--describe")
    configs(t, "--user", user, "--alter", "--delete-config", "producer_byte_rate,no.such")
    configs(t, "--user", user, "--alter", "--delete-config", "producer_byte_rate,request_percentage")
    configs(t, "--user", user, "--alter", "--delete-config", "producer_byte_rate")
    configs(t, "--user", user, "--describe")
    configs(t, "--user", user, "--client", client, "--alter", "--add-config", "request_percentage=0.5")
    configs(t, "--entity-type", "users", "--entity-name", user, "--entity-type", "clients", "--entity-name", client, "--describe")
    configs(t, "--user", user, "--client", client, "--alter", "--delete-config", "request_percentage")
    configs(t, "--user", user, "--alter", "--delete-config", "consumer_byte_rate")
    configs(t, "--client-defaults", "--alter", "--add-config", "request_percentage=200")
    configs(t, "--entity-type", "clients", "--entity-default", "--describe")
    configs(t, "--entity-type", "clients", "--describe")
    configs(t, "--client-defaults", "--alter", "--delete-config", "request_percentage")
    configs(t, "--ip", "127.0.0.1", "--alter", "--add-config", "connection_creation_rate=10")
    configs(t, "--ip", "127.0.0.1", "--describe")
    configs(t, "--ip", "127.0.0.1", "--alter", "--delete-config", "connection_creation_rate")
    configs(t, "--user", user, "--alter", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret],SCRAM-SHA-512=[password=secret]")
    configs(t, "--user", user, "--describe")
    configs(t, "--user", user, "--alter", "--delete-config", "SCRAM-SHA-256,SCRAM-SHA-512")
    configs(t, "--user", user, "--alter", "--delete-config", "SCRAM-SHA-256")
    configs(t, "--user", user, "--describe")


def offsets(t):
    topic = t.topic("a")
    make(t, topic, "2")
    produce(t, topic, "".join(f"key\tline {i}\n" for i in range(7)), "parse.key=true", note=False)

    def get(*words, **how):
        t.run("kafka-get-offsets", "--bootstrap-server", "$B", *words, sort=True, **how)

    get("--topic", topic)
    get("--topic", topic, "--time", "earliest")
    get("--topic", topic, "--time", "-1")
    get("--topic", topic, "--time", "max-timestamp", edit=lambda text: re.sub(r":\d$", ":N", text, flags=re.M))
    get("--topic", topic, "--time", "1000")
    get("--topic", topic, "--time", "4000000000000")
    get("--topic", topic, "--partitions", "0")
    get("--topic-partitions", f"{topic}:1")
    get("--topic", f"{topic[:-2]}.*")
    get("--topic", t.topic("missing"))
    get("--topic", topic, "--time", "sometime")


def api_versions(t):
    """Without what depends on the tool's own version: Samsa's knows 4.4, the other 4.3."""
    t.run("kafka-broker-api-versions", "--bootstrap-server", "$B", edit=without_tool_version)


def without_tool_version(text: str) -> str:
    return re.sub(r" \[usable: \d+\]|,$|^.*\(9[34]\).*\n", "", text, flags=re.M)


def test_of_a_topic(compare):
    compare(of_a_topic)


def test_of_brokers(compare):
    compare(of_brokers)


def test_of_thread_pools(compare):
    compare(of_thread_pools)


def test_of_throttles(compare):
    compare(of_throttles)


@pytest.mark.apache_broker
def test_of_users(compare):
    compare(of_users)


def test_offsets(compare):
    compare(offsets)


def test_api_versions(compare):
    """The list is the broker's, so the tools are held against each other at the same broker."""
    compare(api_versions, against="same broker")
