"""Runs rows: stage by stage, round by round, the two sides by turns row by row, so that what the machine does meanwhile meets both."""
import os
import shutil
import sys
import time
import traceback

from . import loads, nodes


class Found:
    """figures[row][kind][measure]: the figure of each round."""

    def __init__(self):
        self.figures, self.rows, self.failures = {}, {}, []

    def note(self, row, kind, figures):
        self.rows[row.name] = row
        for measure, figure in figures.items():
            self.figures.setdefault(row.name, {}).setdefault(kind, {}).setdefault(measure, []).append(figure)

    def take_over(self, figures, rows):
        """What an earlier run found of the rows that there still are."""
        self.rows |= {row.name: row for row in rows if row.name in figures}
        self.figures |= {name: kinds for name, kinds in figures.items() if name in self.rows}

    def forget(self, rows):
        for row in rows:
            self.figures.pop(row.name, None)

    def failed(self, row, kind, why):
        self.failures.append(f"{row.name}, {kind}: {why}")
        print(f"    failed: {why}", file=sys.stderr, flush=True)


def make_side(kind, stage, label):
    return nodes.Side(kind, loads.OUT / f"node-{label}-{kind}", stage.nodes, dict(stage.properties), stage.synced)


def end(side, row, later):
    """The brokers, and what they have on the disk; of a row with very many files only `later`."""
    if row.stage.files:
        side.kill()
        later.append(side)
    else:
        side.destroy()
    os.sync()


def warm_up(side):
    """The JVM compiles what is used often: both sides are given the same time to get there."""
    topic = side.topic(partitions=4)
    for batch, connections, seconds in ((4096, 1, 4), (600, 10, 2), (131072, 1, 1)):
        side.wire("produce", topic, seconds=seconds, size=512, batch=batch, connections=connections)
    side.wire("consume", topic, split=1, seconds=6, again=1)
    side.clear()


def one(row, kind, side, found):
    began = time.monotonic()
    try:
        figures = row.run(side)
        found.note(row, kind, figures)
        shown = ", ".join(f"{name} {figure:.4g}" for name, figure in figures.items())
        print(f"    {kind:7} {time.monotonic() - began:5.1f} s  {shown}", file=sys.stderr, flush=True)
    except Exception as error:  # A row that fails must not cost the others.
        found.failed(row, kind, f"{type(error).__name__}: {str(error)[:600]}")
        if not isinstance(error, RuntimeError):
            traceback.print_exc()
    finally:
        try:
            if not row.stage.alone and any(side.pids()):
                side.clear()
                side.settle()
        except Exception as error:
            found.failed(row, kind, f"clearing up: {error}")


def run_stage(stage, rows, rounds, kinds, found, later):
    sides = {kind: make_side(kind, stage, "row" if stage.alone else "stage") for kind in kinds}
    try:
        if not stage.alone:
            for side in sides.values():
                side.format()
                side.start()
            for side in sides.values():
                warm_up(side)
                side.settle()
        for number in range(rounds):
            for at, row in enumerate(rows):
                if row.once and number > 0:
                    continue
                print(f"  round {number + 1}/{rounds}: {row.name}", file=sys.stderr, flush=True)
                orders = kinds, list(reversed(kinds))
                for kind in (kind for turn in range(row.turns) for kind in orders[(number + at + turn) % 2]):
                    if stage.alone:
                        sides[kind] = make_side(kind, stage, f"row-{len(later)}" if stage.files else "row")
                    one(row, kind, sides[kind], found)
                    if stage.alone:
                        end(sides[kind], row, later)
    finally:
        for side in sides.values():
            if side not in later:
                side.destroy()


def run(rows, rounds, kinds, so_far, found=None):
    """`so_far` is called with what was found after each stage; `found`: what is there already."""
    found = found or Found()
    realtime = loads.realtime
    stages = {}
    for row in rows:
        stages.setdefault(row.stage, []).append(row)
    for left in loads.OUT.glob("node-*"):  # By a run that was interrupted.
        shutil.rmtree(left, ignore_errors=True)
    later = []
    try:
        for stage, members in sorted(stages.items(), key=lambda item: not item[0].files):
            print(f"{stage}", file=sys.stderr, flush=True)
            loads.realtime = realtime or stage.realtime
            try:
                run_stage(stage, members, rounds, kinds, found, later)
            except Exception as error:
                found.failures.append(f"{stage}: {error}")
                traceback.print_exc()
            loads.realtime = realtime
            so_far(found)
    finally:
        for side in later:
            side.destroy()
    return found
