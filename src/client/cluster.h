// Cluster: what a client knows of a cluster (brokers, topics, leaders) and its connections: one to each broker that it talks to.
// Producer, consumer and admin stand on it.
//
// Belongs to one shard. Bootstrap servers are tried in turn until one answers. Metadata is asked for when it is missing and when
// the caller says that it is stale; close() ends all connections.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "client/connection.h"
#include "protocol/api/metadata.h"
#include "io/world.h"

namespace samsa::client {

struct ClusterConfig {
  std::vector<io::Address> bootstrap;  // At least one.
  ConnectionConfig connection;
  std::chrono::milliseconds retry_backoff{100};
  std::chrono::milliseconds api_timeout{60'000};  // How long an operation is tried again (default.api.timeout.ms).
  // The bootstrap servers are controllers (bootstrap.controllers, KIP-919): brokers() are then the controllers, controller() is the
  // active one, and topics are not known.
  bool controllers = false;
  // Told of each address that cannot be connected to, once. `node` is the broker's id, or -1, -2, ... for the bootstrap servers in their order.
  std::function<void(int32_t node, const io::Address& address)> unreachable;
};

struct BrokerInfo {
  int32_t id = -1;
  io::Address address;
  std::string rack;
  bool fenced = false;
};

struct PartitionInfo {
  int32_t index = 0;
  int32_t leader = -1;  // -1: none now.
  int32_t leader_epoch = -1;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
  std::vector<int32_t> offline;
  ErrorCode error = ErrorCode::kNone;
};

struct TopicInfo {
  std::string name;
  Uuid id;
  bool internal = false;
  ErrorCode error = ErrorCode::kNone;
  std::vector<PartitionInfo> partitions;  // By index; without gaps.
};

enum class CoordinatorType : int8_t { kGroup = 0, kTransaction = 1, kShare = 2 };

// The error of a call that found no broker in its time, in the words of Java's clients; `call` is what they name the call.
Error no_broker_in_time(std::string_view call);

// Parses "host:port,host:port" as --bootstrap-server takes it. INVALID_CONFIG names the part that is wrong.
Result<std::vector<io::Address>> parse_bootstrap_servers(std::string_view text);

class Cluster {
 public:
  Cluster(io::World world, ClusterConfig config);
  ~Cluster();
  Cluster(const Cluster&) = delete;

  // A connection to any broker: one that is up already, a known broker, or a bootstrap server. Tries each once, none longer than `until`.
  io::Task<Result<std::shared_ptr<Connection>>> any(std::optional<io::MonoTime> until = {});
  // A connection to this broker. BROKER_NOT_AVAILABLE when the metadata do not know it.
  io::Task<Result<std::shared_ptr<Connection>>> broker(int32_t id);
  // A connection to the controller as Metadata names it: a broker that forwards.
  io::Task<Result<std::shared_ptr<Connection>>> controller();
  // Forgets where the controller is, after NOT_CONTROLLER.
  void forget_controller() { controller_id_ = -1; }
  // A connection to the coordinator of the group or transactional id; tried again while it is loading or moving.
  io::Task<Result<std::shared_ptr<Connection>>> coordinator(CoordinatorType type, std::string key);
  // Forgets where the coordinator is, after NOT_COORDINATOR.
  void forget_coordinator(CoordinatorType type, const std::string& key);

  // Asks for the brokers and these topics and remembers the answer. Topics that do not exist are remembered with their error.
  // Here and below REQUEST_TIMED_OUT when no broker could be asked `until` then, without it within the api timeout.
  io::Task<Result<void>> refresh(std::vector<std::string> topics, bool allow_auto_create = false, std::optional<io::MonoTime> until = {});
  io::Task<Result<void>> refresh_all();
  // The topic, asked for if it is not known or was in error. UNKNOWN_TOPIC_OR_PARTITION and the like as errors.
  io::Task<Result<TopicInfo>> topic(std::string name, bool allow_auto_create = false, std::optional<io::MonoTime> until = {});
  // A connection to the partition's leader. LEADER_NOT_AVAILABLE while there is none.
  io::Task<Result<std::shared_ptr<Connection>>> leader(std::string topic, int32_t partition);
  // The name of a topic id that some answer of this cluster carried; empty: not known.
  [[nodiscard]] std::string topic_name(const Uuid& id) const;
  void forget_topic(const std::string& name) {
    topics_.erase(name);
    doubted_ = true;
  }

  [[nodiscard]] const std::map<int32_t, BrokerInfo>& brokers() const { return brokers_; }
  [[nodiscard]] const std::map<std::string, TopicInfo>& topics() const { return topics_; }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] io::World& world() { return world_; }
  [[nodiscard]] const ClusterConfig& config() const { return config_; }
  // When operations that start now give up.
  [[nodiscard]] io::MonoTime api_deadline() const { return io::after(world_.loop.now(), config_.api_timeout); }
  // Waits the backoff; false when the deadline would be passed.
  io::Task<bool> back_off(io::MonoTime deadline);
  void close();

 private:
  io::Task<Result<std::shared_ptr<Connection>>> connect(io::Address address, std::optional<io::MonoTime> until = {});
  void say_unreachable(const io::Address& address);
  io::Task<Result<void>> ask_metadata(protocol::MetadataRequest request, std::optional<io::MonoTime> until = {});
  io::Task<Result<void>> ask_controllers(Connection& connection);
  void remember(const protocol::MetadataResponse& answer);

  io::World world_;
  ClusterConfig config_;
  std::map<io::Address, std::shared_ptr<Connection>> connections_;
  io::Mutex connecting_;
  std::map<int32_t, BrokerInfo> brokers_;
  std::map<std::string, TopicInfo> topics_;
  std::unordered_map<Uuid, std::string> names_;
  // What the greatest leader epoch said of each partition: an answer of a broker that lags does not bring an old leader back.
  std::map<std::pair<Uuid, int32_t>, PartitionInfo> newest_;
  std::map<std::pair<CoordinatorType, std::string>, io::Address> coordinators_;
  std::string cluster_id_;
  int32_t controller_id_ = -1;
  size_t next_bootstrap_ = 0;
  // What was told turned out wrong: the next broker in turn is asked, for this one may be cut off from the others and not know it.
  bool doubted_ = false;
  size_t next_asked_ = 0;
  std::set<io::Address> said_unreachable_;
};

}  // namespace samsa::client
