"""The arithmetic of the benchmarks: what is compared with what, and what the long form says of its end. No broker and no clock."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
from harness import endurance, measure, report, row  # noqa: E402
from harness.row import APART, pairs  # noqa: E402

NEAR, FAR = 100, 500


def figures(*turns):
    return {"MB/s": [figure for figure, _ in turns], APART: [apart for _, apart in turns]}


@pytest.mark.parametrize("measure, times", [("MB/s", 2), ("MB/s read", 2), ("p99 ms", 0.5), ("CPU s/GB", 0.5)])
def test_the_unit_says_which_way_is_better(measure, times):
    assert pairs(measure, {measure: [10]}, {measure: [5]}) == [times]


def test_turns_meet_their_like():
    ours = figures((200, NEAR), (100, FAR), (220, NEAR))
    theirs = figures((50, FAR), (100, NEAR), (100, FAR), (110, NEAR))
    assert pairs("MB/s", ours, theirs) == [2, 2, 2]


def test_turns_of_different_states_say_nothing():
    ours, theirs = figures((200, NEAR)), figures((100, FAR))
    assert pairs("MB/s", ours, theirs) == []
    found = measure.Found()
    found.note(row.Row("some row", None), "samsa", {"MB/s": 200, APART: NEAR})
    found.note(row.Row("some row", None), "apache", {"MB/s": 100, APART: FAR})
    line, machine = report.table(found).splitlines()[2:]
    assert "no turns alike" in line
    assert "no turns alike" not in machine


def test_a_row_that_is_behind_is_named_though_its_median_is_ahead():
    found = measure.Found()
    some = row.Row("some row", None)
    for figure, apart in ((200, NEAR), (190, NEAR), (100, FAR)):
        found.note(some, "samsa", {"MB/s": figure, APART: apart})
    for figure, apart in ((210, NEAR), (110, FAR), (111, FAR)):
        found.note(some, "apache", {"MB/s": figure, APART: apart})
    assert any("behind: some row, MB/s" in line for line in report.behind(found))


def load(monkeypatch, places):
    """What in_one_state makes of loads before and behind each of which the processors are so far apart; and how often they were settled."""
    left, loaded, settled = list(places), [], []
    monkeypatch.setattr(row.loads, "apart", lambda: left.pop(0))

    class Side:
        def settle(self):
            settled.append(1)

    def run():
        loaded.append(1)
        return {"MB/s": len(loaded)}
    return row.in_one_state(Side(), run), len(settled)


def test_a_load_is_repeated_while_the_processors_are_moved(monkeypatch):
    assert load(monkeypatch, [NEAR, NEAR]) == ({"MB/s": 1, APART: NEAR}, 0)
    assert load(monkeypatch, [NEAR, FAR, FAR, NEAR, FAR, FAR]) == ({"MB/s": 3, APART: FAR}, 2)
    with pytest.raises(RuntimeError, match="moved"):
        load(monkeypatch, [NEAR, FAR] * 8)


def verdict(name, *windows):
    """Of windows of (figure, processors apart)."""
    lines = [dict.fromkeys(endurance.ALLOWED, 1.0) | {name: figure, APART: apart} for figure, apart in windows]
    return endurance.verdicts(lines)[name][3]


@pytest.mark.parametrize("name", endurance.ALLOWED)
def test_an_end_as_good_as_the_beginning(name):
    assert verdict(name, *[(50, NEAR)] * 8) == endurance.GOOD
    assert verdict(name, *[(50, NEAR)] * 4, *[(500, NEAR)] * 4) == endurance.WORSE


def test_processors_that_moved_hide_what_cpu_says_and_nothing_else():
    assert verdict("CPU us/record", *[(50, NEAR)] * 4, *[(100, FAR)] * 4) == endurance.NOISY
    assert verdict("CPU us/record", *[(50, FAR)] * 4, *[(50, NEAR)] * 4) == endurance.NOISY
    assert verdict("memory MB", *[(50, NEAR)] * 4, *[(500, FAR)] * 4) == endurance.WORSE
