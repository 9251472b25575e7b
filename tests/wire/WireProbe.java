import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * The same pipe as samsa_wire_probe, with Apache Kafka's own classes: "generate SEED COUNT CLASSES" and "check CLASSES". CLASSES is
 * a file of lines "message class". "errors" prints the table of errors as "code NAME retriable text". Lines of a version that this Kafka does not have are counted as skipped.
 */
public final class WireProbe {
    private static final String[] PIECES = {"a", "topic", "-7", "Z.", "\u00e4", "\u20ac", "_", "0"};
    private final Random random;
    private final Map<Class<?>, Map<String, Field>> fieldsByClass = new HashMap<>();

    private WireProbe(long seed) {
        random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        PrintWriter out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out)));
        boolean good = true;
        if (args[0].equals("generate")) {
            new WireProbe(Long.parseLong(args[1])).generate(Integer.parseInt(args[2]), classes(args[3]), out);
        } else if (args[0].equals("errors")) {
            for (Errors error : Errors.values()) {
                out.println(error.code() + " " + error + " " + (error.exception() instanceof RetriableException) + " " + error.message());
            }
        } else {
            good = check(classes(args[1]), out);
        }
        out.flush();
        System.exit(good ? 0 : 1);
    }

    private static Map<String, Class<?>> classes(String file) throws Exception {
        Map<String, Class<?>> found = new TreeMap<>();
        for (String line : Files.readAllLines(Path.of(file))) {
            String[] words = line.split(" ");
            found.put(words[0], Class.forName(words[1]));
        }
        return found;
    }

    private static Message create(Class<?> type) throws Exception {
        return (Message) type.getDeclaredConstructor().newInstance();
    }

    private static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBufferAccessor to = new ByteBufferAccessor(ByteBuffer.allocate(message.size(cache, version)));
        message.write(to, cache, version);
        if (to.remaining() != 0) throw new IllegalStateException("size and write disagree");
        return to.buffer().array();
    }

    private static boolean check(Map<String, Class<?>> types, PrintWriter out) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        boolean good = true;
        int checked = 0;
        int skipped = 0;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            Class<?> type = types.get(words[0]);
            short version = Short.parseShort(words[1]);
            Message message = type == null ? null : create(type);
            if (message == null || version < message.lowestSupportedVersion() || version > message.highestSupportedVersion()) {
                skipped++;
                continue;
            }
            String problem = problemWith(message, version, words[2]);
            if (problem != null) {
                out.println(words[0] + " " + version + " " + problem);
                good = false;
            }
            checked++;
        }
        out.println("checked " + checked + " skipped " + skipped);
        return good;
    }

    private static String problemWith(Message message, short version, String hex) {
        try {
            ByteBufferAccessor from = new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
            message.read(from, version);
            if (from.remaining() != 0) return from.remaining() + " bytes left over";
            String again = HexFormat.of().formatHex(write(message, version));
            return again.equals(hex) ? null : hex + " came back as " + again;
        } catch (Exception e) {
            return hex + " " + e;
        }
    }

    private void generate(int count, Map<String, Class<?>> types, PrintWriter out) throws Exception {
        for (Map.Entry<String, Class<?>> entry : types.entrySet()) {
            Message probe = create(entry.getValue());
            Schema[] schemas = (Schema[]) entry.getValue().getField("SCHEMAS").get(null);
            for (short version = probe.lowestSupportedVersion(); version <= probe.highestSupportedVersion(); version++) {
                for (int i = 0; i < count; i++) {
                    Message message = create(entry.getValue());
                    fill(message, schemas[version], 0);
                    out.println(entry.getKey() + " " + version + " " + HexFormat.of().formatHex(write(message, version)));
                }
            }
        }
    }

    private void fill(Message message, Schema schema, int depth) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tags) {
                for (org.apache.kafka.common.protocol.types.Field tagged : tags.fields().values()) {
                    if (random.nextInt(3) != 0) set(message, tagged.name, tagged.type, depth);
                }
                addUnknownTags(message);
            } else {
                set(message, bound.def.name, bound.def.type, depth);
            }
        }
    }

    private void addUnknownTags(Message message) {
        if (random.nextInt(8) != 0) return;
        int tag = 90 + random.nextInt(50);
        for (int n = random.nextInt(3); n > 0; n--, tag += 1 + random.nextInt(100)) {
            message.unknownTaggedFields().add(new RawTaggedField(tag, bytes()));
        }
    }

    private void set(Message message, String snakeName, org.apache.kafka.common.protocol.types.Type type, int depth) throws Exception {
        Field field = fieldsByClass.computeIfAbsent(message.getClass(), WireProbe::fieldsOf).get(snakeName.replace("_", ""));
        if (field == null) throw new IllegalStateException(message.getClass() + " has no " + snakeName);
        field.set(message, value(type, field.getType(), field.getGenericType(), depth));
    }

    private static Map<String, Field> fieldsOf(Class<?> type) {
        Map<String, Field> fields = new HashMap<>();
        for (Field field : type.getDeclaredFields()) {
            field.setAccessible(true);
            fields.put(field.getName().toLowerCase(), field);
        }
        return fields;
    }

    private Object value(org.apache.kafka.common.protocol.types.Type type, Class<?> raw, Type generic, int depth) throws Exception {
        if (type.isNullable() && random.nextInt(3) == 0) return null;
        if (type.arrayElementType().isPresent()) return array(type.arrayElementType().get(), raw, generic, depth);
        if (raw == boolean.class || raw == Boolean.class) return random.nextBoolean();
        if (raw == byte.class || raw == Byte.class) return (byte) number();
        if (raw == short.class || raw == Short.class) return (short) number();
        boolean unsigned = type.toString().startsWith("U");
        if (raw == int.class || raw == Integer.class) return type.toString().equals("UINT16") ? (int) (number() & 0xffff) : (int) number();
        if (raw == long.class || raw == Long.class) return unsigned && !type.toString().equals("UUID") ? number() & 0xffffffffL : number();
        if (raw == double.class) return number() / 16.0;
        if (raw == String.class) return text();
        if (raw == Uuid.class) return random.nextInt(3) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
        if (raw == byte[].class) return bytes();
        if (raw == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (Message.class.isAssignableFrom(raw)) {
            Message inner = create(raw);
            fill(inner, (Schema) type, depth + 1);
            return inner;
        }
        // Records, whose class is in another package in each release.
        byte[] records = bytes();
        return Readable.class.getMethod("readRecords", int.class).invoke(new ByteBufferAccessor(ByteBuffer.wrap(records)), records.length);
    }

    @SuppressWarnings("unchecked")
    private Object array(org.apache.kafka.common.protocol.types.Type element, Class<?> raw, Type generic, int depth) throws Exception {
        Collection<Object> made = raw.isInterface() ? new ArrayList<>() : (Collection<Object>) raw.getDeclaredConstructor().newInstance();
        Type parameters = raw.isInterface() ? generic : raw.getGenericSuperclass();
        Class<?> type = (Class<?>) ((ParameterizedType) parameters).getActualTypeArguments()[0];
        for (int n = random.nextInt(depth >= 4 ? 2 : 4); n > 0; n--) made.add(value(element, type, type, depth));
        return made;
    }

    private long number() {
        return switch (random.nextInt(5)) {
            case 0 -> random.nextInt(5) - 2;
            case 1 -> Long.MIN_VALUE;
            case 2 -> Long.MAX_VALUE;
            default -> random.nextLong();
        };
    }

    private String text() {
        StringBuilder made = new StringBuilder();
        for (int n = random.nextInt(20) == 0 ? 150 : random.nextInt(4); n > 0; n--) made.append(PIECES[random.nextInt(PIECES.length)]);
        return made.toString();
    }

    private byte[] bytes() {
        byte[] made = new byte[random.nextInt(20) == 0 ? 200 : random.nextInt(5)];
        random.nextBytes(made);
        return made;
    }
}
