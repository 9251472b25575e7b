import java.io.PrintWriter;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** What load.py does, with Java's producer and its defaults (acks=all, idempotent). */
public class ClusterLoad {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int partitions = Integer.parseInt(args[2]);
        double rate = Double.parseDouble(args[3]);
        PrintWriter out = new PrintWriter(args[4]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        Map<Integer, long[]> gaps = new TreeMap<>();
        Map<Integer, Long> last = new TreeMap<>();
        AtomicLong count = new AtomicLong(), failed = new AtomicLong();
        long began = System.nanoTime(), sent = 0;
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties)) {
            while (System.in.available() == 0) {
                double due = (System.nanoTime() - began) / 1e9 * rate;
                while (sent < due) {
                    int partition = (int) (sent % partitions);
                    String value = Long.toString(sent / partitions);
                    producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
                        long now = System.nanoTime();
                        if (error != null) {
                            failed.incrementAndGet();
                            System.err.println("failed: " + error);
                            return;
                        }
                        out.println(partition + " " + metadata.offset() + " " + value);
                        long before = last.getOrDefault(partition, now);
                        if (!gaps.containsKey(partition) || now - before > gaps.get(partition)[0]) gaps.put(partition, new long[] {now - before, before - began});
                        last.put(partition, now);
                        if (count.incrementAndGet() == partitions) System.out.println("writing");
                    });
                    sent++;
                }
                Thread.sleep(2);
            }
        }
        out.close();
        StringBuilder text = new StringBuilder();
        gaps.forEach((p, g) -> text.append(text.length() == 0 ? "" : ", ").append(String.format("\"%d\": [%d, %.2f]", p, g[0] / 1_000_000, g[1] / 1e9)));
        System.out.printf("{\"acknowledged\": %d, \"failed\": %d, \"sent\": %d, \"gaps\": {%s}}%n", count.get(), failed.get(), sent, text);
    }
}
