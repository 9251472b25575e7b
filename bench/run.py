#!/usr/bin/env python3
"""Side by side: Samsa and Apache Kafka, same machine, same disk, same load, in turn.

    ./dev bench                      the short form: every row, three rounds
    ./dev bench produce latency      only rows whose name begins so
    ./dev bench --rounds 7 --json build/bench/result.json

Writes build/bench/result.md and result.json. The machine may be busy with other things: believe ratios and CPU time, not wall clock.
CPU is the broker process's own (user and system), memory its resident size.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from peers import broker as peers  # noqa: E402
from peers import rawwire  # noqa: E402

OUT = ROOT / "build" / "bench"
LOAD = OUT / "rdload"
# The heap and collector that Apache Kafka's own start script sets.
AS_SHIPPED = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
              "-XX:+ExplicitGCInvokesConcurrent"]
TICKS = os.sysconf("SC_CLK_TCK")


class ApacheAsShipped(peers.Apache):
    def server_command(self):
        command = super().server_command()
        return [command[0], *AS_SHIPPED, *[part for part in command[1:] if not part.startswith("-X")]]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def load(mode, broker, topic, **options):
    command = [str(LOAD), mode, broker.bootstrap, topic, *[f"{key}={value}" for key, value in options.items()]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def create_topic(broker, topic, partitions):
    subprocess.run(["kcat", "-b", broker.bootstrap, "-L", "-t", topic], capture_output=True, check=True, timeout=60)
    return partitions


def under_load(broker, mode, topic, **options):
    """One load run with what it cost the broker."""
    before, started = cpu_seconds(broker.process.pid), time.monotonic()
    result = load(mode, broker, topic, **options)
    time.sleep(0.2)
    result["cpu"] = cpu_seconds(broker.process.pid) - before
    result["wall"] = time.monotonic() - started
    if result["errors"]:
        raise RuntimeError(f"{broker.kind} {mode} {options}: {result['errors']} errors")
    return result


def per_volume(result):
    return {
        "MB/s": result["bytes"] / 1e6 / result["seconds"],
        "records/s": result["records"] / result["seconds"],
        "CPU s/GB": result["cpu"] / (result["bytes"] / 1e9),
        "CPU s/million": result["cpu"] / (result["records"] / 1e6),
    }


# Rows. Each takes (broker, round number) and gives {measure: figure}.

def produce(size, batch, linger, records, **more):
    def run(broker, number):
        topic = f"p-{size}-{batch}-{linger}-{number}"
        create_topic(broker, topic, 1)
        return per_volume(under_load(broker, "produce", topic, records=records, size=size, batch=batch, linger=linger, **more))
    return run


def consume(size, records):
    def run(broker, number):
        topic = f"c-{size}"
        if number == 0:
            create_topic(broker, topic, 1)
            load("produce", broker, topic, records=records, size=size)
        return per_volume(under_load(broker, "consume", topic, records=records))
    return run


def latency(rate, linger, seconds):
    def run(broker, number):
        topic = f"l-{rate}-{linger}"
        create_topic(broker, topic, 1)
        result = under_load(broker, "latency", topic, rate=rate, seconds=seconds, size=1024, linger=linger)
        return {"p50 ms": result["p50"], "p99 ms": result["p99"], "p99.9 ms": result["p999"],
                "CPU ms/record": result["cpu"] * 1000 / (rate * seconds)}
    return run


def idle(broker, number):
    before = cpu_seconds(broker.process.pid)
    time.sleep(5)
    return {"CPU %": (cpu_seconds(broker.process.pid) - before) / 5 * 100, "memory MB": resident_mb(broker.process.pid)}


def memory(broker, number):
    return {"memory MB": resident_mb(broker.process.pid)}


ROWS = {
    "idle": idle,
    "produce 1 KiB, batch 128 KiB": produce(1024, 131072, 10, 400_000),
    "produce 1 KiB, batch 16 KiB, linger 0": produce(1024, 16384, 0, 200_000),
    "produce 100 B, batch 128 KiB": produce(100, 131072, 10, 1_500_000),
    "produce 100 B, batch 16 KiB, linger 0": produce(100, 16384, 0, 700_000),
    "produce 1 KiB, lz4": produce(1024, 131072, 10, 400_000, codec="lz4"),
    "produce 1 KiB, idempotent": produce(1024, 131072, 10, 400_000, idempotent=1),
    "consume 1 KiB": consume(1024, 400_000),
    "latency 1,000/s, linger 0": latency(1000, 0, 8),
    "latency 10,000/s, linger 5": latency(10000, 5, 8),
    "memory after load": memory,
}


def wait_until_it_answers(broker, started):
    while time.monotonic() - started < 60:
        try:
            with rawwire.Connection("127.0.0.1", broker.port, timeout=5) as connection:
                if rawwire.live_brokers(connection) > 0:
                    return time.monotonic()
        except OSError:
            time.sleep(0.001)
    raise RuntimeError(f"{broker.kind} did not start")


def start_up(broker, first):
    """Start, and one record acknowledged. `first`: a fresh directory."""
    if first:
        broker.format()
    started = time.monotonic()
    broker.start(wait=False)
    answered = wait_until_it_answers(broker, started)
    load("produce", broker, "start-up", records=1, size=100, linger=0)
    return {"answers s": answered - started, "first record s": time.monotonic() - started, "CPU s": cpu_seconds(broker.process.pid)}


def prepare_load():
    OUT.mkdir(parents=True, exist_ok=True)
    source = ROOT / "bench" / "load" / "rdload.cc"
    if not LOAD.exists() or LOAD.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["clang++-19", "-std=c++20", "-O2", str(source), "-o", str(LOAD), "-lrdkafka", "-lpthread"], check=True)


def measure(rows, rounds):
    """{row: {kind: {measure: [figure of each round]}}}; the two brokers take turns, each alone on the machine."""
    found = {}

    def note(row, kind, figures):
        for name, figure in figures.items():
            found.setdefault(row, {}).setdefault(kind, {}).setdefault(name, []).append(figure)

    brokers = {"samsa": peers.Samsa, "apache": ApacheAsShipped}
    made = {}
    for kind, make in brokers.items():
        directory = OUT / f"node-{kind}"
        shutil.rmtree(directory, ignore_errors=True)
        made[kind] = make(directory)
    try:
        for number in range(rounds):
            for kind, broker in made.items():
                print(f"round {number + 1} of {rounds}: {kind}", file=sys.stderr, flush=True)
                note("start, fresh directory" if number == 0 else "start again", kind, start_up(broker, number == 0))
                for name, run in rows.items():
                    print(f"  {name}", file=sys.stderr, flush=True)
                    note(name, kind, run(broker, number))
                stopped = time.monotonic()
                broker.stop()
                note("stop", kind, {"s": time.monotonic() - stopped})
    finally:
        for broker in made.values():
            broker.kill9()
    return found


def figure(values):
    middle = statistics.median(values)
    text = f"{middle:,.0f}" if middle >= 100 else f"{middle:.2f}" if middle >= 1 else f"{middle:.4f}"
    if len(values) > 1:
        text += f" ({min(values):.3g} to {max(values):.3g})"
    return text


def table(found):
    lines = ["| row | measure | Samsa | Apache Kafka | Samsa / Kafka |", "|---|---|---|---|---|"]
    for row, kinds in found.items():
        for name in kinds["samsa"]:
            ours, theirs = kinds["samsa"][name], kinds["apache"][name]
            below = statistics.median(theirs)
            ratio = f"{statistics.median(ours) / below:.3f}" if below else "-"
            lines.append(f"| {row} | {name} | {figure(ours)} | {figure(theirs)} | {ratio} |")
    return "\n".join(lines)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}, loopback, Apache Kafka 4.3.1 as shipped (heap 1 GB), page cache (no sync)"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names of rows, by their beginning; none: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=OUT / "result.json")
    arguments = parser.parse_args()
    rows = {name: run for name, run in ROWS.items() if not arguments.rows or any(name.startswith(w) for w in arguments.rows)}
    if not rows:
        parser.error("no row has such a name; rows: " + "; ".join(ROWS))
    prepare_load()
    found = measure(rows, arguments.rounds)
    text = f"{machine()}, {arguments.rounds} rounds in turn; median (least to most)\n\n{table(found)}\n"
    arguments.json.write_text(json.dumps({"machine": machine(), "rounds": arguments.rounds, "rows": found}, indent=1))
    arguments.json.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
