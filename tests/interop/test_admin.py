"""Admin calls, and the exact error for each way to get them wrong."""

import pytest

from interop.scenarios import error_of, eventually, numbered, produce, read_from, topic_of


def create(driver, topic, partitions=1, replication=None, **configs):
    return driver.call("create_topic", topic=topic, partitions=partitions, replication=replication or driver.replicas, configs=configs)


@pytest.mark.scenario(needs=["list_topics", "create_topic"])
def test_created_topic_is_listed(driver, fresh):
    topic = topic_of(driver, fresh("listed"))
    eventually(lambda: topic in driver.call("list_topics")["topics"])


@pytest.mark.scenario(needs=["describe_topic"])
def test_describe_topic(driver, fresh):
    topic = topic_of(driver, fresh("described"), partitions=3)
    found = eventually(lambda: driver.call("describe_topic", topic=topic)["partitions"])
    if len(driver.addresses) == 1:
        assert found == [{"id": i, "leader": 1, "replicas": [1], "isr": [1]} for i in range(3)]
        return
    assert [one["id"] for one in found] == [0, 1, 2]
    for one in found:
        assert len(one["replicas"]) == driver.replicas and one["leader"] == one["replicas"][0]
        assert sorted(one["isr"]) == sorted(one["replicas"])


@pytest.mark.scenario(needs=["delete_topic", "list_topics"])
def test_delete_topic(driver, fresh):
    topic = topic_of(driver, fresh("gone"))
    eventually(lambda: topic in driver.call("list_topics")["topics"])
    driver.call("delete_topic", topic=topic)
    eventually(lambda: topic not in driver.call("list_topics")["topics"])


@pytest.mark.scenario(needs=["delete_topic"])
def test_deleted_topic_can_be_made_again_and_is_empty(driver, fresh, members):
    topic = topic_of(driver, fresh("again"))
    produce(driver, topic, numbered(3))
    driver.call("delete_topic", topic=topic)

    def created():
        try:
            create(driver, topic)
        except Exception:
            return False
        return True

    eventually(created)
    fresh_offsets = eventually(lambda: offsets_or_none(driver, topic))
    assert fresh_offsets == [0]


def offsets_or_none(driver, topic):
    """A producer may need a moment to notice that the topic is another one now."""
    try:
        return produce(driver, topic, numbered(1))
    except Exception:
        return None


@pytest.mark.scenario(needs=["create_partitions", "describe_topic"])
def test_create_partitions(driver, fresh):
    topic = topic_of(driver, fresh("wider"))
    driver.call("create_partitions", topic=topic, count=4)
    eventually(lambda: len(driver.call("describe_topic", topic=topic)["partitions"]) == 4)


@pytest.mark.scenario(needs=["create_partitions"])
def test_fewer_partitions_is_refused(driver, client, fresh):
    topic = topic_of(driver, fresh("narrower"), partitions=3)
    assert error_of(driver.call, "create_partitions", topic=topic, count=2) == client.expected("INVALID_PARTITIONS")


@pytest.mark.scenario(needs=["topic_configs"])
def test_configs_given_at_creation(driver, fresh):
    topic = topic_of(driver, fresh("configured"), retention_ms="12345678", cleanup_policy="compact")
    found = eventually(lambda: driver.call("topic_configs", topic=topic)["configs"])
    assert found["retention.ms"] == "12345678"
    assert found["cleanup.policy"] == "compact"
    assert found["max.message.bytes"] == "1048588"
    assert found["segment.bytes"] == "1073741824"


@pytest.mark.scenario(needs=["topic_configs", "set_topic_config"])
def test_alter_configs(driver, fresh):
    topic = topic_of(driver, fresh("altered"))
    driver.call("set_topic_config", topic=topic, name="max.message.bytes", value="2000")
    eventually(lambda: driver.call("topic_configs", topic=topic)["configs"]["max.message.bytes"] == "2000")
    assert error_of(produce, driver, topic, [{"partition": 0, "key": "k", "value_size": 5000}]) == 10


@pytest.mark.scenario(needs=["set_topic_config"])
def test_bad_config_value_is_refused(driver, client, fresh):
    topic = topic_of(driver, fresh("misconfigured"))
    wrong = dict(topic=topic, name="retention.ms", value="soon")
    assert error_of(driver.call, "set_topic_config", **wrong) == client.expected("INVALID_CONFIG")


@pytest.mark.scenario(needs=["create_topic"], features=["create_configs"])
def test_bad_config_at_creation_is_refused(driver, client, fresh):
    assert error_of(create, driver, fresh("bad"), **{"no.such.setting": "1"}) == client.expected("INVALID_CONFIG")


@pytest.mark.scenario(needs=["delete_records"])
def test_delete_records(driver, fresh, members):
    topic = topic_of(driver, fresh("trimmed"))
    produce(driver, topic, numbered(10))
    found = driver.call("delete_records", topic=topic, partition=0, before=6)
    assert found["low_watermark"] == 6
    assert [r["offset"] for r in read_from(driver, members(), topic, "earliest", 4)] == [6, 7, 8, 9]


@pytest.mark.scenario(needs=["delete_records"])
def test_delete_records_beyond_the_end(driver, client, fresh):
    topic = topic_of(driver, fresh("untrimmed"))
    produce(driver, topic, numbered(2))
    beyond = dict(topic=topic, partition=0, before=50)
    assert error_of(driver.call, "delete_records", **beyond) == client.expected("OFFSET_OUT_OF_RANGE")


@pytest.mark.scenario(needs=["describe_cluster"])
def test_describe_cluster(driver, broker):
    assert driver.call("describe_cluster") == {"cluster_id": broker.cluster_id, "nodes": len(driver.addresses)}


# The exact errors.


@pytest.mark.scenario(needs=["create_topic"])
def test_duplicate_topic(driver, client, fresh):
    topic = topic_of(driver, fresh("twice"))
    assert error_of(create, driver, topic) == client.expected("TOPIC_ALREADY_EXISTS")


@pytest.mark.scenario(needs=["create_topic"])
@pytest.mark.parametrize("name", ["sp ace", "sla/sh", "..", "x" * 250], ids=["space", "slash", "dots", "long"])
def test_bad_topic_name(driver, client, name):
    assert error_of(create, driver, name) == client.expected("INVALID_TOPIC_EXCEPTION")


@pytest.mark.scenario(needs=["create_topic"])
def test_name_that_collides(driver, client, fresh):
    topic = topic_of(driver, fresh("with.dot"))
    assert error_of(create, driver, topic.replace("with.dot", "with_dot")) == client.expected("INVALID_TOPIC_EXCEPTION")


@pytest.mark.scenario(needs=["create_topic"])
def test_too_many_replicas(driver, client, fresh):
    assert error_of(create, driver, fresh("replicas"), replication=len(driver.addresses) + 2) == client.expected("INVALID_REPLICATION_FACTOR")


@pytest.mark.scenario(needs=["create_topic"])
def test_no_partitions(driver, client, fresh):
    assert error_of(create, driver, fresh("none"), partitions=0) == client.expected("INVALID_PARTITIONS")


@pytest.mark.scenario(needs=["delete_topic"])
def test_delete_unknown_topic(driver, client, fresh):
    assert error_of(driver.call, "delete_topic", topic=fresh("unknown")) == client.expected("UNKNOWN_TOPIC_OR_PARTITION")


@pytest.mark.scenario(needs=["describe_topic"])
def test_describe_unknown_topic(driver, client, fresh):
    missing = fresh("unknown")
    expected = client.expected("UNKNOWN_TOPIC_OR_PARTITION", "describe_topic")
    assert error_of(driver.call, "describe_topic", topic=missing) == expected


def test_record_too_large(driver, client, fresh):
    topic = topic_of(driver, fresh("large"))
    large = [{"partition": 0, "key": "k", "value_size": 1_200_000}]
    assert error_of(produce, driver, topic, large) == client.expected("MESSAGE_TOO_LARGE")
    assert produce(driver, topic, numbered(1)) == [0]


@pytest.mark.scenario(features=["create_configs"])
def test_compacted_topic_wants_keys(driver, client, fresh):
    topic = topic_of(driver, fresh("compacted"), cleanup_policy="compact")
    assert error_of(produce, driver, topic, [{"partition": 0, "key": None, "value": "v"}]) == client.expected("INVALID_RECORD")


@pytest.mark.scenario(features=["timestamps"])
def test_timestamp_in_the_far_future(driver, client, fresh):
    topic = topic_of(driver, fresh("future"))
    future = [{"partition": 0, "key": "k", "value": "v", "timestamp": 4_000_000_000_000}]
    assert error_of(produce, driver, topic, future) == client.expected("INVALID_TIMESTAMP")
