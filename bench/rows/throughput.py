"""Produce and consume as fast as it goes, for so many seconds: sizes, acks, codecs, partitions, connections, clients. The page cache takes what is
produced; what the disk sustains is in the rows of storage. librdkafka and Java are given a number of records instead."""
from harness.row import in_one_state, percentiles, row, stage, volume

BULK = dict(batch=131072)
SECONDS = 3
# A host lets two virtual processors run on cores that share a cache for some seconds or minutes, and then on others that do not, and what goes through
# loopback becomes up to twice as dear for either broker; and how quickly librdkafka makes records differs by a third from run to run. So these loads are
# short, the sides by turns, and figures are compared with those of the same state.
TURNS = 7
SHORT = 0.4


def produce(name, partitions=1, target=None, load="wire", **options):
    @row(f"produce {name}", target=target or {}, turns=TURNS if load == "rd" else 1)
    def _(side):
        given = {"seconds": SECONDS} if load == "wire" else {}
        run = lambda: volume(getattr(side, load)("produce", side.topic(partitions), **given, **options))
        return in_one_state(side, run) if load == "rd" else run()


def consume(name, records, partitions=1, target=None, load="wire", prepare=None, **options):
    """Of a topic with so many records: by wireload, which reads it again and again until its time is over, or by a client, once."""
    @row(f"consume {name}", target=target or {}, turns=1 if load == "java" else TURNS)
    def _(side):
        topic = side.topic(partitions)
        side.wire("produce", topic, records=records, **BULK, **(prepare or {}))
        given = {"seconds": SHORT, "again": 1} if load == "wire" else {"records": records}
        run = lambda: volume(getattr(side, load)("consume", topic, **given, **options))
        return run() if load == "java" else in_one_state(side, run)


# Sizes, in large and in small batches.
produce("100 B, batch 128 KiB", size=100, target={"CPU s/million": 0.06}, **BULK)
produce("100 B, batch 16 KiB", size=100, target={"CPU s/million": 0.2})
produce("1 KiB, batch 128 KiB", target={"CPU s/GB": 0.6}, **BULK)
produce("1 KiB, batch 16 KiB", target={"CPU s/GB": 1.0})
produce("10 KiB, batch 128 KiB", size=10240, target={"CPU s/GB": 0.6}, **BULK)
produce("1 KiB, one record a batch", batch=1)
for acks in (0, 1):  # Elsewhere all.
    produce(f"1 KiB, batch 16 KiB, acks={acks}", acks=acks)
for codec in ("gzip", "snappy", "lz4", "zstd"):
    produce(f"1 KiB, {codec}", codec=codec, **BULK)
for partitions in (6, 200):
    produce(f"1 KiB, batch 16 KiB, {partitions} partitions", partitions=partitions)
produce("1 KiB, batch 16 KiB, 50 connections", partitions=6, connections=50)
produce("1 KiB, batch 16 KiB, 2,000 connections", partitions=6, connections=2000, inflight=1)
produce("100 B, keyed, small batches to 50 partitions each, 20 connections", partitions=50, connections=20, spread=1, size=100, batch=400)
produce("1 KiB, idempotent", idempotent=1)
produce("1 KiB, batch 128 KiB, librdkafka", records=1_000_000, load="rd", size=1024, linger=10, target={"CPU s/GB": 0.6}, **BULK)
produce("1 KiB, batch 16 KiB, linger 0, librdkafka", records=500_000, load="rd", size=1024, linger=0, batch=16384, target={"CPU s/GB": 1.0})
produce("100 B, batch 128 KiB, librdkafka", records=4_000_000, load="rd", size=100, linger=10, target={"CPU s/million": 0.06}, **BULK)
produce("1 KiB, idempotent, lz4, librdkafka", records=1_000_000, load="rd", size=1024, linger=10, idempotent=1, codec="lz4", **BULK)
produce("1 KiB, Java", records=300_000, load="java", size=1024, acks="all", linger_ms=10, batch_size=131072)

consume("100 B", 3_000_000, prepare={"size": 100}, size=100)
consume("1 KiB", 400_000, target={"CPU s/GB": 0.2})
consume("10 KiB", 40_000, prepare={"size": 10240}, size=10240)
for codec in ("gzip", "snappy", "lz4", "zstd"):
    consume(f"1 KiB, {codec}", 400_000, prepare={"codec": codec})
for partitions in (6, 200):
    consume(f"1 KiB, {partitions} partitions", 300_000, partitions=partitions)
consume("1 KiB, 50 partitions shared by 50 connections", 400_000, partitions=50, connections=50, split=1)
consume("1 KiB, 2,000 consumers of one partition", 5000, connections=2000)
consume("1 KiB, 20 consumers of one partition", 60_000, connections=20)
consume("1 KiB, librdkafka", 1_500_000, load="rd", target={"CPU s/GB": 0.2})
consume("1 KiB, Java", 600_000, load="java")

SYNC = stage(synced=True)


def synced(name, seconds, partitions=1, **options):
    @row(f"sync: {name}", stage=SYNC, main="MB/s", turns=5)
    def _(side):
        result = side.wire("produce", side.topic(partitions), seconds=seconds, **options)
        return {key: figure for key, figure in volume(result).items() if key != "CPU s/million"} | percentiles(result)


synced("produce 1 KiB, batch 16 KiB", 3)
synced("produce 1 KiB, one record a batch, 50 connections", 3, batch=1, connections=50, inflight=1)
