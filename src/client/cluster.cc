#include "client/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "protocol/api/describe_cluster.h"
#include "protocol/api/find_coordinator.h"

namespace samsa::client {

Result<std::vector<io::Address>> parse_bootstrap_servers(std::string_view text) {
  std::vector<io::Address> servers;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text = more ? text.substr(comma + 1) : std::string_view{};
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part.empty()) return fail(ErrorCode::kInvalidConfig, "Configuration 'bootstrap.servers' values must not be empty.");
    const size_t colon = part.rfind(':');
    uint16_t port = 0;
    const std::string_view digits = colon == std::string_view::npos ? std::string_view{} : part.substr(colon + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || colon == 0) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("Invalid url in bootstrap.servers: {}", part));
    }
    std::string host(part.substr(0, colon));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    servers.push_back({std::move(host), port});
  }
  return servers;
}

Error no_broker_in_time(std::string_view call) {
  return {ErrorCode::kRequestTimedOut, fmt::format("Timed out waiting for a node assignment. Call: {}", call)};
}

Cluster::Cluster(io::World world, ClusterConfig config) : world_(world), config_(std::move(config)) {}

Cluster::~Cluster() { close(); }

void Cluster::close() {
  for (auto& [address, connection] : connections_) connection->close();
  connections_.clear();
}

io::Task<bool> Cluster::back_off(io::MonoTime deadline) {
  doubted_ = true;
  if (io::after(world_.loop.now(), config_.retry_backoff) >= deadline) co_return false;
  co_await io::sleep_for(world_.loop, config_.retry_backoff);
  co_return true;
}

void Cluster::say_unreachable(const io::Address& address) {
  if (!config_.unreachable || !said_unreachable_.insert(address).second) return;
  for (const auto& [id, info] : brokers_) {
    if (info.address == address) return config_.unreachable(id, address);
  }
  const auto found = std::find(config_.bootstrap.begin(), config_.bootstrap.end(), address);
  config_.unreachable(-1 - static_cast<int32_t>(found - config_.bootstrap.begin()), address);
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::connect(io::Address address, std::optional<io::MonoTime> until) {
  auto held = co_await connecting_.lock(world_.loop);
  if (const auto found = connections_.find(address); found != connections_.end()) {
    if (found->second->alive()) co_return found->second;
    connections_.erase(found);
  }
  ConnectionConfig config = config_.connection;
  if (until) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*until - world_.loop.now());
    config.connect_timeout = std::min(config.connect_timeout, std::max(left, std::chrono::milliseconds(1)));
  }
  auto connection = co_await Connection::open(world_, address, config);
  if (!connection) {
    if (connection.error().code == ErrorCode::kNetworkException) say_unreachable(address);
    co_return fail(connection.error());
  }
  connections_[address] = *connection;
  co_return connection;
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::any(std::optional<io::MonoTime> until) {
  if (!std::exchange(doubted_, false)) {
    for (const auto& [address, connection] : connections_) {
      if (connection->alive()) co_return connection;
    }
  }
  std::vector<io::Address> candidates;
  for (const auto& [id, info] : brokers_) candidates.push_back(info.address);
  if (!candidates.empty()) std::ranges::rotate(candidates, candidates.begin() + static_cast<ptrdiff_t>(next_asked_++ % candidates.size()));
  for (size_t i = 0; i < config_.bootstrap.size(); ++i) {
    candidates.push_back(config_.bootstrap[(next_bootstrap_ + i) % config_.bootstrap.size()]);
  }
  Error last{ErrorCode::kBrokerNotAvailable, "no broker is known"};
  for (const auto& address : candidates) {
    auto connection = co_await connect(address, until);
    if (connection) co_return connection;
    last = connection.error();
  }
  next_bootstrap_ = (next_bootstrap_ + 1) % config_.bootstrap.size();
  co_return fail(last);
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::broker(int32_t id) {
  if (!brokers_.contains(id)) CO_TRY(co_await refresh({}));
  const auto found = brokers_.find(id);
  if (found == brokers_.end()) co_return fail(ErrorCode::kBrokerNotAvailable, fmt::format("broker {} is not known to the cluster", id));
  co_return co_await connect(found->second.address);
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::controller() {
  if (controller_id_ < 0) CO_TRY(co_await refresh({}));
  if (controller_id_ < 0) co_return co_await any();
  auto connection = co_await broker(controller_id_);
  if (!connection) {
    controller_id_ = -1;
    co_return co_await any();
  }
  co_return connection;
}

void Cluster::forget_coordinator(CoordinatorType type, const std::string& key) {
  coordinators_.erase({type, key});
  doubted_ = true;
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::coordinator(CoordinatorType type, std::string key) {
  const auto deadline = api_deadline();
  Error last;
  do {
    if (const auto known = coordinators_.find({type, key}); known != coordinators_.end()) {
      auto connection = co_await connect(known->second, deadline);
      if (connection) co_return connection;
      forget_coordinator(type, key);
    }
    auto connection = co_await any(deadline);
    if (!connection) {
      last = error_is_retriable(connection.error().code) ? no_broker_in_time("findCoordinator") : connection.error();
      continue;
    }
    protocol::FindCoordinatorRequest request;
    request.key_type = static_cast<int8_t>(type);
    request.key = key;
    CO_TRY_ASSIGN(const int16_t version, (*connection)->version_of<protocol::FindCoordinatorRequest>());
    if (version >= 4) {
      request.key = protocol::Text{};
      request.coordinator_keys = {key};
    }
    auto reply = co_await (*connection)->call(request);
    if (!reply) {
      last = reply.error();
      continue;
    }
    const auto& answer = **reply;
    const bool batched = !answer.coordinators.empty();
    const ErrorCode code = error_from_wire(batched ? answer.coordinators[0].error_code : answer.error_code);
    if (code == ErrorCode::kNone) {
      const std::string host = batched ? answer.coordinators[0].host.str() : answer.host.str();
      const int32_t port = batched ? answer.coordinators[0].port : answer.port;
      coordinators_[{type, key}] = io::Address{host, static_cast<uint16_t>(port)};
      continue;
    }
    last = {code, ""};
    if (!error_is_retriable(code)) co_return fail(last);
  } while (coordinators_.contains({type, key}) || co_await back_off(deadline));
  co_return fail(last);
}

void Cluster::remember(const protocol::MetadataResponse& answer) {
  brokers_.clear();
  for (const auto& broker : answer.brokers) {
    brokers_[broker.node_id] = {broker.node_id,
                                {broker.host.str(), static_cast<uint16_t>(broker.port)},
                                broker.rack ? broker.rack->str() : std::string(),
                                false};
  }
  if (answer.cluster_id) cluster_id_ = answer.cluster_id->str();
  controller_id_ = answer.controller_id;
  for (const auto& topic : answer.topics) {
    TopicInfo info;
    info.name = topic.name ? topic.name->str() : std::string();
    info.id = topic.topic_id;
    info.internal = topic.is_internal;
    info.error = error_from_wire(topic.error_code);
    info.partitions.resize(topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      if (partition.partition_index < 0 || static_cast<size_t>(partition.partition_index) >= info.partitions.size()) continue;
      info.partitions[static_cast<size_t>(partition.partition_index)] = {partition.partition_index, partition.leader_id,
                                                                        partition.leader_epoch,    partition.replica_nodes,
                                                                        partition.isr_nodes,       partition.offline_replicas,
                                                                        error_from_wire(partition.error_code)};
      if (info.id.is_zero()) continue;
      PartitionInfo& now = info.partitions[static_cast<size_t>(partition.partition_index)];
      PartitionInfo& newest = newest_[{info.id, now.index}];
      if (now.leader_epoch < newest.leader_epoch) {
        now = newest;
      } else {
        newest = now;
      }
    }
    if (!info.id.is_zero()) names_[info.id] = info.name;
    topics_[info.name] = std::move(info);
  }
}

io::Task<Result<void>> Cluster::ask_metadata(protocol::MetadataRequest request, std::optional<io::MonoTime> until) {
  const auto deadline = until.value_or(api_deadline());
  Error last;
  do {
    auto connection = co_await any(deadline);
    if (!connection) {
      const char* call = config_.controllers ? "describeCluster" : "listTopics";
      last = error_is_retriable(connection.error().code) ? no_broker_in_time(call) : connection.error();
      continue;
    }
    if (config_.controllers) {
      const auto asked = co_await ask_controllers(**connection);
      if (asked || !error_is_retriable(asked.error().code)) co_return asked;
      last = asked.error();
      continue;
    }
    auto reply = co_await (*connection)->call(request);
    if (reply) {
      remember(**reply);
      co_return Result<void>{};
    }
    last = reply.error();
  } while (co_await back_off(deadline));
  co_return fail(last);
}

io::Task<Result<void>> Cluster::ask_controllers(Connection& connection) {
  constexpr int8_t kControllers = 2;
  protocol::DescribeClusterRequest request;
  request.endpoint_type = kControllers;
  CO_TRY_ASSIGN(const auto reply, co_await connection.call(request));
  if (reply->error_code != 0) {
    co_return fail(error_from_wire(reply->error_code), reply->error_message ? reply->error_message->str() : std::string());
  }
  brokers_.clear();
  for (const auto& controller : reply->brokers) {
    brokers_[controller.broker_id] = {controller.broker_id, {controller.host.str(), static_cast<uint16_t>(controller.port)}, {}, false};
  }
  cluster_id_ = reply->cluster_id.str();
  controller_id_ = reply->controller_id;
  co_return Result<void>{};
}

io::Task<Result<void>> Cluster::refresh(std::vector<std::string> topics, bool allow_auto_create, std::optional<io::MonoTime> until) {
  protocol::MetadataRequest request;
  request.topics.emplace();
  for (const auto& name : topics) request.topics->emplace_back().name = protocol::Text(name);
  request.allow_auto_topic_creation = allow_auto_create;
  co_return co_await ask_metadata(std::move(request), until);
}

io::Task<Result<void>> Cluster::refresh_all() {
  protocol::MetadataRequest request;
  request.topics.reset();
  request.allow_auto_topic_creation = false;
  topics_.clear();
  co_return co_await ask_metadata(std::move(request));
}

io::Task<Result<TopicInfo>> Cluster::topic(std::string name, bool allow_auto_create, std::optional<io::MonoTime> until) {
  auto found = topics_.find(name);
  if (found == topics_.end() || found->second.error != ErrorCode::kNone) {
    CO_TRY(co_await refresh({name}, allow_auto_create, until));
    found = topics_.find(name);
  }
  if (found == topics_.end()) co_return fail(ErrorCode::kUnknownTopicOrPartition);
  if (found->second.error != ErrorCode::kNone) co_return fail(found->second.error);
  co_return found->second;
}

io::Task<Result<std::shared_ptr<Connection>>> Cluster::leader(std::string topic_name, int32_t partition) {
  CO_TRY_ASSIGN(const TopicInfo info, co_await topic(topic_name));
  if (partition < 0 || static_cast<size_t>(partition) >= info.partitions.size()) {
    co_return fail(ErrorCode::kUnknownTopicOrPartition, fmt::format("{} has no partition {}", topic_name, partition));
  }
  const auto& known = info.partitions[static_cast<size_t>(partition)];
  if (known.leader < 0) {
    topics_.erase(topic_name);
    co_return fail(ErrorCode::kLeaderNotAvailable);
  }
  auto connection = co_await broker(known.leader);
  if (!connection) forget_topic(topic_name);
  co_return connection;
}

std::string Cluster::topic_name(const Uuid& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? std::string() : found->second;
}

}  // namespace samsa::client
