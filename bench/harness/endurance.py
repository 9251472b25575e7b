"""The long form: steady load with retention active, minute by minute. Is the last minute as good as the first?

One side after the other, each for so many minutes: 16 KiB batches at 500/s into six partitions that keep 256 MB each, and records at 1,000/s
that a consumer at the end waits for. A minute's figures are latency (end to end), CPU per record, resident memory and what is on the disk.
"""
import json
import sys
import threading

from . import loads, measure, nodes
from .row import Stage

MINUTE = 60
# How much worse than the first (the second, as the first warms up) the last minute may be: factor and, for noise, something on top.
ALLOWED = {"p50 ms": (1.5, 0.2), "p99 ms": (2.0, 5.0), "CPU us/record": (1.3, 5.0), "memory MB": (1.2, 20.0)}


def minute(side, bulk, tail, seconds):
    found = {}
    writer = threading.Thread(target=lambda: found.update(side.wire("produce", bulk, rate=500, seconds=seconds)))
    writer.start()
    result = side.wire("tail", tail, rate=1000, seconds=seconds)
    writer.join()
    on_disk = sum(path.stat().st_size for broker in side.brokers for path in broker.data_dir.glob("*/*.log"))
    return {"p50 ms": result["p50"], "p99 ms": result["p99"], "p99.9 ms": result["p999"],
            "CPU us/record": result["cpu"] * 1e6 / (1000 * seconds), "memory MB": side.resident_mb(), "on disk MB": on_disk / 1e6}


def one_side(kind, minutes, seconds):
    stage = Stage(properties=(("log.retention.check.interval.ms", "5000"),))
    side = measure.make_side(kind, stage, "long")
    lines = []
    try:
        side.format()
        side.start()
        measure.warm_up(side)
        bulk = side.topic(6, retention_bytes=256_000_000, segment_bytes=64_000_000)
        tail = side.topic(1, retention_bytes=256_000_000, segment_bytes=64_000_000)
        for number in range(max(3, round(minutes * MINUTE / seconds))):
            lines.append(minute(side, bulk, tail, seconds))
            shown = ", ".join(f"{name} {figure:.4g}" for name, figure in lines[-1].items())
            print(f"  {kind} {number + 1}: {shown}", file=sys.stderr, flush=True)
    finally:
        side.destroy()
    return lines


def verdicts(lines):
    first, last = lines[1], lines[-1]
    return {name: last[name] <= first[name] * factor + more for name, (factor, more) in ALLOWED.items()}


def run(minutes, kinds, out):
    """0 when Samsa's last minute is as good as its first. Less than three minutes are cut into windows of a third each."""
    seconds = min(MINUTE, max(5, int(minutes * MINUTE / 3)))
    found = {kind: one_side(kind, minutes, seconds) for kind in kinds}
    out.write_text(json.dumps({"seconds of a window": seconds, "windows": found}, indent=1))
    good = True
    for kind, lines in found.items():
        for name, kept in verdicts(lines).items():
            print(f"{nodes.TITLES[kind]}: {name}: {lines[1][name]:.4g} in the second window, {lines[-1][name]:.4g} in the last"
                  f"{'' if kept else ': WORSE'}")
            good = good and (kept or kind != "samsa")
    return 0 if good else 1
