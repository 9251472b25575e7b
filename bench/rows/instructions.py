"""Instructions of the broker's own code (user space, by valgrind's callgrind) on the hot roads: a figure that a busy machine does not move.
Of Samsa alone: a virtual machine of another language under callgrind says nothing."""
import re
import shutil
import subprocess
import time

from harness import loads
from harness.row import row, stage
from peers.paths import samsa_bin


def counted(side, mode, options, prepare=None):
    """Instructions between two points of a broker that has seen the same load before."""
    if side.kind != "samsa":
        return None
    if not shutil.which("valgrind"):
        raise RuntimeError("valgrind is not installed")
    side.format()
    broker = side.brokers[0]
    out = broker.directory / "callgrind.out"
    # Debian 12's valgrind does not read the debug information of clang 19.
    bare = broker.directory / "samsa"
    subprocess.run(["strip", "--strip-debug", "-o", str(bare), str(samsa_bin())], check=True)
    broker.server_command = lambda: ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(bare), "serve", str(broker.properties_file)]
    side.start()
    pid = str(broker.process.pid)
    topic = side.topic()
    if prepare:
        loads.wire("produce", side.bootstrap, topic, **prepare)
    loads.wire(mode, side.bootstrap, topic, **options)
    subprocess.run(["callgrind_control", "-z", pid], check=True, capture_output=True)
    result = loads.wire(mode, side.bootstrap, topic, **options)
    time.sleep(0.3)
    subprocess.run(["callgrind_control", "-d", pid], check=True, capture_output=True)
    deadline = time.monotonic() + 20
    while not (dumps := sorted(broker.directory.glob("callgrind.out.*"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    total = int(re.search(r"^(?:summary|totals): (\d+)", dumps[-1].read_text(), re.M)[1])
    return {"instructions/record": total / result["records"], "instructions/request": total / result["requests"]}


def hot(name, mode, options, prepare=None):
    @row(f"callgrind: {name}", stage=stage(alone=True, samsa__shards="1"), once=True)
    def _(side):
        return counted(side, mode, options, prepare) or {}


hot("produce 1 KiB, batch 16 KiB", "produce", dict(records=15_000))
hot("produce 1 KiB, one record a batch", "produce", dict(records=2_000, batch=1))
hot("produce 100 B, batch 128 KiB", "produce", dict(records=100_000, size=100, batch=131072))
hot("consume 1 KiB", "consume", dict(records=50_000), dict(records=50_000))
