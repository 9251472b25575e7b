"""The JSON-lines loop of the Python drivers, and a group member that polls on a thread of its own."""

import json
import queue
import sys
import threading
import time
import traceback


class KafkaFailure(Exception):
    """An error that carries Kafka's number; 0 for a failure of the client itself."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


def value_of(record: dict) -> bytes | None:
    if "value_size" in record:
        return b"x" * record["value_size"]
    return encoded(record.get("value"))


def encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def decoded(raw: bytes | None) -> str | None:
    return None if raw is None else bytes(raw).decode()


def start_in_words(start) -> tuple[str, int | None]:
    """`earliest`, `latest`, or `offset` / `time` with its number."""
    if isinstance(start, str):
        return start, None
    ((kind, number),) = start.items()
    return kind, number


class PollingThread:
    """Runs everything that touches one consumer on one thread: polling, and calls put in between.

    `poll(seconds)` gives records as the contract has them. `call` runs a function there and returns its result.
    """

    def __init__(self, make_consumer, poll, close):
        self._make, self._poll, self._close = make_consumer, poll, close
        self._calls: queue.Queue = queue.Queue()
        self._records: queue.Queue = queue.Queue()
        self._ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        consumer = None
        try:
            consumer = self._make()
            while not self._ended:
                while True:
                    try:
                        function, answer = self._calls.get_nowait()
                    except queue.Empty:
                        break
                    try:
                        answer.put((function(consumer), None))
                    except Exception as failure:  # handed to the caller
                        answer.put((None, failure))
                for record in self._poll(consumer, 0.05):
                    self._records.put(record)
        except Exception as failure:
            traceback.print_exc()
            self._failure = failure
        finally:
            if consumer is not None:
                self._close(consumer)

    def call(self, function, timeout=30.0):
        answer: queue.Queue = queue.Queue()
        self._calls.put((function, answer))
        deadline = time.monotonic() + timeout
        while True:
            try:
                result, failure = answer.get(timeout=0.1)
                break
            except queue.Empty:
                if self._failure:
                    raise self._failure
                if time.monotonic() > deadline:
                    raise KafkaFailure(0, "the polling thread did not answer")
        if failure:
            raise failure
        return result

    def take(self, count: int, timeout: float) -> list[dict]:
        deadline = time.monotonic() + timeout
        taken = []
        while len(taken) < count:
            left = deadline - time.monotonic()
            try:
                taken.append(self._records.get(timeout=min(max(left, 0.001), 0.2)))
            except queue.Empty:
                if self._failure:
                    raise self._failure
                if left <= 0:
                    break
        return taken

    def close(self):
        self._ended = True
        self._thread.join(30)


class Driver:
    """Subclasses have a method op_<name> per operation, and NAME, VERSION, CODECS, ASSIGNORS."""

    NAME = VERSION = ""
    CODECS: list[str] = []
    ASSIGNORS: list[str] = []

    def __init__(self, bootstrap: str):
        self.bootstrap = bootstrap
        self.consumers: dict = {}

    def op_hello(self):
        return {
            "name": self.NAME, "version": self.VERSION, "codecs": self.CODECS, "assignors": self.ASSIGNORS,
            "ops": sorted(name[3:] for name in dir(self) if name.startswith("op_")),
        }

    def failure_of(self, failure: Exception) -> KafkaFailure:
        """The library's exception with Kafka's number."""
        return failure if isinstance(failure, KafkaFailure) else KafkaFailure(0, repr(failure))

    def answer(self, request: dict) -> dict:
        method = getattr(self, "op_" + request.pop("op"), None)
        if method is None:
            return {"error": {"code": 0, "text": "no such operation"}}
        try:
            return {"ok": method(**request) or {}}
        except Exception as raw:
            failure = self.failure_of(raw)
            if failure.code == 0:
                traceback.print_exc()
            return {"error": {"code": failure.code, "text": str(failure)}}

    def run(self):
        for line in sys.stdin:
            print(json.dumps(self.answer(json.loads(line))), flush=True)


def main(driver_class):
    driver_class(sys.argv[1]).run()
