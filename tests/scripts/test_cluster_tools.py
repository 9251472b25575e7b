"""kafka-cluster, kafka-metadata-quorum, kafka-features, kafka-log-dirs, kafka-leader-election, kafka-delete-records."""

import json
import re


def file(t, name: str, content) -> str:
    """The path of a file of that content; anything but text is written as JSON."""
    path = t.broker.directory / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def tool(t, name: str, *words: str, **how):
    """t.run for tools whose standard error is made of usage, wrapped lines and traces: what counts is that a failure says why."""
    done = t.run(name, *words, **how)
    step = t.steps[-1]
    step["err"] = ["said why"] if done.code != 0 and not done.out.strip() and done.err.strip() else []
    return done


def numbers(text: str) -> str:
    """Ports, and numbers that count how long the node has lived."""
    text = re.sub(r"127\.0\.0\.1(\s+)\d{4,5} ", r"127.0.0.1\1PPPPP ", text)
    return re.sub(r"(Epoch: |LeaderEpoch: +|HighWatermark: +)\d+", r"\1N", text)


def create(t, topic: str, partitions: int = 1):
    t.run("kafka-topics", "--bootstrap-server", "$B", "--create", "--topic", topic, "--partitions", str(partitions), note=False)


def cluster(t):
    def run(*words):
        tool(t, "kafka-cluster", *words, edit=numbers)

    run("cluster-id", "--bootstrap-server", "$B")
    run("cluster-id", "-C", "$C")
    run("list-endpoints", "-b", "$B")
    run("list-endpoints", "--bootstrap-server", "$B", "--include-fenced-brokers")
    run("list-endpoints", "--bootstrap-controller", "$C")
    run("list-endpoints", "--bootstrap-controller", "$C", "--include-fenced-brokers")
    properties = file(t, "admin.properties", "client.id=tool-test\nrequest.timeout.ms=20000\n")
    run("cluster-id", "-b", "$B", "--config", properties)
    run("cluster-id", "-b", "$B", "-c", properties)
    run("cluster-id", "-b", "$B", "-c", properties, "--config", properties)
    run("unregister", "-b", "$B", "--id", "77")
    run("unregister", "-C", "$C", "-i", "78")
    run("unreg", "-b", "$B", "-i", "79")


def quorum(t):
    def table(text):
        """Ids of directories and what grows; the widths of the columns are kept."""
        text = re.sub(r"\b[\w-]{22}\b", "D" * 22, text)
        return numbers(re.sub(r"(\s)\d+(?: ms ago)?(?=\s*\t)", r"\1N", re.sub(r"(?m)^(\d+\s+D{22}\s+)\d+ *", r"\1N", text)))

    def run(*words, **how):
        tool(t, "kafka-metadata-quorum", *words, edit=table, **how)

    run("--bootstrap-server", "$B", "describe", "--status")
    run("--bootstrap-controller", "$C", "describe", "--status")
    tool(t, "kafka-metadata-quorum", "--bootstrap-server", "$B", "describe", "--replication", edit=squeeze)
    tool(t, "kafka-metadata-quorum", "--bootstrap-controller", "$C", "describe", "--replication", "--human-readable", edit=squeeze)
    properties = t.broker.properties()
    node = file(t, "controller.properties", "".join(f"{key}={value}\n" for key, value in properties.items()))
    for taken in ("node.id", "process.roles", "log.dirs", "controller.listener.names", "listeners"):
        lines = "".join(f"{key}={value}\n" for key, value in properties.items() if key != taken and not (taken == "listeners" and "listeners" in key))
        run("--bootstrap-server", "$B", "--command-config", file(t, f"no-{taken}.properties", lines), "add-controller", "--dry-run")
    run("--bootstrap-server", "$B", "--command-config", node, "add-controller", "--dry-run")
    run("--bootstrap-server", "$B", "--command-config", node, "add-controller")
    run("--bootstrap-server", "$B", "remove-controller", "-i", "5", "-d", "AAAAAAAAAAAAAAAAAAAAAw", "--dry-run")
    run("--bootstrap-server", "$B", "remove-controller", "-i", "5", "-d", "AAAAAAAAAAAAAAAAAAAAAw")


def squeeze(text: str) -> str:
    """The table of the replicas with one word for every changing number, without its widths."""
    rows = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()]
    for row in rows[1:]:
        row[1:6] = [re.sub(r"\d+", "N", cell) if i else "D" * len(cell) for i, cell in enumerate(row[1:6])]
    return "\n".join("|".join(row) for row in rows)


def quorum_wrong_words(t):
    for words in ("", "describe", "--bootstrap-server $B", "--bootstrap-server $B describe", "--bootstrap-server $B describe --status --replication",
                  "--bootstrap-server $B describe --status --human-readable", "--bootstrap-server $B add-controller",
                  "--bootstrap-server $B --command-config /none.properties describe --status", "--bootstrap-server $B remove-controller -i 1",
                  "--bootstrap-server $B remove-controller -i -1 -d AAAAAAAAAAAAAAAAAAAAAw", "--bootstrap-server $B remove-controller -i 1 -d AA"):
        tool(t, "kafka-metadata-quorum", *words.split())


def features(t):
    def run(*words, **how):
        tool(t, "kafka-features", *words, edit=numbers, **how)

    run("--bootstrap-server", "$B", "describe")
    run("--bootstrap-controller", "$C", "describe")
    run("--bootstrap-server", "$B", "describe", "--node-id", "1")
    run("--bootstrap-server", "$B", "upgrade", "--feature", "group.version=1", "--dry-run")
    run("--bootstrap-server", "$B", "upgrade", "--release-version", "4.3")
    run("--bootstrap-server", "$B", "upgrade", "--metadata", "4.3-IV0", "--dry-run")
    run("--bootstrap-server", "$B", "downgrade", "--feature", "transaction.version=1", "--dry-run")
    run("--bootstrap-server", "$B", "upgrade", "--feature", "group.version=9", "--feature", "share.version=1")
    run("--bootstrap-server", "$B", "upgrade", "--feature", "no.such=1")
    run("--bootstrap-server", "$B", "downgrade", "--metadata", "3.3-IV3")
    run("--bootstrap-server", "$B", "downgrade", "--feature", "group.version=1", "--unsafe")
    run("--bootstrap-controller", "$C", "disable", "--feature", "streams.version", "--dry-run")
    run("--bootstrap-controller", "$C", "disable", "--feature", "metadata.version", "--dry-run")


def feature_tables(t):
    for words in ("version-mapping", "version-mapping --release-version 3.7-IV2", "version-mapping --release-version 4.0", "version-mapping --release-version 3.3.1",
                  "version-mapping --release-version 4.4-IV0", "version-mapping --release-version 4.4", "version-mapping --release-version 9.9",
                  "feature-dependencies --feature metadata.version=7 --feature group.version=1", "feature-dependencies --feature eligible.leader.replicas.version=1",
                  "feature-dependencies --feature eligible.leader.replicas.version=0 --feature kraft.version=1", "feature-dependencies --feature x=1",
                  "feature-dependencies --feature group.version=9", "feature-dependencies --feature group.version", "feature-dependencies --feature metadata.version=99",
                  "feature-dependencies --feature metadata.version=x", "feature-dependencies", "", "describe", "--bootstrap-server $B upgrade",
                  "--bootstrap-server $B upgrade --feature x", "--bootstrap-server $B upgrade --feature x=1 --feature x=2", "--bootstrap-server $B disable",
                  "--bootstrap-server $B upgrade --release-version 4.3 --feature x=1", "--bootstrap-server $B upgrade --metadata 9.9",
                  "--bootstrap-server $B describe --node-id -1", "--bootstrap-server $B --bootstrap-controller $C describe"):
        tool(t, "kafka-features", *words.split())


def log_dirs(t):
    topic, empty = t.topic("a"), t.topic("b")
    create(t, topic)
    create(t, empty)
    t.run("kafka-console-producer", "--bootstrap-server", "$B", "--topic", topic, stdin="one\n", note=False)

    def listing(text):
        """The JSON in one order, for that of partitions goes by hashes of names; sizes differ by what each writes around a record."""
        lines = []
        for line in text.splitlines():
            if line.startswith("{"):
                found = json.loads(line)
                lines.append(f"keys in order {[*found]} {[*found['brokers'][0]]} {[*found['brokers'][0]['logDirs'][0]]}")
                for directory in found["brokers"][0]["logDirs"]:
                    lines.append(f"{directory['logDir']} {directory['error']}")
                    lines += sorted(f"{[*p.values()][0]} {'empty' if p['size'] == 0 else 'filled'} {p}".replace(str(p["size"]), "N") for p in directory["partitions"])
            else:
                lines.append(line)
        return "\n".join(lines)

    tool(t, "kafka-log-dirs", "--bootstrap-server", "$B", "--describe", "--topic-list", f"{topic},{empty}", edit=listing)
    tool(t, "kafka-log-dirs", "--bootstrap-server", "$B", "--describe", "--topic-list", "no-such-topic", "--broker-list", "1")
    tool(t, "kafka-log-dirs", "--bootstrap-server", "$B", "--describe", "--broker-list", "1,5,6")
    tool(t, "kafka-log-dirs", "--bootstrap-server", "$B", "--describe", "--broker-list", "x")
    tool(t, "kafka-log-dirs", "--bootstrap-server", "$B")
    tool(t, "kafka-log-dirs", "--describe")


def leader_election(t):
    topic = t.topic("a")
    create(t, topic, 2)

    def run(*words, **how):
        tool(t, "kafka-leader-election", "--bootstrap-server", "$B", *words, **how)

    run("--election-type", "preferred", "--topic", topic, "--partition", "0")
    run("--election-type", "unclean", "--topic", topic, "--partition", "1")
    run("--election-type", "PREFERRED", "--path-to-json-file", file(t, "elect.json", {"partitions": [{"topic": topic, "partition": p} for p in (0, 1)]}), edit=by_comma)
    run("--election-type", "preferred", "--topic", topic, "--partition", "7", edit=class_only)
    run("--election-type", "preferred", "--topic", "no-such-topic", "--partition", "0", edit=class_only)
    run("--election-type", "preferred", "--all-topic-partitions")
    run("--election-type", "unclean", "--all-topic-partitions")
    for wrong in ({}, {"partitions": {}}, {"partitions": [{"topic": topic}]}, {"partitions": [{"topic": topic, "partition": "0"}]}, [], "{",
                  {"partitions": [{"topic": topic, "partition": 0}] * 2}):
        run("--election-type", "preferred", "--path-to-json-file", file(t, "wrong.json", wrong))
    run("--election-type", "any", "--all-topic-partitions")
    run("--election-type", "preferred")
    run("--election-type", "preferred", "--topic", topic)
    run("--election-type", "preferred", "--all-topic-partitions", "--partition", "0")
    run("--election-type", "preferred", "--all-topic-partitions", "--topic", topic)
    run("--all-topic-partitions")
    run("--election-type", "preferred", "--all-topic-partitions", "--admin.config", file(t, "old.properties", ""))
    tool(t, "kafka-leader-election")


def by_comma(text: str) -> str:
    """Lists of partitions go by hashes of their names."""
    return re.sub(r"(?m) for partitions (.*)$", lambda found: " for partitions " + ", ".join(sorted(found[1].split(", "))), text)


def class_only(text: str) -> str:
    """Up to the error's class: what follows is each broker's wording."""
    return re.sub(r"(errors\.\w+): .*", r"\1", text)


def delete_records(t):
    topic, other = t.topic("a"), t.topic("b")
    create(t, topic, 2)
    create(t, other)
    t.run("kafka-console-producer", "--bootstrap-server", "$B", "--topic", other, stdin="1\n2\n3\n4\n5\n", note=False)

    def run(content, **how):
        tool(t, "kafka-delete-records", "--bootstrap-server", "$B", "--offset-json-file", file(t, "offsets.json", content), sort=True, **how)

    def rows(*offsets):
        return [{"topic": name, "partition": partition, "offset": offset} for name, partition, offset in offsets]

    run({"partitions": rows((other, 0, 2), (topic, 0, 0), (topic, 1, -1)), "version": 1})
    t.run("kafka-get-offsets", "--bootstrap-server", "$B", "--topic", other, "--time", "earliest")
    run({"partitions": rows((other, 0, 1))})
    run({"partitions": rows((other, 0, -1))})
    run({"partitions": rows((other, 0, 9))}, edit=lambda text: re.sub(r"error: \S+ .*", "error: TEXT", text))
    run({"partitions": []})
    for wrong in ({"partitions": rows((other, 0, 1), (other, 0, 2))}, {"version": 2, "partitions": []}, {"version": 1}, {"partitions": 5}, {"partitions": [5]},
                  {"partitions": [{"topic": other, "partition": 0}]}, {"partitions": rows((5, 0, 1))}, {"partitions": rows((other, 0, "1"))}, "{", []):
        run(wrong)
    tool(t, "kafka-delete-records", "--bootstrap-server", "$B", "--offset-json-file", "/none.json")
    tool(t, "kafka-delete-records", "--bootstrap-server", "$B")


def verification_wrong_words(t):
    for words in ("", "--help", "--topics-include a", "--broker-list", "--broker-list x", "--broker-list $B --fetch-size x", "--broker-list $B --time now",
                  "--broker-list $B --no-such", "--broker-list $B --topics-include no-such-topic"):
        tool(t, "kafka-replica-verification", *words.split())


def test_cluster(compare):
    compare(cluster)


def test_quorum(compare):
    compare(quorum)


def test_quorum_wrong_words(compare):
    compare(quorum_wrong_words)


def test_features(compare):
    compare(features)


def test_feature_tables(compare):
    compare(feature_tables)


def test_log_dirs(compare):
    compare(log_dirs)


def test_leader_election(compare):
    compare(leader_election)


def test_delete_records(compare):
    compare(delete_records)


def test_verification_wrong_words(compare):
    compare(verification_wrong_words)
