"""One table of what was found, as Markdown and JSON, and the plots."""
import json
import os
import platform
import statistics
import subprocess
from pathlib import Path

from peers.paths import samsa_bin

from . import loads, plot
from .nodes import COMMON, SYNCED
from .row import APART, ROWS, better_when_greater, is_compared, pairs


def figure(value):
    magnitude = abs(value)
    return f"{value:,.0f}" if magnitude >= 100 else f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}" if magnitude >= 1 else f"{value:.3g}"


def cell(values):
    if not values:
        return "-"
    text = figure(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({figure(min(values))} to {figure(max(values))})"


def times_better(measure, kinds):
    """How many times better ours is than theirs, the median of the turns; None: not to be said."""
    found = pairs(measure, kinds.get("samsa", {}), kinds.get("apache", {})) if is_compared(measure) else []
    return statistics.median(found) if found else None


def times_cell(measure, kinds):
    ratio = times_better(measure, kinds)
    if ratio is not None:
        return f"{ratio:.1f}" if ratio >= 1 else f"**{ratio:.2f}**"
    return "no turns alike" if is_compared(measure) and APART in kinds.get("samsa", {}) else ""


def verdict(row, measure, ours):
    if measure not in row.target or not ours:
        return ""
    goal, mine = row.target[measure], statistics.median(ours)
    reached = mine >= goal if better_when_greater(measure) else mine <= goal
    return f"{figure(goal)} {'reached' if reached else '**missed**'}"


def table(found):
    lines = ["| row | measure | Samsa | Apache Kafka | times better | target |", "|---|---|---:|---:|---:|---|"]
    for name, kinds in found.figures.items():
        measures = list(dict.fromkeys(measure for figures in kinds.values() for measure in figures))
        for number, measure in enumerate(measures):
            ours, theirs = (kinds.get(kind, {}).get(measure, []) for kind in ("samsa", "apache"))
            lines.append(f"| {name if number == 0 else ''} | {measure} | {cell(ours)} | {cell(theirs)} | {times_cell(measure, kinds)} | "
                         f"{verdict(found.rows[name], measure, ours)} |")
    return "\n".join(lines)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1_000_000
    def said(command):
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            return "?"
    return {
        "processors": os.cpu_count(), "model": model, "memory GB": memory, "kernel": platform.release(),
        "congestion control": said(["sysctl", "-n", "net.ipv4.tcp_congestion_control"]),
        "samsa": said([str(samsa_bin()), "version"]) + " " + said(["git", "rev-parse", "--short", "HEAD"]),
        "apache": "Apache Kafka 4.3.1, heap 1 GB and collector as its start script sets them",
        "java": platform.java_ver()[0] or "OpenJDK 17", "librdkafka": said(["pkg-config", "--modversion", "rdkafka"]),
        "settings of both": COMMON, "rows with sync": SYNCED, "sync elsewhere": "none: acknowledged records are in the page cache",
        "load before": list(os.getloadavg()),
    }


def behind(found):
    lines = []
    for name, kinds in found.figures.items():
        for measure, ours in kinds.get("samsa", {}).items():
            ratio = times_better(measure, kinds)
            if ratio is not None and ratio < 1:
                lines.append(f"- behind: {name}, {measure}: {ratio:.2f} times; {cell(ours)} against {cell(kinds['apache'][measure])}")
            if "missed" in verdict(found.rows[name], measure, ours):
                lines.append(f"- target missed: {name}, {measure}: {cell(ours)}, target {figure(found.rows[name].target[measure])}")
    return lines


def write(found, rounds, out):
    out.parent.mkdir(parents=True, exist_ok=True)
    about = machine()
    place = {row.name: number for number, row in enumerate(ROWS)}  # As `list` names them, whatever was merged.
    found.figures = dict(sorted(found.figures.items(), key=lambda item: place[item[0]]))
    out.write_text(json.dumps({"machine": about, "rounds": rounds, "rows": found.figures, "failures": found.failures}, indent=1))
    head = (f"{about['processors']} processors ({about['model']}), {about['memory GB']} GB, Linux {about['kernel']}, loopback "
            f"({about['congestion control']}), one disk; {about['samsa']}; "
            f"{about['apache']}; librdkafka {about['librdkafka']}. {rounds} round{'s' if rounds > 1 else ''} in turn: median (least to most). "
            f"No sync but where the row says so.")
    if any(found.rows[name].stage.realtime for name in found.figures):
        head += (" In the rows of fairness brokers have real-time scheduling, and the quiet client goes before them; stretches in which the "
                 "machine stood are left out where others are to be had.")
    if loads.realtime:
        head += " The machine did other work meanwhile: brokers and loads ran with real-time scheduling. Believe ratios and CPU time."
    text = f"{head}\n\n{table(found)}\n"
    if lines := behind(found):
        text += "\n" + "\n".join(lines) + "\n"
    if found.failures:
        text += "\n" + "\n".join(f"- failed: {line}" for line in found.failures) + "\n"
    out.with_suffix(".md").write_text(text)
    plot.write(found, out.parent)
