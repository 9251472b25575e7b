// One node, formatted, started, used, crashed and started again on the simulated world.
#include "metadata/metadata_node.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "metadata/format.h"
#include "metadata/test_configs.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "raft/snapshot.h"

namespace samsa::metadata {
namespace {

using namespace std::chrono_literals;

constexpr const char* kCluster = "MkU3OEVBNTcwNTJENDM2Qg";

MetadataNodeOptions options_of(int32_t id, const Uuid& directory) {
  MetadataNodeOptions options;
  options.raft.node_id = id;
  options.raft.cluster_id = kCluster;
  options.raft.directory_id = directory;
  options.raft.metadata_dir = "/data";
  options.raft.own_endpoints = {{"CONTROLLER", "127.0.0.1", 9093}};
  options.controller.cluster_id = kCluster;
  options.controller.node_id = id;
  options.controller_endpoints = {{"CONTROLLER", "127.0.0.1", 9093, 0}};
  options.broker = BrokerOptions{.node_id = id, .cluster_id = kCluster, .endpoints = {{"PLAINTEXT", "127.0.0.1", 9092, 0}}, .log_dirs = {directory}};
  return options;
}

struct Fixture {
  explicit Fixture(uint64_t seed = 1) : sim(seed), node(sim.add_node("one")) {}

  io::World world() { return node.worlds()[0]; }

  void format() {
    FormatOptions options;
    options.node_id = 1;
    options.cluster_id = kCluster;
    options.log_dirs = {"/data"};
    options.metadata_log_dir = "/data";
    options.voters = FormatOptions::Voters::kStandalone;
    options.standalone_endpoints = {{"CONTROLLER", "127.0.0.1", 9093}};
    auto report = format_directories(world().disk, options, world().loop.random());
    ASSERT_TRUE(report) << report.error().describe();
    auto head = raft::read_snapshot(world().disk, "/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
                                    [](auto, const auto&) { return Result<void>{}; });
    ASSERT_TRUE(head) << head.error().describe();
    ASSERT_TRUE(head->head.voters);
    directory = head->head.voters->find(1)->key.directory;
  }

  // Opens, starts, registers, unfences.
  io::Task<> run_up(std::string& problem) {
    auto options = options_of(1, directory);
    options.broker->incarnation = world().loop.random().uuid();
    if (tune) tune(options);
    auto opened = co_await MetadataNode::open(world(), options, configs, nullptr, [&](Error error) { fault = error.describe(); });
    if (!opened) {
      problem = opened.error().describe();
      co_return;
    }
    metadata = std::move(*opened);
    metadata->start();
    if (auto registered = co_await metadata->broker()->register_and_wait_caught_up(); !registered) {
      problem = registered.error().describe();
      co_return;
    }
    if (auto unfenced = co_await metadata->broker()->unfence(); !unfenced) problem = unfenced.error().describe();
  }
  void up() {
    std::string problem;
    ASSERT_TRUE(sim.run_task(world().loop, run_up(problem), 30s)) << fault << sim.trace().recent(60);
    ASSERT_EQ(problem, "");
    ASSERT_EQ(fault, "");
  }

  io::Task<> create_task(std::string name, int32_t partitions, ErrorCode& error, std::string& text) {
    CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    auto answer = co_await metadata->controller()->create_topics(request, {});
    if (!answer) {
      error = answer.error().code;
      co_return;
    }
    error = error_from_wire(answer->topics[0].error_code);
    if (answer->topics[0].error_message) text = answer->topics[0].error_message->str();
  }
  ErrorCode create(const std::string& name, int32_t partitions) {
    ErrorCode error = ErrorCode::kUnknownServerError;
    EXPECT_TRUE(sim.run_task(world().loop, create_task(name, partitions, error, last_text), 10s));
    return error;
  }

  TestConfigs configs;
  io::sim::SimWorld sim;
  io::sim::SimNode& node;
  Uuid directory;
  std::unique_ptr<MetadataNode> metadata;
  std::string fault, last_text;
  std::function<void(MetadataNodeOptions&)> tune;
};

TEST(MetadataNode, StartsAloneRegistersAndUnfences) {
  Fixture f;
  f.format();
  f.up();
  const auto& image = *f.metadata->image();
  ASSERT_NE(image.broker(1), nullptr);
  EXPECT_FALSE(image.broker(1)->fenced);
  EXPECT_EQ(image.metadata_version(), 30);
  EXPECT_EQ(image.feature("eligible.leader.replicas.version"), 1);
  EXPECT_NE(image.config(ConfigType::kBroker, "", "min.insync.replicas"), nullptr);
  EXPECT_TRUE(f.metadata->controller()->active());
  EXPECT_TRUE(f.sim.run_until([&] { return f.metadata->image()->controllers.contains(1); }, 5s));
  EXPECT_LT(f.sim.elapsed(), 2s);
  f.sim.run_task(f.world().loop, f.metadata->stop(), 10s);
}

TEST(MetadataNode, TopicsSurviveStopAndCrash) {
  Fixture f;
  f.format();
  f.up();
  EXPECT_EQ(f.create("first", 3), ErrorCode::kNone);
  EXPECT_EQ(f.create("first", 3), ErrorCode::kTopicAlreadyExists);
  EXPECT_EQ(f.last_text, "Topic 'first' already exists.");
  EXPECT_TRUE(f.sim.run_until([&] { return f.metadata->image()->topic("first") != nullptr; }, 5s));
  const Uuid id = f.metadata->image()->topic("first")->id;
  f.sim.run_task(f.world().loop, f.metadata->stop(), 10s);
  f.metadata.reset();

  f.up();
  ASSERT_NE(f.metadata->image()->topic("first"), nullptr);
  EXPECT_EQ(f.metadata->image()->topic("first")->id, id);
  EXPECT_EQ(f.metadata->image()->topic("first")->partition_count(), 3);
  EXPECT_EQ(f.create("second", 50), ErrorCode::kNone);
  f.sim.crash(f.node);
  f.metadata.reset();
  f.sim.restart(f.node);

  f.up();
  ASSERT_NE(f.metadata->image()->topic("second"), nullptr);
  EXPECT_EQ(f.metadata->image()->topic("second")->partition_count(), 50);
  EXPECT_EQ(f.metadata->image()->partition("second", 49)->leader, 1);
  EXPECT_EQ(f.metadata->raft().leader().epoch, 3);
  f.sim.run_task(f.world().loop, f.metadata->stop(), 10s);
}

TEST(MetadataNode, SnapshotsTakeThePlaceOfTheLog) {
  Fixture f;
  f.format();
  f.tune = [](MetadataNodeOptions& options) { options.snapshot_bytes = 4000; };
  f.up();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(f.create("topic-" + std::to_string(i), 5), ErrorCode::kNone);
  EXPECT_TRUE(f.sim.run_until([&] { return f.metadata->raft().latest_snapshot().has_value(); }, 10s));
  const auto snapshot = f.metadata->raft().latest_snapshot();
  ASSERT_TRUE(snapshot);
  f.sim.crash(f.node);
  f.metadata.reset();
  f.sim.restart(f.node);
  f.up();
  EXPECT_EQ(f.metadata->image()->topics.size(), 20u);
  EXPECT_EQ(f.metadata->image()->partition_count(), 100u);
  EXPECT_EQ(f.metadata->raft().kraft_version(), 1);
  EXPECT_EQ(f.metadata->raft().voters().size(), 1u);
  f.sim.run_task(f.world().loop, f.metadata->stop(), 10s);
}

TEST(MetadataNode, ControlledShutdownLetsTheBrokerGo) {
  Fixture f;
  f.format();
  f.up();
  EXPECT_EQ(f.create("t", 3), ErrorCode::kNone);
  const auto before = f.sim.elapsed();
  ASSERT_TRUE(f.sim.run_task(f.world().loop, f.metadata->broker()->controlled_shutdown(io::after(f.world().loop.now(), 30s)), 60s));
  EXPECT_LT(f.sim.elapsed() - before, 2s);
  EXPECT_TRUE(f.sim.run_until([&] { return f.metadata->image()->broker(1)->fenced; }, 5s));
  f.sim.run_task(f.world().loop, f.metadata->stop(), 10s);
}

TEST(MetadataNode, FormatRefusesWhatIsFormatted) {
  Fixture f;
  f.format();
  FormatOptions options;
  options.node_id = 1;
  options.cluster_id = kCluster;
  options.log_dirs = {"/data"};
  auto again = format_directories(f.world().disk, options, f.world().loop.random());
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("already formatted"), std::string::npos);
  options.ignore_formatted = true;
  options.node_id = 2;
  EXPECT_FALSE(format_directories(f.world().disk, options, f.world().loop.random()));
}

}  // namespace
}  // namespace samsa::metadata
