// The Java client, any version from 2.8 to 4.4: one source, compiled against each of them.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Driver {
    static final ObjectMapper JSON = new ObjectMapper();
    static final List<String> OPS = Arrays.asList(
        "hello", "create_topic", "delete_topic", "create_partitions", "list_topics", "describe_topic", "topic_configs",
        "set_topic_config", "produce", "open", "join", "assignment", "poll", "commit", "close", "committed", "set_committed",
        "list_offsets", "list_groups", "describe_group", "delete_group", "delete_records", "describe_cluster");

    final String bootstrap;
    final Admin admin;
    final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    final Map<String, Member> members = new HashMap<>();

    Driver(String bootstrap) {
        this.bootstrap = bootstrap;
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        this.admin = Admin.create(settings);
    }

    public static void main(String[] arguments) throws Exception {
        Driver driver = new Driver(arguments[0]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ObjectNode answer = driver.answer(JSON.readTree(line));
            System.out.write((JSON.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8));
            System.out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    ObjectNode answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            ObjectNode result = JSON.createObjectNode();
            String op = request.get("op").asText();
            if (!OPS.contains(op)) throw new IllegalArgumentException("no such operation");
            if (!topicOperation(op, request, result) && !consumerOperation(op, request, result)) groupOperation(op, request, result);
            answer.set("ok", result);
        } catch (Throwable raw) {
            Throwable failure = raw;
            while (failure.getCause() != null && (failure instanceof ExecutionException || failure instanceof CompletionException)) {
                failure = failure.getCause();
            }
            int code = Math.max(0, Errors.forException(failure).code());
            if (code == 0) failure.printStackTrace();
            answer.putObject("error").put("code", code).put("text", String.valueOf(failure.getMessage()));
        }
        return answer;
    }

    boolean topicOperation(String op, JsonNode in, ObjectNode out) throws Exception {
        String topic = in.path("topic").asText();
        switch (op) {
            case "hello": hello(out); return true;
            case "create_topic": createTopic(in); return true;
            case "delete_topic": admin.deleteTopics(List.of(topic)).all().get(); return true;
            case "create_partitions":
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(in.get("count").asInt()))).all().get();
                return true;
            case "list_topics":
                out.set("topics", JSON.valueToTree(new TreeSet<>(admin.listTopics().names().get())));
                return true;
            case "describe_topic": describeTopic(topic, out); return true;
            case "topic_configs": topicConfigs(topic, out); return true;
            case "set_topic_config": setTopicConfig(in); return true;
            case "produce": produce(in, out); return true;
            case "list_offsets":
                out.put("offset", offsetAt(new TopicPartition(topic, in.get("partition").asInt()), in.get("at")));
                return true;
            case "delete_records": {
                TopicPartition place = new TopicPartition(topic, in.get("partition").asInt());
                RecordsToDelete before = RecordsToDelete.beforeOffset(in.get("before").asLong());
                out.put("low_watermark", admin.deleteRecords(Map.of(place, before)).lowWatermarks().get(place).get().lowWatermark());
                return true;
            }
            case "describe_cluster":
                out.put("cluster_id", admin.describeCluster().clusterId().get());
                out.put("nodes", admin.describeCluster().nodes().get().size());
                return true;
            default: return false;
        }
    }

    void hello(ObjectNode out) throws Exception {
        Properties client = new Properties();
        client.load(Admin.class.getResourceAsStream("/kafka/kafka-version.properties"));
        out.put("name", "java").put("version", client.getProperty("version"));
        out.set("codecs", JSON.valueToTree(List.of("none", "gzip", "snappy", "lz4", "zstd")));
        out.set("assignors", JSON.valueToTree(Member.ASSIGNORS.keySet()));
        out.set("ops", JSON.valueToTree(OPS));
    }

    void createTopic(JsonNode in) throws Exception {
        Map<String, String> configs = new HashMap<>();
        in.get("configs").fields().forEachRemaining(field -> configs.put(field.getKey(), field.getValue().asText()));
        NewTopic topic = new NewTopic(in.get("topic").asText(), in.get("partitions").asInt(), (short) in.get("replication").asInt());
        admin.createTopics(List.of(topic.configs(configs))).all().get();
    }

    /** The first of these methods that this version of the client has. */
    @SuppressWarnings("unchecked")
    static <T> T oneOf(Object target, String... names) throws Exception {
        for (String name : names) {
            try {
                return (T) target.getClass().getMethod(name).invoke(target);
            } catch (NoSuchMethodException ignored) {
                // another version has it
            }
        }
        throw new NoSuchMethodException(Arrays.toString(names));
    }

    void describeTopic(String topic, ObjectNode out) throws Exception {
        Map<String, KafkaFuture<TopicDescription>> found = oneOf(admin.describeTopics(List.of(topic)), "topicNameValues", "values");
        ArrayNode partitions = out.putArray("partitions");
        for (TopicPartitionInfo info : found.get(topic).get().partitions()) {
            ObjectNode one = partitions.addObject().put("id", info.partition()).put("leader", info.leader().id());
            for (Node node : info.replicas()) one.withArray("replicas").add(node.id());
            for (Node node : info.isr()) one.withArray("isr").add(node.id());
        }
    }

    void topicConfigs(String topic, ObjectNode out) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config found = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        ObjectNode configs = out.putObject("configs");
        for (ConfigEntry entry : found.entries()) configs.put(entry.name(), entry.value());
    }

    void setTopicConfig(JsonNode in) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, in.get("topic").asText());
        ConfigEntry entry = new ConfigEntry(in.get("name").asText(), in.get("value").asText());
        Collection<AlterConfigOp> change = List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET));
        admin.incrementalAlterConfigs(Map.of(resource, change)).all().get();
    }

    KafkaProducer<byte[], byte[]> producer(String codec, String acks, boolean idempotent) {
        return producers.computeIfAbsent(codec + "/" + acks + "/" + idempotent, key -> {
            Properties settings = new Properties();
            settings.put("bootstrap.servers", bootstrap);
            settings.put("compression.type", codec);
            settings.put("acks", acks);
            settings.put("enable.idempotence", idempotent);
            settings.put("linger.ms", 5);
            settings.put("max.request.size", 20_000_000);
            settings.put("delivery.timeout.ms", 30_000);
            settings.put("request.timeout.ms", 15_000);
            return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        });
    }

    static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    static byte[] value(JsonNode record) {
        if (!record.has("value_size")) return bytes(record.get("value"));
        byte[] value = new byte[record.get("value_size").asInt()];
        Arrays.fill(value, (byte) 'x');
        return value;
    }

    void produce(JsonNode in, ObjectNode out) throws Exception {
        KafkaProducer<byte[], byte[]> producer =
            producer(in.get("codec").asText(), in.get("acks").asText(), in.get("idempotent").asBoolean());
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : in.get("records")) {
            Long timestamp = record.has("timestamp") ? record.get("timestamp").asLong() : null;
            ProducerRecord<byte[], byte[]> one = new ProducerRecord<>(
                in.get("topic").asText(), record.get("partition").asInt(), timestamp, bytes(record.get("key")), value(record));
            for (JsonNode header : record.path("headers")) {
                one.headers().add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
            }
            sent.add(producer.send(one));
        }
        producer.flush();
        ArrayNode offsets = out.putArray("offsets");
        for (Future<RecordMetadata> one : sent) offsets.add(one.get().offset());
    }

    long offsetAt(TopicPartition place, JsonNode at) throws Exception {
        OffsetSpec spec = at.has("time") ? OffsetSpec.forTimestamp(at.get("time").asLong())
            : at.asText().equals("earliest") ? OffsetSpec.earliest() : OffsetSpec.latest();
        return admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
    }

    boolean consumerOperation(String op, JsonNode in, ObjectNode out) throws Exception {
        String id = in.path("id").asText();
        switch (op) {
            case "open": members.put(id, Member.reader(bootstrap, in)); return true;
            case "join": members.put(id, Member.ofGroup(bootstrap, in)); return true;
            case "assignment": {
                ArrayNode held = out.putArray("partitions");
                for (TopicPartition place : members.get(id).assignment()) held.addArray().add(place.topic()).add(place.partition());
                return true;
            }
            case "poll":
                out.set("records", members.get(id).take(in.get("count").asInt(), in.get("timeout_ms").asLong()));
                return true;
            case "commit": members.get(id).commit(offsets(in)); return true;
            case "close": members.remove(id).close(); return true;
            default: return false;
        }
    }

    static Map<TopicPartition, OffsetAndMetadata> offsets(JsonNode in) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (JsonNode one : in.get("offsets")) {
            offsets.put(new TopicPartition(one.get(0).asText(), one.get(1).asInt()), new OffsetAndMetadata(one.get(2).asLong()));
        }
        return offsets;
    }

    void groupOperation(String op, JsonNode in, ObjectNode out) throws Exception {
        String group = in.path("group").asText();
        switch (op) {
            case "committed": {
                Map<TopicPartition, OffsetAndMetadata> found = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                ArrayNode offsets = out.putArray("offsets");
                for (JsonNode one : in.get("offsets")) {
                    OffsetAndMetadata at = found.get(new TopicPartition(one.get(0).asText(), one.get(1).asInt()));
                    offsets.addArray().add(one.get(0).asText()).add(one.get(1).asInt()).add(at == null ? -1 : at.offset());
                }
                return;
            }
            case "set_committed": admin.alterConsumerGroupOffsets(group, offsets(in)).all().get(); return;
            case "list_groups":
                admin.listConsumerGroups().all().get().forEach(found -> out.withArray("groups").add(found.groupId()));
                out.withArray("groups");
                return;
            case "describe_group": {
                ConsumerGroupDescription found = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                Object state = oneOf(found, "groupState", "state");
                out.put("state", state.toString().toLowerCase()).put("protocol", found.partitionAssignor());
                out.put("members", found.members().size());
                return;
            }
            case "delete_group": admin.deleteConsumerGroups(List.of(group)).all().get(); return;
            default: throw new IllegalArgumentException("no such operation");
        }
    }
}
