"""The long form: steady load with retention active, window by window. Is the end as good as the beginning?

One side after the other, each for so many minutes: 16 KiB batches at 500/s into six partitions that keep 256 MB each, and records at 1,000/s
that a consumer at the end waits for. A window's figures are latency (end to end), CPU per record, resident memory and what is on the disk.

A machine whose processors have moved apart since, or together (bench/load/apart.cc), needs up to twice or half the CPU for the same work; then nothing
is said of CPU.

The verdict compares medians: of the first quarter of the windows, without the very first, which warms up, and of the last quarter. What else the
machine does moves single windows by any factor, so the spread of a quarter is stated, and there are three answers: the end is as good; it is worse,
its better windows too (the first quartile); or only some of its windows are, which says nothing, and the run has to be made again.
"""
import json
import statistics
import sys
import threading

from . import loads, measure, nodes
from .row import APART, Stage, is_far

MINUTE = 60
FEWEST = 8  # Windows: two for either end at least.
# How much worse than the beginning the end may be: factor and something on top.
ALLOWED = {"p50 ms": (1.5, 0.2), "p99 ms": (2.0, 5.0), "CPU us/record": (1.3, 5.0), "memory MB": (1.2, 20.0)}


def window(side, bulk, tail, seconds):
    found, before = {}, loads.apart()
    writer = threading.Thread(target=lambda: found.update(side.wire("produce", bulk, rate=500, seconds=seconds)))
    writer.start()
    result = side.wire("tail", tail, rate=1000, seconds=seconds)
    writer.join()
    if not found.get("records"):
        raise RuntimeError("the producer has written nothing")
    on_disk = sum(path.stat().st_size for broker in side.brokers for path in broker.data_dir.glob("*/*.log"))
    return {"p50 ms": result["p50"], "p99 ms": result["p99"], "p99.9 ms": result["p999"],
            "CPU us/record": result["cpu"] * 1e6 / (1000 * seconds), "memory MB": side.resident_mb(), "on disk MB": on_disk / 1e6,
            APART: statistics.mean((before, loads.apart()))}


def windows_of(minutes):
    """(how many, seconds of each): minutes, or for a short run as many as the verdict needs, of five seconds at least."""
    count = max(FEWEST, round(minutes))
    return count, min(MINUTE, max(5, round(minutes * MINUTE / count)))


def one_side(kind, count, seconds):
    stage = Stage(properties=(("log.retention.check.interval.ms", "5000"),))
    side = measure.make_side(kind, stage, "long")
    lines = []
    try:
        side.format()
        side.start()
        measure.warm_up(side)
        bulk = side.topic(6, retention_bytes=256_000_000, segment_bytes=64_000_000)
        tail = side.topic(1, retention_bytes=256_000_000, segment_bytes=64_000_000)
        for number in range(count):
            lines.append(window(side, bulk, tail, seconds))
            shown = ", ".join(f"{name} {figure:.4g}" for name, figure in lines[-1].items())
            print(f"  {kind} {number + 1}/{count}: {shown}", file=sys.stderr, flush=True)
    finally:
        side.destroy()
    return lines


GOOD, WORSE, NOISY = "as good", "WORSE", "TOO NOISY to tell"


def quartiles(figures):
    return statistics.quantiles(figures, n=4, method="inclusive")


def verdicts(lines):
    """{measure: (median at the beginning, at the end, the wider spread of the two between quartiles, the answer)}"""
    quarter = max(2, len(lines) // 4)
    found, ends = {}, (lines[1:quarter + 1], lines[-quarter:])
    far_at_first, far_at_last = (is_far(statistics.mean(line[APART] for line in part)) for part in ends)
    for name, (factor, more) in ALLOWED.items():
        first, last = (quartiles([line[name] for line in part]) for part in ends)
        limit = first[1] * factor + more
        answer = GOOD if last[1] <= limit else WORSE if last[0] > limit else NOISY
        if name.startswith("CPU") and far_at_first != far_at_last:
            answer = NOISY
        found[name] = first[1], last[1], max(low_to_high[2] - low_to_high[0] for low_to_high in (first, last)), answer
    return found


def run(minutes, kinds, out):
    """0 when Samsa's end is as good as its beginning, 1 when it is worse, 2 when noise hides which."""
    count, seconds = windows_of(minutes)
    found = {kind: one_side(kind, count, seconds) for kind in kinds}
    said = {kind: verdicts(lines) for kind, lines in found.items()}
    for kind, measures in said.items():
        for name, (before, after, noise, answer) in measures.items():
            print(f"{nodes.TITLES[kind]}: {name}: {before:.4g} at the beginning, {after:.4g} at the end, noise {noise:.2g}: {answer}")
    out.write_text(json.dumps({"seconds of a window": seconds, "windows": found, "verdicts": said}, indent=1))
    answers = {answer for *_, answer in said.get("samsa", {}).values()}
    return 1 if WORSE in answers else 2 if NOISY in answers else 0
