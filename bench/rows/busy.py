"""Work beside work: a cold log read while others write, retention, compaction, more load than the memory setting allows."""
import os
import time

from harness import loads, measure
from harness.row import percentiles, row, stage, volume


def forget_pages(side, topic):
    """Writes the topic's files to the disk and drops them from the page cache, so that they are read from the disk."""
    for broker in side.brokers:
        for path in broker.data_dir.glob(f"{topic}-*/*.log"):
            descriptor = os.open(path, os.O_RDWR)
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


@row("catch-up read of a cold log while producing", main="p99 ms of produce", turns=7)
def catch_up(side):
    cold, live = side.topic(1), side.topic(1)
    side.wire("produce", cold, records=1_500_000, batch=131072)
    forget_pages(side, cold)
    time.sleep(1)
    writer = loads.start_wire("produce", side.bootstrap, live, rate=500, seconds=6)
    time.sleep(1)
    result = side.wire("consume", cold, records=1_500_000)
    quiet = loads.finish(writer)
    read = volume(result)
    return {"MB/s read": read["MB/s"], "CPU s/GB read, with the writer's": read["CPU s/GB"]} | {
        name + " of produce": figure for name, figure in percentiles(quiet).items()}


BUSY = stage(log__retention__check__interval__ms=500, log__cleaner__backoff__ms=200)


def on_disk_mb(side, topic):
    return sum(path.stat().st_size for broker in side.brokers for path in broker.data_dir.glob(f"{topic}-*/*.log")) / 1e6


@row("retention active: 16 KiB at 1,000/s, 64 MB kept", stage=BUSY, main="p99 ms")
def retention(side):
    topic = side.topic(1, **{"retention_bytes": 64_000_000, "segment_bytes": 16_000_000})
    result = side.wire("produce", topic, rate=1000, seconds=10)
    time.sleep(2.5)
    return percentiles(result) | {"CPU s/GB": result["cpu"] / (result["bytes"] / 1e9), "kept, MB on the disk": on_disk_mb(side, topic)}


@row("compaction active: 16 KiB at 1,000/s, 16 keys", stage=BUSY, main="p99 ms")
def compaction(side):
    topic = side.topic(1, **{"cleanup_policy": "compact", "segment_bytes": 16_000_000, "min_cleanable_dirty_ratio": 0.01})
    result = side.wire("produce", topic, rate=1000, seconds=10, keys=16)
    time.sleep(4)
    return percentiles(result) | {"CPU s/GB": result["cpu"] / (result["bytes"] / 1e9), "kept, MB on the disk": on_disk_mb(side, topic)}


@row("overload: 200 connections, 800 MB of requests under way, 64 MB allowed", main="peak memory MB", once=True,
     stage=stage(alone=True, queued__max__request__bytes=64_000_000, socket__request__max__bytes=10_000_000))
def overload(side):
    """What is refused or lost counts as an error and fails the row; `quiet` is another client's one small request after the other meanwhile."""
    side.format()
    side.start()
    measure.warm_up(side)
    side.settle()
    topic, other = side.topic(8), side.topic(1)
    with side.watched_memory() as peak:
        quiet = loads.start_wire("produce", side.bootstrap, other, rate=50, seconds=8, batch=1, size=100)
        time.sleep(1)
        result = side.wire("produce", topic, seconds=5, batch=1_000_000, connections=200, inflight=4)
        small = loads.finish(quiet)
    del small["p999"]  # Of 400 requests.
    return {"peak memory MB": peak[0], "MB/s": result["bytes"] / 1e6 / result["seconds"], "CPU s/GB": result["cpu"] / (result["bytes"] / 1e9)} | \
        percentiles(result) | {name + " of a quiet client": figure for name, figure in percentiles(small).items()}
