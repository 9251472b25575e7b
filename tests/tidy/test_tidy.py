"""The house rules that a machine can keep: layers, names, sizes, and the ban on the outside world outside io/real.

The ratchet file lists today's exceptions to the size limits; a number may only go down. When something gets smaller the test says
so, and the line is lowered or removed.
"""
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RATCHET = Path(__file__).with_name("ratchet.txt")

# Each room may include itself and what stands before it.
LAYERS = ["base", "io", "protocol", "config", "metrics", "security", "storage", "client", "raft", "metadata", "replication",
          "coordinator", "server", "tool", "main"]
# Rooms that stand beside each other: these pairs are forbidden although the order above would allow them.
FORBIDDEN = {("tool", "server"), ("tool", "coordinator"), ("tool", "replication"), ("client", "storage"), ("client", "metrics"),
             ("security", "protocol"), ("security", "config"), ("metrics", "protocol"), ("metrics", "io")}
MAX_FILE_LINES = 1000
MAX_FUNCTION_LINES = 70

OUTSIDE = re.compile(
    r"std::(this_thread|thread|jthread|random_device|mutex|condition_variable|fstream|ifstream|ofstream|filesystem)\b"
    r"|std::chrono::(system|steady|high_resolution)_clock|::(socket|epoll_create1?|gettimeofday|clock_gettime|usleep|nanosleep)\("
    r"|#include <(sys/socket|sys/epoll|unistd|pthread|thread|mutex|fstream|filesystem|random)(\.h)?>|\b(rand|srand|time)\(")


@cache
def tracked(*patterns):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split()
    return [name for name in names if (ROOT / name).exists()]


def sources():
    return [name for name in tracked("src/*.cc", "src/*.h")]


def text(name):
    return (ROOT / name).read_text()


def code_lines(name):
    """(number, line) without comments and string literals: good enough for word searches."""
    block = False
    for number, line in enumerate(text(name).splitlines(), 1):
        line = re.sub(r'"(\\.|[^"\\])*"', '""', line) if not line.lstrip().startswith("#include") else line
        if block:
            if "*/" not in line:
                continue
            line, block = line.split("*/", 1)[1], False
        if "/*" in line:
            line, block = line.split("/*", 1)[0], "*/" not in line
        yield number, line.split("//", 1)[0]


def room(name):
    return name.split("/")[1]


def test_layers():
    wrong = []
    for name in sources():
        here = room(name)
        for included in re.findall(r'^#include "([a-z_]+)/', text(name), re.M):
            if included not in LAYERS:
                continue
            if LAYERS.index(included) > LAYERS.index(here) or (here, included) in FORBIDDEN:
                wrong.append(f"{name} includes {included}/: {here} must not know {included}")
            if included == "io" and here != "main" and not name.startswith("src/io/") and '"io/real/' in text(name):
                if not name.endswith(("_test.cc", "_main.cc")):
                    wrong.append(f"{name} includes io/real: only main and tests construct the real world")
    assert not wrong, "\n" + "\n".join(sorted(set(wrong)))


def test_nothing_from_outside_except_in_io_real():
    wrong = []
    for name in sources():
        if name.startswith(("src/io/real/", "src/main/")) or name.endswith(("_main.cc", "_fuzz.cc", "_test.cc")):
            continue
        wrong += [f"{name}:{number}: {line.strip()}" for number, line in code_lines(name) if OUTSIDE.search(line)]
    assert not wrong, "clocks, sockets, files, threads and randomness come from io/:\n" + "\n".join(wrong)


def function_lengths(name):
    """(name, first line, length) of every function body, by braces at namespace or class depth."""
    depth, start, head, opened = 0, 0, "", []
    pending = ""
    for number, line in code_lines(name):
        for char in line:
            if char == "{":
                is_scope = re.search(r"\b(namespace|class|struct|enum|union|extern)\b[^;()]*$", pending) is not None
                opened.append((is_scope, number, pending.strip()))
                pending = ""
            elif char == "}":
                if opened:
                    is_scope, first, what = opened.pop()
                    if not is_scope and all(scope for scope, _, _ in opened) and "(" in what:
                        yield re.sub(r"\s+", " ", what)[-90:], first, number - first + 1
                pending = ""
            elif char == ";":
                pending = ""
            else:
                pending += char
        pending += " "


def sizes():
    found = {}
    for name in tracked("src/*.cc", "src/*.h", "sim/*.cc", "sim/*.h", "tests/*.py", "bench/*.py", "bench/*.cc", "src/*.py"):
        lines = text(name).count("\n")
        if lines > MAX_FILE_LINES:
            found[name] = lines
        if name.endswith((".cc", ".h")):
            longest = max((length for _, _, length in function_lengths(name)), default=0)
            if longest > MAX_FUNCTION_LINES:
                found[name + " function"] = longest
    return found


def test_sizes_only_go_down():
    allowed = {}
    if RATCHET.exists():
        for line in RATCHET.read_text().splitlines():
            if line and not line.startswith("#"):
                key, number = line.rsplit(" ", 1)
                allowed[key] = int(number)
    now = sizes()
    grown = [f"{key}: {number} lines (limit {allowed.get(key, MAX_FUNCTION_LINES if key.endswith(' function') else MAX_FILE_LINES)})"
             for key, number in sorted(now.items()) if number > allowed.get(key, 0)]
    assert not grown, "too long, split by meaning:\n" + "\n".join(grown)
    lower = [f"{key} {number}" for key, number in allowed.items() if now.get(key, 0) < number]
    assert not lower, "got smaller: lower or remove these lines in ratchet.txt:\n" + "\n".join(lower)


def test_headers_say_what_they_are():
    wrong = [name for name in sources() if name.endswith(".h") and not text(name).startswith("//")]
    assert not wrong, "these headers do not open with what they are:\n" + "\n".join(wrong)


def test_headers_are_guarded_once():
    wrong = [name for name in sources() if name.endswith(".h") and "#pragma once" not in text(name)]
    assert not wrong, "\n".join(wrong)


def test_names():
    wrong = [name for name in tracked("src/*", "sim/*", "bench/*") if not re.fullmatch(r"[a-zA-Z0-9_./-]+", name) or
             (name.endswith((".cc", ".h")) and not re.fullmatch(r"[a-z0-9_/]+\.(cc|h)", name))]
    assert not wrong, "file names are snake_case:\n" + "\n".join(wrong)


def test_every_file_ends_with_a_newline_and_no_tabs():
    wrong = []
    for name in tracked("src/*.cc", "src/*.h", "src/*.api", "tests/*.py", "*.md"):
        content = text(name)
        if content and not content.endswith("\n"):
            wrong.append(f"{name}: no newline at its end")
        if "\t" in content and name.endswith((".cc", ".h")):
            wrong.append(f"{name}: has a tab")
    assert not wrong, "\n".join(wrong)


def test_no_marks_of_unfinished_work():
    marks = re.compile(r"\b(TODO|FIXME|XXX|GTEST_SKIP|DISABLED_)\b")
    here = Path(__file__).relative_to(ROOT).as_posix()
    wrong = [f"{name}:{number}: {line.strip()}" for name in tracked("src/*", "sim/*", "tests/*.py", "bench/*") if name != here
             for number, line in enumerate(text(name).splitlines(), 1) if marks.search(line)]
    assert not wrong, "\n".join(wrong)
