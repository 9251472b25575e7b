"""aiokafka."""

import asyncio
import threading

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, for_code

from base import Driver, KafkaFailure, decoded, encoded, main, start_in_words, value_of

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}


def check(code: int, text: str = ""):
    if code:
        raise KafkaFailure(code, text or str(for_code(code)))


def check_topics(response):
    """Answers of admin calls list (topic, error) or (topic, error, text)."""
    errors = getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", None) or []
    for _, code, *text in errors:
        check(code, str(text))


def record_of(message) -> dict:
    return {
        "partition": message.partition, "offset": message.offset, "timestamp": message.timestamp,
        "key": decoded(message.key), "value": decoded(message.value),
        "headers": [[name, decoded(value)] for name, value in message.headers],
    }


class Aio(Driver):
    NAME = "aiokafka"
    VERSION = aiokafka.__version__
    CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
    ASSIGNORS = list(ASSIGNORS)

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.admin_client = None
        self.producers = {}
        self.ids = set()  # opened or joined, started or not

    def run_there(self, coroutine, timeout=40.0):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def failure_of(self, failure):
        if isinstance(failure, KafkaError) and getattr(failure, "errno", None) is not None:
            return KafkaFailure(max(failure.errno, 0), str(failure))
        return super().failure_of(failure)

    async def admin(self):
        if self.admin_client is None:
            self.admin_client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await self.admin_client.start()
        return self.admin_client

    def with_admin(self, function):
        async def body():
            return await function(await self.admin())
        return self.run_there(body())

    def op_create_topic(self, topic, partitions, replication, configs):
        new = NewTopic(topic, num_partitions=partitions, replication_factor=replication, topic_configs=configs)
        check_topics(self.with_admin(lambda admin: admin.create_topics([new])))

    def op_delete_topic(self, topic):
        check_topics(self.with_admin(lambda admin: admin.delete_topics([topic])))

    def op_create_partitions(self, topic, count):
        check_topics(self.with_admin(lambda admin: admin.create_partitions({topic: NewPartitions(total_count=count)})))

    def op_list_topics(self):
        return {"topics": sorted(self.with_admin(lambda admin: admin.list_topics()))}

    def op_describe_topic(self, topic):
        (found,) = self.with_admin(lambda admin: admin.describe_topics([topic]))
        check(found["error_code"])
        return {"partitions": sorted(
            ({"id": p["partition"], "leader": p["leader"], "replicas": p["replicas"], "isr": p["isr"]}
             for p in found["partitions"]), key=lambda p: p["id"])}

    def op_topic_configs(self, topic):
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
        (answer,) = self.with_admin(lambda admin: admin.describe_configs(asked))
        code, text, _, _, entries = answer.resources[0][:5]
        check(code, text)
        return {"configs": {entry[0]: entry[1] for entry in entries}}

    def op_set_topic_config(self, topic, name, value):
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})]
        for answer in self.with_admin(lambda admin: admin.alter_configs(asked)):
            for code, text, *_ in answer.resources:
                check(code, text)

    async def producer(self, codec, acks, idempotent):
        key = (codec, acks, idempotent)
        if key not in self.producers:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                acks="all" if acks == -1 else acks, enable_idempotence=idempotent, linger_ms=5, max_request_size=20_000_000,
            )
            await producer.start()
            self.producers[key] = producer
        return self.producers[key]

    def op_produce(self, topic, codec, acks, idempotent, records):
        async def body():
            producer = await self.producer(codec, acks, idempotent)
            sent = [
                await producer.send(
                    topic, value=value_of(r), key=encoded(r.get("key")), partition=r["partition"],
                    timestamp_ms=r.get("timestamp"), headers=[(n, encoded(v)) for n, v in r.get("headers", [])],
                ) for r in records
            ]
            return [(await one).offset if acks else -1 for one in sent]
        return {"offsets": self.run_there(body())}

    def op_open(self, id, topic, partitions, start):
        kind, number = start_in_words(start)
        self.ids.add(id)

        async def body():
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, fetch_max_wait_ms=100, auto_offset_reset="none")
            places = [TopicPartition(topic, partition) for partition in partitions]
            consumer.assign(places)
            await consumer.start()
            for place in places:
                if kind == "offset":
                    consumer.seek(place, number)
                elif kind == "time":
                    found = (await consumer.offsets_for_times({place: number}))[place]
                    consumer.seek(place, found.offset if found else (await consumer.end_offsets([place]))[place])
                else:
                    seek = {"earliest": consumer.seek_to_beginning, "latest": consumer.seek_to_end}[kind]
                    await seek(place)
                    await consumer.position(place)
            self.consumers[id] = consumer
        self.run_there(body())

    def op_join(self, id, group, topics, assignor, reset, instance=None):
        self.ids.add(id)

        async def body():
            consumer = AIOKafkaConsumer(
                *topics, bootstrap_servers=self.bootstrap, group_id=group, auto_offset_reset=reset, enable_auto_commit=False,
                fetch_max_wait_ms=100, heartbeat_interval_ms=300, partition_assignment_strategy=[ASSIGNORS[assignor]],
                group_instance_id=instance,
            )
            await consumer.start()
            self.consumers[id] = consumer
        asyncio.run_coroutine_threadsafe(body(), self.loop)

    def member(self, id):
        """The consumer, once it has started."""
        async def body():
            for _ in range(200):
                if id in self.consumers:
                    break
                await asyncio.sleep(0.05)
            return self.consumers[id]
        return self.run_there(body())

    def op_assignment(self, id):
        held = self.member(id).assignment()
        return {"partitions": sorted([p.topic, p.partition] for p in held)}

    def op_poll(self, id, count, timeout_ms):
        consumer = self.member(id)

        async def body():
            deadline = self.loop.time() + timeout_ms / 1000
            taken = []
            while len(taken) < count and self.loop.time() < deadline:
                wait = max(1, int((deadline - self.loop.time()) * 1000))
                batches = await consumer.getmany(timeout_ms=min(wait, 200), max_records=count - len(taken))
                taken += [record_of(m) for messages in batches.values() for m in messages]
            return taken
        return {"records": self.run_there(body(), timeout_ms / 1000 + 30)}

    def op_commit(self, id, offsets):
        places = {TopicPartition(t, p): o for t, p, o in offsets}
        self.run_there(self.member(id).commit(places))

    def op_close(self, id):
        if id in self.ids:
            self.ids.remove(id)
            self.run_there(self.member(id).stop())
            del self.consumers[id]

    def op_committed(self, group, offsets):
        places = [TopicPartition(t, p) for t, p in offsets]
        found = self.with_admin(lambda admin: admin.list_consumer_group_offsets(group, partitions=places))
        return {"offsets": [[p.topic, p.partition, found[p].offset if p in found else -1] for p in places]}

    def op_list_offsets(self, topic, partition, at):
        kind, number = start_in_words(at)

        async def body():
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap)
            await consumer.start()
            try:
                place = TopicPartition(topic, partition)
                if kind == "time":
                    found = (await consumer.offsets_for_times({place: number}))[place]
                    return found.offset if found else -1
                ask = {"earliest": consumer.beginning_offsets, "latest": consumer.end_offsets}[kind]
                return (await ask([place]))[place]
            finally:
                await consumer.stop()
        return {"offset": self.run_there(body())}

    def op_list_groups(self):
        return {"groups": sorted(g[0] for g in self.with_admin(lambda admin: admin.list_consumer_groups()))}

    def op_describe_group(self, group):
        (answer,) = self.with_admin(lambda admin: admin.describe_consumer_groups([group]))
        code, _, state, _, protocol, members = answer.groups[0][:6]
        check(code)
        return {"state": state.lower(), "protocol": protocol, "members": len(members)}

    def op_delete_records(self, topic, partition, before):
        place = TopicPartition(topic, partition)
        done = self.with_admin(lambda admin: admin.delete_records({place: RecordsToDelete(before_offset=before)}))
        return {"low_watermark": done[place]}

    def op_describe_cluster(self):
        found = self.with_admin(lambda admin: admin.describe_cluster())
        return {"cluster_id": found["cluster_id"], "nodes": len(found["brokers"])}


main(Aio)
