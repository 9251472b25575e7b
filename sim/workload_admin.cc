// The admin workload: clients create topics of their own, add partitions, change configurations, delete them; and move the replicas and
// leaders of the topics that carry traffic. What was answered is what the metadata say in the end.
#include <fmt/format.h>

#include <algorithm>

#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/incremental_alter_configs.h"
#include "sim/traffic.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

// What the owner of a topic knows of it. Nobody else touches it; after a request without an answer it is given up, because that
// request may still come to pass.
struct OwnTopic {
  std::string name;
  bool exists = false;
  bool certain = true;
  int partitions = 0;
  std::string retention;  // retention.ms; empty: not set.
};

class AdminWorkload final : public Workload {
 public:
  std::vector<TopicPlan> topics(io::Random& random) override { return traffic_.topics(random, 2); }

  void start(SimCluster& cluster, ClientSide& clients) override {
    for (const auto& member : cluster.members()) {
      if (member.broker()) brokers_.push_back(member.id);
    }
    traffic_.start(clients, clients.random().between(1, 2), clients.random().between(0, 1));
    const auto owners = clients.random().between(1, 3);
    for (int i = 0; i < owners; ++i) clients.spawn(own(clients, i));
    clients.spawn(move_replicas(clients));
  }

  std::vector<TopicPartition> final_partitions() override { return traffic_.partitions(); }

  void check(SimCluster& cluster, const History& /*history*/, std::vector<Anomaly>& found) override {
    const auto image = cluster.image();
    for (const auto& [name, topic] : topics_) {
      if (!topic.certain) continue;
      const auto* there = image->topic(name);
      if ((there != nullptr) != topic.exists) {
        found.push_back({"lost-change", fmt::format("topic {} was {}, and is {}", name, topic.exists ? "created" : "deleted", there ? "there" : "not there")});
        continue;
      }
      if (there == nullptr) continue;
      if (there->partition_count() != topic.partitions) {
        found.push_back({"lost-change", fmt::format("topic {} was given {} partitions, and has {}", name, topic.partitions, there->partition_count())});
      }
      const auto* configs = image->configs.find(metadata::ConfigResource{metadata::ConfigType::kTopic, name});
      const auto value = configs == nullptr || !configs->contains("retention.ms") ? std::string() : configs->find("retention.ms")->second;
      if (value != topic.retention) {
        found.push_back({"lost-change", fmt::format("topic {} was given retention.ms={}, and has '{}'", name, topic.retention, value)});
      }
    }
  }

 private:
  // One request, sent once. Nothing where it is not known what became of it.
  template <class Request>
  static io::Task<Result<client::Reply<typename Request::Response>>> ask(client::Cluster& cluster, const Request& request) {
    CO_TRY_ASSIGN(auto connection, co_await cluster.any());
    co_return co_await connection->call(request, INT16_MAX, 6s);
  }
  // The error of an item. A broker sends a request on to the controller again where the first answer was lost, as Kafka's does: what is
  // `already` so was done by this request, for nobody else has the topic.
  static bool done(ErrorCode code, ErrorCode already) { return code == ErrorCode::kNone || code == already; }
  static bool refused(ErrorCode code) { return code == ErrorCode::kInvalidReplicationFactor; }

  io::Task<> own(ClientSide& clients, int owner) {
    auto& random = clients.random();
    int number = 0;
    OwnTopic* topic = nullptr;
    const auto cluster = clients.connect(fmt::format("owner-{}", owner));
    while (!clients.stopping) {
      if (topic == nullptr || !topic->certain || (!topic->exists && random.one_in(3))) {
        const std::string name = fmt::format("own-{}-{}", owner, number++);
        topic = &topics_[name];
        topic->name = name;
      }
      if (!topic->exists) {
        co_await create(clients, *cluster, *topic);
      } else if (random.one_in(4)) {
        co_await remove(clients, *cluster, *topic);
      } else if (random.one_in(2)) {
        co_await grow(clients, *cluster, *topic);
      } else {
        co_await configure(clients, *cluster, *topic);
      }
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(50, 1500)));
    }
  }

  void settle(ClientSide& clients, OwnTopic& topic, std::optional<ErrorCode> code, ErrorCode already, const std::function<void()>& apply) {
    if (code && done(*code, already)) {
      apply();
      ++clients.progress;
    } else if (!code || !refused(*code)) {
      topic.certain = false;
    }
  }

  io::Task<> create(ClientSide& clients, client::Cluster& cluster, OwnTopic& topic) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 4000;
    auto& entry = request.topics.emplace_back();
    entry.name = protocol::Text(topic.name);
    entry.num_partitions = static_cast<int32_t>(clients.random().between(1, 3));
    entry.replication_factor = static_cast<int16_t>(clients.random().between(2, 3));  // One copy does not outlive its disk.
    const auto reply = co_await ask(cluster, request);
    settle(clients, topic, reply ? std::optional(error_from_wire((*reply)->topics.at(0).error_code)) : std::nullopt, ErrorCode::kTopicAlreadyExists, [&] {
      topic.exists = true;
      topic.partitions = entry.num_partitions;
      topic.retention.clear();
    });
  }
  io::Task<> remove(ClientSide& clients, client::Cluster& cluster, OwnTopic& topic) {
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = 4000;
    request.topics.emplace_back().name = protocol::NullableText{protocol::Text(topic.name)};
    const auto reply = co_await ask(cluster, request);
    settle(clients, topic, reply ? std::optional(error_from_wire((*reply)->responses.at(0).error_code)) : std::nullopt,
           ErrorCode::kUnknownTopicOrPartition, [&] { topic.exists = false; });
  }
  io::Task<> grow(ClientSide& clients, client::Cluster& cluster, OwnTopic& topic) {
    protocol::CreatePartitionsRequest request;
    request.timeout_ms = 4000;
    auto& entry = request.topics.emplace_back();
    entry.name = protocol::Text(topic.name);
    entry.count = topic.partitions + 1;
    const auto reply = co_await ask(cluster, request);
    settle(clients, topic, reply ? std::optional(error_from_wire((*reply)->results.at(0).error_code)) : std::nullopt,
           ErrorCode::kInvalidPartitions, [&] { topic.partitions = entry.count; });
  }
  io::Task<> configure(ClientSide& clients, client::Cluster& cluster, OwnTopic& topic) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = protocol::Text(topic.name);
    auto& config = resource.configs.emplace_back();
    config.name = protocol::Text(std::string("retention.ms"));
    const bool remove = clients.random().one_in(4);
    const std::string value = remove ? std::string() : std::to_string(clients.random().between(1'000'000, 9'000'000));
    config.config_operation = remove ? 1 : 0;
    if (!remove) config.value = protocol::Text(value);
    const auto reply = co_await ask(cluster, request);
    settle(clients, topic, reply ? std::optional(error_from_wire((*reply)->responses.at(0).error_code)) : std::nullopt, ErrorCode::kNone,
           [&] { topic.retention = value; });
  }

  io::Task<> move_replicas(ClientSide& clients) {
    auto& random = clients.random();
    const auto cluster = clients.connect("mover");
    while (!clients.stopping) {
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(300, 4000)));
      const auto& partition = traffic_.partitions()[random.below(traffic_.partitions().size())];
      if (random.one_in(3)) {
        protocol::ElectLeadersRequest request;
        request.election_type = 0;
        request.timeout_ms = 4000;
        request.topic_partitions.emplace();
        auto& topic = request.topic_partitions->emplace_back();
        topic.topic = protocol::Text(partition.topic);
        topic.partitions = {partition.partition};
        (void)co_await ask(*cluster, request);
        continue;
      }
      auto brokers = brokers_;
      for (size_t i = brokers.size(); i > 1; --i) std::swap(brokers[i - 1], brokers[random.below(i)]);
      protocol::AlterPartitionReassignmentsRequest request;
      request.timeout_ms = 4000;
      auto& topic = request.topics.emplace_back();
      topic.name = protocol::Text(partition.topic);
      auto& entry = topic.partitions.emplace_back();
      entry.partition_index = partition.partition;
      if (!random.one_in(5)) entry.replicas.emplace(brokers.begin(), brokers.begin() + 3);  // Otherwise what is under way is called off.
      (void)co_await ask(*cluster, request);
    }
  }

  Traffic traffic_{"moved"};
  std::vector<int32_t> brokers_;
  std::map<std::string, OwnTopic> topics_;
};

}  // namespace

std::unique_ptr<Workload> make_admin_workload() { return std::make_unique<AdminWorkload>(); }

}  // namespace samsa::sim
