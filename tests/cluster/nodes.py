"""Clusters of several brokers and controllers on 127.0.0.1 or each in a network namespace of its own, of Samsa or Apache Kafka."""

import os
import shutil
import signal
import struct
import subprocess
import time

from confluent_kafka.admin import AdminClient, NewTopic

from peers import rawwire
from peers.broker import KINDS, free_ports
from peers.paths import scratch_root

COMBINED = "broker,controller"
REPLICATED = {"offsets.topic.replication.factor": "3", "transaction.state.log.replication.factor": "3", "transaction.state.log.min.isr": "2"}


def wait_for(condition, seconds=60, what="it", pause=0.05):
    """The first true value of condition(); an error of the network counts as not yet."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except Exception as error:  # noqa: BLE001 what a client says while brokers come and go
            last = error
        time.sleep(pause)
    raise AssertionError(f"{what} did not come about within {seconds} s ({last})")


class Cluster:
    """roles: one entry per node, ids from 1 on. `voters`: "static" (controller.quorum.voters) or "dynamic" (--initial-controllers, of which are
    all controllers or those of `initial`)."""

    def __init__(self, kind, name, roles=(COMBINED,) * 3, voters="static", net=None, initial=None, **overrides):
        self.kind, self.roles, self.net, self.voters = kind, list(roles), net, voters
        self.initial = initial or [number for number, role in enumerate(roles, 1) if "controller" in role]
        self.directory = scratch_root() / f"{kind}-cluster-{name}-{os.getpid()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.nodes, self._admins = [], {}
        for number, role in enumerate(roles, 1):
            node = KINDS[kind](self.directory / str(number), node__id=str(number), **{"process__roles": role})
            node.number, node.role, node.paused, node.host = number, role, False, net.address(number) if net else "127.0.0.1"
            node.overrides |= REPLICATED | {key.replace("__", "."): str(value) for key, value in overrides.items()}
            self.nodes.append(node)
        if net:
            for node in self.nodes:
                node.port, node.controller_port = 9092, 9093
                node.server_command = lambda inner=node.server_command, n=node.number: net.inside(n) + inner()
        for node in self.nodes:
            self._say_where(node)

    def _say_where(self, node):
        controllers = [n for n in self.nodes if "controller" in n.role]
        listeners = []
        if "broker" in node.role:
            listeners.append(f"PLAINTEXT://{node.host}:{node.port}")
        if "controller" in node.role:
            listeners.append(f"CONTROLLER://{node.host}:{node.controller_port}")
        node.overrides |= {"listeners": ",".join(listeners), "advertised.listeners": ",".join(listeners)}
        if self.voters == "static":
            node.overrides["controller.quorum.voters"] = ",".join(f"{n.number}@{n.host}:{n.controller_port}" for n in controllers)
            node.overrides["controller.quorum.bootstrap.servers"] = ""
        else:
            node.overrides["controller.quorum.bootstrap.servers"] = ",".join(f"{n.host}:{n.controller_port}" for n in controllers)
        if "broker" not in node.role:
            node.overrides["advertised.listeners"] = f"CONTROLLER://{node.host}:{node.controller_port}"

    # Life

    def format(self, *words):
        directories = {n.number: rawwire_uuid(n.number) for n in self.nodes}
        initial = ",".join(f"{n.number}@{n.host}:{n.controller_port}:{directories[n.number]}" for n in self.nodes if n.number in self.initial)
        for node in self.nodes:
            how = []
            if self.voters == "dynamic":
                how = ["--initial-controllers", initial] if node.number in self.initial else ["--no-initial-controllers"]
            self.format_one(node, *how, *words)

    def format_one(self, node, *how, cluster_id=None):
        node.write_properties()
        done = subprocess.run(node.storage_command("format", "-t", cluster_id or node.cluster_id, "-c", str(node.properties_file), *how),
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def create(self):
        self.format()
        return self.start()

    def start(self, nodes=None):
        for node in nodes or self.nodes:
            node.start(wait=False)
        for node in nodes or self.nodes:
            self.wait_served(node)
        return self

    def wait_served(self, node):
        """The node's broker names itself to clients; a controller alone listens."""
        port = node.port if "broker" in node.role else node.controller_port

        def there():
            if node.process.poll() is not None:
                raise SystemExit(f"node {node.number} ended: {node.log()[-2000:]}")
            with rawwire.Connection(node.host, port, timeout=10) as connection:
                return "broker" not in node.role or rawwire.live_brokers(connection) > 0

        if self.net is None:
            wait_for(there, 120, f"node {node.number}")
        else:
            wait_for(lambda: node.number in self.admin().list_topics(timeout=5).brokers, 120, f"node {node.number}")

    def stop(self, timeout=60):
        running = [n for n in self.nodes if n.process]
        for node in running:
            node.process.send_signal(signal.SIGTERM)
        return [node.wait_exit(timeout) for node in running]

    def destroy(self):
        for node in self.nodes:
            if node.process:
                node.process.send_signal(signal.SIGCONT)
            node.destroy()

    def __getitem__(self, number):
        return self.nodes[number - 1]

    @staticmethod
    def pause(node):
        node.paused = True
        node.process.send_signal(signal.SIGSTOP)

    @staticmethod
    def go_on(node):
        node.paused = False
        node.process.send_signal(signal.SIGCONT)

    # What it says of itself

    @property
    def brokers(self):
        return [n for n in self.nodes if "broker" in n.role]

    @property
    def bootstrap(self):
        return ",".join(f"{n.host}:{n.port}" for n in self.brokers)

    @property
    def alive(self):
        """Bootstrap servers that answer."""
        return ",".join(f"{n.host}:{n.port}" for n in self.brokers if n.process and not n.paused)

    def admin(self):
        """A client that knows the nodes that run; kept, as its futures end with it."""
        alive = self.alive
        if alive not in self._admins:
            self._admins[alive] = AdminClient({"bootstrap.servers": alive, "socket.timeout.ms": 10000, "log_level": 0})
        return self._admins[alive]

    def topic(self, name, partitions=1, replicas=3, **config):
        made = NewTopic(name, num_partitions=partitions if isinstance(partitions, int) else len(partitions),
                        config={key.replace("__", "."): str(value) for key, value in config.items()},
                        **({"replication_factor": replicas} if isinstance(partitions, int) else {"replica_assignment": partitions}))
        for done in self.admin().create_topics([made], operation_timeout=30).values():
            done.result(60)
        self.wait_isr(name, replicas if isinstance(partitions, int) else len(partitions[0]))
        return name

    def partition(self, topic, partition=0):
        return self.admin().list_topics(topic, timeout=10).topics[topic].partitions[partition]

    def leader(self, topic, partition=0):
        return self[wait_for(lambda: max(0, self.partition(topic, partition).leader), 60, "a leader")]

    def wait_isr(self, topic, count, partition=None, seconds=90):
        def there():
            partitions = self.admin().list_topics(topic, timeout=10).topics[topic].partitions
            chosen = partitions.values() if partition is None else [partitions[partition]]
            return len(partitions) > 0 and all(p.leader > 0 and len(p.isrs) == count for p in chosen)
        wait_for(there, seconds, f"an ISR of {count}")

    def controller(self):
        """The active controller's node."""
        return self[wait_for(lambda: self.admin().describe_cluster(request_timeout=5).result(10) and self._quorum_leader(), 60, "a controller")]

    def _quorum_leader(self):
        for node in self.brokers:
            if node.process is None or node.paused:
                continue
            try:
                with rawwire.Connection(node.host, node.port, timeout=10) as connection:
                    if found := rawwire.quorum_leader(connection):
                        return found
            except OSError:
                continue
        return None


def rawwire_uuid(number):
    """A directory id in base64url that is not a reserved one."""
    import base64
    return base64.urlsafe_b64encode(b"directory of " + struct.pack(">H", number) + b"!").decode().rstrip("=")


LATEST, EARLIEST = -1, -2


def list_offset(node, topic, partition=0, at=LATEST, replica=-1):
    """(error, offset) by ListOffsets v1. Replica -2: a debugging one, which sees the log end instead of the high watermark."""
    body = struct.pack(">ii", replica, 1) + rawwire.string(topic) + struct.pack(">iiq", 1, partition, at)
    with rawwire.Connection(node.host, node.port) as connection:
        answer = rawwire.Answer(connection.call(rawwire.request(2, 1, body)))
    answer.take(">i"), answer.string(), answer.take(">i")
    _, error, _, offset = answer.take(">ihqq")
    return error, offset


def high_watermark(node, topic, partition=0):
    return list_offset(node, topic, partition)[1]


def log_end(node, topic, partition=0):
    return list_offset(node, topic, partition, replica=-2)[1]
