import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Java's admin client, call by call, against a cluster with brokers 1 to 4 at least and a voter for each of 1 to 3. Says the name of each call
 * that did what it should, and "end". Arguments: brokers, a controller.
 */
public class AdminCalls {
    interface Call {
        void run() throws Exception;
    }

    interface Question {
        boolean ask() throws Exception;
    }

    static void call(String name, Call call) throws Exception {
        try {
            call.run();
        } catch (Exception e) {
            throw new IllegalStateException(name, e);
        }
        System.out.println(name);
    }

    static void check(boolean right, Object what) {
        if (!right) throw new IllegalStateException(String.valueOf(what));
    }

    static void refused(Class<? extends Throwable> by, Call call) throws Exception {
        try {
            call.run();
        } catch (ExecutionException e) {
            check(by.isInstance(e.getCause()), e.getCause());
            return;
        }
        check(false, "not refused by " + by);
    }

    static void until(Question question) throws Exception {
        long end = System.nanoTime() + 60_000_000_000L;
        while (!question.ask()) {
            check(System.nanoTime() < end, "not within a minute");
            Thread.sleep(50);
        }
    }

    static Admin admin;

    static TopicPartitionInfo partition(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().get(0);
    }

    static List<Integer> ids(Collection<Node> nodes) {
        return nodes.stream().map(Node::id).collect(Collectors.toList());
    }

    static void topics() throws Exception {
        call("createTopics", () -> {
            admin.createTopics(List.of(new NewTopic("admin-a", Map.of(0, List.of(1, 2))), new NewTopic("admin-b", 2, (short) 3))).all().get();
            refused(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic("admin-a", 1, (short) 1))).all().get());
            refused(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(new NewTopic("admin-c", 1, (short) 30))).all().get());
        });
        call("listTopics", () -> until(() -> admin.listTopics().names().get().containsAll(Set.of("admin-a", "admin-b"))));
        call("describeTopics", () -> until(() -> ids(partition("admin-a").replicas()).equals(List.of(1, 2)) && partition("admin-a").leader() != null));
        call("createPartitions", () -> {
            admin.createPartitions(Map.of("admin-b", NewPartitions.increaseTo(4))).all().get();
            refused(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of("admin-b", NewPartitions.increaseTo(3))).all().get());
        });
        call("listOffsets", () -> {
            TopicPartition place = new TopicPartition("admin-a", 0);
            Properties properties = new Properties();
            properties.put("bootstrap.servers", brokers);
            try (KafkaProducer<String, String> producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
                for (int i = 0; i < 10; i++) producer.send(new ProducerRecord<>("admin-a", 0, null, "value " + i)).get();
            }
            check(admin.listOffsets(Map.of(place, OffsetSpec.latest())).all().get().get(place).offset() == 10, "latest");
        });
        call("describeProducers", () -> {
            TopicPartition place = new TopicPartition("admin-a", 0);
            check(admin.describeProducers(List.of(place)).all().get().get(place).activeProducers().size() == 1, "one producer");
        });
        call("deleteRecords", () -> {
            TopicPartition place = new TopicPartition("admin-a", 0);
            check(admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(4))).all().get() == null, "deleted");
            check(admin.listOffsets(Map.of(place, OffsetSpec.earliest())).all().get().get(place).offset() == 4, "earliest");
            refused(OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(40))).all().get());
        });
        call("deleteTopics", () -> {
            admin.deleteTopics(List.of("admin-b")).all().get();
            until(() -> !admin.listTopics().names().get().contains("admin-b"));
            refused(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of("admin-b")).all().get());
        });
    }

    static void moves() throws Exception {
        TopicPartition place = new TopicPartition("admin-a", 0);
        call("alterPartitionReassignments", () -> {
            admin.alterPartitionReassignments(Map.of(place, Optional.of(new NewPartitionReassignment(List.of(3, 4))))).all().get();
            until(() -> ids(partition("admin-a").replicas()).equals(List.of(3, 4)));
            refused(NoReassignmentInProgressException.class, () -> admin.alterPartitionReassignments(Map.of(place, Optional.empty())).all().get());
            refused(InvalidReplicaAssignmentException.class,
                    () -> admin.alterPartitionReassignments(Map.of(place, Optional.of(new NewPartitionReassignment(List.of(77))))).all().get());
        });
        call("listPartitionReassignments", () -> until(() -> admin.listPartitionReassignments().reassignments().get().isEmpty()));
        call("electLeaders", () -> {
            until(() -> partition("admin-a").isr().size() == 2);
            until(() -> partition("admin-a").leader() != null);
            Map<TopicPartition, Optional<Throwable>> done = admin.electLeaders(ElectionType.PREFERRED, Set.of(place)).partitions().get();
            check(done.get(place).isEmpty() || done.get(place).get() instanceof ElectionNotNeededException, done);
            done = admin.electLeaders(ElectionType.UNCLEAN, Set.of(new TopicPartition("no-such", 0))).partitions().get();
            check(done.values().iterator().next().get() instanceof UnknownTopicOrPartitionException, done);
        });
        call("describeLogDirs", () -> {
            Map<String, LogDirDescription> found = admin.describeLogDirs(List.of(3)).allDescriptions().get().get(3);
            check(found.size() == 1 && found.values().iterator().next().replicaInfos().get(place).size() > 0, found);
            check(found.values().iterator().next().totalBytes().getAsLong() > 0, found);
        });
        call("describeReplicaLogDirs", () -> {
            TopicPartitionReplica replica = new TopicPartitionReplica("admin-a", 0, 3);
            check(admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir() != null, "a directory");
        });
        call("alterReplicaLogDirs", () -> {
            TopicPartitionReplica replica = new TopicPartitionReplica("admin-a", 0, 3);
            String here = admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir();
            admin.alterReplicaLogDirs(Map.of(replica, here)).all().get();
            refused(LogDirNotFoundException.class, () -> admin.alterReplicaLogDirs(Map.of(replica, "/no/such/directory")).all().get());
        });
    }

    static void altered(ConfigResource.Type type, String name, String key, String value) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)))).all().get();
        until(() -> {
            ConfigEntry entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key);
            return entry != null && value.equals(entry.value());
        });
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(key, ""), AlterConfigOp.OpType.DELETE)))).all().get();
        until(() -> {
            ConfigEntry entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key);
            return entry == null || !value.equals(entry.value());
        });
    }

    static void configs() throws Exception {
        call("incrementalAlterConfigs:topic", () -> altered(ConfigResource.Type.TOPIC, "admin-a", "retention.ms", "7000"));
        call("incrementalAlterConfigs:broker", () -> altered(ConfigResource.Type.BROKER, "2", "log.cleaner.threads", "2"));
        call("incrementalAlterConfigs:default", () -> altered(ConfigResource.Type.BROKER, "", "num.io.threads", "11"));
        call("incrementalAlterConfigs:group", () -> altered(ConfigResource.Type.GROUP, "admin-group", "consumer.session.timeout.ms", "46000"));
        call("incrementalAlterConfigs:clientMetrics", () -> altered(ConfigResource.Type.CLIENT_METRICS, "admin-metrics", "interval.ms", "10000"));
        call("describeConfigs", () -> {
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "no-such");
            refused(UnknownTopicOrPartitionException.class, () -> admin.describeConfigs(List.of(resource)).all().get());
        });
        call("listConfigResources", () -> {
            check(admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions()).all().get().stream()
                    .anyMatch(r -> r.name().equals("admin-a")), "the topic");
        });
    }

    static void cluster() throws Exception {
        call("describeCluster", () -> {
            DescribeClusterResult found = admin.describeCluster();
            check(found.nodes().get().size() >= 4 && found.controller().get() != null && found.clusterId().get() != null, found.nodes().get());
        });
        call("describeFeatures", () -> {
            FeatureMetadata found = admin.describeFeatures().featureMetadata().get();
            check(found.finalizedFeatures().containsKey("metadata.version") && found.supportedFeatures().containsKey("kraft.version"), found);
        });
        call("updateFeatures", () -> {
            short now = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("group.version").maxVersionLevel();
            admin.updateFeatures(Map.of("group.version", new FeatureUpdate(now, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all().get();
            refused(InvalidUpdateVersionException.class, () -> admin.updateFeatures(
                    Map.of("metadata.version", new FeatureUpdate((short) 99, FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all().get());
        });
        call("describeMetadataQuorum", () -> {
            QuorumInfo found = admin.describeMetadataQuorum().quorumInfo().get();
            check(found.voters().size() == 3 && found.leaderId() > 0 && found.highWatermark() > 0 && found.observers().size() >= 1, found);
            check(found.nodes().get(1).endpoints().size() == 1, found.nodes());
        });
        call("addRaftVoter", () -> refused(DuplicateVoterException.class, () -> admin.addRaftVoter(1, Uuid.randomUuid(),
                Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 9))).all().get()));
        call("removeRaftVoter", () -> refused(VoterNotFoundException.class, () -> admin.removeRaftVoter(1, Uuid.randomUuid()).all().get()));
        call("unregisterBroker", () -> refused(BrokerIdNotRegisteredException.class, () -> admin.unregisterBroker(77).all().get()));
    }

    static String brokers;

    public static void main(String[] args) throws Exception {
        brokers = args[0];
        Properties properties = new Properties();
        properties.put("bootstrap.servers", brokers);
        try (Admin one = Admin.create(properties)) {
            admin = one;
            cluster();
            topics();
            moves();
            configs();
        }
        Properties controllers = new Properties();
        controllers.put("bootstrap.controllers", args[1]);
        try (Admin one = Admin.create(controllers)) {
            call("controllers:describeCluster", () -> check(!one.describeCluster().nodes().get().isEmpty(), "controllers"));
            call("controllers:describeMetadataQuorum", () -> check(one.describeMetadataQuorum().quorumInfo().get().voters().size() == 3, "voters"));
            ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, "1");
            call("controllers:describeConfigs", () -> check(one.describeConfigs(List.of(resource)).all().get().get(resource).get("node.id") != null, "node.id"));
            call("controllers:incrementalAlterConfigs", () -> one.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, ""),
                    List.of(new AlterConfigOp(new ConfigEntry("num.io.threads", ""), AlterConfigOp.OpType.DELETE)))).all().get());
        }
        System.out.println("end");
    }
}
