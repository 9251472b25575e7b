"""Starts that must fail: a clear error that names what is wrong, and a non-zero exit."""

import shutil
import socket

import pytest

from peers.broker import StartError


def fails(broker, *words: str, apache: tuple[str, ...] | None = None):
    """Starts it; it must end by itself, not with 0, and say the words; `apache` where Apache Kafka says less."""
    if broker.kind == "apache" and apache is not None:
        words = apache
    try:
        broker.start(wait=False)
        code = broker.wait_exit(60)
    except StartError as error:
        code = error.exit_code
    assert code not in (0, None)
    log = broker.log()
    missing = [word for word in words if word not in log]
    assert not missing, f"no word of {missing} in:\n{log[-3000:]}"


def formatted(make_broker, **overrides):
    broker = make_broker(start=False, **overrides)
    done = broker.format()
    assert done.returncode == 0, done.stdout + done.stderr
    return broker


def test_directory_never_formatted(make_broker):
    broker = make_broker(start=False)
    fails(broker, str(broker.data_dir), apache=("meta.properties",))


def test_directory_of_another_cluster(make_broker):
    one, other = formatted(make_broker), make_broker(start=False)
    other.cluster_id = "YW5vdGhlci1jbHVzdGVyLQ"
    assert other.format().returncode == 0
    one.overrides["log.dirs"] = f"{one.data_dir},{other.data_dir}"
    shutil.rmtree(other.data_dir / "__cluster_metadata-0", ignore_errors=True)  # It is refused for that too.
    fails(one, one.cluster_id, other.cluster_id)


def test_directory_of_another_node(make_broker):
    broker = formatted(make_broker)
    broker.overrides["node.id"] = "7"
    fails(broker, "7", "1")


@pytest.mark.samsa_only  # Kafka 4.3.1 as a combined node loses its own lock and starts
def test_directory_in_use(make_broker):
    first = make_broker()
    second = make_broker(start=False)
    second.overrides["log.dirs"] = str(first.data_dir)
    fails(second, str(first.data_dir), "lock")
    with first.connection() as connection:
        connection.close()


def test_port_in_use(make_broker):
    broker = formatted(make_broker)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", broker.port))
        taken.listen()
        fails(broker, str(broker.port))


def test_no_properties_file(make_broker):
    broker = formatted(make_broker)
    broker.write_properties = lambda: broker.properties_file.unlink(missing_ok=True)
    fails(broker, broker.properties_file.name)


def test_properties_are_a_directory(make_broker):
    broker = formatted(make_broker)
    broker.properties_file.unlink()
    broker.properties_file.mkdir()
    broker.write_properties = lambda: None
    fails(broker, broker.properties_file.name, apache=("Is a directory",))


def test_properties_are_not_readable_as_such(make_broker):
    """An escape that is none: Java's reader of properties gives up there."""
    broker = formatted(make_broker)
    write = broker.write_properties

    def write_and_spoil():
        write()
        with broker.properties_file.open("a") as file:
            file.write("broker.rack=\\u12zz\n")

    broker.write_properties = write_and_spoil
    fails(broker, broker.properties_file.name, apache=("uxxxx",))


@pytest.mark.parametrize(("name", "value"), [
    ("num.partitions", "many"), ("log.segment.bytes", "3"), ("process.roles", "waiter"), ("listeners", "PLAINTEXT//nowhere"),
    ("node.id", "-5"),
])
def test_setting_with_a_wrong_value(make_broker, name, value):
    broker = formatted(make_broker)
    broker.overrides[name] = value
    fails(broker, name, value)


@pytest.mark.samsa_only  # Apache Kafka serves these.
@pytest.mark.parametrize(("name", "value"), [
    ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL"),
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"), ("remote.log.storage.system.enable", "true"),
])
def test_what_is_not_served_is_refused(make_broker, name, value):
    """Never in the clear for somebody who asked for more."""
    broker = formatted(make_broker)
    broker.overrides[name] = value
    fails(broker, name, "not served yet")


def test_meta_properties_are_noise(make_broker):
    broker = formatted(make_broker)
    (broker.data_dir / "meta.properties").write_bytes(b"\x00\xff noise \x01" * 10)
    fails(broker, str(broker.data_dir))


def not_mounted(broker, one, other):
    shutil.rmtree(other)
    other.mkdir()
    return f"No `meta.properties` found in {other} (have you run `kafka-storage.sh` to format the directory?)"


def not_there(broker, one, other):
    shutil.rmtree(other)
    return f"No `meta.properties` found in {other} (have you run `kafka-storage.sh` to format the directory?)"


def empty_properties(broker, one, other):
    (other / "meta.properties").write_text("")
    return f"Error: node ID not found in {other}"


def another_order(broker, one, other):
    broker.overrides["log.dirs"] = f"{other},{one}"
    return misplaced(one, other)


def a_new_one_first(broker, one, other):
    new = one.parent / "new"
    new.mkdir()
    broker.overrides["log.dirs"] = f"{new},{one},{other}"
    return misplaced(one, new)


def metadata_elsewhere(broker, one, other):
    new = one.parent / "new"
    new.mkdir()
    broker.overrides["metadata.log.dir"] = str(new)
    return misplaced(one, new)


def misplaced(one, wanted):
    return f"Found unexpected metadata location in data directory `{one}/__cluster_metadata-0` (the configured metadata directory is {wanted})."


@pytest.mark.parametrize("spoil", [not_mounted, not_there, empty_properties, another_order, a_new_one_first, metadata_elsewhere], ids=lambda f: f.__name__)
def test_one_of_two_directories_is_wrong(make_broker, spoil):
    """What lies elsewhere is never begun anew, and nothing is written."""
    broker = make_broker(start=False)
    one, other = broker.data_dir, broker.data_dir.parent / "other"
    for left in (other, one.parent / "new"):
        shutil.rmtree(left, ignore_errors=True)
    broker.overrides["log.dirs"] = f"{one},{other}"
    assert broker.format().returncode == 0
    (one / "__cluster_metadata-0").mkdir(exist_ok=True)
    words = spoil(broker, one, other)
    before = names(one.parent)
    fails(broker, words)
    assert names(one.parent) == before


def names(directory):
    """All in the data directories; what Apache Kafka says goes beside them."""
    return sorted(str(path) for name in ("other", "new") for path in (directory / name).rglob("*") if path.name != ".lock")
