"""The rows, a file for each kind. The order here is the order of the table."""
from . import throughput, latency, busy, fairness, life, scale, storage, cluster, instructions  # noqa: F401
