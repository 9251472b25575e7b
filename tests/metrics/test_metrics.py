"""Metrics under Kafka's names: the same work on Apache Kafka and on Samsa; what the one shows over JMX the other serves over HTTP, under
the name that the rule makes of it, or the list of what is not there yet says why."""

import re
import subprocess
import urllib.error
import urllib.request

import pytest

from metrics import not_yet, table
from metrics.conftest import GROUP, RECORDS, TOPIC, Page
from peers.broker import Samsa
from peers.paths import scratch_root

# Of meters and histograms Kafka shows more than anybody needs who has Prometheus.
LEFT_OUT = {"MeanRate", "FiveMinuteRate", "FifteenMinuteRate", "RateUnit", "LatencyUnit", "EventType", "Min", "Mean", "StdDev"}


def series(attribute, attributes_of) -> str | None:
    """The name under which Samsa would serve it; None for what is left out by rule."""
    domain, keys = table.parse_mbean(attribute.mbean)
    siblings = attributes_of[attribute.mbean]
    if "name" not in keys:
        return table.base_name(domain, keys, meter=False) + "_" + table.word(attribute.name)
    histogram = "50thPercentile" in siblings
    meter = "OneMinuteRate" in siblings and not histogram
    base = table.base_name(domain, keys, meter)
    if attribute.name in LEFT_OUT or (histogram and attribute.name == "OneMinuteRate"):
        return None
    if attribute.name.endswith("thPercentile"):
        return base
    return {"Value": base, "Max": f"{base}_max", "OneMinuteRate": f"{base}_oneminuterate",
            "Count": f"{base}_count" if histogram else f"{base}_total"}[attribute.name]


@pytest.fixture(scope="session")
def named(kafkas):
    """(attribute, our name) of everything that counts."""
    attributes_of = {}
    for attribute in kafkas:
        attributes_of.setdefault(attribute.mbean, set()).add(attribute.name)
    return [(attribute, name) for attribute in kafkas if (name := series(attribute, attributes_of)) is not None]


def test_what_kafka_shows_is_served_or_listed(named, page):
    """Everything that Kafka shows after this work has its series here, or its line in the list of what is not there and why."""
    served = set(page.samples) | {name for row in table.rows() for name in row.families()}
    served |= {f"{name}{ending}" for name in served for ending in ("_sum", "_count")}
    unknown = sorted({f"{attribute.mbean} {attribute.name}" for attribute, name in named if name not in served and not_yet.entry(attribute) is None})
    assert not unknown, "neither served nor listed:\n" + "\n".join(unknown)
    used = {not_yet.entry(attribute) for attribute, name in named if name not in served}
    stale = [line[0] for at, line in enumerate(not_yet.NOT_YET) if at not in used]
    assert not stale, "served, or not Kafka's; take it off the list:\n" + "\n".join(stale)


def test_labels_are_kafkas_keys(named, page):
    wrong = set()
    for attribute, name in named:
        keys = set(attribute.keys) - {"type", "name"}
        if attribute.name.endswith("thPercentile"):
            keys.add("quantile")
        have = [set(labels) for labels, _ in page.samples.get(name, [])]
        text = attribute.value if not re.fullmatch(r"-?[\d.]+(E-?\d+)?|NaN", attribute.value) else None
        if have and keys not in have and keys | {table.word(attribute.name if attribute.name != "Value" else attribute.keys["name"])} not in have:
            wrong.add(f"{attribute} ({text}): labels {sorted(keys)}, served: {have[0]}")
    assert not wrong, "\n" + "\n".join(sorted(wrong))


def test_counts_agree(named, page):
    def kafka(what, **keys):
        found = [a.number for a, name in named if name == what and {k: v for k, v in a.keys.items() if k not in ("type", "name")} == keys]
        assert len(found) == 1, (what, keys, found)
        return found[0]

    topic = {"topic": TOPIC}
    for what, labels in [
        ("kafka_server_brokertopicmetrics_messagesin_total", topic),
        ("kafka_server_brokertopicmetrics_bytesin_total", topic),
        ("kafka_server_brokertopicmetrics_bytesout_total", topic),
        ("kafka_server_brokertopicmetrics_bytesout_total", {}),
        ("kafka_server_brokertopicmetrics_totalproducerequests_total", topic),
        ("kafka_server_brokertopicmetrics_failedproducerequests_total", {}),
        *[(f"kafka_log_log_{what}", {"topic": TOPIC, "partition": partition})
          for what in ("logendoffset", "logstartoffset", "size", "numlogsegments") for partition in ("0", "1")],
        *[(f"kafka_server_replicamanager_{what}", {}) for what in ("leadercount", "partitioncount", "underreplicatedpartitions")],
        *[(f"kafka_controller_kafkacontroller_{what}", {}) for what in ("activecontrollercount", "globaltopiccount", "globalpartitioncount")],
        *[(f"kafka_controller_kafkacontroller_{what}", {})
          for what in ("activebrokercount", "fencedbrokercount", "offlinepartitionscount", "preferredreplicaimbalancecount")],
        *[(f"kafka_cluster_partition_{what}", topic | {"partition": "0"})
          for what in ("replicascount", "insyncreplicascount", "underreplicated", "underminisr", "atminisr", "laststableoffsetlag")],
        *[(f"kafka_coordinator_group_groupmetadatamanager_{what}", {}) for what in ("numoffsets",)],
        *[(f"kafka_server_raft_metrics_{what}", {}) for what in ("current_leader", "number_of_voters")],
        ("kafka_server_kafkaserver_brokerstate", {}),
        ("kafka_server_replicamanager_atminisrpartitioncount", {}),
        ("kafka_log_logmanager_offlinelogdirectorycount", {}),
    ]:
        assert page.value(what, **labels) == kafka(what, **labels), (what, labels)
    assert page.value("kafka_server_brokertopicmetrics_messagesin_total", topic=TOPIC) == RECORDS

    for request in ("Produce", "JoinGroup", "SyncGroup", "OffsetCommit"):
        versions = {a.keys["version"]: a.number for a, name in named
                    if name == "kafka_network_requestmetrics_requests_total" and a.keys["request"] == request and a.number > 0}
        ours = {labels["version"]: value for labels, value in page.samples["kafka_network_requestmetrics_requests_total"]
                if labels["request"] == request}
        if request in ("Produce", "OffsetCommit"):
            assert ours == versions, request
        else:  # Asked again where the coordinator is not ready.
            assert set(ours) == set(versions), request
    for request in ("Fetch", "FetchConsumer", "Metadata", "ApiVersions", "FindCoordinator"):
        assert page.total("kafka_network_requestmetrics_requests_total", request=request) > 0
        assert page.value("kafka_network_requestmetrics_totaltimems_count", request=request) > 0
    assert page.value("kafka_network_requestmetrics_errors_total", request="Produce", error="NONE") >= RECORDS / 100


def test_page_is_well_formed(page):
    """What promtool would say: one HELP and TYPE per family before its samples, no sample twice, valid names."""
    announced, seen, family = set(), set(), None
    for line in page.text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in announced, f"{family} is announced twice"
            announced.add(family)
            assert line.split(" ", 3)[3].strip()
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
        else:
            name, value = line.split("{")[0].split(" ")[0], line.rsplit(" ", 1)[1]
            endings = ("", "_sum", "_count") if page.types[family] == "summary" else ("",)
            assert name in {family + ending for ending in endings}, line
            assert re.fullmatch(r"[a-z_][a-z0-9_]*", name) and line.rsplit(" ", 1)[0] not in seen, line
            seen.add(line.rsplit(" ", 1)[0])
            float(value)
    assert page.text.endswith("\n")


def test_page_is_what_the_table_says(page):
    documented = {name: kind for row in table.rows() for name, kind in row.families().items()}
    assert {name: kind for name, kind in page.types.items() if documented.get(name) != kind} == {}
    labels = {name: row.labels() for row in table.rows() for name in row.families() if row.labels()}
    for name, samples in page.samples.items():
        for have, _ in samples:
            keys = set(have) - {"quantile"}
            wanted = labels.get(name.removesuffix("_sum").removesuffix("_count"), labels.get(name))
            assert wanted is None or keys in wanted or (keys == {name.split("_")[-1]}) or len(keys) == 1, (name, keys, wanted)


def test_document_has_the_table():
    assert table.written() == table.markdown(), "run: python tests/metrics/table.py --write"


def test_counters_only_grow(samsa, page):
    later = Page(samsa.metrics_url)
    for name, kind in page.types.items():
        if kind != "counter":
            continue
        for labels, value in page.samples[name]:
            assert later.value(name, **labels) >= value, (name, labels)
    assert later.value("process_open_fds") > 10
    assert later.value("process_resident_memory_bytes") > 1 << 20
    assert GROUP not in later.text  # Nothing of a group is a label.


def test_other_requests_are_refused(samsa):
    base = samsa.metrics_url.removesuffix("/metrics")
    for method, path, code in [("GET", "/", 404), ("POST", "/metrics", 405), ("GET", "/metrics/x", 404)]:
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(urllib.request.Request(base + path, method=method), timeout=10)
        assert error.value.code == code
    assert urllib.request.urlopen(urllib.request.Request(base + "/metrics", method="HEAD"), timeout=10).read() == b""


def test_port_in_use_is_an_error_that_names_the_setting(samsa):
    taken = samsa.metrics_url.removeprefix("http://").removesuffix("/metrics")
    other = Samsa(scratch_root() / "samsa-metrics-taken", samsa__metrics__listener=taken)
    assert other.format().returncode == 0
    try:
        other.start(wait=False)
        assert other.wait_exit() == 1
        assert f"samsa.metrics.listener: cannot listen on {taken}" in other.log()
    finally:
        other.destroy()


def test_empty_setting_turns_it_off():
    broker = Samsa(scratch_root() / "samsa-metrics-off", samsa__metrics__listener="")
    broker.create()
    try:
        assert re.search(r"^  metrics +not served$", broker.log(), re.M)
        with broker.connection():
            pass
    finally:
        broker.destroy()


def test_second_node_with_the_default_port_starts_without_metrics():
    """In a network of its own, as the default is one port of the machine."""
    script = """
        set -e
        ip link set lo up
        python3 -c '
import socket, subprocess, sys, time
held = socket.socket(); held.bind(("127.0.0.1", 9404)); held.listen()
node = subprocess.Popen([sys.argv[1], "serve", sys.argv[2]], stderr=subprocess.PIPE, text=True)
text = ""
while "started in" not in text and node.poll() is None:
    text += node.stderr.readline()
node.terminate(); print(text); sys.exit(node.wait())' "$0" "$1"
    """
    broker = Samsa(scratch_root() / "samsa-metrics-default")
    command = broker.server_command()
    assert broker.format().returncode == 0
    broker.properties_file.write_text("".join(line for line in broker.properties_file.read_text().splitlines(True) if "samsa.metrics" not in line))
    try:
        done = subprocess.run(["unshare", "-rn", "bash", "-c", script, command[0], str(broker.properties_file)], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"WARN samsa.metrics.listener: cannot listen on 127.0.0.1:9404", done.stdout)
        assert re.search(r"metrics +not served", done.stdout)
    finally:
        broker.destroy()
