"""The table of settings (src/config/settings.def) equals what Apache Kafka 4.3.1 defines: every name, type, default, importance,
permitted values, and where a broker setting may change while the broker runs. Kafka's side is read from its own classes."""

import re
import subprocess

import pytest

from peers.maven import kafka_libs
from peers.paths import BUILD, REPO, TESTS

ROW = re.compile(r'SAMSA_SETTING\((\w+), "([^"]+)", (\w+), (required\(\)|null\(\)|text\("((?:[^"\\]|\\.)*)"\)), (\w+\([^)]*\)), (\w+), (\w+), '
                 r'(true|false),\n\s+"(.+)"\)')
TYPES = {"kBoolean": "BOOLEAN", "kString": "STRING", "kInt": "INT", "kShort": "SHORT", "kLong": "LONG", "kDouble": "DOUBLE", "kList": "LIST",
         "kClass": "CLASS", "kPassword": "PASSWORD"}
SCOPES = {"kReadOnly": "read-only", "kPerBroker": "per-broker", "kClusterWide": "cluster-wide"}


@pytest.fixture(scope="module")
def kafka():
    """(settings by kind and name, synonyms) as Kafka's classes have them."""
    libs, home = kafka_libs(), BUILD / "config"
    home.mkdir(parents=True, exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-Xlint:none", "-cp", f"{libs}/*", "-d", str(home), str(TESTS / "config" / "SettingsDump.java")],
                   check=True, timeout=120)
    out = subprocess.run(["java", "-cp", f"{home}:{libs}/*", "SettingsDump"], check=True, capture_output=True, text=True, timeout=120).stdout
    settings, synonyms = {}, {}
    for line in out.splitlines():
        fields = line.split("\t")
        if fields[0] == "synonym":
            synonyms[fields[1]] = fields[2]
        elif len(fields) == 8:
            settings[fields[0], fields[1]] = fields[2:]
    assert len(settings) > 400
    return settings, synonyms


def ours():
    rows = {}
    for match in ROW.finditer((REPO / "src" / "config" / "settings.def").read_text()):
        kind, name, kind_of_value, default, text, check, importance, scope, internal, _ = match.groups()
        value = "(required)" if default == "required()" else "(null)" if default == "null()" else text.replace('\\"', '"').replace("\\\\", "\\")
        rows[kind, name] = [TYPES[kind_of_value], value, importance[1:].upper(), internal, SCOPES[scope], check]
    assert len(rows) == (REPO / "src" / "config" / "settings.def").read_text().count("\nSAMSA_SETTING(")
    return rows


def in_our_words(check):
    """A validator as SettingsDump prints it, in the words of settings.def."""
    rule, _, rest = check.partition(" ")
    if check == "any":
        return "any()"
    if rule == "Range":
        low, high = re.fullmatch(r"\[(.+?),\.\.\.(?:,(.+))?\]", rest).groups()
        return f"between({low}, {high})" if high else f"at_least({low})"
    if rule == "list":
        words, empty, nulls = re.fullmatch(r"(.*) (true|false) (true|false)", rest).groups()
        return f'list_of("{words.strip("[]").replace(", ", ",")}", {empty}, {nulls})'
    if rule == "ValidString":
        return f'one_of("{rest.strip("[]").replace(", ", ",")}")'
    if rule == "CaseInsensitiveValidString":
        return f'one_of_no_case("{rest[rest.index("[") + 1:-1].replace(", ", ",")}")'
    return {"NonEmptyString": "non_empty()", "NonNullValidator": "non_null()", "LambdaValidator": "gzip_level()",
            "ThrottledReplicaListValidator": "throttled_replicas()", "ControllerQuorumVotersValidator": "quorum_voters()",
            "ControllerQuorumBootstrapServersValidator": "bootstrap_servers()", "Validator": "share_reset()"}[rule]


def test_every_setting_is_kafkas(kafka):
    settings, _ = kafka
    mine = ours()
    theirs = {}
    for (kind, name), (value_type, default, importance, internal, scope, check) in settings.items():
        if kind == "kDynamicOnly":  # Exists only once it is set: internal in our table, so that it is not listed.
            kind, internal = "kBroker", "true"
        scope = scope if kind == "kBroker" else "cluster-wide"
        theirs[kind, name] = [value_type, default, importance, internal, scope, in_our_words(check)]
    missing = sorted(set(theirs) - set(mine))
    extra = sorted(key for key in set(mine) - set(theirs) if not key[1].startswith("samsa."))
    different = [f"{key}: Kafka has {theirs[key]}, we have {mine[key]}" for key in sorted(set(theirs) & set(mine)) if theirs[key] != mine[key]]
    assert not missing and not extra and not different, "\n".join([f"missing: {missing}", f"extra: {extra}", *different])


def test_topic_settings_take_kafkas_broker_settings(kafka):
    _, synonyms = kafka
    source = (REPO / "src" / "config" / "settings.cc").read_text()
    table = source[source.index("kTopicSynonyms[] = {"):]
    mine = dict(re.findall(r'\{"([^"]+)", "([^"]+)"\}', table[: table.index("};")]))
    assert mine == synonyms


def test_every_setting_says_in_a_line_what_it_is_for():
    for match in ROW.finditer((REPO / "src" / "config" / "settings.def").read_text()):
        assert 10 < len(match.group(10)) < 160, match.group(2)
