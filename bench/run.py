#!/usr/bin/env python3
"""Side by side: Samsa and Apache Kafka 4.3.1 (from Maven), same machine, same disk, same load, in turn.

    ./dev bench                      every row, three rounds
    ./dev bench --quick              every row but the long ones, one round
    ./dev bench produce latency      only rows whose name begins so
    ./dev bench cluster              the rows of three nodes
    ./dev bench list                 the rows
    ./dev bench --long [minutes]     steady load for an hour, or so many minutes: is its end as good as its beginning?
    ./dev bench micro [filter]       micro benchmarks (Google Benchmark), each beside the least its work could take

Writes build/bench/result.md, result.json and plots (*.svg). The machine may be busy with other things: believe CPU time and ratios, not wall
clock. CPU is the broker processes' own (user and system), memory their resident size. How to add a row: bench/harness/row.py.
"""
import argparse
import json
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]
from harness import loads, measure, nodes, report, row  # noqa: E402
import rows  # noqa: E402, F401


def chosen(arguments):
    names = ["three nodes" if name == "cluster" else name for name in arguments.rows]
    found = [one for one in row.ROWS if (any(one.name.startswith(name) for name in names) if names else not (arguments.quick and one.long))]
    if not found:
        raise SystemExit("no row has such a name; ./dev bench list names them")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names of rows, by their beginning; none: all")
    parser.add_argument("--quick", action="store_true", help="one round, without the long rows")
    parser.add_argument("--long", nargs="?", type=float, const=60.0, metavar="MINUTES")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--realtime", action="store_true", help="brokers and loads with real-time scheduling: for a machine that does other "
                        "work meanwhile, so that it adds nothing to latencies")
    parser.add_argument("--merge", action="store_true", help="keep what the file of --out has of other rows")
    parser.add_argument("--only", choices=nodes.KINDS, help="one side alone, while developing")
    parser.add_argument("--out", type=Path, default=loads.OUT / "result.json")
    arguments = parser.parse_args()
    if arguments.rows[:1] == ["list"]:
        print("\n".join(one.name + ("  (long)" if one.long else "") for one in row.ROWS))
        return
    try:  # Twenty thousand connections need as many descriptors.
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    except (ValueError, PermissionError):
        pass
    loads.realtime = arguments.realtime
    nodes.prefer()
    loads.prepare()
    kinds = (arguments.only,) if arguments.only else nodes.KINDS
    if arguments.long:
        from harness import endurance
        raise SystemExit(endurance.run(arguments.long, kinds, arguments.out.with_name("long.json")))
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    earlier = measure.Found()
    if arguments.merge and arguments.out.exists():
        earlier.take_over(json.loads(arguments.out.read_text())["rows"], row.ROWS)
        earlier.forget(chosen(arguments))
    found = measure.run(chosen(arguments), rounds, kinds, lambda so_far: report.write(so_far, rounds, arguments.out), earlier)
    print(arguments.out.with_suffix(".md").read_text())
    if found.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
