"""The commands of the first tools, word for word, against both brokers with both sets of tools."""

import re

MESSAGES = "".join(f"message {i}\n" for i in range(1, 21))


def any_partition(text: str) -> str:
    """Lines without keys stick to one partition, whichever it is."""
    return re.sub(r"(my-topic +)\d", r"\1P", text)


def words(t):
    topic, group = t.topic("my-topic"), t.group("my-group")
    t.run("kafka-topics", "--bootstrap-server", "$B", "--create", "--topic", topic, "--partitions", "3", "--replication-factor", "1")
    t.run("kafka-topics", "--bootstrap-server", "$B", "--list", only=[f"topic{'N' * 3}-my-topic"])
    t.run("kafka-topics", "--bootstrap-server", "$B", "--topic", topic, "--describe")
    # Apache Kafka 4 has dropped --broker-list; Samsa's tool still takes it.
    server = "--broker-list" if t.tools.kind == "samsa" else "--bootstrap-server"
    t.run("kafka-console-producer", server, "$B", "--topic", topic, stdin=MESSAGES, note=False)
    everything = ["kafka-console-consumer", "--bootstrap-server", "$B", "--topic", topic, "--from-beginning", "--timeout-ms", "3000"]
    t.run(*everything, sort=True)
    t.run("kafka-console-consumer", "--bootstrap-server", "$B", "--topic", topic, "--group", group, "--from-beginning",
          "--max-messages", "20", sort=True)
    t.run("kafka-consumer-groups", "--bootstrap-server", "$B", "--list", only=["groupNNN-my-group"])
    t.run("kafka-consumer-groups", "--bootstrap-server", "$B", "--group", group, "--describe", sort=True,
          edit=any_partition)
    t.run("kafka-consumer-groups", "--bootstrap-server", "$B", "--group", group, "--reset-offsets", "--to-earliest", "--execute",
          "--topic", topic, sort=True, edit=any_partition)
    t.run("kafka-consumer-groups", "--bootstrap-server", "$B", "--group", group, "--describe", sort=True,
          edit=any_partition)
    t.run("kafka-topics", "--bootstrap-server", "$B", "--topic", topic, "--delete")


def test_word_for_word(compare):
    compare(words)
