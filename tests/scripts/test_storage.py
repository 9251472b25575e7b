"""kafka-storage. It needs no broker: the directories are its own."""

import re

from peers.broker import BASE_PROPERTIES, CLUSTER_ID


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
