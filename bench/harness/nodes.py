"""The two sides of a comparison: a Samsa and an Apache Kafka of one or three nodes, with the same properties.

A row sees a `Side`: topics, loads with what they cost its brokers, memory. CPU is that of the broker processes, user and system, by the
system's own clock of a process (nanoseconds, ended threads included); memory is resident size.
"""
import contextlib
import itertools
import os
import shutil
import threading
import time
from pathlib import Path

from peers import broker as peers
from peers import rawwire

from . import admin, loads

# The heap and collector that Apache Kafka's own start script sets.
AS_SHIPPED = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
              "-XX:+ExplicitGCInvokesConcurrent"]
# What both are given: files of deleted topics go at once, so that the disk does not fill up; everything else is the default.
COMMON = {"log.segment.delete.delay.ms": "100", "auto.create.topics.enable": "false", "group.initial.rebalance.delay.ms": "0",
          "log.retention.ms": "-1", "log.cleaner.enable": "true"}
# Kafka's words for "every append is on the disk before it is acknowledged" and ours.
SYNCED = {"samsa": {"samsa.durable.appends": "true"}, "apache": {"log.flush.interval.messages": "1"}}
KINDS = ("samsa", "apache")
TITLES = {"samsa": "Samsa", "apache": "Apache Kafka"}


def prefer():
    """Brokers and loads go before what else the machine does, where the system lets us: the same for both."""
    try:
        if loads.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(loads.rank))
        os.setpriority(os.PRIO_PROCESS, 0, int(os.environ.get("SAMSA_BENCH_NICE", "-10")))
    except (PermissionError, OSError):
        pass


def prefer_broker(pid):
    """With real-time scheduling: before the loads. Threads to come inherit it."""
    if loads.realtime:
        with contextlib.suppress(OSError):  # Where the system does not let us, or the thread is gone.
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(2))


class ApacheAsShipped(peers.Apache):
    def server_command(self):
        command = super().server_command()
        return [command[0], *AS_SHIPPED, *[part for part in command[1:] if not part.startswith("-X")]]


BROKERS = {"samsa": peers.Samsa, "apache": ApacheAsShipped}


def cpu_seconds(pid):
    """Of the whole process; see clock_getcpuclockid(3) for how its clock is named."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


class Side:
    """One broker or cluster under measurement."""

    numbers = itertools.count()

    def __init__(self, kind, directory, nodes=1, properties=None, synced=False):
        self.kind, self.nodes = kind, nodes
        shutil.rmtree(directory, ignore_errors=True)
        given = COMMON | (SYNCED[kind] if synced else {}) | (properties or {})
        if nodes == 1:
            self.brokers = [BROKERS[kind](directory, **given)]
        else:
            from . import cluster
            self.brokers = cluster.brokers(BROKERS[kind], directory, nodes, given)
        self._topics = []
        self.ended = 0.0  # When the last load was over, by the monotonic clock.

    # Life

    def format(self):
        for broker in self.brokers:
            done = broker.format()
            if done.returncode != 0:
                raise RuntimeError(f"{self.kind}: {done.stdout}{done.stderr}")

    def start(self):
        """Returns when it names all its brokers; the seconds that took."""
        began = time.monotonic()
        for broker in self.brokers:
            broker.start(wait=False)
            prefer_broker(broker.process.pid)
        for broker in self.brokers:
            self.wait_until_it_answers(broker)
        return time.monotonic() - began

    def wait_until_it_answers(self, broker, seconds=120):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with rawwire.Connection("127.0.0.1", broker.port, timeout=10) as connection:
                    while time.monotonic() < deadline:
                        if rawwire.live_brokers(connection) >= self.nodes:
                            return
                        time.sleep(0.001)
            except (OSError, ConnectionError):
                if broker.process.poll() is not None:
                    raise RuntimeError(f"{self.kind} ended: {broker.log()[-2000:]}") from None
                time.sleep(0.001)
        raise RuntimeError(f"{self.kind} did not answer: {broker.log()[-2000:]}")

    def stop(self):
        """Controlled shutdown of all; the seconds that took."""
        began = time.monotonic()
        for broker in self.brokers:
            if broker.process:
                broker.process.terminate()
        for broker in self.brokers:
            if broker.process:
                broker.wait_exit(120)
        return time.monotonic() - began

    def kill(self):
        for broker in self.brokers:
            broker.kill9()

    def destroy(self):
        for broker in self.brokers:
            broker.destroy()

    # Topics

    @property
    def bootstrap(self):
        return ",".join(broker.bootstrap for broker in self.brokers)

    def connect(self):
        return admin.connect(self.brokers[0].port)

    def topic(self, partitions=1, name=None, replicas=None, **configs):
        """A new topic whose partitions are served; gone after the row. `configs`: with _ for the dots."""
        name = name or f"bench-{next(self.numbers)}"
        self.topics([name], partitions, replicas, **configs)
        return name

    def topics(self, names, partitions=1, replicas=None, **configs):
        replicas = replicas or self.nodes
        with self.connect() as connection:
            admin.create(connection, names, partitions, replicas, {key.replace("_", "."): value for key, value in configs.items()})
        for number, broker in enumerate(self.brokers, 1):
            with admin.connect(broker.port) as connection:
                admin.wait_for_leaders(connection, names[-200:], partitions, replicas)
                admin.wait_until_served(connection, number, names[-200:])
        self._topics += names

    def clear(self):
        """Deletes the topics that the row has made."""
        for at in range(0, len(self._topics), 200):
            with self.connect() as connection:
                admin.delete(connection, self._topics[at:at + 200])
        self._topics = []

    def settle(self, seconds=20):
        """Until what was deleted is off the disk and the rest is on it: the next turn is the other side's."""
        deadline = time.monotonic() + seconds
        while any(any(broker.data_dir.glob("*-delete")) for broker in self.brokers) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.sync()

    # Figures

    def pids(self):
        return [broker.process.pid for broker in self.brokers if broker.process]

    def cpu(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def resident_mb(self):
        return sum(resident_mb(pid) for pid in self.pids())

    @contextlib.contextmanager
    def watched_memory(self):
        """Gives a list whose one figure is the most memory seen so far, in MB, looked at fifty times a second."""
        most, over = [0.0], threading.Event()

        def watch():
            while not over.wait(0.02):
                most[0] = max(most[0], self.resident_mb())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield most
        finally:
            over.set()
            watcher.join()

    def open_files(self):
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def _costing(self, what, run):
        before = self.cpu()
        result = run()
        self.ended = time.monotonic()
        time.sleep(0.1)  # What it costs afterwards.
        result["cpu"] = self.cpu() - before
        if result.get("errors"):
            raise RuntimeError(f"{self.kind} {what}: {result['errors']} errors {result.get('error', '')}")
        return result

    def wire(self, mode, topic, **options):
        """bench/load/wireload.cc: below any client. Its figures with `cpu`: what the brokers spent meanwhile, in seconds."""
        return self._costing(f"wireload {mode} {options}", lambda: loads.wire(mode, self.bootstrap, topic, **options))

    def rd(self, mode, topic, **options):
        """bench/load/rdload.cc: librdkafka."""
        return self._costing(f"rdload {mode} {options}", lambda: loads.rd(mode, self.bootstrap, topic, **options))

    def java(self, tool, topic, **options):
        """Apache Kafka's own: produce, consume, end-to-end."""
        return self._costing(f"java {tool} {options}", lambda: loads.java(tool, self.bootstrap, topic, **options))
