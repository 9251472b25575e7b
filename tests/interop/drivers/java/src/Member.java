// One consumer on a thread of its own: a reader of given partitions, or a member of a group.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

class Member {
    private static final String PACKAGE = "org.apache.kafka.clients.consumer.";
    static final Map<String, String> ASSIGNORS = Map.of(
        "range", PACKAGE + "RangeAssignor", "roundrobin", PACKAGE + "RoundRobinAssignor",
        "sticky", PACKAGE + "StickyAssignor", "cooperative-sticky", PACKAGE + "CooperativeStickyAssignor");

    private final LinkedBlockingQueue<ObjectNode> records = new LinkedBlockingQueue<>();
    private final LinkedBlockingQueue<Runnable> calls = new LinkedBlockingQueue<>();
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Thread thread;
    private volatile boolean ended = false;
    private volatile RuntimeException failure = null;

    private Member(Properties settings) {
        consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        thread = new Thread(this::run);
        thread.setDaemon(true);
    }

    static Properties settings(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("enable.auto.commit", "false");
        settings.put("fetch.max.wait.ms", "100");
        return settings;
    }

    static Member reader(String bootstrap, JsonNode in) {
        Member member = new Member(settings(bootstrap));
        List<TopicPartition> places = new ArrayList<>();
        for (JsonNode partition : in.get("partitions")) places.add(new TopicPartition(in.get("topic").asText(), partition.asInt()));
        member.consumer.assign(places);
        for (TopicPartition place : places) member.seek(place, in.get("start"));
        member.thread.start();
        return member;
    }

    private void seek(TopicPartition place, JsonNode start) {
        if (start.has("offset")) {
            consumer.seek(place, start.get("offset").asLong());
        } else if (start.has("time")) {
            OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(place, start.get("time").asLong())).get(place);
            consumer.seek(place, found != null ? found.offset() : consumer.endOffsets(List.of(place)).get(place));
        } else {
            if (start.asText().equals("earliest")) consumer.seekToBeginning(List.of(place));
            else consumer.seekToEnd(List.of(place));
            consumer.position(place);
        }
    }

    static Member ofGroup(String bootstrap, JsonNode in) {
        Properties settings = settings(bootstrap);
        settings.put("group.id", in.get("group").asText());
        settings.put("partition.assignment.strategy", ASSIGNORS.get(in.get("assignor").asText()));
        settings.put("auto.offset.reset", in.get("reset").asText());
        settings.put("heartbeat.interval.ms", "300");
        if (in.hasNonNull("instance")) settings.put("group.instance.id", in.get("instance").asText());
        Member member = new Member(settings);
        List<String> topics = new ArrayList<>();
        in.get("topics").forEach(topic -> topics.add(topic.asText()));
        member.consumer.subscribe(topics);
        member.thread.start();
        return member;
    }

    private void run() {
        try {
            while (!ended) {
                for (Runnable call = calls.poll(); call != null; call = calls.poll()) call.run();
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(50))) records.add(json(record));
            }
        } catch (RuntimeException raised) {
            failure = raised;
            raised.printStackTrace();
        }
        consumer.close();
    }

    private static String text(byte[] raw) {
        return raw == null ? null : new String(raw, StandardCharsets.UTF_8);
    }

    private static ObjectNode json(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode out = Driver.JSON.createObjectNode();
        out.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
        out.put("key", text(record.key())).put("value", text(record.value()));
        ArrayNode headers = out.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(text(header.value()));
        return out;
    }

    private <T> T call(Function<KafkaConsumer<byte[], byte[]>, T> function) throws Exception {
        CompletableFuture<T> answer = new CompletableFuture<>();
        calls.add(() -> {
            try {
                answer.complete(function.apply(consumer));
            } catch (RuntimeException raised) {
                answer.completeExceptionally(raised);
            }
        });
        for (int waited = 0; waited < 300 && !answer.isDone(); waited++) {
            if (failure != null) throw failure;
            try {
                return answer.get(100, TimeUnit.MILLISECONDS);
            } catch (java.util.concurrent.TimeoutException ignored) {
                // look whether the thread still lives
            }
        }
        return answer.get(1, TimeUnit.MILLISECONDS);
    }

    List<TopicPartition> assignment() throws Exception {
        List<TopicPartition> held = new ArrayList<>(call(KafkaConsumer::assignment));
        held.sort((a, b) -> a.topic().equals(b.topic()) ? a.partition() - b.partition() : a.topic().compareTo(b.topic()));
        return held;
    }

    ArrayNode take(int count, long timeoutMs) throws Exception {
        ArrayNode taken = Driver.JSON.createArrayNode();
        long deadline = System.nanoTime() + timeoutMs * 1_000_000;
        while (taken.size() < count) {
            if (failure != null) throw failure;
            long left = (deadline - System.nanoTime()) / 1_000_000;
            ObjectNode one = records.poll(Math.max(1, Math.min(left, 200)), TimeUnit.MILLISECONDS);
            if (one != null) taken.add(one);
            else if (left <= 0) break;
        }
        return taken;
    }

    void commit(Map<TopicPartition, OffsetAndMetadata> offsets) throws Exception {
        call(consumer -> {
            consumer.commitSync(offsets);
            return null;
        });
    }

    void close() throws Exception {
        ended = true;
        thread.join(30_000);
    }
}
