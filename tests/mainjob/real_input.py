"""Assembles one real file from what a Debian machine has: package indexes, package lists, texts below /usr/share."""

import glob
import hashlib
from pathlib import Path

from peers.paths import scratch_root

SOURCES = [
    "/var/lib/apt/lists/*Packages", "/var/lib/dpkg/status", "/var/lib/dpkg/info/*.list", "/var/log/*.log",
    "/usr/share/dict/*", "/usr/share/doc/*/copyright", "/usr/share/perl/*/**/*.pm", "/usr/include/**/*.h",
]
LONGEST_LINE = 2000


def is_text(line: bytes) -> bool:
    """The Java console producer reads text, so what is not UTF-8 would not survive it."""
    try:
        line.decode()
        return True
    except UnicodeDecodeError:
        return False


def assemble(lines: int) -> Path:
    """A file of `lines` lines `key<TAB>text`. The key is the number of the line's source file; every line is different.

    Raises AssertionError when the machine has less than that.
    """
    target = scratch_root() / f"real-input-{lines}.txt"
    if target.exists():
        return target
    written = 0
    partial = target.with_suffix(".partial")
    with open(partial, "wb") as out:
        for number, path in enumerate(sorted(p for pattern in SOURCES for p in glob.glob(pattern, recursive=True))):
            if written == lines or not Path(path).is_file():
                continue
            key = hashlib.sha1(path.encode()).hexdigest()[:8]
            with open(path, "rb") as source:
                for place, line in enumerate(source):
                    text = line.rstrip(b"\r\n").replace(b"\t", b" ")
                    if not text or len(text) > LONGEST_LINE or not is_text(text):
                        continue
                    # Keys spread within a file too, or one large index would be one key.
                    out.write(b"%s-%d\t%d:%d %s\n" % (key.encode(), place % 97, number, place, text))
                    written += 1
                    if written == lines:
                        break
    assert written == lines, f"this machine has only {written} lines of text in {', '.join(SOURCES)}"
    partial.rename(target)
    return target
