"""Seeds of the simulation, and the planted defects that it must find (sim/README.md). SAMSA_SIM_SEEDS: how many of each workload."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEEDS = os.environ.get("SAMSA_SIM_SEEDS", "200")
WORKLOADS = ["log", "group", "compact", "admin", "quorum"]
MUTANTS = ["skip-fsync", "ack-early", "hw-ignores-isr", "forget-truncate", "forget-sequence", "elect-anyone", "vote-twice", "same-epoch", "hw-falls",
           "forget-generation", "forget-fence", "compact-too-much"]


def sim(*arguments):
    return subprocess.run([sys.executable, str(ROOT / "sim" / "run.py"), *arguments], capture_output=True, text=True, cwd=ROOT)


def test_every_workload_is_here():
    listed = subprocess.run([str(ROOT / "build/release/samsa-sim"), "--list"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^workload (\S+)", listed, re.M) == WORKLOADS
    listed = subprocess.run([str(ROOT / "build/release/samsa-sim-mutants"), "--list"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^mutant +(\S+)", listed, re.M) == MUTANTS


@pytest.mark.parametrize("workload", WORKLOADS)
def test_seeds(workload):
    done = sim("--first", "1", "--seeds", SEEDS, "--workload", workload)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    print(done.stdout)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_found(mutant):
    done = sim("--mutants", "--only", mutant)
    assert done.returncode == 0, done.stdout[-4000:]
