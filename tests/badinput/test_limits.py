"""What is not there yet (docs/LIMITS.md) is refused for good and at once, so that nobody waits for it."""

import time

import pytest
from confluent_kafka import KafkaException, Producer


@pytest.mark.samsa_only
def test_transactions_are_refused_at_once(broker, serves):
    """librdkafka tries again whatever is not final, until the caller's patience ends."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "tx"})
    started = time.monotonic()
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(60)
    assert time.monotonic() - started < 30
    assert refused.value.args[0].fatal()
    assert "does not coordinate transactions" in str(refused.value)
