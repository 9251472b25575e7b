"""A client of the chaos run: librdkafka writes and reads, and notes what it saw for samsa-check, until its standard input ends.

client.py BOOTSTRAP TOPIC PARTITIONS RATE ID OUT: a writer (OUT.sends) and a reader of all partitions (OUT.polls) at once.
client.py final BOOTSTRAP TOPIC PARTITIONS ID OUT: reads everything once, to the end.
"""
import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

now = time.monotonic_ns


def reader(bootstrap, **more):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "auto.offset.reset": "earliest", "enable.auto.commit": False,
                     "log_level": 0, **more})


def poll_line(client, began, final, messages):
    seen = " ".join(f"{m.topic()} {m.partition()} {m.offset()} {m.value().decode()}" for m in messages)
    return f"poll {client} {client} {began} {now()} {'final' if final else 'goes-on'} {seen}\n"


def read(bootstrap, topic, partitions, client, out, stop):
    consumer = reader(bootstrap)
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    with open(out + ".polls", "w") as file:
        while not stop.is_set():
            began = now()
            if messages := [m for m in consumer.consume(200, timeout=0.2) if m.error() is None]:
                file.write(poll_line(client, began, False, messages))
    consumer.close()


def write(bootstrap, topic, partitions, rate, client, out, stop):
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "log_level": 0})
    sends = []

    def delivered(send):
        def note(error, message):
            send[3:] = [now(), "unknown" if error else "ok", message.offset() if error is None else -1]
        return note

    while not stop.is_set():
        partition, value = len(sends) % partitions, client * 1_000_000_000 + len(sends)
        send = [partition, value, now(), 2**63 - 1, "unknown", -1]
        try:
            producer.produce(topic, value=str(value), partition=partition, on_delivery=delivered(send))
            sends.append(send)
        except BufferError:
            pass
        producer.poll(1 / rate)
    producer.flush(120)
    with open(out + ".sends", "w") as file:
        for partition, value, began, ended, outcome, offset in sends:
            file.write(f"send {client} {topic} {partition} {value} {began} {ended} {outcome} {offset}\n")


def final(bootstrap, topic, partitions, client, out):
    consumer = reader(bootstrap, **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    ended, deadline = set(), time.monotonic() + 120
    with open(out + ".polls", "w") as file:
        while len(ended) < partitions:
            assert time.monotonic() < deadline, "the ends were not reached"
            began = now()
            messages = consumer.consume(500, timeout=0.5)
            ended |= {m.partition() for m in messages if m.error() is not None and m.error().code() == KafkaError._PARTITION_EOF}
            if good := [m for m in messages if m.error() is None]:
                file.write(poll_line(client, began, True, good))
    consumer.close()


def main():
    if sys.argv[1] == "final":
        bootstrap, topic, partitions, client, out = sys.argv[2:]
        return final(bootstrap, topic, int(partitions), int(client), out)
    bootstrap, topic, partitions, rate, client, out = sys.argv[1:]
    stop = threading.Event()
    tasks = [threading.Thread(target=read, args=(bootstrap, topic, int(partitions), int(client) + 1, out, stop)),
             threading.Thread(target=write, args=(bootstrap, topic, int(partitions), float(rate), int(client), out, stop))]
    for task in tasks:
        task.start()
    sys.stdin.read()
    stop.set()
    for task in tasks:
        task.join()
    return None


if __name__ == "__main__":
    main()
