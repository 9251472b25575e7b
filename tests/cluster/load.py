"""Writes to a topic until its standard input ends: librdkafka, acks=all, idempotent, everything else as it comes.

load.py BOOTSTRAP TOPIC PARTITIONS RATE OUT. OUT gets one line per acknowledged record, "partition offset value"; values count up from 0 per
partition. Ends with a line of JSON: acknowledged, failed, and per partition the longest time in ms without an acknowledgement (from the first
one on) and when it began.
"""

import json
import select
import sys
import time

from confluent_kafka import Producer

bootstrap, topic, partitions, rate, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), open(sys.argv[5], "w", buffering=1 << 16)
producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 0})
last, gaps, began = {}, {}, time.monotonic()
count = failed = 0


def delivered(error, message):
    global count, failed
    now = time.monotonic()
    if error is not None:
        failed += 1
        print(f"failed: {error}", file=sys.stderr)
        return
    count += 1
    partition = message.partition()
    out.write(f"{partition} {message.offset()} {message.value().decode()}\n")
    gap = now - last.get(partition, now)
    if gap > gaps.get(partition, (0, 0))[0]:
        gaps[partition] = (gap, last[partition] - began)
    last[partition] = now
    if count == partitions:
        print("writing", flush=True)


sent = 0
stopping = False
while not stopping:
    due = (time.monotonic() - began) * rate
    while sent < due:
        try:
            producer.produce(topic, value=str(sent // partitions), partition=sent % partitions, on_delivery=delivered)
            sent += 1
        except BufferError:
            break
    producer.poll(0.002)
    stopping = bool(select.select([sys.stdin], [], [], 0)[0])
left = producer.flush(120)
out.close()
print(json.dumps({"acknowledged": count, "failed": failed + left, "sent": sent,
                  "gaps": {str(p): [round(g * 1000), round(at, 2)] for p, (g, at) in sorted(gaps.items())}}))
