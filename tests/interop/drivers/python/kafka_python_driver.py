"""kafka-python."""

import re

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError

from base import Driver, KafkaFailure, PollingThread, decoded, encoded, main, start_in_words, value_of

ASSIGNORS = {
    "range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor,
    "cooperative-sticky": CooperativeStickyAssignor,
}


def record_of(message) -> dict:
    return {
        "partition": message.partition, "offset": message.offset, "timestamp": message.timestamp,
        "key": decoded(message.key), "value": decoded(message.value),
        "headers": [[name, decoded(value)] for name, value in message.headers],
    }


def poll(consumer, seconds):
    found = consumer.poll(timeout_ms=int(seconds * 1000), max_records=500)
    return [record_of(message) for messages in found.values() for message in messages]


def check_text(text):
    """Some admin answers carry an error as text only, such as "[Error 3] UnknownTopicOrPartitionError: ..."."""
    if text not in (None, "OK"):
        named = re.search(r"\[Error (\d+)\]", text)
        by_class = getattr(kafka.errors, text, None)
        raise KafkaFailure(int(named[1]) if named else getattr(by_class, "errno", 0), text)


class KafkaPython(Driver):
    NAME = "kafka-python"
    VERSION = kafka.__version__
    CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
    ASSIGNORS = list(ASSIGNORS)

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self._admin = None
        self.producers = {}

    @property
    def admin(self):
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self._admin

    def failure_of(self, failure):
        if isinstance(failure, KafkaError) and failure.errno is not None:
            return KafkaFailure(max(failure.errno, 0), str(failure))
        return super().failure_of(failure)

    def op_create_topic(self, topic, partitions, replication, configs):
        new = {topic: {"num_partitions": partitions, "replication_factor": replication, "configs": configs}}
        self.admin.create_topics(new)

    def op_delete_topic(self, topic):
        self.admin.delete_topics([topic])

    def op_create_partitions(self, topic, count):
        self.admin.create_partitions({topic: count})

    def op_list_topics(self):
        return {"topics": sorted(self.admin.list_topics())}

    def op_describe_topic(self, topic):
        (found,) = self.admin.describe_topics([topic])
        if found["error_code"]:
            raise kafka.errors.for_code(found["error_code"])()
        return {"partitions": sorted((
            {"id": p["partition_index"], "leader": p["leader_id"], "replicas": p["replica_nodes"], "isr": p["isr_nodes"]}
            for p in found["partitions"]), key=lambda p: p["id"])}

    def op_topic_configs(self, topic):
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
        found = self.admin.describe_configs(asked, config_filter="all")
        return {"configs": {name: entry["value"] for name, entry in found["topic"][topic].items()}}

    def op_set_topic_config(self, topic, name, value):
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic, configs={name: value})]
        check_text(self.admin.alter_configs(asked, raise_on_unknown=False)["topic"][topic])

    def producer(self, codec, acks, idempotent):
        key = (codec, acks, idempotent)
        if key not in self.producers:
            self.producers[key] = KafkaProducer(
                bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec,
                acks="all" if acks == -1 else acks, enable_idempotence=idempotent, linger_ms=5, max_request_size=20_000_000,
            )
        return self.producers[key]

    def op_produce(self, topic, codec, acks, idempotent, records):
        producer = self.producer(codec, acks, idempotent)
        sent = [
            producer.send(
                topic, value=value_of(r), key=encoded(r.get("key")), partition=r["partition"], timestamp_ms=r.get("timestamp"),
                headers=[(n, encoded(v)) for n, v in r.get("headers", [])],
            ) for r in records
        ]
        producer.flush(30)
        return {"offsets": [one.get(30).offset for one in sent]}

    def consumer(self, **settings):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, fetch_max_wait_ms=100, **settings)

    def op_open(self, id, topic, partitions, start):
        kind, number = start_in_words(start)

        def make():
            consumer = self.consumer()
            places = [TopicPartition(topic, partition) for partition in partitions]
            consumer.assign(places)
            for place in places:
                if kind == "offset":
                    consumer.seek(place, number)
                elif kind == "time":
                    found = consumer.offsets_for_times({place: number})[place]
                    consumer.seek(place, found.offset if found else consumer.end_offsets([place])[place])
                else:
                    {"earliest": consumer.seek_to_beginning, "latest": consumer.seek_to_end}[kind](place)
                    consumer.position(place)
            return consumer

        self.consumers[id] = PollingThread(make, poll, lambda consumer: consumer.close())
        self.consumers[id].call(lambda consumer: None)

    def op_join(self, id, group, topics, assignor, reset, instance=None):
        def make():
            consumer = self.consumer(
                group_id=group, partition_assignment_strategy=[ASSIGNORS[assignor]], auto_offset_reset=reset,
                heartbeat_interval_ms=300, session_timeout_ms=10_000, group_instance_id=instance,
            )
            consumer.subscribe(topics)
            # The metadata first: kafka-python 3.0 joins without waiting for it, and when it then arrives while a rebalance is
            # finishing between two polls, the leader of the group never takes up its share (the same against Apache Kafka).
            for topic in topics:
                consumer.partitions_for_topic(topic)
            return consumer

        self.consumers[id] = PollingThread(make, poll, lambda consumer: consumer.close())

    def op_assignment(self, id):
        held = self.consumers[id].call(lambda consumer: consumer.assignment())
        return {"partitions": sorted([p.topic, p.partition] for p in held)}

    def op_poll(self, id, count, timeout_ms):
        return {"records": self.consumers[id].take(count, timeout_ms / 1000)}

    def op_commit(self, id, offsets):
        places = {TopicPartition(t, p): OffsetAndMetadata(o, "", -1) for t, p, o in offsets}
        self.consumers[id].call(lambda consumer: consumer.commit(places))

    def op_close(self, id):
        self.consumers.pop(id).close()

    def op_committed(self, group, offsets):
        places = [TopicPartition(t, p) for t, p in offsets]
        found = self.admin.list_group_offsets({group: places})[group]
        return {"offsets": [[p.topic, p.partition, found[p].offset if p in found else -1] for p in places]}

    def op_set_committed(self, group, offsets):
        places = {TopicPartition(t, p): OffsetAndMetadata(o, "", -1) for t, p, o in offsets}
        for error in self.admin.alter_group_offsets(group, places).values():
            if error.errno:
                raise error()

    def op_list_offsets(self, topic, partition, at):
        kind, number = start_in_words(at)
        place = TopicPartition(topic, partition)
        spec = {"earliest": OffsetSpec.EARLIEST, "latest": OffsetSpec.LATEST}.get(kind, number)
        return {"offset": self.admin.list_partition_offsets({place: spec})[place].offset}

    def op_list_groups(self):
        return {"groups": sorted(group["group_id"] for group in self.admin.list_groups())}

    def op_describe_group(self, group):
        found = self.admin.describe_groups([group])[group]
        check_text(found["error"])
        return {"state": found["group_state"].lower(), "protocol": found["protocol_data"], "members": len(found["members"])}

    def op_delete_group(self, group):
        check_text(self.admin.delete_groups([group])[group])

    def op_delete_records(self, topic, partition, before):
        place = TopicPartition(topic, partition)
        return {"low_watermark": self.admin.delete_records({place: before})[place]["low_watermark"]}

    def op_describe_cluster(self):
        found = self.admin.describe_cluster()
        return {"cluster_id": found["cluster_id"], "nodes": len(found["brokers"])}


main(KafkaPython)
