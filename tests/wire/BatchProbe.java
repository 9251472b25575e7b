// Kafka's record batches on a pipe: the other side of src/protocol/batch_probe_main.cc, in the same words.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public class BatchProbe {
    static final HexFormat HEX = HexFormat.of();

    static byte[] bytes(String word) {
        return word.equals("-") ? null : word.equals(".") ? new byte[0] : HEX.parseHex(word);
    }

    static String word(ByteBuffer buffer) {
        if (buffer == null) return "-";
        byte[] copy = new byte[buffer.remaining()];
        buffer.duplicate().get(copy);
        return copy.length == 0 ? "." : HEX.formatHex(copy);
    }

    static Compression compression(String name, int level) {
        boolean standard = level == Integer.MIN_VALUE;
        return switch (name) {
            case "gzip" -> standard ? Compression.gzip().build() : Compression.gzip().level(level).build();
            case "snappy" -> Compression.snappy().build();
            case "lz4" -> standard ? Compression.lz4().build() : Compression.lz4().level(level).build();
            case "zstd" -> standard ? Compression.zstd().build() : Compression.zstd().level(level).build();
            default -> Compression.NONE;
        };
    }

    static String hex(MemoryRecords records) {
        return word(records.buffer());
    }

    static String write(String line) {
        String[] parts = line.split(" \\| ");
        String[] head = parts[0].replace(" |", "").split(" ");
        if (head[0].equals("M")) {
            var type = head[3].equals("1") ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
            return hex(MemoryRecords.withEndTransactionMarker(Long.parseLong(head[5]), Long.parseLong(head[7]), Integer.parseInt(head[6]),
                Long.parseLong(head[1]), Short.parseShort(head[2]), new EndTransactionMarker(type, Integer.parseInt(head[4]))));
        }
        byte magic = Byte.parseByte(head[1]);
        boolean stamped = !head[6].equals("-");
        var type = magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : stamped ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME;
        long horizon = head[11].equals("-") ? RecordBatch.NO_TIMESTAMP : Long.parseLong(head[11]);
        var builder = new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), magic, compression(head[2], Integer.parseInt(head[3])), type,
            Long.parseLong(head[4]), stamped ? Long.parseLong(head[6]) : RecordBatch.NO_TIMESTAMP, Long.parseLong(head[7]),
            Short.parseShort(head[8]), Integer.parseInt(head[9]), head[10].equals("1"), false, Integer.parseInt(head[5]),
            Integer.MAX_VALUE, horizon);
        for (int i = 1; i < parts.length; i++) {
            String[] record = parts[i].trim().split(" ");
            List<Header> headers = new ArrayList<>();
            if (!record[4].equals("-")) {
                for (String pair : record[4].split(",")) {
                    String[] both = pair.split(":");
                    headers.add(new RecordHeader(new String(bytes(both[0]), java.nio.charset.StandardCharsets.UTF_8), bytes(both[1])));
                }
            }
            builder.appendWithOffset(Long.parseLong(record[0]), Long.parseLong(record[1]), bytes(record[2]), bytes(record[3]),
                headers.toArray(new Header[0]));
        }
        return hex(builder.build());
    }

    static String print(Record record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            byte[] key = header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8);
            headers.append(headers.isEmpty() ? "" : ",").append(word(ByteBuffer.wrap(key))).append(':')
                .append(word(header.value() == null ? null : ByteBuffer.wrap(header.value())));
        }
        return " | " + record.offset() + " " + record.timestamp() + " " + word(record.key()) + " " + word(record.value()) + " "
            + (headers.isEmpty() ? "-" : headers);
    }

    static String read(String line) {
        byte[] raw = HEX.parseHex(line);
        var records = MemoryRecords.readableRecords(ByteBuffer.wrap(raw));
        try {
            if (raw[16] < 2) {
                StringBuilder text = new StringBuilder("legacy");
                for (var batch : records.batches()) {
                    batch.ensureValid();
                    for (Record record : batch) text.append(print(record));
                }
                return text.toString();
            }
            var batch = records.batches().iterator().next();
            long attributes = (raw[21] << 8) | (raw[22] & 0xff);
            StringBuilder text = new StringBuilder(batch.baseOffset() + " " + batch.partitionLeaderEpoch() + " " + batch.magic() + " "
                + attributes + " " + (batch.lastOffset() - batch.baseOffset()) + " " + batch.maxTimestamp() + " " + batch.producerId() + " "
                + batch.producerEpoch() + " " + batch.baseSequence() + " " + batch.countOrNull() + " " + batch.isValid());
            for (Record record : batch) text.append(print(record));
            return text.toString();
        } catch (Exception e) {
            return "error " + e;
        }
    }

    // The checks of a leader's append of a client's records, in the order in which the broker makes them.
    static void check(MemoryRecords records, short version, int maxSize) {
        ProduceRequest.validateRecords(version, records);
        for (MutableRecordBatch batch : records.batches()) {
            if (batch.baseOffset() != 0) throw new InvalidRecordException("base offset");
            if (batch.sizeInBytes() > maxSize) throw new RecordTooLargeException();
            if (!batch.isValid()) throw new CorruptRecordException();
        }
    }

    static String validate(String line, LogValidator.MetricsRecorder metrics) {
        String[] words = line.split(" ");
        long now = Long.parseLong(words[3]);
        Time time = (Time) Proxy.newProxyInstance(Time.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, arguments) -> method.getName().equals("milliseconds") ? now : 0L);
        try {
            var records = MemoryRecords.readableRecords(ByteBuffer.wrap(HEX.parseHex(words.length > 8 ? words[8] : "")));
            check(records, Short.parseShort(words[0]), Integer.parseInt(words[6]));
            var batch = records.batches().iterator().next();
            CompressionType source = batch.compressionType();
            Compression target = words[7].equals("producer") ? Compression.of(source).build() : compression(words[7], Integer.MIN_VALUE);
            var type = words[2].equals("1") ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME;
            int size = records.sizeInBytes();
            var result = new LogValidator(records, new TopicPartition("t", 0), time, source, target, words[1].equals("1"),
                RecordBatch.MAGIC_VALUE_V2, type, Long.parseLong(words[4]), Long.parseLong(words[5]), 0, AppendOrigin.CLIENT)
                .validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0), metrics, BufferSupplier.NO_CACHING);
            var validated = result.validatedRecords().batches().iterator().next();
            return "ok " + (result.validatedRecords() == records ? "keep" : "rewrite") + " " + validated.countOrNull() + " " + result.maxTimestampMs();
        } catch (RecordValidationException e) {
            StringBuilder text = new StringBuilder(Errors.forException(e.invalidException()).name());
            for (ProduceResponse.RecordError error : e.recordErrors()) text.append(" ").append(error.batchIndex);
            return text.toString();
        } catch (Throwable e) {
            return Errors.forException(e).name();
        }
    }

    public static void main(String[] args) throws Exception {
        var metrics = new LogValidator.MetricsRecorder() {
            public void recordInvalidMagic() { }
            public void recordInvalidOffset() { }
            public void recordInvalidSequence() { }
            public void recordInvalidChecksums() { }
            public void recordNoKeyCompactedTopic() { }
        };
        var in = new BufferedReader(new InputStreamReader(System.in));
        var out = new StringBuilder();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.append(args[0].equals("write") ? write(line) : args[0].equals("read") ? read(line) : validate(line, metrics)).append('\n');
        }
        System.out.print(out);
    }
}
