"""kcat, Debian's: every operation is a run of the program."""

import json
import queue
import re
import subprocess
import threading
import time

from base import Driver, KafkaFailure, encoded, main, start_in_words, value_of

# kcat prints librdkafka's words for Kafka's errors.
CODES = {
    "Broker: Offset out of range": 1, "Broker: Unknown topic or partition": 3, "Broker: Message size too large": 10,
    "Broker: Invalid topic": 17, "Broker: Broker failed to validate record": 87,
}
ERROR = re.compile(r"(Broker: [^\n,\"()]*[^\n,\"()\s.])")
KEY, END = b"\x01", b"\x02"


def failed(text: str) -> KafkaFailure:
    named = ERROR.search(text)
    return KafkaFailure(CODES.get(named[1], 0) if named else 0, text.strip())


class Running:
    """A kcat that consumes: its records, and the partitions its group gave it."""

    def __init__(self, command: list[str]):
        self.records: queue.Queue = queue.Queue()
        self.held: list[list] = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self._threads = [threading.Thread(target=self._read_records, daemon=True), threading.Thread(target=self._read_notes, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _read_records(self):
        for line in self._process.stdout:
            found = json.loads(line)
            flat = found.get("headers", [])
            self.records.put({
                "partition": found["partition"], "offset": found["offset"], "timestamp": found["ts"], "key": found.get("key"),
                "value": found.get("payload"), "headers": [flat[i : i + 2] for i in range(0, len(flat), 2)],
            })

    def _read_notes(self):
        for raw in self._process.stderr:
            line = raw.decode()
            if "rebalanced" not in line:
                continue
            named = [[topic, int(number)] for topic, number in re.findall(r"([^\s,]+) \[(\d+)\]", line)]
            if "incremental assignment" in line:
                self.held = sorted(self.held + named)
            elif "incremental revoke" in line:
                self.held = [one for one in self.held if one not in named]
            else:
                self.held = sorted(named) if "assigned:" in line else []

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(5)


class Kcat(Driver):
    NAME = "kcat"
    VERSION = re.search(r"Version (\S+)", subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout)[1]
    CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
    ASSIGNORS = ["range", "roundrobin", "cooperative-sticky"]

    def command(self, *arguments: str) -> list[str]:
        return ["kcat", "-b", self.bootstrap, "-X", "fetch.wait.max.ms=100", *arguments]

    def run_kcat(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess:
        done = subprocess.run(self.command(*arguments), input=given, capture_output=True, timeout=50)
        if done.returncode != 0 or b"ERROR:" in done.stderr:
            raise failed(done.stderr.decode())
        return done

    def metadata(self, *arguments: str) -> list[dict]:
        return json.loads(self.run_kcat("-L", "-J", *arguments).stdout)["topics"]

    def op_list_topics(self):
        return {"topics": [topic["topic"] for topic in self.metadata()]}

    def op_describe_topic(self, topic):
        (found,) = self.metadata("-t", topic)
        if found.get("error"):
            raise failed(found["error"])
        return {"partitions": sorted((
            {"id": p["partition"], "leader": p["leader"], "replicas": [r["id"] for r in p["replicas"]], "isr": [r["id"] for r in p["isrs"]]}
            for p in found["partitions"]), key=lambda p: p["id"])}

    def op_produce(self, topic, codec, acks, idempotent, records):
        """One run for each stretch of records with the same partition and headers."""
        offsets = [-1] * len(records)
        by_run: dict[tuple, list[int]] = {}
        for index, record in enumerate(records):
            by_run.setdefault((record["partition"], json.dumps(record.get("headers", []))), []).append(index)
        for (partition, headers), indexes in by_run.items():
            lines = []
            for record in (records[index] for index in indexes):
                key = encoded(record.get("key"))
                lines.append((b"" if key is None else key + KEY) + (value_of(record) or b"") + END)
            arguments = [
                "-P", "-vv", "-Z", "-t", topic, "-p", str(partition), "-K", "\\x01", "-D", "\\x02", "-X", f"compression.codec={codec}",
                "-X", f"acks={acks}", "-X", f"enable.idempotence={str(idempotent).lower()}", "-X", "message.max.bytes=20000000",
            ]
            for name, value in json.loads(headers):
                arguments += ["-H", name if value is None else f"{name}={value}"]
            done = self.run_kcat(*arguments, given=b"".join(lines))
            given = [int(offset) for offset in re.findall(r"delivered to partition \d+ \(offset (-?\d+)\)", done.stderr.decode())]
            for index, offset in zip(indexes, given, strict=True):
                offsets[index] = offset
        return {"offsets": offsets}

    def op_list_offsets(self, topic, partition, at):
        kind, number = start_in_words(at)
        if kind == "offset":
            return {"offset": number}
        asked = {"earliest": -2, "latest": -1}.get(kind, number)
        done = self.run_kcat("-Q", "-t", f"{topic}:{partition}:{asked}")
        return {"offset": int(re.search(r"offset (-?\d+)", done.stdout.decode())[1])}

    def op_open(self, id, topic, partitions, start):
        (partition,) = partitions
        offset = self.op_list_offsets(topic, partition, start)["offset"]
        where = str(offset) if offset >= 0 else "end"
        self.consumers[id] = Running(self.command("-C", "-q", "-u", "-J", "-t", topic, "-p", str(partition), "-o", where))

    def op_join(self, id, group, topics, assignor, reset, instance=None):
        settings = {
            "partition.assignment.strategy": assignor, "auto.offset.reset": reset, "heartbeat.interval.ms": "300", "enable.auto.commit": "false",
        }
        if instance:
            settings["group.instance.id"] = instance
        arguments = [word for name, value in settings.items() for word in ("-X", f"{name}={value}")]
        self.consumers[id] = Running(self.command("-u", "-J", *arguments, "-G", group, *topics))

    def op_assignment(self, id):
        return {"partitions": self.consumers[id].held}

    def op_poll(self, id, count, timeout_ms):
        deadline = time.monotonic() + timeout_ms / 1000
        taken = []
        while len(taken) < count:
            try:
                taken.append(self.consumers[id].records.get(timeout=max(deadline - time.monotonic(), 0.001)))
            except queue.Empty:
                break
        return {"records": taken}

    def op_close(self, id):
        self.consumers.pop(id).close()


main(Kcat)
