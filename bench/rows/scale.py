"""What lies idle: connections, consumers, partitions; and how throughput grows with shards. docs/SCALE.md says what the figures mean."""
import time

from harness import loads
from harness.row import row, stage, volume

ALONE = stage(alone=True)
MANY_FILES = stage(alone=True, files=True)


def held(side, topic, seconds, **options):
    """(memory before, memory while held, CPU in a second while held) of connections that do nothing, or wait for records (poll=1)."""
    before = side.resident_mb()
    process = loads.start_wire("hold", side.bootstrap, topic, **options)
    try:
        if not process.stdout.readline():
            raise RuntimeError(process.stderr.read()[-500:])
        time.sleep(2)
        cpu, began = side.cpu(), time.monotonic()
        time.sleep(seconds)
        return before, side.resident_mb(), (side.cpu() - cpu) / (time.monotonic() - began)
    finally:
        process.stdin.close()
        process.wait(30)


def connections(count, long=False):
    # Java opens a descriptor for each as well; the default of max.connections is no limit.
    @row(f"{count:,} idle connections", stage=ALONE, long=long, once=True)
    def _(side):
        side.format()
        side.start()
        topic = side.topic()
        side.wire("produce", topic, records=1000)
        before, after, cpu = held(side, topic, 4, connections=count)
        return {"KB each": (after - before) * 1000 / count, "CPU %": cpu * 100, "memory MB": after}


connections(2_000)
connections(19_500, long=True)  # With 20,000 descriptors a process, as this machine allows.


@row("1,000 idle consumers", stage=ALONE, once=True)
def idle_consumers(side):
    side.format()
    side.start()
    topic = side.topic()
    side.wire("produce", topic, records=1000)
    before, after, cpu = held(side, topic, 5, connections=1000, poll=1)
    # Each asks twice a second (fetch.max.wait.ms=500).
    return {"us of CPU a poll": cpu * 1e6 / 2000, "KB each": (after - before) * 1000 / 1000, "CPU %": cpu * 100}


def partitions(count, long=False, target=None):
    @row(f"{count:,} partitions", stage=MANY_FILES, long=long, target=target or {}, main="create s", once=True)
    def _(side):
        side.format()
        side.start()
        side.wire("produce", side.topic(), records=100, batch=1)
        before = side.resident_mb()
        began = time.monotonic()
        topics = [f"many-{number}" for number in range(count // 100)]
        for at in range(0, len(topics), 10):
            side.topics(topics[at:at + 10], partitions=100)
        figures = {"create s": time.monotonic() - began}
        for topic in topics[:20]:
            side.wire("produce", topic, records=100, batch=1)
        cpu = side.cpu()
        time.sleep(4)
        figures |= {"idle CPU %": (side.cpu() - cpu) / 4 * 100, "memory MB": side.resident_mb(), "open files": side.open_files(),
                    "KB each": (side.resident_mb() - before) * 1000 / count}
        figures["stop s"] = side.stop()
        began = time.monotonic()
        side.start()
        side.wire("produce", topics[-1], records=1, batch=1)
        figures["clean restart s"] = side.ended - began
        side.kill()
        began = time.monotonic()
        side.start()
        side.wire("produce", topics[-1], records=1, batch=1)
        figures["restart after kill -9 s"] = side.ended - began
        return figures


partitions(1_000)
partitions(5_000, target={"create s": 1, "clean restart s": 0.5, "restart after kill -9 s": 1, "memory MB": 60})
partitions(20_000, long=True)


def shards(count):
    """Apache Kafka's threads for network and requests beside ours, which do both."""
    @row(f"shards: produce 1 KiB, batch 16 KiB, 50 connections, {count} of them", main="MB/s",
         stage=stage(samsa__shards=count, num__network__threads=count, num__io__threads=count))
    def _(side):
        return volume(side.wire("produce", side.topic(8), records=300_000, connections=50, seconds=15))


for number in (1, 2, 4):
    shards(number)
