"""What a row is. A row of the table is a function that loads one side and gives {measure: figure}:

    @row("produce 1 KiB, acks=1", target={"CPU s/GB": 1.0})
    def _(side):
        return volume(side.wire("produce", side.topic(), records=200_000, acks=1))

The unit says which way is better: a measure that ends in "/s" is better when greater, every other when less; one in brackets says something of the
machine and is not compared. Rows with the same `stage` run on the same pair of brokers. `stage=stage(alone=True)`: the row starts and ends brokers itself and gets a side that is not started; `realtime`:
brokers and loads run with real-time scheduling, as if what else the machine does were done elsewhere; `files`: the row makes very many files.
A file system may look for a minute at each file that was removed before it makes another (ext4 without a journal): such rows come first, and
what they leave is removed after the last row.
"""
from dataclasses import dataclass, field

from . import loads

APART = "(processors apart, ns)"


@dataclass(frozen=True)
class Stage:
    nodes: int = 1
    synced: bool = False
    properties: tuple = ()
    alone: bool = False
    realtime: bool = False
    files: bool = False


def stage(nodes=1, synced=False, alone=False, realtime=False, files=False, **properties):
    """`properties`: server settings, with __ for the dots."""
    return Stage(nodes, synced, tuple(sorted((key.replace("__", "."), str(value)) for key, value in properties.items())), alone, realtime, files)


@dataclass
class Row:
    name: str
    run: object
    stage: Stage = field(default_factory=Stage)
    target: dict = field(default_factory=dict)  # {measure: figure that the issue asks for}
    once: bool = False                          # Too long for several rounds.
    turns: int = 1                              # How often in a round: loads whose figures differ more from time to time than from side to side.
    long: bool = False                          # Only in full runs or when asked for by name.
    main: str = ""                              # The measure of the plot; none: the first.


ROWS = []


def row(name, **more):
    def add(run):
        ROWS.append(Row(name, run, **more))
        return run
    return add


def better_when_greater(measure):
    return measure.endswith(("/s", "/s read"))


def is_compared(measure):
    return not measure.startswith("(")


def is_far(ns):
    """Whether processors so far apart share no cache: about 100 ns or 500 where this was seen; 0: there is one only."""
    return ns > 250


def pairs(measure, ours, theirs):
    """How many times better each of our figures is than one of the other side's: in their order, those found while the processors were near,
    and those while they were far. `ours`, `theirs`: {measure: figures} of a row."""
    def by_state(figures):
        found = figures.get(measure, [])
        states = [is_far(ns) for ns in figures.get(APART, [])] or [False] * len(found)
        return [[figure for figure, state in zip(found, states) if state == wanted] for wanted in (False, True)]

    return [mine / other if better_when_greater(measure) else other / mine
            for state in zip(by_state(ours), by_state(theirs)) for mine, other in zip(*state) if mine > 0 and other > 0]


def in_one_state(side, load):
    """The figures of a load while the processors were near all the time, or far: again if they were moved meanwhile."""
    for _ in range(8):
        before, figures, behind = loads.apart(), load(), loads.apart()
        if is_far(before) == is_far(behind):
            return figures | {APART: behind}
        side.settle()
    raise RuntimeError("the machine's processors were moved during each of eight loads")


def volume(result):
    """The measures of a load that moves records."""
    if not result["records"]:
        raise RuntimeError("nothing was moved")
    return {
        "CPU s/GB": result["cpu"] / (result["bytes"] / 1e9),
        "CPU s/million": result["cpu"] / (result["records"] / 1e6),
        "MB/s": result["bytes"] / 1e6 / result["seconds"],
    }


def percentiles(result):
    """Of so many as there are enough requests for."""
    return {name: result[key] for name, key in (("p50 ms", "p50"), ("p99 ms", "p99"), ("p99.9 ms", "p999")) if key in result}
