"""Latency at a fixed rate, counted from when a record was due, not from when it was sent (coordinated omission). A request is one record where the
linger is 0 and no row says otherwise; its CPU is all that the broker spent meanwhile, with what it does when idle."""
from harness.row import percentiles, row


def latency(name, load, mode, target=None, partitions=1, **options):
    @row(f"latency {name}", target=target or {}, main="p99 ms", turns=3)  # A machine that stands for 10 ms is all of one turn's p99.
    def _(side):
        result = getattr(side, load)(mode, side.topic(partitions), **options)
        return percentiles(result) | {"CPU ms/request": result["cpu"] * 1000 / (options["rate"] * options["seconds"])}


latency("end to end, 1,000/s, linger 0, librdkafka", "rd", "latency", rate=1000, seconds=6, size=1024, linger=0,
        target={"p50 ms": 0.3, "p99 ms": 1, "p99.9 ms": 3, "CPU ms/request": 0.03})
latency("end to end, 10,000/s, linger 5, librdkafka", "rd", "latency", rate=10000, seconds=6, size=1024, linger=5,
        target={"p50 ms": 3, "p99 ms": 6, "p99.9 ms": 8})
latency("end to end, 10,000/s, linger 0, librdkafka", "rd", "latency", rate=10000, seconds=6, size=1024, linger=0,
        target={"p50 ms": 0.5, "p99 ms": 2, "p99.9 ms": 5})
latency("end to end, 2,000/s, one record a batch", "wire", "tail", rate=2000, seconds=5)
latency("end to end, 1,000/s, 20 consumers of one partition", "wire", "tail", rate=1000, seconds=5, consumers=20)
latency("of a produce, 500/s of 16 KiB", "wire", "produce", rate=500, seconds=5)


@row("latency end to end, one at a time, Java", main="p99 ms")
def _(side):
    return percentiles(side.java("end-to-end", side.topic(), records=3000, size=1024))
