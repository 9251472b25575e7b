"""Records go in and come out again: codecs, headers, nulls, timestamps, and every place to start reading from."""

import pytest

from interop.scenarios import numbered, produce, read, read_from, topic_of

BASE_TIME = 1_700_000_000_000


def plain(record: dict) -> dict:
    return {k: record[k] for k in ("partition", "key", "value")}


@pytest.mark.scenario(each="codecs")
def test_codec_round_trip(driver, codec, fresh, members):
    topic = topic_of(driver, fresh("codec"), partitions=2)
    records = [{"partition": i % 2, "key": f"key-{i}", "value": f"value {i} " + "compressible " * 20} for i in range(100)]
    offsets = produce(driver, topic, records, codec=codec)
    assert offsets == [i // 2 for i in range(100)]
    for partition in (0, 1):
        found = read_from(driver, members(), topic, "earliest", 50, [partition])
        assert [plain(r) for r in found] == records[partition::2]
        assert [r["offset"] for r in found] == list(range(50))


@pytest.mark.scenario(each="codecs")
def test_big_record_round_trip(driver, codec, fresh, members):
    topic = topic_of(driver, fresh("big"))
    assert produce(driver, topic, [{"partition": 0, "key": "big", "value_size": 700_000}], codec=codec) == [0]
    (found,) = read_from(driver, members(), topic, "earliest", 1)
    assert found["value"] == "x" * 700_000


@pytest.mark.scenario(features=["acks"])
@pytest.mark.parametrize("acks", [1, -1])
def test_acks(driver, fresh, members, acks):
    topic = topic_of(driver, fresh("acks"))
    assert produce(driver, topic, numbered(3), acks=acks) == [0, 1, 2]


@pytest.mark.scenario(features=["acks"])
def test_acks_0(driver, fresh, members):
    topic = topic_of(driver, fresh("acks0"))
    produce(driver, topic, numbered(3), acks=0)
    assert [r["key"] for r in read_from(driver, members(), topic, "earliest", 3)] == ["k0", "k1", "k2"]


@pytest.mark.scenario(features=["idempotence"])
def test_idempotent_producer(driver, fresh, members):
    topic = topic_of(driver, fresh("idempotent"))
    for first in (0, 20, 40):
        assert produce(driver, topic, numbered(20, first=first), idempotent=True) == list(range(first, first + 20))
    found = read_from(driver, members(), topic, "earliest", 60)
    assert [r["key"] for r in found] == [f"k{i}" for i in range(60)]


@pytest.mark.scenario(features=["headers"])
def test_headers(driver, client, fresh, members):
    topic = topic_of(driver, fresh("headers"))
    headers = [["one", "1"], ["umlaut", "grün"]]
    if client.has("empty_text"):
        headers.append(["empty", ""])
    if client.has("repeated_header"):
        headers.append(["one", "again"])
    if client.has("null_header"):
        headers.append(["null", None])
    produce(driver, topic, [{"partition": 0, "key": "k", "value": "v", "headers": headers}, {"partition": 0, "key": "k2", "value": "v2"}])
    first, second = read_from(driver, members(), topic, "earliest", 2)
    assert sorted(first["headers"], key=str) == sorted(headers, key=str)
    assert second["headers"] == []


def test_null_keys_and_values(driver, client, fresh, members):
    topic = topic_of(driver, fresh("nulls"))
    pairs = [(None, "v"), ("k", None)]
    if client.has("empty_text"):
        pairs += [("", ""), ("k", "")]
    if client.has("null_record"):
        pairs.append((None, None))
    produce(driver, topic, [{"partition": 0, "key": k, "value": v} for k, v in pairs])
    found = read_from(driver, members(), topic, "earliest", len(pairs))
    assert [(r["key"], r["value"]) for r in found] == pairs


@pytest.mark.scenario(features=["timestamps"])
def test_timestamps_of_the_producer(driver, fresh, members):
    topic = topic_of(driver, fresh("create-time"))
    times = [BASE_TIME + 1000 * i for i in (3, 1, 2)]
    produce(driver, topic, [{"partition": 0, "key": "k", "value": "v", "timestamp": t} for t in times])
    assert [r["timestamp"] for r in read_from(driver, members(), topic, "earliest", 3)] == times


@pytest.mark.scenario(features=["timestamps", "create_configs"])
def test_log_append_time(driver, fresh, members):
    topic = topic_of(driver, fresh("append-time"), message_timestamp_type="LogAppendTime")
    produce(driver, topic, [{"partition": 0, "key": "k", "value": "v", "timestamp": BASE_TIME}])
    (found,) = read_from(driver, members(), topic, "earliest", 1)
    assert found["timestamp"] > BASE_TIME + 1000


def test_from_the_end(driver, fresh, members):
    topic, consumer = topic_of(driver, fresh("end")), members()
    produce(driver, topic, numbered(5))
    driver.call("open", id=consumer, topic=topic, partitions=[0], start="latest")
    produce(driver, topic, numbered(3, first=5))
    assert [r["offset"] for r in read(driver, consumer, 3)] == [5, 6, 7]


@pytest.mark.scenario(each="codecs")
def test_from_an_offset_inside_a_batch(driver, codec, fresh, members):
    topic = topic_of(driver, fresh("offset"))
    produce(driver, topic, numbered(10), codec=codec)
    assert [r["offset"] for r in read_from(driver, members(), topic, {"offset": 7}, 3)] == [7, 8, 9]


@pytest.mark.scenario(features=["timestamps", "start_by_time"])
def test_from_a_time(driver, fresh, members):
    topic = topic_of(driver, fresh("time"))
    for second in range(6):
        produce(driver, topic, [{"partition": 0, "key": str(second), "value": "v", "timestamp": BASE_TIME + 1000 * second}])
    found = read_from(driver, members(), topic, {"time": BASE_TIME + 2500}, 3)
    assert [r["key"] for r in found] == ["3", "4", "5"]


@pytest.mark.scenario(needs=["list_offsets"])
def test_list_offsets(driver, client, fresh):
    topic = topic_of(driver, fresh("list-offsets"))

    def offset(at):
        return driver.call("list_offsets", topic=topic, partition=0, at=at)["offset"]

    assert (offset("earliest"), offset("latest")) == (0, 0)
    produce(driver, topic, numbered(4))
    assert (offset("earliest"), offset("latest")) == (0, 4)


@pytest.mark.scenario(needs=["list_offsets"], features=["timestamps", "start_by_time"])
def test_list_offsets_by_time(driver, client, fresh):
    topic = topic_of(driver, fresh("list-times"))
    produce(driver, topic, [{"partition": 0, "key": "k", "value": "v", "timestamp": BASE_TIME + 1000 * i} for i in range(5)])

    def offset(time):
        return driver.call("list_offsets", topic=topic, partition=0, at={"time": time})["offset"]

    assert [offset(BASE_TIME), offset(BASE_TIME + 1), offset(BASE_TIME + 4000)] == [0, 1, 4]
    # kafkajs turns "no record so late" into the end offset by itself.
    assert offset(BASE_TIME + 4001) == (-1 if client.has("time_beyond_end") else 5)
