"""Segments, indexes and producer snapshots that Samsa's log writes, read by Apache Kafka's own tool."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from peers import maven
from peers.paths import BUILD, scratch_root

PROBE = Path(os.environ.get("SAMSA_STORAGE_PROBE", BUILD / "release" / "samsa_storage_probe"))


def dump(files, *arguments):
    classpath = ":".join(str(jar) for jar in sorted(maven.kafka_libs().glob("*.jar")))
    command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classpath, "org.apache.kafka.tools.DumpLogSegments",
               "--files", ",".join(str(f) for f in files), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def written():
    root = scratch_root() / "segments"
    subprocess.run(["rm", "-rf", str(root)], check=True)
    root.mkdir(parents=True)
    subprocess.run([str(PROBE), "write", str(root)], check=True, timeout=120)
    return root


def complaints(text):
    return [line for line in text.splitlines() if re.search(r"isvalid: false|mismatch|corrupt|exception|invalid|not found|out of order", line, re.I)]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_kafka_reads_every_codec(written, codec):
    files = sorted(f for f in (written / f"{codec}-0").iterdir() if f.suffix in (".log", ".index", ".timeindex"))
    text = dump(files, "--deep-iteration")
    assert not complaints(text)
    assert len(re.findall(r"^\| offset: ", text, re.M)) == 5000
    assert len(re.findall(r"isvalid: true", text)) == 100


def test_kafka_reads_transactions_and_snapshots(written):
    files = sorted(f for f in (written / "producers-0").iterdir() if f.suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot"))
    text = dump(files, "--deep-iteration")
    assert not complaints(text)
    assert len(re.findall(r"endTxnMarker: (COMMIT|ABORT)", text)) == 22
    assert len(re.findall(r"producerId: 1001 producerEpoch: 3", text)) > 0
    aborted = re.findall(r"firstOffset: (\d+) lastOffset: \d+ lastStableOffset: \d+", text)
    assert len(aborted) == 11


def test_killed_writer_is_recovered_with_the_same_content(written):
    clean = subprocess.run([str(PROBE), "read", str(written / "producers-0"), "clean"], capture_output=True, text=True, check=True).stdout
    killed = subprocess.run([str(PROBE), "read", str(written / "killed-0"), "killed"], capture_output=True, text=True, check=True).stdout
    assert clean == killed
    files = sorted(f for f in (written / "killed-0").iterdir() if f.suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot"))
    assert not complaints(dump(files))
