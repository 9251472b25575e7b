"""More than the memory setting allows: the node's memory stays within it, everybody is answered, and what was acknowledged is there (5 s)."""

import struct
import subprocess
import threading
import time

import pytest

from budgets import wire
from budgets.conftest import Counting
from peers import rawwire
from peers.paths import scratch_root
from peers.tools import SamsaTools

TOPIC, PARTITIONS = "flooded", 4
ALLOWED = 16_000_000        # queued.max.request.bytes
ROOM = 24_000_000           # Stacks, answers, indexes, what the allocator keeps.
CONNECTIONS, PIPELINED, ROUNDS, VALUE = 40, 4, 3, 1_000_000  # 160 MB of requests under way.
LIST_OFFSETS = 2


@pytest.fixture
def node():
    one = Counting(scratch_root() / "samsa-overload", **{"samsa.shards": "2", "queued.max.request.bytes": str(ALLOWED), "socket.request.max.bytes": "2000000"})
    one.create()
    made = subprocess.run(SamsaTools().command("kafka-topics", "--bootstrap-server", one.bootstrap, "--create", "--topic", TOPIC, "--partitions", str(PARTITIONS)),
                          capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stdout + made.stderr
    yield one
    one.destroy()


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def end_offsets(connection):
    body = struct.pack(">ii", -1, 1) + rawwire.string(TOPIC) + struct.pack(">i", PARTITIONS)
    body += b"".join(struct.pack(">iq", partition, -1) for partition in range(PARTITIONS))
    answer = rawwire.Answer(connection.call(rawwire.request(LIST_OFFSETS, 1, body)))
    ((_, found),) = answer.array(lambda: (answer.string(), answer.array(">ihqq")))
    assert all(error == 0 for _, error, _, _ in found)
    return sum(offset for _, _, _, offset in found)


def flood(node, number, errors):
    request = wire.produce(TOPIC, number % PARTITIONS, wire.record_batch(VALUE))
    with node.connection(timeout=120) as connection:
        for _ in range(ROUNDS):
            sender = threading.Thread(target=lambda: [connection.send(request) for _ in range(PIPELINED)])
            sender.start()
            errors += [wire.produce_error(connection.receive(), TOPIC) for _ in range(PIPELINED)]
            sender.join()


def test_memory_stays_within_its_setting_and_nothing_is_lost(node):
    small = wire.produce(TOPIC, 0, wire.record_batch(10))
    before = most = resident(node.process.pid)
    errors, quiet_errors = [], []
    floods = [threading.Thread(target=flood, args=(node, number, errors)) for number in range(CONNECTIONS)]
    for one in floods:
        one.start()
    with node.connection(timeout=120) as quiet:
        while any(one.is_alive() for one in floods):
            quiet_errors.append(wire.produce_error(quiet.call(small), TOPIC))
            most = max(most, resident(node.process.pid))
            time.sleep(0.01)
        print(f"\n{len(quiet_errors)} small requests beside, memory {before / 1e6:.0f} to {most / 1e6:.0f} MB")
        assert len(errors) == CONNECTIONS * PIPELINED * ROUNDS and not any(errors), "everybody is answered, nobody is refused"
        assert not any(quiet_errors)
        assert end_offsets(quiet) == len(errors) + len(quiet_errors)
    assert most - before < ALLOWED + ROOM, f"{before} to {most} bytes"
