"""kafka-storage. It needs no broker: the directories are its own."""

import re

from peers.broker import BASE_PROPERTIES, CLUSTER_ID

from .test_cluster_tools import tool


def storage(t, *words, **how):
    return t.run("kafka-storage", *words, **how)


def directory_of(t, word: str, **overrides) -> tuple[str, str]:
    """A properties file with a log directory of its own; both named the same in every transcript."""
    home = t.broker.directory / f"storage-{t.number}-{word}"
    home.mkdir()
    data, file = home / "data", home / "server.properties"
    settings = BASE_PROPERTIES | {
        "listeners": "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093", "controller.quorum.bootstrap.servers": "127.0.0.1:19093",
        "log.dirs": str(data),
    } | overrides
    file.write_text("".join(f"{k}={v}\n" for k, v in settings.items() if v is not None))
    t.names[str(data)] = f"DATA-{word}"
    t.names[str(file)] = f"FILE-{word}"
    return str(file), str(data)


def formats(t):
    file, data = directory_of(t, "a")
    storage(t, "info", "-c", file)
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", file)
    storage(t, "info", "-c", file)
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", file)
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", file, "--ignore-formatted")
    storage(t, "format", "--standalone", "-t", "short", "-c", directory_of(t, "b")[0])
    storage(t, "format", "-t", CLUSTER_ID, "-c", directory_of(t, "c")[0])
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", "/no/such/file")
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", directory_of(t, "d")[0], "--release-version", "3.9-IV0")
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", directory_of(t, "e")[0], "--release-version", "9.9-IV0")
    storage(t, "format", "--standalone", "-t", CLUSTER_ID, "-c", directory_of(t, "f", **{"node.id": None})[0])


def test_formats(compare):
    compare(formats)


def version_mapping(t):
    storage(t, "version-mapping")
    storage(t, "version-mapping", "--release-version", "4.0-IV0")
    storage(t, "feature-dependencies", "--feature", "transaction.version=2")


def test_version_mapping(compare):
    compare(version_mapping)


def random_uuid(t):
    storage(t, "random-uuid", edit=lambda text: re.sub(r"^[\w][\w-]{21}$", "UUID", text, flags=re.M))


def test_random_uuid(compare):
    compare(random_uuid)


def initial_quorums(t):
    def storage(t, *words):
        # Records of credentials are not shown by ours.
        tool(t, "kafka-storage", *words, edit=lambda text: re.sub(r"(?m)^Bootstrap metadata: .*\n", "", text))

    here, other = "1@127.0.0.1:19093:AAAAAAAAAAAAAAAAAAAAAw", "2@127.0.0.1:19094:AAAAAAAAAAAAAAAAAAAABA"

    def format(word, *words, **overrides):
        file = directory_of(t, word, **overrides)[0]
        storage(t, "format", "-t", CLUSTER_ID, "-c", file, *words)
        return file

    storage(t, "info", "-c", format("a", "--initial-controllers", f"{here},{other}"))
    format("b", "--initial-controllers", other)
    format("c", "--no-initial-controllers")
    format("d", "-I", f"{here},{here}")
    format("e", "-I", "1@127.0.0.1")
    format("f", "--standalone", "--no-initial-controllers")
    format("g", "--standalone", **{"controller.quorum.voters": "1@127.0.0.1:19093", "controller.quorum.bootstrap.servers": None})
    format("h", **{"controller.quorum.voters": "1@127.0.0.1:19093", "controller.quorum.bootstrap.servers": None})
    format("i", "--standalone", "--feature", "kraft.version=0")
    format("j", "--standalone", "--feature", "group.version=0", "--feature", "no.such=1")
    format("k", "--standalone", "--feature", "group.version=0", "-f", "eligible.leader.replicas.version=0")
    format("l", "--standalone", "--feature", "metadata.version=21", "--release-version", "3.9")
    format("m", "--standalone", "--release-version", "3.5-IV1", "--add-scram", "SCRAM-SHA-256=[name=alice,password=secret]")
    format("n", "--standalone", "--add-scram", 'SCRAM-SHA-512=[name=alice,iterations=8192,salt="N3E=",saltedpassword="YCE="]', "-S", "SCRAM-SHA-256=[name=bob,password=b]")
    for i, scram in enumerate(("SCRAM-SHA-256", "SCRAM-SHA-1=[name=a,password=b]", "SCRAM-SHA-256=name=a", "SCRAM-SHA-256=[password=b]", "SCRAM-SHA-256=[name=a]",
                               "SCRAM-SHA-256=[name=a,password=b,more=c]", "SCRAM-SHA-256=[name=a,password=b,iterations=1]")):
        format(f"s{i}", "--standalone", "--add-scram", scram)


def test_initial_quorums(compare):
    compare(initial_quorums)
