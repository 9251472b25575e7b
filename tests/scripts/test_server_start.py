"""`kafka-server-start.sh`: its flags, and command lines that are wrong. Ours alone: Kafka's is a shell script around a Java machine."""

import os
import re
import signal
import subprocess
import time

import pytest

from peers.broker import free_ports
from peers.paths import samsa_bin


@pytest.fixture
def start(tmp_path):
    program = tmp_path / "kafka-server-start.sh"
    program.symlink_to(samsa_bin())

    def run(*words: str):
        return subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.parametrize(("words", "said"), [
    (("--override",), "--override needs a setting: --override key=value"),
    (("--override", "port"), "--override port is not of the form key=value"),
    (("a.properties", "b.properties"), "b.properties"),
    (("--verbose",), "--verbose"),
    (("missing.properties",), "missing.properties: No such file or directory"),
    (("-daemon", "--override", "node.id=one"), "Invalid value one for configuration node.id"),
])
def test_wrong_command_line(start, words, said):
    done = start(*words)
    assert done.returncode == 1
    assert said in done.stderr and done.stderr.startswith("samsa: ")


def test_version(start):
    done = start("--version")
    assert done.returncode == 0 and re.fullmatch(r"samsa \d+\.\d+\.\d+\n", done.stdout)


def test_daemon(start, tmp_path):
    broker, controller = free_ports(2)
    done = start(
        "-daemon", "-name", "kafka", "-loggc", "--override", f"log.dirs={tmp_path}/data",
        "--override", f"listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "--override", f"controller.quorum.bootstrap.servers=127.0.0.1:{controller}",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = tmp_path / "logs" / "kafkaServer.out"
    until = time.monotonic() + 60
    while "is ready" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
    pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and str(tmp_path).encode() in command_line(p))
    os.kill(pid, signal.SIGTERM)
    while "stopped" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def command_line(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
