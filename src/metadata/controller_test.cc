// The controller's decisions, replayed at once as if committed.
#include "metadata/controller.h"

#include <gtest/gtest.h>

#include "metadata/features.h"
#include "metadata/record.h"
#include "metadata/replay.h"
#include "metadata/test_configs.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/update_features.h"

namespace samsa::metadata {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  explicit Fixture(int16_t elr = 1) : controller({.cluster_id = "cluster", .node_id = 100}, configs), random(9) {
    std::vector<Buffer> boot;
    const auto add = [&](std::string_view name, int16_t level) {
      protocol::FeatureLevelRecord record;
      record.name = protocol::Text(name);
      record.feature_level = level;
      boot.push_back(encode(record));
    };
    add(kMetadataVersion, kLatestMetadataVersion);
    if (elr > 0) add("eligible.leader.replicas.version", elr);
    apply(controller.bootstrap(boot));
  }

  CallContext context() { return {.now_ms = 1000, .mono = now, .random = random, .next_offset = next}; }
  void apply(const std::vector<Buffer>& records) {
    for (const auto& record : records) {
      auto replayed = controller.replay(record, next++);
      ASSERT_TRUE(replayed) << replayed.error().describe();
    }
  }
  template <class R>
  R take(Decision<R> decision) {
    apply(decision.records);
    return std::move(decision.response);
  }
  template <class R>
  R take(Result<Decision<R>> decision) {
    EXPECT_TRUE(decision) << decision.error().describe();
    return take(std::move(*decision));
  }

  BrokerRegistrationRequest registration(int32_t id, uint64_t incarnation = 1, std::optional<std::string> rack = std::nullopt) {
    BrokerRegistrationRequest request;
    request.broker_id = id;
    request.cluster_id = "cluster";
    request.incarnation_id = Uuid{static_cast<uint64_t>(id), incarnation};
    for (const auto& [name, range] : supported_features()) {
      auto& f = request.features.emplace_back();
      f.name = name;
      f.min_supported_version = range.min;
      f.max_supported_version = range.max;
    }
    request.rack = rack ? protocol::NullableText(protocol::Text(*rack)) : std::nullopt;
    request.log_dirs = {Uuid{77, static_cast<uint64_t>(1000 + id)}};
    return request;
  }
  int64_t add_broker(int32_t id, std::optional<std::string> rack = std::nullopt) {
    const int64_t epoch = take(controller.register_broker(registration(id, 1, rack), context())).broker_epoch;
    EXPECT_FALSE(beat(id, epoch, false).is_fenced);
    return epoch;
  }
  BrokerHeartbeatResponse beat(int32_t id, int64_t epoch, bool want_fence, bool want_shutdown = false) {
    BrokerHeartbeatRequest request;
    request.broker_id = id;
    request.broker_epoch = epoch;
    request.current_metadata_offset = next - 1;
    request.want_fence = want_fence;
    request.want_shut_down = want_shutdown;
    return take(controller.heartbeat(request, context()));
  }
  CreateTopicsResponse create(std::string name, int32_t partitions, int16_t factor, std::map<std::string, std::string> overrides = {}) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = factor;
    for (const auto& [key, value] : overrides) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = protocol::Text(value);
    }
    return take(controller.create_topics(request, context()));
  }
  Uuid create_assigned(std::string name, std::vector<int32_t> replicas, std::map<std::string, std::string> overrides = {}) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = -1;
    topic.replication_factor = -1;
    topic.assignments.emplace_back().broker_ids = replicas;
    for (const auto& [key, value] : overrides) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = protocol::Text(value);
    }
    auto response = take(controller.create_topics(request, context()));
    EXPECT_EQ(response.topics[0].error_code, 0) << (response.topics[0].error_message ? response.topics[0].error_message->str() : "");
    return response.topics[0].topic_id;
  }
  const PartitionImage& partition(std::string_view topic, PartitionIndex index = 0) { return *controller.image().partition(topic, index); }
  ErrorCode alter_isr(std::string_view topic, std::vector<int32_t> isr) {
    const auto& p = partition(topic);
    AlterPartitionRequest request;
    request.broker_id = p.leader;
    request.broker_epoch = controller.image().broker(p.leader)->epoch;
    auto& t = request.topics.emplace_back();
    t.topic_id = controller.image().topic(topic)->id;
    auto& data = t.partitions.emplace_back();
    data.leader_epoch = p.leader_epoch;
    data.partition_epoch = p.partition_epoch;
    for (const int32_t id : isr) {
      auto& state = data.new_isr_with_epochs.emplace_back();
      state.broker_id = id;
      state.broker_epoch = controller.image().broker(id)->epoch;
    }
    return error_from_wire(take(controller.alter_partition(request, 3, context())).topics[0].partitions[0].error_code);
  }
  void fence(int32_t id) { apply(controller.fence_broker(id)); }

  TestConfigs configs;
  Controller controller;
  io::Random random;
  Offset next = 0;
  std::chrono::milliseconds now{0};
};

using Ids = std::vector<int32_t>;

TEST(Controller, CreatesTopicsAndRefusesBadOnes) {
  Fixture f;
  EXPECT_EQ(f.create("early", 1, 1).topics[0].error_code, 38);
  f.add_broker(1);
  auto made = f.create("good", 3, 1, {{"cleanup.policy", "compact"}});
  EXPECT_EQ(made.topics[0].error_code, 0);
  EXPECT_EQ(made.topics[0].num_partitions, 3);
  ASSERT_TRUE(made.topics[0].configs);
  EXPECT_EQ(*f.controller.image().config(ConfigType::kTopic, "good", "cleanup.policy"), "compact");
  EXPECT_EQ(f.create("good", 3, 1).topics[0].error_message->str(), "Topic 'good' already exists.");
  EXPECT_EQ(f.create("bad name", 1, 1).topics[0].error_code, 17);
  EXPECT_EQ(f.create(std::string(250, 'a'), 1, 1).topics[0].error_code, 17);
  EXPECT_EQ(f.create("..", 1, 1).topics[0].error_message->str(), "Topic name is invalid: '..' is not allowed");
  EXPECT_EQ(f.create("a.b", 1, 1).topics[0].error_code, 0);
  EXPECT_EQ(f.create("a_b", 1, 1).topics[0].error_message->str(), "Topic 'a_b' collides with existing topic: a.b");
  EXPECT_EQ(f.create("many", 1, 2).topics[0].error_message->str(),
            "Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have "
            "all their log directories cordoned.");
  EXPECT_EQ(f.create("zero", 0, 1).topics[0].error_code, 37);
  EXPECT_EQ(f.create("none", 1, 0).topics[0].error_code, 38);
  EXPECT_EQ(f.create("conf", 1, 1, {{"bad.key", "x"}}).topics[0].error_code, 40);
  EXPECT_EQ(f.create("huge", 20000, 1).topics[0].error_code, 44);
  EXPECT_EQ(f.create("huge", 1'000'000'000, 1).topics[0].error_message->str(), "Excessively large number of partitions per request.");
}

TEST(Controller, PlacementUsesRacksAndLiveBrokers) {
  Fixture f;
  for (int32_t id = 0; id < 6; ++id) f.add_broker(id, "rack-" + std::to_string(id % 3));
  EXPECT_EQ(f.create("t", 60, 3).topics[0].error_code, 0);
  std::map<int32_t, int> leaders;
  for (int i = 0; i < 60; ++i) {
    const auto& p = f.partition("t", i);
    std::set<int32_t> racks, unique(p.replicas.begin(), p.replicas.end());
    for (const int32_t id : p.replicas) racks.insert(id % 3);
    EXPECT_EQ(racks.size(), 3u);
    EXPECT_EQ(unique.size(), 3u);
    ++leaders[p.leader];
  }
  EXPECT_EQ(leaders.size(), 6u);
  f.fence(0);
  EXPECT_EQ(f.create("u", 30, 3).topics[0].error_code, 0);
  for (int i = 0; i < 30; ++i) {
    EXPECT_NE(f.partition("u", i).leader, 0);
    EXPECT_FALSE(f.partition("u", i).in_isr(0));
  }
}

TEST(Controller, DeletesAndGrowsTopics) {
  Fixture f;
  f.add_broker(1);
  f.create("t", 1, 1);
  CreatePartitionsRequest more;
  auto& topic = more.topics.emplace_back();
  topic.name = "t";
  topic.count = 4;
  topic.assignments = std::nullopt;
  EXPECT_EQ(f.take(f.controller.create_partitions(more, f.context())).results[0].error_code, 0);
  EXPECT_EQ(f.controller.image().topic("t")->partition_count(), 4);
  EXPECT_EQ(f.take(f.controller.create_partitions(more, f.context())).results[0].error_message->str(), "Topic already has 4 partition(s).");
  DeleteTopicsRequest gone;
  gone.topics.emplace_back().name = protocol::Text("t");
  EXPECT_EQ(f.take(f.controller.delete_topics(gone, f.context())).responses[0].error_code, 0);
  EXPECT_EQ(f.controller.image().topic("t"), nullptr);
  EXPECT_EQ(f.take(f.controller.delete_topics(gone, f.context())).responses[0].error_code, 3);
}

TEST(Controller, FencingMovesLeadersAndKeepsEligibleReplicas) {
  Fixture f;
  for (int32_t id = 1; id <= 3; ++id) f.add_broker(id);
  f.create_assigned("t", {1, 2, 3}, {{"min.insync.replicas", "2"}});
  EXPECT_EQ(f.partition("t").leader, 1);
  f.fence(1);
  EXPECT_EQ(f.partition("t").leader, 2);
  EXPECT_EQ(f.partition("t").isr, (Ids{2, 3}));
  EXPECT_EQ(f.partition("t").elr, (Ids{}));
  EXPECT_EQ(f.partition("t").leader_epoch, 1);
  f.fence(2);
  EXPECT_EQ(f.partition("t").isr, (Ids{3}));
  EXPECT_EQ(f.partition("t").elr, (Ids{2}));
  f.fence(3);
  EXPECT_EQ(f.partition("t").leader, -1);
  EXPECT_EQ(f.partition("t").isr, (Ids{}));
  EXPECT_EQ(f.partition("t").last_known_elr, (Ids{3}));
  // The eligible one may lead again, without loss.
  f.beat(2, f.controller.image().broker(2)->epoch, false);
  EXPECT_EQ(f.partition("t").leader, 2);
  EXPECT_EQ(f.partition("t").isr, (Ids{2}));
  EXPECT_EQ(f.partition("t").recovery, LeaderRecovery::kRecovered);
}

TEST(Controller, WithoutElrTheLastReplicaStaysInSync) {
  Fixture f(0);
  f.add_broker(1);
  f.add_broker(2);
  f.create_assigned("t", {1, 2});
  f.fence(2);
  f.fence(1);
  EXPECT_EQ(f.partition("t").leader, -1);
  EXPECT_EQ(f.partition("t").isr, (Ids{1}));
  f.beat(2, f.controller.image().broker(2)->epoch, false);
  EXPECT_EQ(f.partition("t").leader, -1);  // Not in sync: it waits.
  ElectLeadersRequest request;
  request.election_type = 1;
  auto& t = request.topic_partitions.emplace().emplace_back();
  t.topic = "t";
  t.partitions = {0};
  EXPECT_EQ(f.take(f.controller.elect_leaders(request, f.context())).replica_election_results[0].partition_result[0].error_code, 0);
  EXPECT_EQ(f.partition("t").leader, 2);
  EXPECT_EQ(f.partition("t").recovery, LeaderRecovery::kRecovering);
  EXPECT_EQ(f.alter_isr("t", {2}), ErrorCode::kNone);
  EXPECT_EQ(f.partition("t").recovery, LeaderRecovery::kRecovered);
}

TEST(Controller, PreferredLeaderComesBack) {
  Fixture f;
  for (int32_t id = 1; id <= 2; ++id) f.add_broker(id);
  f.create_assigned("t", {1, 2});
  f.fence(1);
  EXPECT_EQ(f.partition("t").leader, 2);
  f.beat(1, f.controller.image().broker(1)->epoch, false);
  EXPECT_EQ(f.alter_isr("t", {2, 1}), ErrorCode::kNone);
  EXPECT_EQ(f.controller.balance_leaders(10).size(), 1u);
  f.apply(f.controller.balance_leaders(10));
  EXPECT_EQ(f.partition("t").leader, 1);
  EXPECT_TRUE(f.controller.balance_leaders(10).empty());
}

TEST(Controller, AlterPartitionIsChecked) {
  Fixture f;
  for (int32_t id = 1; id <= 3; ++id) f.add_broker(id);
  const Uuid topic = f.create_assigned("t", {1, 2});
  EXPECT_EQ(f.alter_isr("t", {1}), ErrorCode::kNone);
  EXPECT_EQ(f.alter_isr("t", {1, 3}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(f.alter_isr("t", {2}), ErrorCode::kInvalidRequest);
  EXPECT_EQ(f.alter_isr("t", {1, 1}), ErrorCode::kInvalidRequest);
  f.fence(2);
  EXPECT_EQ(f.alter_isr("t", {1, 2}), ErrorCode::kIneligibleReplica);
  AlterPartitionRequest request;
  request.broker_id = 1;
  request.broker_epoch = 424242;
  EXPECT_EQ(f.controller.alter_partition(request, 3, f.context()).error().code, ErrorCode::kStaleBrokerEpoch);
  request.broker_epoch = f.controller.image().broker(1)->epoch;
  auto& t = request.topics.emplace_back();
  t.topic_id = topic;
  auto& data = t.partitions.emplace_back();
  data.leader_epoch = f.partition("t").leader_epoch + 1;
  data.partition_epoch = f.partition("t").partition_epoch;
  data.new_isr_with_epochs.emplace_back().broker_id = 1;
  EXPECT_EQ(f.controller.alter_partition(request, 3, f.context())->response.topics[0].partitions[0].error_code, 41);
  data.leader_epoch = f.partition("t").leader_epoch;
  data.partition_epoch -= 1;
  EXPECT_EQ(f.controller.alter_partition(request, 3, f.context())->response.topics[0].partitions[0].error_code, 95);
}

TEST(Controller, ReassignmentGoesThroughAndCanBeCancelled) {
  Fixture f;
  for (int32_t id = 1; id <= 4; ++id) f.add_broker(id);
  f.create_assigned("t", {1, 2});
  const auto reassign = [&](std::optional<Ids> target) {
    AlterPartitionReassignmentsRequest request;
    auto& t = request.topics.emplace_back();
    t.name = "t";
    auto& p = t.partitions.emplace_back();
    p.partition_index = 0;
    if (target) p.replicas = *target;
    return f.take(f.controller.alter_reassignments(request, f.context())).responses[0].partitions[0].error_code;
  };
  EXPECT_EQ(reassign(std::nullopt), 85);
  EXPECT_EQ(reassign(Ids{3, 4}), 0);
  EXPECT_EQ(f.partition("t").replicas, (Ids{3, 4, 1, 2}));
  EXPECT_EQ(f.partition("t").adding, (Ids{3, 4}));
  EXPECT_EQ(f.partition("t").removing, (Ids{1, 2}));
  ListPartitionReassignmentsRequest list;
  list.topics = std::nullopt;
  EXPECT_EQ(f.controller.list_reassignments(list).topics.size(), 1u);
  EXPECT_EQ(reassign(std::nullopt), 0);
  EXPECT_EQ(f.partition("t").replicas, (Ids{1, 2}));
  EXPECT_EQ(reassign(Ids{3, 4}), 0);
  EXPECT_EQ(f.alter_isr("t", {1, 2, 3}), ErrorCode::kNone);
  EXPECT_TRUE(f.partition("t").reassigning());
  EXPECT_EQ(f.alter_isr("t", {1, 2, 3, 4}), ErrorCode::kNewLeaderElected);
  EXPECT_EQ(f.partition("t").replicas, (Ids{3, 4}));
  EXPECT_EQ(f.partition("t").isr, (Ids{3, 4}));
  EXPECT_EQ(f.partition("t").leader, 3);
  EXPECT_FALSE(f.partition("t").reassigning());
}

TEST(Controller, RegistrationIsChecked) {
  Fixture f;
  auto request = f.registration(1);
  request.cluster_id = "other";
  EXPECT_EQ(f.controller.register_broker(request, f.context()).error().code, ErrorCode::kInconsistentClusterId);
  request = f.registration(1);
  request.features.clear();
  EXPECT_FALSE(f.controller.register_broker(request, f.context()));
  const int64_t epoch = f.add_broker(1);
  EXPECT_EQ(f.controller.register_broker(f.registration(1, 2), f.context()).error().code, ErrorCode::kDuplicateBrokerRegistration);
  f.now += 10s;
  const int64_t second = f.take(f.controller.register_broker(f.registration(1, 2), f.context())).broker_epoch;
  EXPECT_GT(second, epoch);
  EXPECT_TRUE(f.controller.image().broker(1)->fenced);
  // Its session begins with the registration: what an earlier incarnation sent and was long on its way does not take the id from it.
  EXPECT_EQ(f.controller.register_broker(f.registration(1, 1), f.context()).error().code, ErrorCode::kDuplicateBrokerRegistration);
  EXPECT_EQ(f.controller.image().broker(1)->epoch, second);
  auto thief = f.registration(2);
  thief.log_dirs = f.controller.image().broker(1)->log_dirs;
  EXPECT_EQ(f.controller.register_broker(thief, f.context()).error().code, ErrorCode::kInvalidRegistration);
  BrokerHeartbeatRequest stale;
  stale.broker_id = 1;
  stale.broker_epoch = epoch;
  EXPECT_EQ(f.controller.heartbeat(stale, f.context()).error().code, ErrorCode::kStaleBrokerEpoch);
}

// A directory whose id was lost has another after the restart: its partitions are led again once the broker has said where they lie.
TEST(Controller, PartitionsOfADirectoryWithANewIdAreLedAgain) {
  Fixture f;
  f.add_broker(1);
  ASSERT_EQ(f.create("t", 1, 1).topics[0].error_code, 0);
  const Uuid topic = f.controller.image().topic("t")->id;
  f.now += 20s;
  f.apply(f.controller.fence_expired(f.context()));
  auto again = f.registration(1, 2);
  again.log_dirs = {Uuid{88, 1}};
  const int64_t epoch = f.take(f.controller.register_broker(again, f.context())).broker_epoch;
  EXPECT_FALSE(f.beat(1, epoch, false).is_fenced);
  EXPECT_EQ(f.controller.image().topic("t")->partition(0)->leader, kNoLeader);
  AssignReplicasToDirsRequest request;
  request.broker_id = 1;
  request.broker_epoch = epoch;
  auto& directory = request.directories.emplace_back();
  directory.id = Uuid{88, 1};
  auto& placed = directory.topics.emplace_back();
  placed.topic_id = topic;
  placed.partitions.emplace_back().partition_index = 0;
  f.take(f.controller.assign_directories(request, f.context()));
  EXPECT_EQ(f.controller.image().topic("t")->partition(0)->leader, 1);
  EXPECT_EQ(f.controller.image().topic("t")->partition(0)->directory_of(1), (Uuid{88, 1}));
}

TEST(Controller, SessionsRunOut) {
  Fixture f;
  const int64_t one = f.add_broker(1);
  f.add_broker(2);
  f.now += 5s;
  f.beat(1, one, false);
  EXPECT_TRUE(f.controller.fence_expired(f.context()).empty());
  f.now += 5s;
  f.apply(f.controller.fence_expired(f.context()));
  EXPECT_TRUE(f.controller.image().broker(2)->fenced);
  EXPECT_FALSE(f.controller.image().broker(1)->fenced);
  EXPECT_TRUE(f.controller.fence_expired(f.context()).empty());
}

TEST(Controller, ControlledShutdownWaitsForTheOthers) {
  Fixture f;
  const int64_t one = f.add_broker(1);
  const int64_t two = f.add_broker(2);
  f.create_assigned("t", {1, 2});
  EXPECT_FALSE(f.beat(1, one, false, true).should_shut_down);
  EXPECT_EQ(f.partition("t").leader, 2);
  EXPECT_TRUE(f.controller.image().broker(1)->in_controlled_shutdown);
  EXPECT_FALSE(f.beat(1, one, false, true).should_shut_down);  // The other does not know yet.
  f.beat(2, two, false);
  EXPECT_TRUE(f.beat(1, one, false, true).should_shut_down);
  EXPECT_TRUE(f.controller.image().broker(1)->fenced);
}

TEST(Controller, ConfigsSetAppendSubtractDelete) {
  Fixture f;
  f.add_broker(1);
  f.create("t", 1, 1);
  const auto alter = [&](int8_t op, std::string key, std::optional<std::string> value) {
    IncrementalAlterConfigsRequest request;
    auto& r = request.resources.emplace_back();
    r.resource_type = 2;
    r.resource_name = "t";
    auto& c = r.configs.emplace_back();
    c.name = key;
    c.config_operation = op;
    c.value = value ? protocol::NullableText(protocol::Text(*value)) : std::nullopt;
    return f.take(f.controller.incremental_alter_configs(request, f.context())).responses[0].error_code;
  };
  const auto value = [&](std::string_view key) {
    const auto* found = f.controller.image().config(ConfigType::kTopic, "t", key);
    return found == nullptr ? std::string("-") : *found;
  };
  EXPECT_EQ(alter(0, "retention.ms", "5"), 0);
  EXPECT_EQ(value("retention.ms"), "5");
  EXPECT_EQ(alter(2, "retention.ms", "6"), 40);
  EXPECT_EQ(alter(2, "cleanup.policy", "compact"), 0);
  EXPECT_EQ(value("cleanup.policy"), "delete,compact");
  EXPECT_EQ(alter(3, "cleanup.policy", "delete"), 0);
  EXPECT_EQ(value("cleanup.policy"), "compact");
  EXPECT_EQ(alter(1, "retention.ms", std::nullopt), 0);
  EXPECT_EQ(value("retention.ms"), "-");
  EXPECT_EQ(alter(0, "retention.ms", std::nullopt), 42);
  EXPECT_EQ(alter(0, "bad.key", "1"), 40);
  // A list may only grow as long as a record can carry it.
  EXPECT_EQ(alter(2, "cleanup.policy", std::string(32767 - 8, 'x')), 0);
  EXPECT_EQ(alter(2, "cleanup.policy", "y"), 40);
  EXPECT_EQ(value("cleanup.policy").size(), 32767u);
  EXPECT_EQ(alter(1, "cleanup.policy", std::nullopt), 0);
  AlterConfigsRequest all;
  auto& r = all.resources.emplace_back();
  r.resource_type = 2;
  r.resource_name = "t";
  auto& c = r.configs.emplace_back();
  c.name = "flush.ms";
  c.value = protocol::Text("9");
  EXPECT_EQ(f.take(f.controller.alter_configs(all, f.context())).responses[0].error_code, 0);
  EXPECT_EQ(value("cleanup.policy"), "-");
  EXPECT_EQ(value("flush.ms"), "9");
}

TEST(Controller, ProducerIdsComeInBlocks) {
  Fixture f;
  AllocateProducerIdsRequest request;
  request.broker_id = 1;
  request.broker_epoch = f.add_broker(1);
  EXPECT_EQ(f.take(f.controller.allocate_producer_ids(request, f.context())).producer_id_start, 0);
  EXPECT_EQ(f.take(f.controller.allocate_producer_ids(request, f.context())).producer_id_start, 1000);
  request.broker_epoch = 99;
  EXPECT_EQ(f.controller.allocate_producer_ids(request, f.context()).error().code, ErrorCode::kStaleBrokerEpoch);
}

TEST(Controller, FeaturesAreHeldToWhatAllSupport) {
  Fixture f;
  f.add_broker(1);
  const auto update = [&](std::string name, int16_t level, int8_t type) {
    UpdateFeaturesRequest request;
    auto& u = request.feature_updates.emplace_back();
    u.feature = name;
    u.max_version_level = level;
    u.upgrade_type = type;
    return f.take(f.controller.update_features(request, 2, f.context())).error_code;
  };
  EXPECT_EQ(update("group.version", 1, 1), 0);
  EXPECT_EQ(f.controller.image().feature("group.version"), 1);
  EXPECT_EQ(update("group.version", 0, 1), 95);
  EXPECT_EQ(update("group.version", 0, 2), 0);
  EXPECT_EQ(update("metadata.version", 31, 1), 95);
  EXPECT_EQ(update("metadata.version", 20, 2), 95);
  EXPECT_EQ(update("no.such", 1, 1), 95);
}

// A snapshot of an image, replayed, is the same image.
TEST(Replay, SnapshotHoldsTheWholeImage) {
  Fixture f;
  for (int32_t id = 1; id <= 3; ++id) f.add_broker(id, "r" + std::to_string(id));
  for (int i = 0; i < 20; ++i) f.create("topic-" + std::to_string(i), 5, 2, {{"retention.ms", std::to_string(i)}});
  f.fence(2);
  MetadataImage copy;
  ASSERT_TRUE(image_to_records(f.controller.image(), [&](std::span<const Buffer> records) -> Result<void> {
    for (const auto& record : records) TRY(replay_record(copy, record));
    return {};
  }));
  const auto& image = f.controller.image();
  EXPECT_EQ(copy.topics.size(), image.topics.size());
  image.topics_by_id.for_each([&](const Uuid& id, const TopicImage& topic) {
    const TopicImage* other = copy.topic(id);
    ASSERT_NE(other, nullptr);
    topic.partitions.for_each([&](PartitionIndex index, const PartitionImage& p) { EXPECT_EQ(p, *other->partition(index)); });
  });
  image.brokers.for_each([&](int32_t id, const BrokerImage& broker) { EXPECT_EQ(broker, *copy.broker(id)); });
  image.configs.for_each([&](const ConfigResource& key, const ConfigMap& map) { EXPECT_EQ(map, copy.config(key.type, key.name)); });
  EXPECT_EQ(copy.metadata_version(), image.metadata_version());
  EXPECT_EQ(copy.features.size(), image.features.size());
}

TEST(Replay, UnknownRecordsAndBrokenOnesAreErrors) {
  MetadataImage image;
  EXPECT_FALSE(replay_record(image, Bytes{}));
  const Buffer unknown{1, 99, 0, 0};
  EXPECT_EQ(replay_record(image, unknown).error().code, ErrorCode::kUnsupportedVersion);
  const Buffer version{1, 2, 7, 0};
  EXPECT_EQ(replay_record(image, version).error().code, ErrorCode::kUnsupportedVersion);
  protocol::PartitionRecord orphan;
  orphan.topic_id = Uuid{1, 2};
  EXPECT_EQ(replay_record(image, encode(orphan)).error().code, ErrorCode::kInvalidRecord);
}

TEST(Replay, TransactionsShowOnlyWhenTheyEnd) {
  TransactionReplay replay;
  protocol::TopicRecord topic;
  topic.name = "t";
  topic.topic_id = Uuid{5, 6};
  const Buffer begin = encode(protocol::BeginTransactionRecord{}), end = encode(protocol::EndTransactionRecord{}), record = encode(topic),
               abort = encode(protocol::AbortTransactionRecord{});
  std::vector<Bytes> first{begin, record};
  ASSERT_TRUE(replay.replay_batch(first, 1, 1, 0));
  EXPECT_TRUE(replay.in_transaction());
  EXPECT_EQ(replay.image().topic("t"), nullptr);
  std::vector<Bytes> undo{abort};
  ASSERT_TRUE(replay.replay_batch(undo, 2, 1, 0));
  EXPECT_EQ(replay.image().topic("t"), nullptr);
  ASSERT_TRUE(replay.replay_batch(first, 4, 1, 0));
  std::vector<Bytes> done{end};
  ASSERT_TRUE(replay.replay_batch(done, 5, 1, 0));
  EXPECT_NE(replay.image().topic("t"), nullptr);
  EXPECT_EQ(replay.image().provenance.next_offset, 6);
}

}  // namespace
}  // namespace samsa::metadata
