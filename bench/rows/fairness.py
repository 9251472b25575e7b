"""A quiet client beside others: what its p99 is beside a flood, a catching-up consumer and a compaction, and how many times its value alone."""
import os
import time

from harness import loads
from harness.row import row, stage

from .busy import forget_pages

BUSY = stage(log__cleaner__backoff__ms=200)
SECONDS = 3
QUIET = {"rate": 200, "batch": 1, "size": 100, "acks": -1}


def start_quietly(command, *arguments, **options):
    """A load that gives way to the broker and to the quiet client where the machine has not enough processors for all."""
    process = loads.start_wire(command, *arguments, **options)
    try:
        os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, process.pid, 5)
    except OSError:
        pass
    return process


def quiet(side, topic):
    """The lesser of two, so that what else the machine did in one of them does not count."""
    return min(side.wire("produce", topic, seconds=SECONDS, **QUIET)["p99"] for _ in range(2))


def beside(name, start, prepare=lambda side: None):
    @row(f"fairness: a quiet client beside {name}", stage=BUSY, main="times its p99 alone")
    def _(side):
        topic = side.topic(1)
        prepared = prepare(side)
        alone = quiet(side, topic)
        other = start(side, prepared, 2 * SECONDS + 3)
        time.sleep(1)
        busy = quiet(side, topic)
        loads.finish(other)
        return {"times its p99 alone": busy / alone, "p99 ms alone": alone, "p99 ms beside": busy}


beside("a flood of 128 KiB batches over 8 connections",
       lambda side, _, seconds: start_quietly("produce", side.bootstrap, side.topic(4), seconds=seconds, batch=131072, connections=8, inflight=4))
beside("a flood of small requests over 8 connections",
       lambda side, _, seconds: start_quietly("produce", side.bootstrap, side.topic(4), seconds=seconds, batch=1, size=100, connections=8, inflight=8))


def cold_topic(side):
    topic = side.topic(1)
    side.wire("produce", topic, records=600_000, batch=131072)
    forget_pages(side, topic)
    return topic


beside("a consumer that catches up on a cold log",
       lambda side, topic, seconds: start_quietly("consume", side.bootstrap, topic, records=10_000_000, seconds=seconds), cold_topic)


def compacted_topic(side):
    return side.topic(1, **{"cleanup_policy": "compact", "segment_bytes": 8_000_000, "min_cleanable_dirty_ratio": 0.01})


beside("a compaction",
       lambda side, topic, seconds: start_quietly("produce", side.bootstrap, topic, rate=1000, seconds=seconds, batch=16384, keys=16), compacted_topic)
