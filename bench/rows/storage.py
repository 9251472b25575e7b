"""The log on the disk: what appending and cold reading cost beside the plain bytes, compaction, recovery. `./dev bench storage`.

"times plain" is the time for the records divided by that for a plain write, or sendfile, of the same bytes on the same file system: the best of
three, measured right behind it when everything that had been written is on the disk. Cold: the files are synced and dropped from the page cache
before. A cold read, too, is the best of three: the first after a write takes any reader longer.
"""
import os
import re
import socket
import threading
import time

from harness.row import row, stage
from peers import tools

ALONE = stage(alone=True, log__cleaner__backoff__ms=500)
GB = 1_000_000  # Records of 1,000 bytes.


def logs(side, topic):
    return sorted(side.brokers[0].data_dir.glob(f"{topic}-0/*.log"))


def drop(files):
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def plain_write(files, to):
    """Seconds to write the bytes of the files in pieces of 128 KiB, the best of three; they are in memory, and nothing else waits to be written."""
    contents = [memoryview(file.read_bytes()) for file in files]
    pieces = [content[at:at + 131072] for content in contents for at in range(0, len(content), 131072)]
    best = float("inf")
    for _ in range(3):
        os.sync()
        handle = os.open(to, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        began = time.monotonic()
        for piece in pieces:
            os.write(handle, piece)
        best = min(best, time.monotonic() - began)
        os.close(handle)
        to.unlink()
    return best


def plain_sendfile(files):
    """Seconds to send the cold files over loopback by sendfile to somebody who reads and forgets, the best of three."""
    best = float("inf")
    for _ in range(3):
        os.sync()
        drop(files)
        best = min(best, sendfile_once(files))
    return best


def sendfile_once(files):
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
        into = bytearray(1 << 20)

        def read():
            while receiver.recv_into(into, 0, socket.MSG_TRUNC):  # As wireload's consumer: the system drops what arrives.
                pass

        reader = threading.Thread(target=read)
        reader.start()
        began = time.monotonic()
        for file in files:
            with open(file, "rb") as opened:
                sender.sendfile(opened)
        sender.shutdown(socket.SHUT_WR)
        reader.join()
        seconds = time.monotonic() - began
        sender.close()
        receiver.close()
        return seconds


def cold_read(side, topic, files):
    drop(files)
    return side.wire("consume", topic, records=GB, split=1)


@row("storage: append and cold read of 1 GB", stage=ALONE, main="append, times plain", target={"append, times plain": 2, "cold read, times plain": 1.5})
def append_and_read(side):
    side.format()
    side.start()
    side.wire("produce", side.topic(), records=100_000, size=1000, batch=131072)  # Warm.
    topic = side.topic()
    append = side.wire("produce", topic, records=GB, size=1000, batch=131072)
    files = logs(side, topic)
    plain = plain_write(files, side.brokers[0].directory / "plain")
    read = min((cold_read(side, topic, files) for _ in range(3)), key=lambda result: result["seconds"])
    sent = plain_sendfile(files)
    return {"append, times plain": append["seconds"] / plain, "append MB/s": append["bytes"] / 1e6 / append["seconds"], "append CPU s": append["cpu"],
            "cold read, times plain": read["seconds"] / sent, "cold read MB/s": read["bytes"] / 1e6 / read["seconds"], "cold read CPU s": read["cpu"]}


CLEANED = {"samsa": re.compile(r"compacted to offset (\d+): .* (\d+) bytes of (\d+), (\d+) ms"),
           "apache": re.compile(r"([\d,.]+) MB of log processed in ([\d,.]+) seconds")}


@row("storage: compaction of 512 MB, 500,000 keys", stage=ALONE, main="MB/s")
def compaction(side):
    side.format()
    side.start()
    topic = side.topic(segment_bytes="67108864")
    side.rd("produce", topic, records=1_000_000, size=500, keys=500_000)
    changed = tools.run(tools.JavaTools(), "kafka-configs", "--bootstrap-server", side.bootstrap, "--alter", "--entity-type", "topics", "--entity-name", topic,
                        "--add-config", "cleanup.policy=compact,min.cleanable.dirty.ratio=0.01")
    if changed.code != 0:
        raise RuntimeError(changed.err)
    cpu, deadline, log = side.cpu(), time.monotonic() + 180, side.brokers[0].log
    while not (found := CLEANED[side.kind].search(log())):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing was compacted: {log()[-600:]}")
        time.sleep(0.05)
    cpu = side.cpu() - cpu
    if side.kind == "samsa":
        megabytes, seconds = int(found[3]) / 1e6, int(found[4]) / 1000
    else:
        megabytes, seconds = (float(part.replace(",", "")) for part in found.groups())
        megabytes *= 1.048576
    return {"MB/s": megabytes / seconds, "s": seconds, "CPU s": cpu}


@row("storage: restart with a partition of 10 GB", stage=ALONE, long=True, once=True, main="restart after kill -9 s")
def restart_10_gb(side):
    side.format()
    side.start()
    topic = side.topic()
    for _ in range(10):
        side.wire("produce", topic, records=GB, size=1000, batch=131072)
    side.kill()
    began = time.monotonic()
    side.start()
    side.wire("produce", topic, records=1, batch=1)
    figures = {"restart after kill -9 s": side.ended - began, "CPU s": side.cpu(), "memory MB": side.resident_mb()}
    side.stop()
    began = time.monotonic()
    side.start()
    side.wire("produce", topic, records=1, batch=1)
    return figures | {"clean restart s": side.ended - began}
