"""What a connection costs that asked something once and now lies idle: its object, its stream and two frames (docs/PERFORMANCE.md)."""

import contextlib
import time

from peers import rawwire

CONNECTIONS = 2000
BYTES_EACH = 1200  # 820 are reached, fewer where earlier tests left room; what its last request took must have gone back.
API_VERSIONS = 18


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def test_memory_of_idle_connections(node):
    request = rawwire.request(API_VERSIONS, 0, b"")
    with contextlib.ExitStack() as stack:
        def open_many(count):
            for _ in range(count):
                stack.enter_context(node.connection(timeout=60)).call(request)

        open_many(100)
        before = resident(node.process.pid)
        open_many(CONNECTIONS)
        time.sleep(1)
        each = (resident(node.process.pid) - before) / CONNECTIONS
    print(f"\n{each:.0f} bytes for each idle connection")
    assert each < BYTES_EACH
