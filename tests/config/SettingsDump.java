// Prints every setting that Apache Kafka defines, one line each: kind, name, type, default, importance, internal, where it may change and
// what it must be, separated by tabs; then which broker setting stands behind each topic setting.
import java.lang.reflect.Field;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;

public class SettingsDump {
    static Object constant(String className, String field) throws Exception {
        Field found = Class.forName(className).getDeclaredField(field);
        found.setAccessible(true);
        return found.get(null);
    }

    static Object call(String className, String method) throws Exception {
        return Class.forName(className).getMethod(method).invoke(null);
    }

    static String checkOf(ConfigDef.ConfigKey key) throws Exception {
        if (key.validator == null) return "any";
        String name = key.validator.getClass().getSimpleName();
        if (name.equals("ValidList")) {
            Field words = key.validator.getClass().getDeclaredField("validString");
            Field empty = key.validator.getClass().getDeclaredField("isEmptyAllowed");
            Field nulls = key.validator.getClass().getDeclaredField("isNullAllowed");
            words.setAccessible(true);
            empty.setAccessible(true);
            nulls.setAccessible(true);
            return "list " + words.get(key.validator) + " " + empty.get(key.validator) + " " + nulls.get(key.validator);
        }
        return name + " " + (name.startsWith("Lambda") || name.equals("Range") || name.endsWith("String") ? key.validator.toString() : "");
    }

    static void print(String kind, Map<String, ConfigDef.ConfigKey> keys, Map<String, String> modes) throws Exception {
        for (ConfigDef.ConfigKey key : new TreeMap<>(keys).values()) {
            boolean required = key.defaultValue == ConfigDef.NO_DEFAULT_VALUE;
            String value = required ? "(required)" : ConfigDef.convertToString(key.defaultValue, key.type);
            System.out.println(String.join("\t", kind, key.name, key.type.toString(), value == null ? "(null)" : value,
                key.importance.toString(), String.valueOf(key.internalConfig), modes.getOrDefault(key.name, "read-only"), checkOf(key)));
        }
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] args) throws Exception {
        Map<String, String> modes = (Map<String, String>) call("org.apache.kafka.server.config.DynamicBrokerConfig", "dynamicConfigUpdateModes");
        Map<String, ConfigDef.ConfigKey> broker = new HashMap<>(
            ((ConfigDef) constant("org.apache.kafka.server.config.AbstractKafkaConfig", "CONFIG_DEF")).configKeys());
        Map<String, ConfigDef.ConfigKey> dynamic =
            (Map<String, ConfigDef.ConfigKey>) call("org.apache.kafka.server.config.DynamicConfig$Broker", "configKeys");
        dynamic.keySet().removeAll(broker.keySet().stream().toList());
        Map<String, Map<String, ConfigDef.ConfigKey>> kinds = new TreeMap<>();
        kinds.put("kBroker", broker);
        kinds.put("kDynamicOnly", dynamic);
        kinds.put("kTopic", (Map<String, ConfigDef.ConfigKey>) call("org.apache.kafka.storage.internals.log.LogConfig", "configKeys"));
        kinds.put("kGroup", ((ConfigDef) constant("org.apache.kafka.coordinator.group.GroupConfig", "CONFIG_DEF")).configKeys());
        kinds.put("kClientMetrics", ((ConfigDef) call("org.apache.kafka.server.metrics.ClientMetricsConfigs", "configDef")).configKeys());
        for (var kind : kinds.entrySet()) {
            boolean ofBroker = kind.getKey().equals("kBroker") || kind.getKey().equals("kDynamicOnly");
            print(kind.getKey(), kind.getValue(), ofBroker ? modes : Map.of());
        }
        ((Map<String, String>) constant("org.apache.kafka.server.config.ServerTopicConfigSynonyms", "TOPIC_CONFIG_SYNONYMS"))
            .forEach((topic, server) -> System.out.println(String.join("\t", "synonym", topic, server)));
    }
}
