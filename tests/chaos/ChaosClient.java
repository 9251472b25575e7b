import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What client.py does (without its final reads), with Java's clients. nanoTime is the clock that client.py reads as monotonic_ns. */
public class ChaosClient {
    static volatile boolean stopping = false;

    public static void main(String[] args) throws Exception {
        String topic = args[1], out = args[5];
        int partitions = Integer.parseInt(args[2]), client = Integer.parseInt(args[4]);
        Thread reader = new Thread(() -> read(args[0], topic, partitions, client + 1, out));
        Thread writer = new Thread(() -> write(args[0], topic, partitions, Double.parseDouble(args[3]), client, out));
        reader.start();
        writer.start();
        while (System.in.read() >= 0) { }
        stopping = true;
        reader.join();
        writer.join();
    }

    static void read(String bootstrap, String topic, int partitions, int client, String out) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "false");
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties); PrintWriter file = new PrintWriter(out + ".polls")) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < partitions; p++) all.add(new TopicPartition(topic, p));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (!stopping) {
                long began = System.nanoTime();
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (records.isEmpty()) continue;
                StringBuilder line = new StringBuilder("poll " + client + " " + client + " " + began + " " + System.nanoTime() + " goes-on");
                for (ConsumerRecord<String, String> r : records) {
                    line.append(' ').append(r.topic()).append(' ').append(r.partition()).append(' ').append(r.offset()).append(' ').append(r.value());
                }
                file.println(line);
            }
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }

    static void write(String bootstrap, String topic, int partitions, double rate, int client, String out) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("acks", "all");
        properties.put("delivery.timeout.ms", "300000");
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        List<String> heads = new ArrayList<>();
        List<String> ends = new ArrayList<>();
        try (PrintWriter file = new PrintWriter(out + ".sends")) {
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
                while (!stopping) {
                    int at = heads.size(), partition = at % partitions;
                    long value = client * 1_000_000_000L + at;
                    heads.add("send " + client + " " + topic + " " + partition + " " + value + " " + System.nanoTime() + " ");
                    synchronized (ends) {
                        ends.add(Long.MAX_VALUE + " unknown -1");
                    }
                    producer.send(new ProducerRecord<>(topic, partition, null, Long.toString(value)), (metadata, error) -> {
                        synchronized (ends) {
                            ends.set(at, System.nanoTime() + (error == null ? " ok " + metadata.offset() : " unknown -1"));
                        }
                    });
                    Thread.sleep((long) (1000 / rate));
                }
            }
            for (int i = 0; i < heads.size(); i++) file.println(heads.get(i) + ends.get(i));
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
