"""Start, stop, memory, idle."""
import time

from harness.row import row, stage

ALONE = stage(alone=True)


@row("start, stop", stage=ALONE, target={"fresh: first record s": 0.03, "again: first record s": 0.03, "CPU before it serves s": 0.02,
                                         "idle CPU %": 0.1, "idle memory MB": 20})
def start_and_stop(side):
    side.format()
    began = time.monotonic()
    answers = side.start()
    cpu = side.cpu()
    topic = side.topic()
    side.wire("produce", topic, records=1, batch=1)
    figures = {"fresh: answers s": answers, "fresh: first record s": side.ended - began, "CPU before it serves s": cpu}
    time.sleep(6)  # A JVM goes on compiling for a while.
    before = side.cpu()
    time.sleep(4)
    figures |= {"idle CPU %": (side.cpu() - before) / 4 * 100, "idle memory MB": side.resident_mb(), "stop s": side.stop()}
    began = time.monotonic()
    figures["again: answers s"] = side.start()
    side.wire("produce", topic, records=1, batch=1)
    figures["again: first record s"] = side.ended - began
    return figures


@row("memory under load", stage=ALONE, target={"afterwards MB": 100}, main="most MB")
def memory_under_load(side):
    side.format()
    side.start()
    topic = side.topic(6)
    with side.watched_memory() as most:
        side.wire("produce", topic, records=600_000, connections=20, seconds=20)
        side.wire("consume", topic, records=300_000)
    return {"most MB": most[0], "afterwards MB": side.resident_mb()}
