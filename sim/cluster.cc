#include "sim/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/server_config.h"
#include "metadata/format.h"

namespace samsa::sim {
namespace {

constexpr const char* kDataDirectory = "/data";
constexpr const char* kClusterId = "a-simulated-cluster";

// Short times, so that a run of seconds has what takes a real cluster minutes. A plan's properties and a seed's draw override them.
const config::Properties kDefaults = {
    {"log.dirs", kDataDirectory},
    {"group.initial.rebalance.delay.ms", "0"},
    {"offsets.topic.num.partitions", "2"},
    {"offsets.topic.replication.factor", "3"},
    {"min.insync.replicas", "2"},
    {"default.replication.factor", "3"},
    {"auto.create.topics.enable", "false"},
    {"broker.session.timeout.ms", "3000"},
    {"broker.heartbeat.interval.ms", "500"},
    {"replica.lag.time.max.ms", "2000"},
    {"replica.fetch.backoff.ms", "100"},
    {"replica.socket.timeout.ms", "2000"},
    {"controller.quorum.election.timeout.ms", "500"},
    {"controller.quorum.fetch.timeout.ms", "1000"},
    {"controller.quorum.election.backoff.max.ms", "300"},
    {"controller.quorum.request.timeout.ms", "1000"},
    {"leader.imbalance.check.interval.seconds", "5"},
};

}  // namespace

SimCluster::SimCluster(uint64_t seed, ClusterPlan plan, const io::sim::Faults& faults) : plan_(std::move(plan)), world_(seed, faults) {
  for (size_t i = 0; i < plan_.roles.size(); ++i) {
    const std::string name = fmt::format("n{}", i + 1);
    Member& member = members_.emplace_back();
    member.id = static_cast<int32_t>(i + 1);
    member.roles = plan_.roles[i];
    member.machine = &world_.add_node(name, plan_.shards);
    if (!member.controller()) continue;
    static_voters_ += fmt::format("{}{}@{}:9093", static_voters_.empty() ? "" : ",", i + 1, name);
    bootstrap_ += fmt::format("{}{}:9093", bootstrap_.empty() ? "" : ",", name);
  }
  client_ = &world_.add_node("client");
  for (size_t i = 0; i < members_.size(); ++i) format(i);
}

SimCluster::~SimCluster() {
  end_clients();
  for (auto& member : members_) {
    member.node = nullptr;
    if (member.machine->up()) world_.crash(*member.machine);
  }
}

void SimCluster::end_clients() {
  if (client_->up()) world_.crash(*client_);
}

config::Properties SimCluster::properties_of(size_t index) const {
  const Member& member = members_[index];
  const std::string& name = member.machine->name();
  config::Properties properties = kDefaults;
  for (const auto& [key, value] : plan_.properties) properties[key] = value;
  properties["node.id"] = std::to_string(member.id);
  properties["process.roles"] = member.roles;
  properties["controller.listener.names"] = "CONTROLLER";
  if (plan_.dynamic_quorum) {
    properties["controller.quorum.bootstrap.servers"] = bootstrap_;
  } else {
    properties["controller.quorum.voters"] = static_voters_;
  }
  std::string listeners;
  if (member.broker()) listeners = fmt::format("PLAINTEXT://{}:9092", name);
  if (member.controller()) listeners += fmt::format("{}CONTROLLER://{}:9093", listeners.empty() ? "" : ",", name);
  properties["listeners"] = listeners;
  return properties;
}

void SimCluster::format(size_t index) {
  const Member& member = members_[index];
  metadata::FormatOptions options;
  options.node_id = member.id;
  options.cluster_id = kClusterId;
  options.log_dirs = {kDataDirectory};
  options.metadata_log_dir = kDataDirectory;
  options.kraft_version = plan_.dynamic_quorum ? 1 : 0;
  options.release_version = plan_.release;
  const bool first = std::none_of(members_.begin(), members_.begin() + static_cast<int64_t>(index), [](const Member& m) { return m.controller(); });
  if (plan_.dynamic_quorum && member.controller() && first) {
    options.voters = metadata::FormatOptions::Voters::kStandalone;
    options.standalone_endpoints = {{"CONTROLLER", member.machine->name(), 9093}};
  }
  auto& world = member.machine->worlds()[0];
  const auto done = metadata::format_directories(world.disk, options, world.loop.random());
  SAMSA_ASSERT(done.has_value(), "formatting failed");
}

io::Task<> SimCluster::serve(io::Worlds worlds, server::NodeSettings settings, Member& member) {
  io::Signal& stop = *member.stop_asked;
  server::Node node(worlds, std::move(settings), [&member, &stop](Error error) {
    if (!member.ended) member.ended = "fault: " + error.text();
    member.node = nullptr;
    stop.notify_all();
  });
  const auto started = co_await node.start();
  if (!started) {
    if (!member.ended) member.ended = "not started: " + started.error().text();
    co_await node.stop();
    co_return;
  }
  if (!member.ended) {
    member.node = &node;
    ++member.starts;
  }
  while (!member.stopping) co_await stop.wait(worlds[0].loop);
  member.node = nullptr;
  co_await node.stop();
  if (!member.ended) member.ended = "stopped";
}

void SimCluster::start(size_t index) {
  Member& member = members_[index];
  auto config = config::ServerConfig::from(properties_of(index));
  if (!config) fmt::print(stderr, "{}\n", config.error().text());
  SAMSA_ASSERT(config.has_value(), "the properties are refused");
  auto settings = server::NodeSettings::from(std::make_shared<const config::ServerConfig>(std::move(*config)));
  SAMSA_ASSERT(settings.has_value(), "the settings are refused");
  member.ended.reset();
  member.stopping = false;
  member.stop_asked = std::make_unique<io::Signal>();
  auto& worlds = member.machine->worlds();
  io::spawn(worlds[0].loop, serve(worlds, std::move(*settings), member));
}

void SimCluster::start_all() {
  for (size_t i = 0; i < members_.size(); ++i) start(i);
}

void SimCluster::crash(size_t index, CrashKind kind) {
  Member& member = members_[index];
  member.node = nullptr;
  member.paused = false;
  if (!member.machine->up()) return;
  auto& faults = world_.faults();
  const io::sim::Faults before = faults;
  faults.power_fails = kind != CrashKind::kProcess;
  if (kind == CrashKind::kTorn) {
    faults.lose_sector = 0.2;
    faults.tear_sector = 0.7;
  }
  if (kind == CrashKind::kProcess) faults.silent_crash = 0;
  world_.crash(*member.machine);
  faults = before;
}

void SimCluster::restart(size_t index) {
  if (members_[index].machine->up()) crash(index);
  world_.restart(*members_[index].machine);
  start(index);
}

void SimCluster::stop(size_t index) {
  Member& member = members_[index];
  member.stopping = true;
  member.stop_asked->notify_all();
}

void SimCluster::pause(size_t index) {
  members_[index].paused = true;
  world_.pause(*members_[index].machine);
}

void SimCluster::resume(size_t index) {
  members_[index].paused = false;
  world_.resume(*members_[index].machine);
}

void SimCluster::replace_disk(size_t index) {
  Member& member = members_[index];
  SAMSA_ASSERT(!member.machine->up(), "a disk is replaced while its machine is down");
  SAMSA_ASSERT(!member.controller() || plan_.dynamic_quorum, "a static voter's log cannot be replaced");
  world_.restart(*member.machine);
  auto& disk = member.machine->worlds()[0].disk;
  SAMSA_ASSERT(disk.remove_tree(kDataDirectory).has_value());
  format(index);
  world_.crash(*member.machine);
}

metadata::ImagePtr SimCluster::image() const {
  metadata::ImagePtr newest;
  for (const auto& member : members_) {
    if (!member.serves()) continue;
    const auto& image = member.node->metadata().image();
    if (image && (!newest || image->provenance.next_offset > newest->provenance.next_offset)) newest = image;
  }
  return newest;
}

std::string SimCluster::what_is_missing() const {
  std::string missing;
  for (const auto& member : members_) {
    if (!member.serves()) missing += fmt::format("; n{} does not run{}", member.id, member.ended ? " (" + *member.ended + ")" : "");
  }
  if (active_controller() < 0) missing += "; no controller is active";
  const auto now = image();
  if (!now) return missing + "; there is no image";
  now->topics.for_each([&](const std::string& name, const metadata::TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex index, const metadata::PartitionImage& p) {
      if (p.leader >= 0 && p.isr.size() == p.replicas.size() && !p.reassigning()) return;
      missing += fmt::format("; {}-{} has leader {}, replicas [{}], ISR [{}]", name, index, p.leader, fmt::join(p.replicas, ","),
                             fmt::join(p.isr, ","));
    });
  });
  return missing;
}

bool SimCluster::whole() const { return what_is_missing().empty(); }

bool SimCluster::alone_in_sync(size_t index) const {
  const auto now = image();
  if (!now) return true;
  const int32_t id = members_[index].id;
  const auto serves = [&](int32_t other) {
    return other != id && std::ranges::any_of(members_, [&](const Member& member) { return member.id == other && member.serves(); });
  };
  bool alone = false;
  now->topics.for_each([&](const std::string&, const metadata::TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex, const metadata::PartitionImage& p) {
      if (p.replicas.size() > 1 && std::ranges::find(p.isr, id) != p.isr.end() && std::ranges::none_of(p.isr, serves)) alone = true;
    });
  });
  return alone;
}

int32_t SimCluster::leader(const std::string& topic, PartitionIndex partition) const {
  const auto now = image();
  const auto* found = now ? now->partition(topic, partition) : nullptr;
  return found == nullptr ? -1 : found->leader;
}

int SimCluster::active_controller() const {
  for (size_t i = 0; i < members_.size(); ++i) {
    const auto& member = members_[i];
    if (!member.serves()) continue;
    auto* controller = member.node->metadata().controller();
    if (controller != nullptr && controller->active()) return static_cast<int>(i);
  }
  return -1;
}

std::shared_ptr<replication::Partition> SimCluster::partition(size_t index, const std::string& topic, PartitionIndex partition) const {
  const Member& member = members_[index];
  if (!member.serves()) return nullptr;
  const auto& image = member.node->metadata().image();
  const auto* found = image ? image->topic(topic) : nullptr;
  if (found == nullptr) return nullptr;
  auto& shard = member.node->shard(member.node->shard_of(topic, partition));
  const auto there = shard.partitions().find(server::PartitionKey{found->id, partition});
  return there == shard.partitions().end() ? nullptr : there->second;
}

std::vector<io::Address> SimCluster::brokers() const {
  std::vector<io::Address> all;
  for (const auto& member : members_) {
    if (member.broker()) all.push_back({member.machine->name(), 9092});
  }
  return all;
}

}  // namespace samsa::sim
