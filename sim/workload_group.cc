// The group workload: traffic, and members of classic groups that come and go, read what is assigned to them and commit. Each record is
// read by the group at least once, a partition has one owner per generation, committed offsets never go back.
#include <fmt/format.h>

#include <set>

#include "client/admin.h"
#include "sim/traffic.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

class GroupWorkload final : public Workload {
 public:
  void adjust(ClusterPlan& plan, io::Random& random) override {
    plan.properties["offsets.topic.num.partitions"] = std::to_string(random.between(1, 4));
    plan.properties["group.min.session.timeout.ms"] = "500";
    plan.properties["offsets.topic.segment.bytes"] = std::to_string(random.between(1, 3) * 1'048'576);
  }
  std::vector<TopicPlan> topics(io::Random& random) override { return traffic_.topics(random, 2); }

  void start(SimCluster& /*cluster*/, ClientSide& clients) override {
    traffic_.start(clients, clients.random().between(1, 2), 0);
    const auto groups = clients.random().between(1, 2);
    for (int g = 0; g < groups; ++g) {
      groups_.push_back(fmt::format("group-{}", g));
      const auto members = clients.random().between(1, 4);
      for (int m = 0; m < members; ++m) clients.spawn(be_member(clients, groups_.back()));
      clients.spawn(watch_commits(clients, groups_.back()));
    }
  }

  std::vector<TopicPartition> final_partitions() override { return traffic_.partitions(); }

  // What the groups have not read yet is read to the end by one last member.
  io::Task<> last_words(SimCluster& /*cluster*/, ClientSide& clients) override {
    for (const auto& group : groups_) {
      const auto cluster = clients.connect("last-member");
      co_await read_commits(clients, *cluster, group);
      std::map<TopicPartition, int64_t> latest;
      for (const auto& partition : traffic_.partitions()) latest[partition] = -1;
      std::map<TopicPartition, Offset> ends;
      while (ends.size() < latest.size()) {
        const auto found = co_await client::list_offsets(*cluster, latest);
        if (!found) continue;
        for (const auto& [partition, listed] : *found) {
          if (listed.error.code == ErrorCode::kNone) ends[partition] = listed.offset;
        }
      }
      Membership member(clients, *cluster, group, config_of(clients, group));
      member_clients_.insert({group, member.id});
      member.consumer.subscribe(topics());
      const auto behind = [&] {
        for (const auto& [partition, end] : ends) {
          if (member.consumer.position(partition).value_or(-1) < end) return true;
        }
        return false;
      };
      while (behind()) co_await member.poll(clients, 500ms);
      co_await member.consumer.close();
    }
  }

  void check(SimCluster& /*cluster*/, const History& history, std::vector<Anomaly>& found) override {
    for (const auto& group : groups_) {
      std::set<std::pair<TopicPartition, Offset>> read;
      for (const auto& poll : history.polls) {
        if (!member_clients_.contains({group, poll.client})) continue;
        for (const auto& seen : poll.seen) read.insert({seen.partition, seen.offset});
      }
      for (const auto& send : history.sends) {
        if (send.outcome != Outcome::kOk || read.contains({send.partition, send.offset})) continue;
        found.push_back({"group-skipped", fmt::format("value {} at {}@{} was never read by {}", send.value, send.partition.to_string(), send.offset, group)});
      }
    }
  }

 private:
  // One consumer of a group, with what it was last assigned and what it has read since.
  struct Membership {
    Membership(ClientSide& clients, client::Cluster& cluster, std::string group_id, const client::ConsumerConfig& config)
        : consumer(cluster, config), group(std::move(group_id)), id(clients.next_client()), session(clients.next_session()) {}
    client::Consumer consumer;
    std::string group;
    int id;
    int session;
    int32_t generation = -1;
    std::map<TopicPartition, Offset> positions;

    io::Task<> poll(ClientSide& clients, std::chrono::milliseconds wait) {
      const int64_t began = clients.now_ns();
      const auto records = co_await consumer.poll(wait);
      if (!records) {
        co_await io::sleep_for(clients.loop(), 50ms);
        co_return;
      }
      if (consumer.generation() != generation && consumer.generation() >= 0) {
        generation = consumer.generation();
        session = clients.next_session();
        positions.clear();
        clients.history().assignments.push_back({group, generation, consumer.member_id(), clients.now_ns(), consumer.assignment()});
      }
      if (records->empty()) co_return;
      clients.history().polls.push_back(poll_of(*records, id, session, began, clients.now_ns()));
      for (const auto& record : *records) positions[{record.topic, record.partition}] = record.offset + 1;
    }
  };

  [[nodiscard]] std::vector<std::string> topics() const {
    std::vector<std::string> names;
    for (const auto& partition : traffic_.partitions()) {
      if (names.empty() || names.back() != partition.topic) names.push_back(partition.topic);
    }
    return names;
  }

  client::ConsumerConfig config_of(ClientSide& clients, const std::string& group) {
    auto& random = clients.random();
    client::ConsumerConfig config;
    config.group_id = group;
    config.auto_offset_reset = client::OffsetReset::kEarliest;
    config.enable_auto_commit = false;
    config.fetch_max_wait = std::chrono::milliseconds(random.between(10, 300));
    config.max_poll_records = static_cast<size_t>(random.between(1, 100));
    config.session_timeout = std::chrono::milliseconds(random.between(1000, 6000));
    config.heartbeat_interval = config.session_timeout / 4;
    config.max_poll_interval = 5s;
    config.assignors = {random.one_in(2) ? client::Assignor::kRange : client::Assignor::kRoundRobin};
    config.assignors.push_back(config.assignors[0] == client::Assignor::kRange ? client::Assignor::kRoundRobin : client::Assignor::kRange);
    return config;
  }

  io::Task<> be_member(ClientSide& clients, std::string group) {
    auto& random = clients.random();
    while (!clients.stopping) {
      const auto cluster = clients.connect(group);
      Membership member(clients, *cluster, group, config_of(clients, group));
      member_clients_.insert({group, member.id});
      member.consumer.subscribe(topics());
      const int64_t until = clients.now_ns() + random.between(1'000'000'000, 15'000'000'000);
      while (!clients.stopping && clients.now_ns() < until) {
        co_await member.poll(clients, std::chrono::milliseconds(random.between(10, 500)));
        if (random.one_in(3)) co_await commit(clients, member);
      }
      if (random.one_in(2)) co_await commit(clients, member);
      co_await member.consumer.close();
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(0, 2000)));
    }
  }

  static io::Task<> commit(ClientSide& clients, Membership& member) {
    const auto positions = member.positions;
    const int32_t generation = member.consumer.generation();
    if (positions.empty() || generation != member.generation) co_return;
    const int64_t began = clients.now_ns();
    const auto done = co_await member.consumer.commit();
    for (const auto& [partition, offset] : positions) {
      clients.history().commits.push_back({member.group, partition, offset, began, clients.now_ns(), done ? Outcome::kOk : Outcome::kUnknown});
    }
    if (done) ++clients.progress;
  }

  io::Task<> watch_commits(ClientSide& clients, std::string group) {
    const auto cluster = clients.connect(group + "-watcher");
    while (!clients.stopping) {
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(clients.random().between(200, 2000)));
      co_await read_commits(clients, *cluster, group);
    }
  }
  io::Task<> read_commits(ClientSide& clients, client::Cluster& cluster, std::string group) {
    const int64_t began = clients.now_ns();
    const auto found = co_await client::committed_offsets(cluster, group, traffic_.partitions());
    if (!found) co_return;
    for (const auto& [partition, offset] : *found) {
      clients.history().committed_reads.push_back({group, partition, offset, began, clients.now_ns()});
    }
  }

  Traffic traffic_{"grouped"};
  std::vector<std::string> groups_;
  std::set<std::pair<std::string, int>> member_clients_;
};

}  // namespace

std::unique_ptr<Workload> make_group_workload() { return std::make_unique<GroupWorkload>(); }

}  // namespace samsa::sim
