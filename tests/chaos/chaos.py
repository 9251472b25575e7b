"""Chaos over real processes: three nodes in network namespaces, librdkafka and Java as clients, faults by name, and the checkers of the
simulation (samsa-check) over what the clients saw.

    python -m chaos.chaos --minutes 3 [--peer samsa|apache|both] [--seed N]       (./dev chaos; needs root for the namespaces)

The seed draws the faults and their times; real processes do not repeat, so it repeats the plan, not the run.
"""
import argparse
import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.network import Net
from cluster.nodes import Cluster
from peers import maven
from peers.paths import TESTS

HERE = Path(__file__).resolve().parent
CHECK = TESTS.parent / "build" / "release" / "samsa-check"
TOPIC, PARTITIONS, RATE = "chaos", 4, 100
CLONE_NEWNET = 0x40000000


def enter(namespace):
    """This thread, and what it starts, works there from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    there = os.open(namespace, os.O_RDONLY)
    assert libc.setns(there, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    os.close(there)


def java():
    libs = maven.kafka_libs()
    classes, source = libs.parent / "chaos-client", HERE / "ChaosClient.java"
    stamp = classes / "ChaosClient.class"
    if not stamp.exists() or stamp.stat().st_mtime < source.stat().st_mtime:
        classes.mkdir(exist_ok=True)
        subprocess.run(["javac", "-cp", str(libs / "*"), "-d", str(classes), str(source)], check=True)
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={TESTS}/peers/kafka/tools-log4j2.properties",
            "-cp", f"{classes}:{libs}/*", "ChaosClient"]


class Chaos:
    """One run over one cluster."""

    def __init__(self, peer, seed):
        self.random = random.Random(seed)
        self.home = f"/proc/self/fd/{os.open('/proc/self/ns/net', os.O_RDONLY)}"
        self.net = Net(3)
        self.cluster, self.clients = None, []
        try:
            enter(f"/run/netns/{self.net.namespace(0)}")
            self.cluster = Cluster(peer, "chaos", net=self.net)
            self.cluster.create()
            self.cluster.topic(TOPIC, PARTITIONS, min__insync__replicas=2)
        except BaseException:
            self.end()
            raise
        self.counts = {}

    def out(self, name):
        return str(self.cluster.directory / name)

    def start_client(self, name, command, number):
        errors = open(self.out(name) + ".errors", "w")
        self.clients.append(subprocess.Popen([*self.net.inside(0), *command, self.cluster.bootstrap, TOPIC, str(PARTITIONS), str(RATE), str(number),
                                              self.out(name)], stdin=subprocess.PIPE, stderr=errors))

    # The faults. Each hits one node, which is whole again when it returns; replication factor 3 with min.insync.replicas 2 survives that.

    def crash(self, node):
        node.process.kill()
        node.process.wait()
        time.sleep(self.random.uniform(0, 8))
        self.restart(node)

    def stop(self, node):
        node.process.send_signal(signal.SIGTERM)
        node.wait_exit(90)
        self.restart(node)

    def restart(self, node):
        node.process = None
        node.start(wait=False)
        self.cluster.wait_served(node)

    def pause(self, node):
        Cluster.pause(node)
        time.sleep(self.random.uniform(0.5, 15))
        Cluster.go_on(node)

    def cut_off(self, node):
        self.net.lose(node.number)
        time.sleep(self.random.uniform(0.5, 15))
        self.net.heal(node.number)

    def crash_all(self, _):
        """All processes at once; the machines, and so the page caches, live on."""
        for node in self.cluster.nodes:
            node.process.kill()
        for node in self.cluster.nodes:
            node.process.wait()
            node.process = None
        self.cluster.start()

    def work(self, seconds):
        faults = [self.crash, self.crash, self.stop, self.pause, self.cut_off, self.cut_off, self.crash_all]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fault, node = self.random.choice(faults), self.random.choice(self.cluster.nodes)
            print(f"  {fault.__name__} node {node.number}", flush=True)
            fault(node)
            self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
            if self.random.random() < 0.5:
                self.cluster.wait_isr(TOPIC, 3, seconds=180)
            time.sleep(self.random.uniform(0, 4))

    def judge(self):
        self.cluster.wait_isr(TOPIC, 3, seconds=180)
        for client in self.clients:
            client.stdin.close()
        assert [client.wait(180) for client in self.clients] == [0] * len(self.clients), "a client failed: see its .errors"
        subprocess.run([*self.net.inside(0), sys.executable, str(HERE / "client.py"), "final", self.cluster.bootstrap, TOPIC, str(PARTITIONS), "99",
                        self.out("final")], check=True, timeout=180)
        histories = sorted([*self.cluster.directory.glob("*.sends"), *self.cluster.directory.glob("*.polls")])
        return subprocess.run([str(CHECK), *map(str, histories)], check=False).returncode == 0

    def end(self):
        for client in self.clients:
            if client.poll() is None:
                client.kill()
        if self.cluster:
            self.cluster.destroy()
        enter(self.home)
        self.net.remove()


def run(peer, seconds, seed):
    print(f"{peer}: seed {seed}", flush=True)
    chaos = Chaos(peer, seed)
    try:
        chaos.start_client("librdkafka", [sys.executable, str(HERE / "client.py")], 1)
        chaos.start_client("java", java(), 3)
        time.sleep(3)
        chaos.work(seconds)
        good = chaos.judge()
        print(f"{peer}: {'good' if good else 'FAILED'}, faults " + ", ".join(f"{count} {name}" for name, count in sorted(chaos.counts.items())), flush=True)
        return good
    finally:
        chaos.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--peer", choices=["samsa", "apache", "both"], default="samsa")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    peers = ["samsa", "apache"] if arguments.peer == "both" else [arguments.peer]
    return 0 if all([run(peer, arguments.minutes * 60, arguments.seed) for peer in peers]) else 1


if __name__ == "__main__":
    sys.exit(main())
