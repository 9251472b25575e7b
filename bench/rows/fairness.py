"""A quiet client beside others: what its p99 is beside a flood, a catching-up consumer and a compaction, and how many times its value alone.

What is asked is the broker's doing, so the others' generators give way to the broker and to the quiet client, as if they ran on machines of their own.
A virtual machine that uses all that it may is stopped now and then, all its processors at once, for tens of milliseconds: so the quiet
client is measured for several stretches, and the middle one counts."""
import os
import statistics
import time

from harness import loads
from harness.row import row, stage

from .busy import forget_pages

BUSY = stage(realtime=True, log__cleaner__backoff__ms=200)
SECONDS, STRETCHES = 2, 5
QUIET = {"rate": 200, "batch": 1, "size": 100, "acks": -1}


def start_quietly(command, *arguments, **options):
    process = loads.start_wire(command, *arguments, **options)
    try:
        os.sched_setscheduler(process.pid, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, process.pid, 5)
    except OSError:
        pass
    return process


def quiet(side, topic):
    """The p99 of a client that never waits for a processor, as if it had a machine of its own."""
    loads.rank = 3
    try:
        return statistics.median(side.wire("produce", topic, seconds=SECONDS, **QUIET)["p99"] for _ in range(STRETCHES))
    finally:
        loads.rank = 1


def beside(name, start, prepare=lambda side: None):
    @row(f"fairness: a quiet client beside {name}", stage=BUSY, main="p99 ms beside", target={"times its p99 alone": 2})
    def _(side):
        topic = side.topic(1)
        prepared = prepare(side)
        side.wire("produce", topic, seconds=SECONDS, **QUIET)  # Warm.
        alone = quiet(side, topic)
        other = start(side, prepared, SECONDS * STRETCHES + 5)
        time.sleep(1)
        busy = quiet(side, topic)
        if other.poll() is not None:
            raise RuntimeError(f"the load ended before the quiet client: {other.communicate()}")
        loads.finish(other)
        return {"times its p99 alone": busy / alone, "p99 ms alone": alone, "p99 ms beside": busy}


beside("a flood of 128 KiB batches over 8 connections",
       lambda side, _, seconds: start_quietly("produce", side.bootstrap, side.topic(4), seconds=seconds, batch=131072, connections=8, inflight=4))
beside("a flood of small requests over 8 connections",
       lambda side, _, seconds: start_quietly("produce", side.bootstrap, side.topic(4), seconds=seconds, batch=1, size=100, connections=8, inflight=8))


def cold_topic(side):
    topic = side.topic(1)
    side.wire("produce", topic, records=6_000_000, batch=131072)
    forget_pages(side, topic)
    return topic


beside("a consumer that catches up on a cold log",
       lambda side, topic, seconds: start_quietly("consume", side.bootstrap, topic, again=1, seconds=seconds), cold_topic)


def compacted_topic(side):
    return side.topic(1, **{"cleanup_policy": "compact", "segment_bytes": 8_000_000, "min_cleanable_dirty_ratio": 0.01})


beside("a compaction",
       lambda side, topic, seconds: start_quietly("produce", side.bootstrap, topic, rate=1000, seconds=seconds, batch=16384, keys=16), compacted_topic)
