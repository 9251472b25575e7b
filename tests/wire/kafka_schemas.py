"""Message schemas as the jars of Apache Kafka carry them (*.json), reduced to what goes over the wire.

Both sides are brought to one form: every range is cut to the versions that the message really has, structs are followed to where
they are used, and what cannot be told apart on the wire (a default that is written out or not, say) is written one way.
"""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from peers import maven
from peers.paths import BUILD, REPO

VERSIONS = ("4.3.1", "4.4.0")
OPEN = 32767
PACKAGES = {  # jar: package of the classes made from its schemas
    "kafka-clients": "org.apache.kafka.common.message",
    "kafka-metadata": "org.apache.kafka.common.metadata",
    "kafka-group-coordinator": "org.apache.kafka.coordinator.group.generated",
    "kafka-transaction-coordinator": "org.apache.kafka.coordinator.transaction.generated",
    "kafka-share-coordinator": "org.apache.kafka.coordinator.share.generated",
    "kafka-storage": "org.apache.kafka.server.log.remote.metadata.storage.generated",
}
KINDS = {"coordinator-key": "key", "coordinator-value": "value"}
NUMBERS = {"int8", "int16", "uint16", "int32", "uint32", "int64", "float64"}


def jars(version: str) -> Path:
    return maven.copy_dependencies(Path(__file__).with_name("pom.xml"), BUILD / "wire" / version, f"-Dkafka.version={version}")


def kafka_messages(version: str) -> dict:
    """name -> schema of every message that still has a version; `class` is added."""
    found = {}
    for artifact, package in PACKAGES.items():
        with zipfile.ZipFile(jars(version) / f"{artifact}-{version}.jar") as jar:
            for name in jar.namelist():
                if name.endswith(".json"):
                    schema = json.loads(re.sub(r"^\s*//.*$", "", jar.read(name).decode(), flags=re.M))
                    if isinstance(schema, dict) and schema.get("validVersions", "none") != "none":
                        data = "Data" if schema["type"] in ("request", "response", "header") else ""
                        schema["class"] = f"{package}.{schema['name']}{data}"
                        found[schema["name"]] = schema
    return found


def cut(text: str | None, within: tuple) -> tuple | None:
    """'3+', '1-4', '2' or 'none' as (low, high) within another range; None where nothing is left."""
    if not text or text == "none" or within is None:
        return None
    low, _, high = text.rstrip("+").partition("-")
    high = OPEN if text.endswith("+") else int(high or low)
    low, high = max(int(low), within[0]), min(high, within[1])
    return (low, high) if low <= high else None


def default_of(kind: str, array: bool, text) -> object:
    """A field's default in one spelling: None is null, '' an empty string, bytes, array or struct. A JSON null is no default."""
    if text == "null":
        return None
    if array or kind not in NUMBERS | {"bool"}:
        return None if kind == "records" else ""
    if kind == "bool":
        return str(text).lower() == "true"
    return float(text or 0) if kind == "float64" else int(str(text) or "0", 0)


def normal_field(name, kind, versions, tagged, nullable, ignorable, default, within, compact, inner):
    array, kind = kind.startswith("[]"), kind.removeprefix("[]")
    return {
        "name": name, "type": ("[]" if array else "") + ("struct " + kind if inner is not None else kind), "versions": versions,
        "tag": tagged, "nullable": nullable, "default": default_of(kind, array, default), "compact": compact,
        # Matters only where some version of the surrounding struct lacks the field.
        "ignorable": ignorable and versions != within, "fields": inner,
    }


def kafka_fields(fields, within, structs):
    result = []
    for f in fields:
        versions = cut(f.get("versions", f.get("taggedVersions")), within)
        if versions is None:
            continue
        base = f["type"].removeprefix("[]")
        inner = f.get("fields") or structs.get(base)
        tagged = cut(f.get("taggedVersions"), versions)
        assert tagged in (None, versions), f
        result.append(normal_field(
            f["name"], f["type"], versions, f["tag"] if tagged else None, cut(f.get("nullableVersions"), versions), f.get("ignorable", False),
            f.get("default", ""), within, f.get("flexibleVersions") != "none", None if inner is None else kafka_fields(inner, versions, structs)))
    return result


def kafka_normal(schema: dict) -> dict:
    valid = cut(schema["validVersions"], (0, OPEN))
    flexible = cut(schema.get("flexibleVersions"), valid)
    return {
        "name": schema["name"], "kind": KINDS.get(schema["type"], schema["type"]), "key": schema.get("apiKey", -1), "versions": valid,
        "flexible": flexible[0] if flexible else None, "listeners": sorted(schema.get("listeners", [])),
        "unstable": schema.get("latestVersionUnstable", False) and schema["type"] == "request",
        "fields": kafka_fields(schema["fields"], valid, {s["name"]: s["fields"] for s in schema.get("commonStructs", [])}),
    }


def our_fields(fields, within, structs, release):
    result = []
    for f in fields:
        versions = cut_range(f["versions"], within)
        if versions is None or (release == "4.3.1" and "since" in f["words"]):
            continue
        words = f["words"]
        nullable = cut_range(words.get("nullable"), versions)
        inner = structs.get(f["type"])
        name = words["was"] if release == "4.3.1" and "was" in words else f["kafka"]
        kind = ("[]" if f["array"] else "") + f["type"]
        result.append(normal_field(name, kind, versions, words.get("tag"), nullable, "ignorable" in words, words.get("default", ""), within,
                                   "classic" not in words, None if inner is None else our_fields(inner, versions, structs, release)))
    return result


def cut_range(own, within):
    if own is None:
        return None
    low, high = max(own[0], within[0]), min(own[1], within[1])
    return (low, high) if low <= high else None


def our_normal(message: dict, release: str, listeners=()) -> dict | None:
    valid = message["versions"] if release == "4.4.0" else message["versions_43"]
    if valid is None:
        return None
    valid = tuple(valid)
    return {
        "name": message["name"], "kind": "metadata" if message["kind"] == "remote" else message["kind"], "key": message["key"],
        "versions": valid, "flexible": max(message["flexible"], valid[0]) if message["flexible"] <= valid[1] else None, "listeners": sorted(listeners),
        "unstable": message["kind"] == "request" and message["unstable"] == valid[1],
        "fields": our_fields(message["fields"], valid, message["structs"], release),
    }


def our_messages(release: str) -> dict:
    """name -> what our definitions say of it in this release of Kafka."""
    definitions = sorted((REPO / "src" / "protocol").glob("*/*.api"))
    command = [sys.executable, str(REPO / "src" / "protocol" / "generate.py"), "--json", *map(str, definitions)]
    parsed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    result = []
    for one in parsed:
        if "request" in one:
            result += [our_normal(one["request"], release, one["props"]["listeners"]), our_normal(one["response"], release)]
        else:
            result.append(our_normal(one, release))
    return {m["name"]: m for m in result if m}
