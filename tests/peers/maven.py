"""Fetches jars from Maven Central with the ordinary mvn client, once, into build/."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from .paths import KAFKA_LIBS, TESTS


def copy_dependencies(pom: Path, target: Path, *properties: str) -> Path:
    """Every jar the pom needs, below `target`. Does nothing when the stamp says this pom was already resolved."""
    wanted = hashlib.sha256(pom.read_bytes() + "\0".join(properties).encode()).hexdigest()
    stamp = target / ".resolved"
    if stamp.exists() and stamp.read_text() == wanted:
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    subprocess.run(
        ["mvn", "-q", "-B", "-f", str(pom), *properties, "dependency:copy-dependencies", f"-DoutputDirectory={target}"],
        check=True,
        timeout=900,
    )
    stamp.write_text(wanted)
    return target


def kafka_libs() -> Path:
    """The jars of a whole Apache Kafka, broker and tools."""
    return copy_dependencies(TESTS / "peers" / "kafka" / "pom.xml", KAFKA_LIBS)
