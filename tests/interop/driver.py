"""The harness side of a driver: starts the program, speaks the contract, keeps its diagnostics."""

import json
import queue
import subprocess
import threading

from peers.paths import scratch_root


class DriverError(Exception):
    """What the client reported: Kafka's number (0: its own failure) and its words."""

    def __init__(self, client: str, request: dict, code: int, text: str):
        super().__init__(f"{client}: {request} -> error {code}: {text}")
        self.code = code
        self.text = text


class Driver:
    def __init__(self, client, addresses: list[str]):
        """The client is told the first address and finds the other brokers by itself."""
        self.client = client
        self.bootstrap, self.addresses = addresses[0], addresses
        self.replicas = min(3, len(addresses))  # of the topics that tests make
        log = scratch_root() / f"driver-{client.name}.log"
        self._log = open(log, "ab")
        self._process = subprocess.Popen(
            [*client.command(), self.bootstrap], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
            start_new_session=True,
        )
        self.closed: set[str] = set()
        self._answers: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def call(self, op: str, timeout: float = 60.0, **arguments) -> dict:
        """One operation. DriverError when the client reports a failure, RuntimeError when the driver itself dies or hangs."""
        request = {"op": op, **arguments}
        if op == "close":
            self.closed.add(arguments["id"])
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise RuntimeError(f"{self.client.name} did not answer {request} within {timeout} s") from None
        if line is None:
            raise RuntimeError(f"{self.client.name} ended while it was asked {request}")
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise DriverError(self.client.name, request, error["code"], error["text"])
        return answer["ok"]

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self):
        self._process.kill()

    def close(self):
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
        self._process.wait()
        self._log.close()
