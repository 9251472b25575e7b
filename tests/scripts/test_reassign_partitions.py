"""kafka-reassign-partitions on one broker: everything but data that really move, which the cluster suite has."""

import re

from .test_cluster_tools import create, file, tool


def reassign(t, *words, **how):
    tool(t, "kafka-reassign-partitions", *words, edit=first_complaint, **how)


def first_complaint(text: str) -> str:
    """Without the trace that Java's tool prints after "Error: "."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("Error: "):
            return "\n".join(lines[: i + 1])
    return text


def partitions(*rows) -> dict:
    return {"version": 1, "partitions": [{"topic": topic, "partition": partition, "replicas": list(replicas)} for topic, partition, replicas in rows]}


def lists_and_proposals(t):
    topic, other = t.topic("a"), t.topic("b")
    create(t, topic, 2)
    create(t, other)
    reassign(t, "--bootstrap-server", "$B", "--list")
    reassign(t, "--bootstrap-controller", "$C", "--list")

    def generate(content, brokers="1", *words):
        reassign(t, "--bootstrap-server", "$B", "--generate", "--topics-to-move-json-file", file(t, "topics.json", content), "--broker-list", brokers, *words)

    both = {"topics": [{"topic": topic}, {"topic": other}], "version": 1}
    generate(both)
    generate(both, "1", "--disable-rack-aware")
    generate(both, "5")
    generate(both, "1,1")
    generate(both, "1,x")
    generate({"topics": [{"topic": topic}, {"topic": topic}]})
    generate({"topics": [{"topic": "no-such-topic"}]})
    generate({"topics": []})
    for wrong in ({"version": 3}, {"topics": {}}, {"topics": [{"name": topic}]}, {"topics": [{"topic": 5}]}, "{", []):
        generate(wrong)


def moves(t):
    topic, other = t.topic("a"), t.topic("b")
    create(t, topic, 2)
    create(t, other)

    def run(action, content, *words):
        reassign(t, "--bootstrap-server", "$B", action, "--reassignment-json-file", file(t, "moves.json", content), *words)

    def settings():
        t.run("kafka-configs", "--bootstrap-server", "$B", "--describe", "--entity-type", "topics", "--entity-name", topic)
        t.run("kafka-configs", "--bootstrap-server", "$B", "--describe", "--entity-type", "brokers", "--entity-name", "1", only=["throttled"],
              edit=lambda text: re.sub(r" sensitive=.*", "", text))

    here = partitions((topic, 0, [1]), (topic, 1, [1]))
    run("--execute", here)
    run("--execute", here, "--throttle", "5000", "--replica-alter-log-dirs-throttle", "7000")
    settings()
    run("--verify", here, "--preserve-throttles")
    run("--verify", here)
    settings()
    run("--cancel", here)
    run("--cancel", partitions((topic, 0, [1])), "--preserve-throttles")
    run("--verify", partitions((topic, 0, [1, 2]), (topic, 7, [1]), ("no-such-topic", 0, [1])), "--preserve-throttles")
    run("--verify", partitions((topic, 2, [1])))
    run("--execute", partitions((topic, 0, [7])))
    run("--execute", partitions(("no-such-topic", 0, [1])))
    run("--execute", partitions((topic, 5, [1])))
    run("--execute", partitions((other, 0, [1])), "--additional", "--disallow-replication-factor-change")


def wrong_files(t):
    topic = t.topic("a")
    create(t, topic)
    for content in (partitions(), partitions((topic, 0, [])), partitions((topic, 0, [1]), (topic, 0, [1])), partitions((topic, 0, [1, 1])), {"version": 2}, {"partitions": 1},
                    {"partitions": [{"topic": topic}]}, {"partitions": [{"topic": topic, "partition": "0", "replicas": [1]}]},
                    {"partitions": [{"topic": topic, "partition": 0, "replicas": ["1"]}]}, {"partitions": [{"topic": topic, "partition": 0, "replicas": 1}]},
                    {"partitions": [{"topic": topic, "partition": 0, "replicas": [1], "log_dirs": []}]}, [1]):
        reassign(t, "--bootstrap-server", "$B", "--execute", "--reassignment-json-file", file(t, "wrong.json", content))
    for content in ({"version": 2}, {"partitions": [{}]}):
        reassign(t, "--bootstrap-server", "$B", "--verify", "--reassignment-json-file", file(t, "wrong.json", content))
        reassign(t, "--bootstrap-server", "$B", "--cancel", "--reassignment-json-file", file(t, "wrong.json", content))
    reassign(t, "--bootstrap-server", "$B", "--execute", "--reassignment-json-file", "/none.json")


def wrong_words(t):
    for words in ("", "--list", "--bootstrap-server $B", "--bootstrap-server $B --list --verify", "--bootstrap-server $B --bootstrap-controller $C --list",
                  "--bootstrap-server $B --verify", "--bootstrap-server $B --execute", "--bootstrap-server $B --cancel", "--bootstrap-server $B --generate --broker-list 1",
                  "--bootstrap-server $B --generate --topics-to-move-json-file x", "--bootstrap-server $B --list --throttle 5", "--bootstrap-server $B --list --additional",
                  "--bootstrap-server $B --verify --reassignment-json-file x --timeout 5", "--bootstrap-controller $C --verify --reassignment-json-file x",
                  "--bootstrap-server $B --execute --reassignment-json-file x --preserve-throttles"):
        reassign(t, *words.split())


def test_lists_and_proposals(compare):
    compare(lists_and_proposals)


def test_moves(compare):
    compare(moves)


def test_wrong_files(compare):
    compare(wrong_files)


def test_wrong_words(compare):
    compare(wrong_words)
