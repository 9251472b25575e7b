#!/usr/bin/env python3
"""Where the hot roads spend their work: one node with one shard, one scenario at a time.

    bench/profile.py instructions [scenario...]     instructions per request by callgrind, and the functions that cost most
    bench/profile.py flame [scenario...]            flame graphs of the CPU's time by perf, as SVG, into build/profile/, and the share of each call
    bench/profile.py --list

SAMSA_BIN names another binary than build/release/samsa, WIRELOAD another load generator than build/release/wireload. Instructions are of
the program itself, without the kernel; they hardly depend on what else the machine does.
"""
import argparse
import collections
import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from peers import broker as peers  # noqa: E402
from peers.tools import SamsaTools  # noqa: E402

TOPIC = "profile"
OUT = ROOT / "build" / "profile"
WIRELOAD = Path(os.environ.get("WIRELOAD", ROOT / "build" / "release" / "wireload"))

# mode, requests (consume: records) that warm up and those that are measured, options of wireload.
SCENARIOS = {
    "produce-small": ("produce", 400, 2000, {"size": 100, "batch": 100, "inflight": 1, "acks": -1}),
    "produce-16k": ("produce", 400, 2000, {"size": 1024, "batch": 16384, "inflight": 1, "acks": -1}),
    "produce-100b": ("produce", 100, 500, {"size": 100, "batch": 131072, "inflight": 1, "acks": -1}),
    "produce-128k": ("produce", 100, 500, {"size": 1024, "batch": 131072, "inflight": 1, "acks": -1}),
    "produce-spread": ("produce", 400, 2000, {"size": 100, "batch": 100, "inflight": 1, "acks": -1, "spread": 1}),
    "consume": ("consume", 20_000, 20_000, {}),
    "tail": ("tail", 0, 1000, {"size": 1024, "rate": 1000}),
}


def wireload(broker, mode, topic, **options):
    command = [str(WIRELOAD), mode, broker.bootstrap, topic, *(f"{key}={value}" for key, value in options.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def run(broker, scenario, warm):
    """The scenario's load; the number of requests that were answered."""
    mode, first, then, options = SCENARIOS[scenario]
    count = first if warm else then
    if count == 0:
        return 0
    if mode == "tail":
        return wireload(broker, mode, TOPIC, seconds=max(1, count // options["rate"]), **options)["records"]
    if mode == "consume":
        if warm:
            wireload(broker, "produce", TOPIC, records=2 * count, size=1024, batch=16384)
        return wireload(broker, mode, TOPIC, records=count)["requests"]
    per_request = max(1, options["batch"] // options["size"]) * (4 if options.get("spread") else 1)
    return wireload(broker, mode, TOPIC, records=count * per_request, **options)["requests"]


class Profiled(peers.Samsa):
    prefix: list[str] = []
    start_timeout = 120.0

    def server_command(self):
        program, *rest = super().server_command()
        if not self.prefix:
            return [program, *rest]
        # Valgrind cannot read the compiler's debug information; names of functions are enough.
        subprocess.run(["objcopy", "--strip-debug", program, str(OUT / "samsa-without-debug")], check=True)
        return [*self.prefix, str(OUT / "samsa-without-debug"), *rest]


def start(name, prefix=()):
    shutil.rmtree(OUT / f"node-{name}", ignore_errors=True)
    node = Profiled(OUT / f"node-{name}", **{"samsa.shards": "1", "num.partitions": "4"})
    node.prefix = list(prefix)
    node.create()
    done = subprocess.run(SamsaTools().command("kafka-topics", "--bootstrap-server", node.bootstrap, "--create", "--topic", TOPIC, "--partitions", "4"),
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    return node


# ---- Instructions

def functions_of(profile):
    """(inclusive instructions, function) of one of callgrind's files, most first."""
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", str(profile)], capture_output=True, text=True,
                          check=True).stdout
    found = []
    for line in text.splitlines():
        if hit := re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+\S*?:(.*?)(?: \[.*\])?$", line):
            found.append((int(hit[1].replace(",", "")), hit[2]))
    total = re.search(r"([\d,]+) \([\d.]+%\)\s+PROGRAM TOTALS", text)
    return int(total[1].replace(",", "")), found


def instructions(scenario, lines):
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob(f"callgrind.{scenario}*"):
        old.unlink()
    node = start("callgrind", ["valgrind", "--tool=callgrind", f"--callgrind-out-file={OUT}/callgrind.{scenario}", f"--log-file={OUT}/valgrind.log"])
    try:
        run(node, scenario, True)
        pid = str(node.process.pid)
        subprocess.run(["callgrind_control", "--zero", pid], check=True, capture_output=True)
        requests = run(node, scenario, False)
        subprocess.run(["callgrind_control", "--dump", pid], check=True, capture_output=True)
        time.sleep(1)
    finally:
        node.destroy()
    total, found = functions_of(OUT / f"callgrind.{scenario}.1")
    print(f"{scenario}: {total / requests:.0f} instructions a request ({requests} requests)")
    for cost, name in found[:lines]:
        print(f"  {cost / requests:9.0f}  {name[:150]}")
    return total / requests


# ---- Flame graphs

def stacks_of(data):
    """{(outermost, ..., innermost): samples} of a recording of perf."""
    text = subprocess.run(["perf", "script", "-i", str(data), "-F", "comm,ip,sym"], capture_output=True, text=True, check=True).stdout
    stacks, frames = collections.Counter(), []
    for line in text.splitlines() + [""]:
        if not line.strip():
            if frames:
                stacks[tuple(reversed(frames))] += 1
            frames = []
        elif line[0] in " \t":
            name = line.split(None, 1)[1] if len(line.split(None, 1)) > 1 else "?"
            frames.append(short(name.strip()))
    return stacks


def short(name):
    name = re.sub(r"samsa::|std::__cxx11::|\(anonymous namespace\)::| \[clone .*?\]|\.(resume|destroy|cleanup)$", "", name)
    for _ in range(8):
        shorter = re.sub(r"<[^<>]*>", "", name)
        if shorter == name:
            break
        name = shorter
    return re.sub(r"\(.*", "", name) or "?"


def flame_svg(stacks, title, width=1200, row=17):
    """A flame graph: width is CPU time, a frame stands on its caller. No script in it: the title of each box says what it is."""
    tree = {}
    for stack, count in stacks.items():
        level = tree
        for name in stack:
            level = level.setdefault(name, [0, {}])
            level[0] += count
            level = level[1]
    total = sum(stacks.values())
    boxes, deepest = [], 0

    def place(level, left, depth):
        nonlocal deepest
        for name, (count, inner) in sorted(level.items()):
            wide = count / total * width
            if wide >= 0.7:
                boxes.append((left, depth, wide, name, count))
                deepest = max(deepest, depth)
                place(inner, left, depth + 1)
            left += wide

    place(tree, 0.0, 0)
    height = (deepest + 2) * row + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="monospace" font-size="11">',
           f'<rect width="{width}" height="{height}" fill="#fdfdfa"/><text x="4" y="13">{html.escape(title)} ({total} samples)</text>']
    for left, depth, wide, name, count in boxes:
        kernel = "[k]" in name or name.startswith(("sys_", "do_", "tcp_", "__x64", "entry_SYSCALL", "x64_sys", "ext4", "copy_"))
        hue = 210 if kernel else 20 + sum(map(ord, name)) % 35
        top = height - (depth + 1) * row - 4
        text = name[:int(wide / 6.7)] if wide > 24 else ""
        out.append(f'<g><title>{html.escape(name)}: {count / total:.1%}</title><rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{row - 1}" '
                   f'fill="hsl({hue},75%,72%)"/><text x="{left + 2:.1f}" y="{top + 12}">{html.escape(text)}</text></g>')
    return "\n".join(out) + "\n</svg>\n"


CALLS = {"pwritev": "write to the log", "sendfile": "sendfile", "sendmsg": "send", "recv": "receive", "epoll_wait": "poll", "pread": "read the log",
         "ksys_write": "wake another thread"}


def shares(stacks):
    """{what: share of the samples}: by the system call that a stack is in; what is in none is the node's own code."""
    found = collections.Counter()
    for stack, count in stacks.items():
        call = next((said for name, said in CALLS.items() if any(re.match(rf"(__x64_sys_|ksys_|__sys_|do_|__libc_|__GI___?)?{name}", frame) for frame in stack)),
                    "the node's own code")
        found[call] += count
    total = sum(found.values())
    return {what: count / total for what, count in found.most_common()}


def flame(scenario, seconds):
    OUT.mkdir(parents=True, exist_ok=True)
    mode, _, _, options = SCENARIOS[scenario]
    node = start("perf")
    try:
        run(node, scenario, True)
        data = OUT / f"perf.{scenario}"
        record = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "--call-graph", "dwarf,16384", "-p", str(node.process.pid),
                                   "-o", str(data), "--", "sleep", str(seconds)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        until = time.monotonic() + seconds
        while time.monotonic() < until:  # Several requests under way, so that it is the work that shows and not the waiting.
            if mode == "consume":
                wireload(node, mode, TOPIC, again=1, seconds=seconds)
            else:
                wireload(node, mode, TOPIC, **({"seconds": seconds} | options | ({"inflight": 5} if mode == "produce" else {})))
        record.wait(60)
    finally:
        node.destroy()
    stacks = stacks_of(data)
    svg = OUT / f"{scenario}.svg"
    svg.write_text(flame_svg(stacks, f"samsa, {scenario}: CPU time of the node"))
    data.unlink()
    print(f"{svg}: {sum(stacks.values())} samples; " + ", ".join(f"{what} {share:.0%}" for what, share in shares(stacks).items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["instructions", "flame"], nargs="?")
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--lines", type=int, default=40, help="functions shown")
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    if options.list or options.what is None:
        for name, (mode, _, _, load) in SCENARIOS.items():
            print(f"{name:16} {mode} {load}")
        return
    for scenario in options.scenario or SCENARIOS:
        instructions(scenario, options.lines) if options.what == "instructions" else flame(scenario, options.seconds)


if __name__ == "__main__":
    main()
