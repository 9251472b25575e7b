"""Steps that several scenarios share."""

import contextlib
import time

from confluent_kafka.admin import AdminClient, NewTopic

from interop.driver import Driver, DriverError
from peers import rawwire


def topic_of(driver: Driver, name: str, partitions: int = 1, **configs: str) -> str:
    """A new topic, created through the client under test or, where it cannot, through librdkafka's admin client."""
    settings = {k.replace("_", "."): v for k, v in configs.items()}
    if driver.client.can("create_topic"):
        driver.call("create_topic", topic=name, partitions=partitions, replication=driver.replicas, configs=settings)
    else:
        admin = AdminClient({"bootstrap.servers": driver.bootstrap})
        admin.create_topics([NewTopic(name, partitions, driver.replicas, config=settings)])[name].result(30)
    wait_for_leaders(driver.addresses, name, partitions)
    return name


def wait_for_leaders(addresses: list[str], topic: str, partitions: int):
    """A broker hears of a new topic a moment after the controller. Not every client's retries leave a record single."""
    with contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(rawwire.Connection(host, int(port))) for host, port in (one.split(":") for one in addresses)]
        for partition in range(partitions):
            eventually(lambda: any(rawwire.end_offset(one, topic, partition)[0] == 0 for one in connections), pause=0.01)


def produce(driver: Driver, topic: str, records: list[dict], codec="none", acks=-1, idempotent=False) -> list[int]:
    return driver.call("produce", topic=topic, codec=codec, acks=acks, idempotent=idempotent, records=records)["offsets"]


def numbered(count: int, partition: int = 0, first: int = 0) -> list[dict]:
    return [{"partition": partition, "key": f"k{i}", "value": f"v{i}"} for i in range(first, first + count)]


def read(driver: Driver, consumer: str, count: int, seconds: float = 20.0) -> list[dict]:
    """Exactly `count` records, or fewer when the time is over."""
    return driver.call("poll", id=consumer, count=count, timeout_ms=int(seconds * 1000))["records"]


def read_from(driver: Driver, consumer: str, topic: str, start, count: int, partitions=(0,)) -> list[dict]:
    driver.call("open", id=consumer, topic=topic, partitions=list(partitions), start=start)
    return read(driver, consumer, count)


def eventually(check, seconds: float = 20.0, pause: float = 0.1):
    """The first true value of `check()`; an error of the client counts as false. AssertionError with the last value in the end."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = check()
            if value:
                return value
        except DriverError as error:
            value = error
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(pause)


def error_of(function, *arguments, **keywords) -> int:
    """The Kafka error number that a call ends with."""
    try:
        answer = function(*arguments, **keywords)
    except DriverError as error:
        return error.code
    raise AssertionError(f"no error, but {answer}")


def balanced(driver: Driver, members: list[str], topic: str, partitions: int) -> list[list]:
    """Waits until the members share all partitions, every one with some; gives what each holds."""

    held: list[list] = []

    def settled():
        held[:] = [driver.call("assignment", id=m)["partitions"] for m in members]
        everything = sorted(tuple(p) for share in held for p in share)
        return everything == [(topic, p) for p in range(partitions)] and all(held)

    try:
        eventually(settled, 30)
    except AssertionError:
        raise AssertionError(f"the members hold {held}") from None
    return held
