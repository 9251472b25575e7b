"""confluent-kafka (librdkafka)."""

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

from base import Driver, KafkaFailure, PollingThread, decoded, encoded, main, start_in_words, value_of

SPECIAL = {"earliest": confluent_kafka.OFFSET_BEGINNING, "latest": confluent_kafka.OFFSET_END}
TIMEOUT = 30.0


def record_of(message) -> dict:
    if message.error():
        raise KafkaException(message.error())
    return {
        "partition": message.partition(), "offset": message.offset(), "timestamp": message.timestamp()[1],
        "key": decoded(message.key()), "value": decoded(message.value()),
        "headers": [[name, decoded(value)] for name, value in message.headers() or []],
    }


def poll(consumer, seconds):
    messages = consumer.consume(500, seconds)
    # A group member that starts on a topic not yet in the metadata hears of it as an event; it goes on by itself.
    return [record_of(m) for m in messages if not (m.error() and m.error().retriable())]


class Confluent(Driver):
    NAME = "confluent-kafka"
    VERSION = confluent_kafka.__version__
    CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
    ASSIGNORS = ["range", "roundrobin", "cooperative-sticky"]

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.producers = {}

    def failure_of(self, failure):
        if isinstance(failure, KafkaException):
            error = failure.args[0]
            return KafkaFailure(max(error.code(), 0), error.str())
        return super().failure_of(failure)

    @staticmethod
    def only(futures):
        ((_, future),) = futures.items()
        return future.result(TIMEOUT)

    def op_create_topic(self, topic, partitions, replication, configs):
        new = NewTopic(topic, num_partitions=partitions, replication_factor=replication, config=configs)
        self.only(self.admin.create_topics([new]))

    def op_delete_topic(self, topic):
        self.only(self.admin.delete_topics([topic]))

    def op_create_partitions(self, topic, count):
        self.only(self.admin.create_partitions([NewPartitions(topic, count)]))

    def op_list_topics(self):
        return {"topics": sorted(self.admin.list_topics(timeout=TIMEOUT).topics)}

    def op_describe_topic(self, topic):
        found = self.only(self.admin.describe_topics(confluent_kafka.TopicCollection([topic])))
        return {"partitions": [
            {"id": p.id, "leader": p.leader.id, "replicas": [n.id for n in p.replicas], "isr": [n.id for n in p.isr]}
            for p in found.partitions
        ]}

    def op_topic_configs(self, topic):
        entries = self.only(self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return {"configs": {name: entry.value for name, entry in entries.items()}}

    def op_set_topic_config(self, topic, name, value):
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.only(self.admin.incremental_alter_configs([resource]))

    def producer(self, codec, acks, idempotent):
        key = (codec, acks, idempotent)
        if key not in self.producers:
            self.producers[key] = Producer({
                "bootstrap.servers": self.bootstrap, "compression.type": codec, "acks": acks, "linger.ms": 5,
                "enable.idempotence": idempotent, "message.max.bytes": 20_000_000,
            })
        return self.producers[key]

    def op_produce(self, topic, codec, acks, idempotent, records):
        producer = self.producer(codec, acks, idempotent)
        offsets, errors = {}, []
        for index, record in enumerate(records):
            def done(error, message, index=index):
                if error:
                    errors.append(error)
                else:
                    offsets[index] = message.offset()
            optional = {"timestamp": record["timestamp"]} if "timestamp" in record else {}
            producer.produce(
                topic, value=value_of(record), key=encoded(record.get("key")), partition=record["partition"],
                headers=[(n, encoded(v)) for n, v in record.get("headers", [])], on_delivery=done, **optional,
            )
        producer.flush(TIMEOUT)
        if errors:
            raise KafkaException(errors[0])
        return {"offsets": [offsets[index] for index in range(len(records))]}

    def consumer(self, group, **settings):
        return Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": group, "enable.auto.commit": False,
            "fetch.wait.max.ms": 100, **settings,
        })

    def op_open(self, id, topic, partitions, start):
        kind, number = start_in_words(start)

        def make():
            consumer = self.consumer("unused")
            places = []
            for partition in partitions:
                if kind == "offset":
                    at = number
                else:
                    at = self.op_list_offsets(topic, partition, start)["offset"]
                places.append(TopicPartition(topic, partition, at if at >= 0 else SPECIAL["latest"]))
            consumer.assign(places)
            return consumer

        self.consumers[id] = PollingThread(make, poll, lambda consumer: consumer.close())
        self.consumers[id].call(lambda consumer: None)

    def op_join(self, id, group, topics, assignor, reset, instance=None):
        settings = {"partition.assignment.strategy": assignor, "auto.offset.reset": reset, "heartbeat.interval.ms": 300}
        if instance:
            settings["group.instance.id"] = instance

        def make():
            consumer = self.consumer(group, **settings)
            consumer.subscribe(topics)
            return consumer

        self.consumers[id] = PollingThread(make, poll, lambda consumer: consumer.close())

    def op_assignment(self, id):
        held = self.consumers[id].call(lambda consumer: consumer.assignment())
        return {"partitions": sorted([p.topic, p.partition] for p in held)}

    def op_poll(self, id, count, timeout_ms):
        return {"records": self.consumers[id].take(count, timeout_ms / 1000)}

    def op_commit(self, id, offsets):
        places = [TopicPartition(t, p, o) for t, p, o in offsets]
        for place in self.consumers[id].call(lambda consumer: consumer.commit(offsets=places, asynchronous=False)):
            if place.error:
                raise KafkaException(place.error)

    def op_close(self, id):
        self.consumers.pop(id).close()

    def op_committed(self, group, offsets):
        consumer = self.consumer(group)
        try:
            found = consumer.committed([TopicPartition(t, p) for t, p in offsets], timeout=TIMEOUT)
        finally:
            consumer.close()
        return {"offsets": [[p.topic, p.partition, p.offset if p.offset >= 0 else -1] for p in found]}

    def op_set_committed(self, group, offsets):
        places = [TopicPartition(t, p, o) for t, p, o in offsets]
        done = self.only(self.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)]))
        for place in done.topic_partitions:
            if place.error:
                raise KafkaException(place.error)

    def op_list_offsets(self, topic, partition, at):
        kind, number = start_in_words(at)
        spec = {"earliest": OffsetSpec.earliest, "latest": OffsetSpec.latest}.get(kind)
        spec = spec() if spec else OffsetSpec.for_timestamp(number)
        return {"offset": self.only(self.admin.list_offsets({TopicPartition(topic, partition): spec})).offset}

    def op_list_groups(self):
        listed = self.admin.list_consumer_groups().result(TIMEOUT)
        if listed.errors:
            raise listed.errors[0]
        return {"groups": sorted(group.group_id for group in listed.valid)}

    def op_describe_group(self, group):
        found = self.only(self.admin.describe_consumer_groups([group]))
        return {
            "state": found.state.name.replace("_", "").lower(), "protocol": found.partition_assignor,
            "members": len(found.members),
        }

    def op_delete_group(self, group):
        self.only(self.admin.delete_consumer_groups([group]))

    def op_delete_records(self, topic, partition, before):
        done = self.only(self.admin.delete_records([TopicPartition(topic, partition, before)]))
        return {"low_watermark": done.low_watermark}

    def op_describe_cluster(self):
        found = self.admin.describe_cluster().result(TIMEOUT)
        return {"cluster_id": found.cluster_id, "nodes": len(found.nodes)}


main(Confluent)
