// For tests: several whole nodes in one simulated world, a client that finds leaders by itself, and what it keeps count of.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "client/connection.h"
#include "io/sim/world.h"
#include "metadata/format.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"
#include "server/node.h"
#include "server/test_node.h"

namespace samsa::server {

// Nodes 1..n named "n1", "n2", ...; each is broker and controller unless its roles say otherwise. Static voters: all controllers.
class TestCluster {
 public:
  struct Member {
    io::sim::SimNode* machine = nullptr;
    std::string roles;
    int starts = 0;            // How often it came up.
    Node* node = nullptr;      // While it runs.
    bool may_fail = false;     // Ends by its own decision are no failure of the test.
    std::string failed;        // Why it did.
  };

  TestCluster(uint64_t seed, const std::vector<std::string>& roles, config::Properties more = {}, const io::sim::Faults& faults = {}, int shards = 2)
      : sim(seed, faults), more_(std::move(more)) {
    for (size_t i = 0; i < roles.size(); ++i) {
      members.push_back({&sim.add_node("n" + std::to_string(i + 1), shards), roles[i]});
      if (roles[i].find("controller") != std::string::npos) {
        voters_ += (voters_.empty() ? "" : ",") + std::to_string(i + 1) + "@n" + std::to_string(i + 1) + ":9093";
      }
    }
    client = &sim.add_node("client");
    for (size_t i = 0; i < members.size(); ++i) format(i);
  }
  ~TestCluster() {
    for (auto& member : members) {
      if (member.machine->up()) sim.crash(*member.machine);
    }
    sim.crash(*client);
  }

  [[nodiscard]] NodeSettings settings(size_t index) const {
    const std::string name = "n" + std::to_string(index + 1);
    const auto& roles = members[index].roles;
    config::Properties properties = more_;
    properties["node.id"] = std::to_string(index + 1);
    properties["process.roles"] = roles;
    properties["controller.quorum.voters"] = voters_;
    properties["controller.listener.names"] = "CONTROLLER";
    const bool broker = roles.find("broker") != std::string::npos;
    const bool controller = roles.find("controller") != std::string::npos;
    properties["listeners"] = std::string(broker ? "PLAINTEXT://" + name + ":9092" : "") + (broker && controller ? "," : "") +
                              (controller ? "CONTROLLER://" + name + ":9093" : "");
    auto settings = test_settings("/data", properties);
    settings.auto_format = false;
    return settings;
  }
  void start(size_t index) {
    auto& machine = *members[index].machine;
    io::spawn(machine.worlds()[0].loop, serve(machine.worlds(), settings(index), members[index]));
  }
  void start_all() {
    for (size_t i = 0; i < members.size(); ++i) start(i);
  }
  void crash(size_t index) {
    members[index].node = nullptr;
    sim.crash(*members[index].machine);
  }
  void restart(size_t index) {
    sim.restart(*members[index].machine);
    start(index);
  }
  [[nodiscard]] bool all_started(int times = 1) const {
    return std::ranges::all_of(members, [&](const Member& m) { return m.starts >= times; });
  }
  // The image of some node that runs.
  [[nodiscard]] metadata::ImagePtr image() const {
    metadata::ImagePtr newest;
    for (const auto& m : members) {
      if (m.node == nullptr || !m.machine->up()) continue;
      const auto& image = m.node->metadata().image();
      if (!newest || image->provenance.next_offset > newest->provenance.next_offset) newest = image;
    }
    return newest;
  }
  // Whether every partition of the topic has all of its replicas in sync and a leader.
  [[nodiscard]] bool whole(std::string_view topic) const {
    const auto now = image();
    const auto* found = now ? now->topic(topic) : nullptr;
    if (found == nullptr) return false;
    bool all = true;
    found->partitions.for_each([&](PartitionIndex, const metadata::PartitionImage& p) { all = all && p.leader >= 0 && p.isr.size() == p.replicas.size(); });
    return all;
  }
  [[nodiscard]] int32_t leader(std::string_view topic, PartitionIndex partition) const {
    const auto now = image();
    const auto* found = now ? now->partition(topic, partition) : nullptr;
    return found == nullptr ? -1 : found->leader;
  }
  [[nodiscard]] int active_controller() const {
    for (size_t i = 0; i < members.size(); ++i) {
      const auto& m = members[i];
      if (m.node != nullptr && m.machine->up() && m.node->metadata().controller() != nullptr && m.node->metadata().controller()->active()) {
        return static_cast<int>(i);
      }
    }
    return -1;
  }
  [[nodiscard]] std::vector<io::Address> brokers() const {
    std::vector<io::Address> all;
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].roles.find("broker") != std::string::npos) all.push_back({"n" + std::to_string(i + 1), 9092});
    }
    return all;
  }

  io::sim::SimWorld sim;
  std::vector<Member> members;
  io::sim::SimNode* client = nullptr;

 private:
  void format(size_t index) {
    metadata::FormatOptions options;
    options.node_id = static_cast<int32_t>(index + 1);
    options.cluster_id = "a-simulated-cluster";
    options.log_dirs = settings(index).log_dirs;
    options.metadata_log_dir = options.log_dirs.front();
    options.kraft_version = 0;
    auto& world = members[index].machine->worlds()[0];
    const auto done = metadata::format_directories(world.disk, options, world.loop.random());
    EXPECT_TRUE(done) << done.error().text();
  }
  // The node runs until it is crashed; its task owns it, so that a crash destroys it.
  static io::Task<> serve(io::Worlds worlds, NodeSettings settings, Member& member) {
    io::Signal never;
    Node node(worlds, std::move(settings), [&member](Error error) {
      member.failed = error.text();
      EXPECT_TRUE(member.may_fail) << error.text();
    });
    const auto started = co_await node.start();
    EXPECT_TRUE(started) << started.error().text();
    if (started) {
      member.node = &node;
      ++member.starts;
    }
    co_await never.wait(worlds[0].loop);
  }

  config::Properties more_;
  std::string voters_;
};

// Calls brokers of a cluster: any of them, or a partition's leader. Connections that break are opened anew.
class TestClient {
 public:
  TestClient(io::World world, std::vector<io::Address> brokers) : world_(world), bootstrap_(std::move(brokers)) {
    config_.connect_timeout = std::chrono::seconds(1);
    config_.request_timeout = std::chrono::seconds(3);
  }

  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> call(io::Address to, const Request& request, int16_t version) {
    auto& slot = open_[to];
    if (!slot || !slot->alive()) {
      auto opened = co_await client::Connection::open(world_, to, config_);
      if (!opened) co_return fail(std::move(opened).error());
      open_[to] = std::move(*opened);
    }
    const auto connection = open_[to];
    co_return co_await connection->call(request, version);
  }
  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> call_any(const Request& request, int16_t version) {
    co_return co_await call(bootstrap_[next_++ % bootstrap_.size()], request, version);
  }
  // Where the partition's leader is; the metadata is asked for again where it is not known.
  io::Task<std::optional<io::Address>> leader(std::string topic, PartitionIndex partition) {
    if (const auto known = leaders_.find({topic, partition}); known != leaders_.end()) co_return known->second;
    protocol::MetadataRequest request;
    request.topics.emplace();
    request.topics->emplace_back().name = protocol::Text(topic);
    request.allow_auto_topic_creation = false;
    const auto reply = co_await call_any(request, 12);
    if (!reply || (*reply)->topics.empty()) co_return std::nullopt;
    std::map<int32_t, io::Address> brokers;
    for (const auto& broker : (*reply)->brokers) brokers[broker.node_id] = {broker.host.str(), static_cast<uint16_t>(broker.port)};
    for (const auto& p : (*reply)->topics[0].partitions) {
      if (brokers.contains(p.leader_id)) leaders_[{topic, p.partition_index}] = brokers[p.leader_id];
    }
    const auto known = leaders_.find({topic, partition});
    co_return known == leaders_.end() ? std::nullopt : std::optional(known->second);
  }
  void forget_leaders() { leaders_.clear(); }
  [[nodiscard]] const io::World& world() const { return world_; }

 private:
  io::World world_;
  std::vector<io::Address> bootstrap_;
  client::ConnectionConfig config_;
  std::map<io::Address, std::shared_ptr<client::Connection>> open_;
  std::map<std::pair<std::string, PartitionIndex>, io::Address> leaders_;
  size_t next_ = 0;
};

// Produces numbered values to the partitions in turn, acks=all, each again until it is acknowledged.
class ClusterProducer {
 public:
  ClusterProducer(TestClient& client, std::string topic, int partitions) : acknowledged(static_cast<size_t>(partitions)), client_(client), topic_(std::move(topic)) {}

  io::Task<> run() {
    while (!stopping) {
      const io::MonoTime before = client_.world().loop.now();
      if (co_await produce()) {
        longest_gap = std::max(longest_gap, client_.world().loop.now() - last_success_);
        last_success_ = client_.world().loop.now();
      } else {
        client_.forget_leaders();
        if (client_.world().loop.now() - before < std::chrono::milliseconds(5)) co_await io::sleep_for(client_.world().loop, std::chrono::milliseconds(10));
      }
    }
    stopped = true;
  }
  void measure() {
    longest_gap = {};
    last_success_ = client_.world().loop.now();
  }

  std::vector<std::map<Offset, std::string>> acknowledged;
  int count = 0;
  bool stopping = false;
  bool stopped = false;
  io::Duration longest_gap{};

 private:
  io::Task<bool> produce() {
    if (producer_id_ < 0) {
      protocol::InitProducerIdRequest init;
      init.transactional_id.reset();
      const auto answer = co_await client_.call_any(init, 4);
      if (!answer || (*answer)->error_code != 0) co_return false;
      producer_id_ = (*answer)->producer_id;
      producer_epoch_ = (*answer)->producer_epoch;
    }
    const int partitions = static_cast<int>(acknowledged.size());
    const int partition = next_ % partitions;
    const auto leader = co_await client_.leader(topic_, partition);
    if (!leader) co_return false;
    const std::string value = "value " + std::to_string(next_);
    protocol::BatchOptions options;
    options.producer_id = producer_id_;
    options.producer_epoch = producer_epoch_;
    options.base_sequence = next_ / partitions;
    auto batch = protocol::single_record_batch(options, client_.world().loop.wall_ms(), std::nullopt, as_bytes(value));
    const auto answer = co_await client_.call(*leader, produce_request(topic_, partition, std::move(*batch), -1, 2000), 9);
    if (!answer) co_return false;
    const auto& outcome = (*answer)->responses.at(0).partition_responses.at(0);
    if (outcome.error_code != 0) {
      EXPECT_TRUE(error_is_retriable(error_from_wire(outcome.error_code))) << error_name(error_from_wire(outcome.error_code));
      co_return false;
    }
    ++next_;
    ++count;
    acknowledged[static_cast<size_t>(partition)][outcome.base_offset] = value;
    co_return true;
  }

  TestClient& client_;
  std::string topic_;
  int64_t producer_id_ = -1;
  int16_t producer_epoch_ = -1;
  int next_ = 0;
  io::MonoTime last_success_{};
};

// All records of one replica, by offset. As a consumer of the leader, or below the log end of whatever replica is asked.
inline io::Task<> read_replica(TestClient& client, io::Address from, std::string topic, PartitionIndex partition, bool leader_only,
                               std::map<Offset, std::string>& into) {
  int breaks = 0;  // A connection of before a restart breaks once.
  for (Offset next = 0;;) {
    protocol::FetchRequest request;
    request.replica_id = leader_only ? -1 : -2;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.session_epoch = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic;
    auto& part = wanted.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = next;
    part.partition_max_bytes = 1 << 20;
    const auto answer = co_await client.call(from, request, leader_only ? 10 : 11);
    if (!answer && ++breaks < 5) continue;
    EXPECT_TRUE(answer) << answer.error().text();
    if (!answer) co_return;
    const auto& found = (*answer)->responses.at(0).partitions.at(0);
    EXPECT_EQ(found.error_code, 0) << error_name(error_from_wire(found.error_code));
    const Offset before = next;
    protocol::BatchIterator batches(found.records.memory.view());
    protocol::Scratch scratch;
    while (auto batch = *batches.next()) {
      EXPECT_TRUE(batch->crc_matches());
      auto reader = protocol::RecordReader::open(*batch, scratch);
      protocol::Record record;
      for (next = batch->base_offset(); *reader->next(record); ++next) into[next] = as_text(*record.value);
    }
    if (next == before) co_return;
  }
}

inline io::Task<> create_topic(TestClient& client, std::string name, int partitions, int16_t replication, std::string min_isr, bool& done) {
  protocol::CreateTopicsRequest create;
  auto& topic = create.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = replication;
  auto& config = topic.configs.emplace_back();
  config.name = "min.insync.replicas";
  config.value = protocol::Text(min_isr);
  create.timeout_ms = 10000;
  while (!done) {
    const auto answer = co_await client.call_any(create, 7);
    const ErrorCode error = answer ? error_from_wire((*answer)->topics.at(0).error_code) : answer.error().code;
    done = error == ErrorCode::kNone || error == ErrorCode::kTopicAlreadyExists;
    if (!done) co_await io::sleep_for(client.world().loop, std::chrono::milliseconds(50));
  }
}

}  // namespace samsa::server
