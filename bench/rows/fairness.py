"""A quiet client beside others: what its p99 is beside a flood, a catching-up consumer and a compaction, and how many times its value alone.

What is asked is the broker's doing, so the others' generators give way to the broker and to the quiet client, as if they ran on machines of their own.
A virtual machine that uses all that it may is stopped now and then, all its processors at once, for tens of milliseconds. A witness tells, and a
stretch in which the machine stood is measured again; of the others the middle one counts."""
import contextlib
import os
import statistics
import time

from harness import loads
from harness.row import row, stage

from .busy import forget_pages

BUSY = stage(realtime=True, log__cleaner__backoff__ms=200, log__retention__check__interval__ms=1000)
SECONDS, STRETCHES, MOST = 2, 5, 8  # So many stretches, of so many at the most: a flood fills the disk.
STOOD = 2  # Milliseconds: a machine that stood so long is measured again.
QUIET = {"rate": 200, "batch": 1, "size": 100, "acks": -1}


def stretch(side, topic):
    """(milliseconds that the machine stood at a time, None where nobody saw it; the p99 of a client that never waits for a processor, as if it had a machine of its own)"""
    loads.rank = 3
    try:
        with loads.witnessed() as seen:
            p99 = side.wire("produce", topic, seconds=SECONDS, **QUIET)["p99"]
    finally:
        loads.rank = 1
    return seen.get("stood"), p99


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


class Stretches:
    """What is measured, as long as needed for so many stretches in which the machine did not stand."""

    def __init__(self, measure):
        self.found = []
        while len(self.found) < MOST and sum((stood or 0) < STOOD for stood, _ in self.found) < STRETCHES:
            self.found.append(measure())
        self.found.sort(key=lambda found: found[0] or 0)
        self.counted = self.found[:STRETCHES]
        self.p99 = statistics.median(p99 for _, p99 in self.counted)


def of_the_machine(*stretches):
    """How many were left out because it stood, and how long it stood at most in those that count."""
    stood = [stood for each in stretches for stood, _ in each.counted]
    if None in stood:
        return {}
    return {"(stretches left out)": sum(len(each.found) - len(each.counted) for each in stretches), "(in the others the machine stood, ms)": max(stood)}


def beside(name, command, prepare, before=lambda side, topic: None, **options):
    """`before`: what is done before each stretch."""
    @row(f"fairness: a quiet client beside {name}", stage=BUSY, main="p99 ms beside", target={"times its p99 alone": 2})
    def _(side):
        topic, others = side.topic(1), prepare(side)

        def measure():
            before(side, others)
            return stretch_beside(side, topic, command, side.bootstrap, others, **options)

        side.wire("produce", topic, seconds=SECONDS, **QUIET)  # Warm.
        alone, busy = Stretches(lambda: stretch(side, topic)), Stretches(measure)
        return {"times its p99 alone": busy.p99 / alone.p99, "p99 ms alone": alone.p99, "p99 ms beside": busy.p99} | of_the_machine(alone, busy)


def cold_topic(side):
    topic = side.topic(1)
    side.wire("produce", topic, records=6_000_000, batch=131072)
    return topic


def compacted_topic(side):
    return side.topic(1, **{"cleanup_policy": "compact", "segment_bytes": 8_000_000, "min_cleanable_dirty_ratio": 0.01})


def large_flood(side):
    """Keeps about 5 GB, as a disk has room for no more: what is older is removed meanwhile."""
    return side.topic(4, retention_bytes=1_000_000_000, segment_bytes=250_000_000)


beside("a flood of 128 KiB batches over 8 connections", "produce", large_flood, batch=131072, connections=8, inflight=4)
beside("a flood of small requests over 8 connections", "produce", lambda side: side.topic(4), batch=1, size=100, connections=8, inflight=8)
beside("a consumer that catches up on a cold log", "consume", cold_topic, forget_pages, again=1)
beside("a compaction", "produce", compacted_topic, rate=1000, batch=16384, keys=16)
