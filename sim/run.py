#!/usr/bin/env python3
"""Runs seeds of the simulation on every core, until one fails or the time is over.

    sim/run.py --minutes 5                      fresh seeds of every workload (./dev sim)
    sim/run.py --first 1 --seeds 200            these seeds of each workload, whatever the time
    sim/run.py --mutants                        each planted defect must be found within its number of seeds

Exit code 0: all good. 1: a run failed (or a mutant was not found); the line that repeats it is printed last.
"""
import argparse
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
CHUNK = 5  # Seeds per process: small, so that the first failure is soon known.
VIRTUAL = re.compile(r"(\d+) seeds of \S+ are good, ([0-9.]+) virtual hours")


class Sweep:
    """Seeds that workers take in turn, workload by workload."""

    def __init__(self, workloads, first, seeds, deadline, extra):
        self.workloads, self.next, self.end, self.deadline, self.extra = workloads, first, first + seeds if seeds else None, deadline, extra
        self.turn = 0
        self.lock = threading.Lock()
        self.good = {name: 0 for name in workloads}
        self.hours = 0.0
        self.failure = None

    def take(self):
        with self.lock:
            if self.failure or (self.deadline and time.monotonic() > self.deadline):
                return None
            if self.turn == len(self.workloads):
                self.turn, self.next = 0, self.next + CHUNK
            if self.end is not None and self.next >= self.end:
                return None
            count = CHUNK if self.end is None else min(CHUNK, self.end - self.next)
            job = (self.workloads[self.turn], self.next, count)
            self.turn += 1
            return job

    def work(self):
        while job := self.take():
            workload, first, count = job
            command = [str(BUILD / "samsa-sim"), "--workload", workload, "--seed", str(first), "--seeds", str(count), "--quiet", *self.extra]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
            with self.lock:
                if done.returncode != 0:
                    self.failure = self.failure or (job, done)
                    return
                self.good[workload] += count
                found = VIRTUAL.search(done.stdout)
                self.hours += float(found.group(2)) if found else 0

    def run(self, workers):
        threads = [threading.Thread(target=self.work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def list_of(word):
    """Rows of `samsa-sim --list` that begin with the word, split."""
    out = subprocess.run([str(BUILD / ("samsa-sim-mutants" if word == "mutant" else "samsa-sim")), "--list"], capture_output=True, text=True,
                         check=True).stdout
    return [line.split(None, 2)[1:] for line in out.splitlines() if line.startswith(word + " ")]


def sweep(arguments):
    workloads = arguments.workload or [row[0] for row in list_of("workload")]
    first = arguments.first if arguments.first is not None else int(time.time()) * 1000
    deadline = time.monotonic() + arguments.minutes * 60 if arguments.minutes else None
    started = time.monotonic()
    job = Sweep(workloads, first, arguments.seeds, deadline, arguments.extra)
    job.run(arguments.jobs)
    total = sum(job.good.values())
    print(f"{total} seeds from {first} on are good, {job.hours:.2f} virtual hours in {time.monotonic() - started:.0f} s: " +
          ", ".join(f"{name} {count}" for name, count in job.good.items()))
    if job.failure:
        (workload, first, count), done = job.failure
        print(done.stdout + done.stderr)
        if done.returncode not in (1, 2):
            print(f"samsa-sim ended with {done.returncode} in one of these seeds:\n"
                  f"replay: build/release/samsa-sim --workload {workload} --seed {first} --seeds {count}")
        return 1
    return 0


def mutants(arguments):
    """Runs seeds with each defect switched on until a run fails, at most as many as its row says."""
    rows = [row for row in list_of("mutant") if not arguments.only or row[0] in arguments.only]
    missed = []
    for name, rest in rows:
        limit, workload, faults, doc = rest.split(None, 3)
        started = time.monotonic()
        done = subprocess.run([str(BUILD / "samsa-sim-mutants"), "--mutant", name, "--workload", workload, "--faults", faults, "--seed", "1",
                               "--seeds", limit, "--quiet", "--trace", "0"], capture_output=True, text=True, errors="replace")
        seconds = time.monotonic() - started
        found = done.returncode not in (0, 2)
        seed = re.search(r"^seed (\d+) .*FAILED", done.stdout, re.M)
        first = next((line.strip() for line in done.stdout.split("what is wrong\n")[-1].splitlines() if line.strip()), "") if found else ""
        print(f"{name:22} {'found at seed ' + (seed.group(1) if seed else '?') if found else 'NOT FOUND in ' + limit:18} of {limit:>4}  "
              f"{seconds:5.1f} s  {first[:110]}", flush=True)
        if not found:
            missed.append(name)
            print(done.stdout[-500:] + done.stderr[-500:])
    if missed:
        print(f"not found: {', '.join(missed)}")
    return 1 if missed or not rows else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="how long; with neither this nor --seeds: 5")
    parser.add_argument("--seeds", type=int, help="how many seeds of each workload")
    parser.add_argument("--first", type=int, help="the first seed; otherwise fresh ones")
    parser.add_argument("--workload", action="append", help="only these; otherwise all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--only", action="append", help="with --mutants: only these")
    parser.add_argument("extra", nargs="*", help="after --: for samsa-sim (--faults crash,power)")
    arguments = parser.parse_args()
    if arguments.minutes is None and arguments.seeds is None:
        arguments.minutes = 5
    return mutants(arguments) if arguments.mutants else sweep(arguments)


if __name__ == "__main__":
    sys.exit(main())
