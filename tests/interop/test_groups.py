"""Groups of three under every assignor, and the life of committed offsets."""

import pytest

from interop.scenarios import balanced, error_of, eventually, numbered, produce, read, topic_of

SHARE = ["join", "assignment", "poll", "close"]
JOIN = [*SHARE, "commit", "committed"]
PARTITIONS = 6


def join(driver, consumer, group, topic, assignor="range", reset="earliest", **optional):
    driver.call("join", id=consumer, group=group, topics=[topic], assignor=assignor, reset=reset, **optional)
    return consumer


@pytest.mark.scenario(needs=SHARE, each="assignors")
def test_three_members_and_one_leaves(driver, client, assignor, fresh, members):
    topic, group = topic_of(driver, fresh("grouped"), partitions=PARTITIONS), fresh("group")
    three = [join(driver, members(), group, topic, assignor) for _ in range(3)]
    assert [len(share) for share in balanced(driver, three, topic, PARTITIONS)] == [2, 2, 2]

    assert read_by_all(driver, three, topic, first=0) == everything(first=0)
    if client.can("commit"):
        for member in three:
            held = driver.call("assignment", id=member)["partitions"]
            driver.call("commit", id=member, offsets=[[topic, p, 2] for _, p in held])

    driver.call("close", id=three.pop())
    assert sorted(len(share) for share in balanced(driver, three, topic, PARTITIONS)) == [3, 3]
    if client.can("commit"):
        assert read_by_all(driver, three, topic, first=2) == everything(first=2)


def everything(first: int) -> list[tuple[int, str]]:
    return [(p, f"k{i}") for p in range(PARTITIONS) for i in (first, first + 1)]


def read_by_all(driver, consumers, topic, first: int) -> list[tuple[int, str]]:
    """Produces two records to every partition and gives what the members read, sorted: each its equal share."""
    for partition in range(PARTITIONS):
        produce(driver, topic, numbered(2, partition, first=first))
    share = 2 * PARTITIONS // len(consumers)
    return sorted((r["partition"], r["key"]) for c in consumers for r in read(driver, c, share))


@pytest.mark.scenario(needs=[*JOIN, "describe_group"])
def test_describe_a_stable_and_an_empty_group(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("described"), partitions=2), fresh("group")
    assignor = client.assignors[0]
    one = join(driver, members(), group, topic, assignor)
    balanced(driver, [one], topic, 2)
    found = driver.call("describe_group", group=group)
    assert found == {"state": "stable", "protocol": client.protocol_name(assignor), "members": 1}
    driver.call("commit", id=one, offsets=[[topic, 0, 0]])
    driver.call("close", id=one)
    assert eventually(lambda: driver.call("describe_group", group=group)["state"] == "empty")
    assert driver.call("describe_group", group=group)["members"] == 0


@pytest.mark.scenario(needs=JOIN)
def test_commit_and_resume(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("resumed")), fresh("group")
    produce(driver, topic, numbered(10))
    first = join(driver, members(), group, topic, client.assignors[0])
    assert [r["offset"] for r in read(driver, first, 10)] == list(range(10))
    driver.call("commit", id=first, offsets=[[topic, 0, 4]])
    driver.call("close", id=first)
    assert driver.call("committed", group=group, offsets=[[topic, 0]])["offsets"] == [[topic, 0, 4]]
    second = join(driver, members(), group, topic, client.assignors[0])
    assert [r["offset"] for r in read(driver, second, 6)] == list(range(4, 10))


@pytest.mark.scenario(needs=JOIN)
def test_nothing_committed(driver, client, fresh):
    topic = topic_of(driver, fresh("uncommitted"))
    found = driver.call("committed", group=fresh("group"), offsets=[[topic, 0]])["offsets"]
    assert found == [[topic, 0, -1]]


@pytest.mark.scenario(needs=JOIN)
def test_reset_to_latest_without_a_commit(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("latest")), fresh("group")
    produce(driver, topic, numbered(3))
    one = join(driver, members(), group, topic, client.assignors[0], reset="latest")
    balanced(driver, [one], topic, 1)
    assert read(driver, one, 1, seconds=1.0) == []
    produce(driver, topic, numbered(1, first=3))
    assert [r["offset"] for r in read(driver, one, 1)] == [3]


@pytest.mark.scenario(needs=[*JOIN, "set_committed"])
def test_reset_of_committed_offsets(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("reset")), fresh("group")
    produce(driver, topic, numbered(6))
    first = join(driver, members(), group, topic, client.assignors[0])
    read(driver, first, 6)
    driver.call("commit", id=first, offsets=[[topic, 0, 6]])
    driver.call("close", id=first)
    eventually(lambda: driver.call("set_committed", group=group, offsets=[[topic, 0, 2]]) is not None)
    second = join(driver, members(), group, topic, client.assignors[0])
    assert [r["offset"] for r in read(driver, second, 4)] == [2, 3, 4, 5]


@pytest.mark.scenario(needs=JOIN)
def test_reset_after_a_commit_out_of_range(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("range")), fresh("group")
    produce(driver, topic, numbered(4))
    first = join(driver, members(), group, topic, client.assignors[0])
    read(driver, first, 4)
    driver.call("commit", id=first, offsets=[[topic, 0, 1000]])
    driver.call("close", id=first)
    second = join(driver, members(), group, topic, client.assignors[0], reset="earliest")
    assert [r["offset"] for r in read(driver, second, 4)] == [0, 1, 2, 3]


@pytest.mark.scenario(needs=JOIN, features=["static_member"])
def test_static_member_comes_back_to_its_partitions(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("static"), partitions=4), fresh("group")
    assignor = client.assignors[0]
    two = [join(driver, members(), group, topic, assignor, instance=f"instance-{i}") for i in range(2)]
    before = balanced(driver, two, topic, 4)
    driver.call("close", id=two[1])
    two[1] = join(driver, members(), group, topic, assignor, instance="instance-1")
    assert balanced(driver, two, topic, 4) == before


@pytest.mark.scenario(needs=[*JOIN, "list_groups", "delete_group"])
def test_list_and_delete_group(driver, client, fresh, members):
    topic, group = topic_of(driver, fresh("deleted")), fresh("group")
    one = join(driver, members(), group, topic, client.assignors[0])
    balanced(driver, [one], topic, 1)
    driver.call("commit", id=one, offsets=[[topic, 0, 0]])
    assert group in driver.call("list_groups")["groups"]
    assert error_of(driver.call, "delete_group", group=group) == client.expected("NON_EMPTY_GROUP")
    driver.call("close", id=one)

    def deleted():
        try:
            driver.call("delete_group", group=group)
        except Exception:
            return group not in driver.call("list_groups")["groups"]
        return True

    eventually(deleted)
    assert group not in driver.call("list_groups")["groups"]
    assert error_of(driver.call, "delete_group", group=group) == client.expected("GROUP_ID_NOT_FOUND")


@pytest.mark.scenario(needs=["list_groups"])
def test_list_groups_is_an_answer(driver):
    assert isinstance(driver.call("list_groups")["groups"], list)
