"""A quiet client beside others: what its p99 is beside a flood, a catching-up consumer and a compaction, and how many times its value alone.

What is asked is the broker's doing, so the others' generators give way to the broker and to the quiet client, as if they ran on machines of their own.
A virtual machine that uses all that it may is stopped now and then, all its processors at once, for tens of milliseconds. A witness tells, and a
stretch in which the machine stood is measured again; of the others the middle one counts."""
import contextlib
import os
import statistics
import sys
import time

from harness import loads
from harness.row import row, stage

from .busy import forget_pages

BUSY = stage(realtime=True, log__cleaner__backoff__ms=200, log__retention__check__interval__ms=1000)
SECONDS, STRETCHES, MOST = 2, 5, 8  # So many stretches, of so many at the most: a flood fills the disk.
STOOD = 2  # Milliseconds: a machine that stood so long is measured again.
QUIET = {"rate": 200, "batch": 1, "size": 100, "acks": -1}


def stretch(side, topic):
    """(milliseconds that the machine stood at a time, the p99 of a client that never waits for a processor, as if it had a machine of its own)"""
    loads.rank = 3
    try:
        with loads.witnessed() as seen:
            p99 = side.wire("produce", topic, seconds=SECONDS, **QUIET)["p99"]
    finally:
        loads.rank = 1
    return seen.get("stood", 0), p99


def stretch_beside(side, topic, command, *arguments, **options):
    """The same beside a load whose generator gives way."""
    other = loads.start_wire(command, *arguments, seconds=30, **options)
    try:
        with contextlib.suppress(OSError):  # Where the system does not let us.
            os.sched_setscheduler(other.pid, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, other.pid, 5)
        time.sleep(1)
        found = stretch(side, topic)
        if other.poll() is not None:
            raise RuntimeError(f"the load ended before the quiet client: {other.communicate()}")
        other.terminate()
        loads.finish(other)
        return found
    finally:
        other.kill()
        other.wait()


def middle(measure):
    """The middle p99 of the stretches in which the machine stood least, and how many were left out because it stood."""
    found = []
    while len(found) < MOST and sum(stood < STOOD for stood, _ in found) < STRETCHES:
        found.append(measure())
    counted = sorted(found)[:STRETCHES]
    if counted[-1][0] >= STOOD:
        print(f"    the machine stood {counted[-1][0]} ms in a stretch that counts", file=sys.stderr, flush=True)
    return statistics.median(p99 for _, p99 in counted), len(found) - len(counted)


def beside(name, command, prepare, before=lambda side, topic: None, **options):
    """`before`: what is done before each stretch."""
    @row(f"fairness: a quiet client beside {name}", stage=BUSY, main="p99 ms beside", target={"times its p99 alone": 2})
    def _(side):
        topic, others = side.topic(1), prepare(side)

        def measure():
            before(side, others)
            return stretch_beside(side, topic, command, side.bootstrap, others, **options)

        side.wire("produce", topic, seconds=SECONDS, **QUIET)  # Warm.
        alone, _ = middle(lambda: stretch(side, topic))
        busy, left_out = middle(measure)
        return {"times its p99 alone": busy / alone, "p99 ms alone": alone, "p99 ms beside": busy, "(stretches left out)": left_out}


def cold_topic(side):
    topic = side.topic(1)
    side.wire("produce", topic, records=6_000_000, batch=131072)
    return topic


def compacted_topic(side):
    return side.topic(1, **{"cleanup_policy": "compact", "segment_bytes": 8_000_000, "min_cleanable_dirty_ratio": 0.01})


def large_flood(side):
    """So many bytes as a disk has room for: what is older goes."""
    return side.topic(4, retention_bytes=1_000_000_000, segment_bytes=250_000_000)


beside("a flood of 128 KiB batches over 8 connections", "produce", large_flood, batch=131072, connections=8, inflight=4)
beside("a flood of small requests over 8 connections", "produce", lambda side: side.topic(4), batch=1, size=100, connections=8, inflight=8)
beside("a consumer that catches up on a cold log", "consume", cold_topic, forget_pages, again=1)
beside("a compaction", "produce", compacted_topic, rate=1000, batch=16384, keys=16)
