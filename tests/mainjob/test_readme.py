"""The commands of README.md, word for word, in a network of their own, where port 9092 is free."""

import os
import re
import shutil
import subprocess

import pytest

from peers.paths import REPO, samsa_bin, scratch_root

pytestmark = [pytest.mark.timeout(600)]


def commands(heading: str) -> str:
    """The first block of commands under that heading."""
    section = (REPO / "README.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"^```\n(.*?)^```", section, re.M | re.S)[1]


@pytest.fixture
def checkout():
    """A folder with what a build leaves in the repository."""
    folder = scratch_root() / f"readme-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "build" / "release").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "build" / "release" / "samsa").symlink_to(samsa_bin())
    for one in (REPO / "bin").iterdir():
        (folder / "bin" / one.name).symlink_to(samsa_bin())
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(folder, script: str) -> str:
    alone = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    # A process namespace too, so that whatever a failing script leaves running ends with it.
    done = subprocess.run([*alone, "--pid", "--fork", "--kill-child", "bash", "-c", "ip link set lo up\n" + script], cwd=folder, capture_output=True,
                          text=True, timeout=580, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_five_minutes(checkout):
    said = run(checkout, f"build/release/samsa serve 2> node.log & node=$!\n{commands('Five minutes')}\nkill $node; wait $node")
    assert "Created topic my-topic." in said and "PartitionCount: 3" in said
    assert sorted(int(line) for line in said.splitlines() if line.isdigit()) == list(range(1, 1001))
    committed = re.findall(r"^my-group +my-topic +\d +(\d+) +\d+ +0 ", said, re.M)
    assert sum(map(int, committed)) == 1000


def test_half_a_million_lines(checkout):
    assert "every line was read" in run(checkout, commands("Half a million lines, and a kill in the middle"))
