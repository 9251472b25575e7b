"""The same with Samsa's own tools: what test_java_tools.py does, on a cluster of its own (15 s)."""

import pytest

from peers.tools import SamsaTools

from .test_java_tools import (  # noqa: F401 tests and a fixture of this module too
    cluster, runner, test_cluster_and_log_dirs, test_configs, test_features, test_leader_election, test_metadata_quorum, test_reassign, test_unregister)


@pytest.fixture
def tool(cluster):  # noqa: F811
    return runner(cluster, SamsaTools())
