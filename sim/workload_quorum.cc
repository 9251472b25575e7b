// The quorum workload: a dynamic quorum (KIP-853) that begins with one voter; controllers join and leave it, feature levels go up and
// down, while traffic goes on. The invariants of the quorum are looked at as in every run; in the end the voters are those that were
// answered for.
#include <fmt/format.h>

#include <set>

#include "client/admin.h"
#include "metadata/features.h"
#include "protocol/api/add_raft_voter.h"
#include "protocol/api/describe_quorum.h"
#include "protocol/api/remove_raft_voter.h"
#include "protocol/api/update_features.h"
#include "sim/traffic.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

constexpr int16_t kFirstWithElr = 26;  // 4.1-IV0: a new cluster has eligible leader replicas.

class QuorumWorkload final : public Workload {
 public:
  void adjust(ClusterPlan& plan, io::Random& random) override {
    plan.dynamic_quorum = true;
    if (random.one_in(2)) {
      plan.roles = {"controller", "controller", "controller", "broker", "broker", "broker"};
    } else {
      plan.roles = {"broker,controller", "broker,controller", "broker,controller"};
    }
    if (!random.one_in(3)) {
      plan.release = metadata::metadata_version_text(static_cast<int16_t>(random.between(kFirstWithElr, metadata::kLatestMetadataVersion - 1)));
    }
    plan.properties["metadata.log.max.record.bytes.between.snapshots"] = std::to_string(random.between(500, 20'000));
  }
  std::vector<TopicPlan> topics(io::Random& random) override { return traffic_.topics(random, 1); }

  void start(SimCluster& cluster, ClientSide& clients) override {
    for (const auto& member : cluster.members()) {
      if (member.controller()) controllers_.insert(member.id);
    }
    traffic_.start(clients, 1, 1);
    clients.spawn(change_voters(clients));
    clients.spawn(change_features(clients));
  }

  std::vector<TopicPartition> final_partitions() override { return traffic_.partitions(); }

  io::Task<> last_words(SimCluster& /*cluster*/, ClientSide& clients) override {
    const auto cluster = clients.connect("last-look");
    while (true) {
      const auto quorum = co_await describe(*cluster);
      if (quorum) {
        for (const auto& voter : (*quorum)->topics[0].partitions[0].current_voters) voters_.insert(voter.replica_id);
        co_return;
      }
      co_await io::sleep_for(clients.loop(), 100ms);
    }
  }

  void check(SimCluster& cluster, const History& /*history*/, std::vector<Anomaly>& found) override {
    const auto image = cluster.image();
    for (const auto& [name, level] : levels_) {
      if (given_up_.contains(name)) continue;
      const int16_t there = name == metadata::kMetadataVersion ? image->metadata_version() : image->feature(name);
      if (there != level) found.push_back({"lost-change", fmt::format("{} was set to {}, and is {}", name, level, there)});
    }
    if (voters_.empty()) found.push_back({"lost-change", "the quorum has no voters"});
    if (expected_ && *expected_ != voters_) {
      found.push_back({"lost-change", fmt::format("the voters were made [{}], they are [{}]", fmt::join(*expected_, ","), fmt::join(voters_, ","))});
    }
  }

 private:
  using Quorum = Result<client::Reply<protocol::DescribeQuorumResponse>>;

  template <class Request>
  static io::Task<Result<client::Reply<typename Request::Response>>> ask(client::Cluster& cluster, const Request& request) {
    CO_TRY_ASSIGN(auto connection, co_await cluster.any());
    co_return co_await connection->call(request, INT16_MAX, 6s);
  }

  static io::Task<Quorum> describe(client::Cluster& cluster) {
    protocol::DescribeQuorumRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = protocol::Text(std::string("__cluster_metadata"));
    topic.partitions.emplace_back().partition_index = 0;
    CO_TRY_ASSIGN(auto reply, co_await ask(cluster, request));
    if (reply->error_code != 0) co_return fail(error_from_wire(reply->error_code));
    if (reply->topics.empty() || reply->topics[0].partitions.empty()) co_return fail(ErrorCode::kUnknownServerError);
    if (reply->topics[0].partitions[0].error_code != 0) co_return fail(error_from_wire(reply->topics[0].partitions[0].error_code));
    co_return reply;
  }

  io::Task<> change_voters(ClientSide& clients) {
    auto& random = clients.random();
    const auto cluster = clients.connect("voter-admin");
    while (!clients.stopping) {
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(200, 2500)));
      const auto quorum = co_await describe(*cluster);
      if (!quorum) {
        cluster->close();
        continue;
      }
      const auto& partition = (*quorum)->topics[0].partitions[0];
      if (partition.current_voters.size() > 1 && random.one_in(2)) {
        const auto& out = partition.current_voters[random.below(partition.current_voters.size())];
        co_await remove(clients, *cluster, out.replica_id, out.replica_directory_id);
        continue;
      }
      for (const auto& observer : partition.observers) {
        if (!controllers_.contains(observer.replica_id)) continue;
        co_await add(clients, *cluster, observer.replica_id, observer.replica_directory_id);
        break;
      }
    }
  }

  // The set is certain only as long as every change was answered: the answer says what it was before, too.
  void changed(ClientSide& clients, const std::optional<ErrorCode>& code, int32_t id, bool added) {
    if (!code || *code != ErrorCode::kNone) {
      expected_.reset();
      certain_ = certain_ && code.has_value();
      return;
    }
    ++clients.progress;
    if (!certain_) return;
    if (!expected_) return;
    added ? (void)expected_->insert(id) : (void)expected_->erase(id);
  }

  io::Task<> add(ClientSide& clients, client::Cluster& cluster, int32_t id, Uuid directory) {
    protocol::AddRaftVoterRequest request;
    request.timeout_ms = 4000;
    request.voter_id = id;
    request.voter_directory_id = directory;
    auto& listener = request.listeners.emplace_back();
    listener.name = protocol::Text(std::string("CONTROLLER"));
    listener.host = protocol::Text(fmt::format("n{}", id));
    listener.port = 9093;
    const auto reply = co_await ask(cluster, request);
    const auto code = reply ? std::optional(error_from_wire((*reply)->error_code)) : std::nullopt;
    clients.note(fmt::format("add voter {}: {}", id, code ? error_name(*code) : "no answer"));
    changed(clients, code, id, true);
  }
  io::Task<> remove(ClientSide& clients, client::Cluster& cluster, int32_t id, Uuid directory) {
    protocol::RemoveRaftVoterRequest request;
    request.voter_id = id;
    request.voter_directory_id = directory;
    const auto reply = co_await ask(cluster, request);
    const auto code = reply ? std::optional(error_from_wire((*reply)->error_code)) : std::nullopt;
    clients.note(fmt::format("remove voter {}: {}", id, code ? error_name(*code) : "no answer"));
    changed(clients, code, id, false);
  }

  // Levels go up, as after an upgrade of all nodes, and where that is allowed down again. Of the metadata version only those that have
  // eligible leader replicas: what brokers promise after an unclean end depends on them.
  io::Task<> change_features(ClientSide& clients) {
    auto& random = clients.random();
    const auto cluster = clients.connect("feature-admin");
    while (!clients.stopping) {
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(500, 4000)));
      const auto& [name, low, high] = kFeatures[random.below(std::size(kFeatures))];
      protocol::UpdateFeaturesRequest request;
      request.timeout_ms = 4000;
      auto& update = request.feature_updates.emplace_back();
      update.feature = protocol::Text(std::string(name));
      update.max_version_level = static_cast<int16_t>(random.between(low, high));
      update.upgrade_type = static_cast<int8_t>(random.one_in(3) ? 2 : 1);
      const auto reply = co_await ask(*cluster, request);
      const auto code = reply ? std::optional(error_from_wire((*reply)->error_code)) : std::nullopt;
      clients.note(fmt::format("{} to {}: {}", name, update.max_version_level, code ? error_name(*code) : "no answer"));
      if (code == ErrorCode::kNone) {
        ++clients.progress;
        levels_[name] = update.max_version_level;
      } else if (code != ErrorCode::kInvalidUpdateVersion) {
        given_up_.insert(name);  // It may still come to pass.
      }
    }
  }

  struct Feature {
    std::string_view name;
    int16_t low;
    int16_t high;
  };
  static constexpr Feature kFeatures[] = {
      {metadata::kMetadataVersion, kFirstWithElr, metadata::kLatestMetadataVersion}, {"transaction.version", 0, 2}, {"group.version", 0, 1}};

  Traffic traffic_{"beside"};
  std::set<int32_t> controllers_;
  std::set<int32_t> voters_;
  std::optional<std::set<int32_t>> expected_ = std::set<int32_t>{1};
  bool certain_ = true;
  std::map<std::string_view, int16_t> levels_;  // As answered.
  std::set<std::string_view> given_up_;
};

}  // namespace

std::unique_ptr<Workload> make_quorum_workload() { return std::make_unique<QuorumWorkload>(); }

}  // namespace samsa::sim
