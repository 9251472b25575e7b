"""Where things are: the repository, the build tree and what the suites install below it."""

import os
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
REPO = TESTS.parent
BUILD = REPO / "build"
VENV = BUILD / "venv"
PEERS = BUILD / "peers"
INTEROP = BUILD / "interop"
KAFKA_LIBS = PEERS / "kafka" / "libs"


def samsa_bin() -> Path:
    """The Samsa binary under test: SAMSA_BIN, or the release build of this tree."""
    return Path(os.environ.get("SAMSA_BIN", BUILD / "release" / "samsa"))


def scratch_root() -> Path:
    """Data directories and logs of the brokers that tests start. Kept after a failure, replaced by the next run."""
    root = Path(os.environ.get("SAMSA_TEST_SCRATCH", BUILD / "test-run"))
    root.mkdir(parents=True, exist_ok=True)
    return root
