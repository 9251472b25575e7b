"""The table of metrics, src/metrics/names.def, and how a name of Kafka's becomes one of Prometheus': our own reading of the rule,
beside the one in src/metrics/names.cc, so that the two check each other.

    python tests/metrics/table.py --write    puts the table into docs/METRICS.md
"""

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = ROOT / "src" / "metrics" / "names.def"
PAGE = ROOT / "docs" / "METRICS.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"

QUANTILES = {"50th": "0.50", "75th": "0.75", "95th": "0.95", "98th": "0.98", "99th": "0.99", "999th": "0.999"}


@dataclass
class Row:
    section: str
    mbean: str
    attribute: str
    kind: str
    unit: str
    help: str

    @property
    def ours(self) -> bool:
        return ":" not in self.mbean

    def families(self) -> dict[str, str]:
        """Prometheus name -> type, of everything that this row shows."""
        if self.ours:
            base = self.mbean
        else:
            domain, keys = parse_mbean(self.mbean.replace("[", "").replace("]", ""))
            base = base_name(domain, keys, meter=self.kind == "kMeter")
            if self.attribute:
                base += "_" + word(self.attribute)
        if self.kind == "kMeter":
            return {f"{base}_total": "counter", f"{base}_{'rate' if self.attribute else 'oneminuterate'}": "gauge"}
        if self.kind in ("kHistogram", "kTimer"):
            return {base: "summary", f"{base}_max": "gauge"}
        return {base: "counter" if self.kind == "kCounter" else "gauge"}

    def labels(self) -> list[set[str]]:
        """The sets of label keys that its values may have."""
        if self.ours:
            return []
        optional = re.search(r"\[(.*)\]", self.mbean)
        keys = set(re.findall(r"([\w-]+)=\*", self.mbean))
        return [keys] + ([keys - set(re.findall(r"([\w-]+)=\*", optional.group(1)))] if optional else [])


def word(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", text.lower())


def parse_mbean(name: str) -> tuple[str, dict[str, str]]:
    domain, properties = name.split(":", 1)
    return domain, dict(re.findall(r'([\w-]+)=("[^"]*"|[^,]*)', properties))


def base_name(domain: str, keys: dict[str, str], meter: bool) -> str:
    parts = [word(domain), word(keys["type"])]
    if "name" in keys:
        name = keys["name"]
        if meter:
            name = name.removesuffix("PerSec")
        parts.append(word(name.removesuffix("Percent")) + "_percent" if name.endswith("Percent") else word(name))
    return "_".join(parts)


def rows() -> list[Row]:
    found, section = [], ""
    for line in NAMES.read_text().splitlines():
        if line.startswith("// ---- "):
            section = line.removeprefix("// ---- ")
        if not line.startswith("SAMSA_METRIC("):
            continue
        columns = re.sub(r"\b(k\w+)\b(?=,)", r'"\1"', line.removeprefix("SAMSA_METRIC").replace("'", "\\'"), count=1)
        columns = re.sub(r", (k\w+), (k\w+),", r', "\1", "\2",', columns)
        _, mbean, attribute, kind, _, unit, text = ast.literal_eval(columns)
        found.append(Row(section, mbean, attribute, kind, unit, text))
    return found


def shown_mbean(row: Row) -> str:
    if row.ours:
        return "(ours)"
    what = f" {row.attribute}" if row.attribute else ""
    if row.kind == "kMeter" and row.attribute:
        what += "-total, -rate"
    return f"`{row.mbean}`{what}"


def markdown() -> str:
    text, section = "", None
    for row in rows():
        if row.section != section:
            section = row.section
            text += f"\n### {section}\n\n| Prometheus | MBean | unit | meaning |\n|---|---|---|---|\n"
        names = ", ".join(f"`{name}`" for name in row.families())
        text += f"| {names} | {shown_mbean(row)} | {row.unit} | {row.help} |\n"
    return text


def written() -> str:
    return PAGE.read_text().split(BEGIN)[1].split(END)[0]


if __name__ == "__main__" and "--write" in sys.argv:
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    PAGE.write_text(head + BEGIN + markdown() + END + rest.split(END)[1])
