// Node: one Samsa node, broker and controller or one of them, put together over the worlds it is given. The same code runs on the real
// world (main) and on a simulated one.
//
// start(): binds the listeners, checks (or formats) the directories, opens the metadata log, registers with the controller, loads the
// logs on every shard, is unfenced, and only then accepts connections (KIP-631). stop(): the way back, in order, with a controlled
// shutdown first. Owner: shard 0; the Node outlives everything in it. Methods without another word are for shard 0.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/world.h"
#include "metadata/config_validator.h"
#include "metadata/metadata_node.h"
#include "replication/isr_sender.h"
#include "server/connection_quota.h"
#include "server/directory_assigner.h"
#include "server/settings.h"
#include "server/shard.h"
#include "storage/log_directories.h"

namespace samsa::server {

class Acceptor;
class MetricsListener;

class Node {
 public:
  // `fault` is called on shard 0 when the node cannot go on (metadata log lost, all directories failed).
  Node(io::Worlds worlds, NodeSettings settings, std::function<void(Error)> fault);
  ~Node();
  Node(const Node&) = delete;

  // Resumes when clients are served. Errors name the setting or path, its value and what would be right.
  io::Task<Result<void>> start();
  // Resumes when everything is closed. Safe after a failed start.
  io::Task<> stop();

  // ---- Constant after start(): any shard.
  [[nodiscard]] const NodeSettings& settings() const { return settings_; }
  [[nodiscard]] const io::Worlds& worlds() const { return worlds_; }
  [[nodiscard]] NodeId id() const { return NodeId(settings_.node_id); }
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  [[nodiscard]] Shard& shard(int index) { return *shards_[static_cast<size_t>(index)]; }
  [[nodiscard]] int shard_count() const { return static_cast<int>(shards_.size()); }
  // The shard that a partition belongs to.
  [[nodiscard]] int shard_of(std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] const storage::LogDirectories& directories() const { return *directories_; }
  [[nodiscard]] const metadata::ConfigValidator& config_validator() const { return *validator_; }
  // What the listeners were bound to, with real ports, in the order of the settings.
  [[nodiscard]] const std::vector<io::Address>& bound() const { return bound_; }
  // Where metrics are served; nothing where that is off or the default port was taken.
  [[nodiscard]] std::optional<io::Address> metrics_bound() const;

  // ---- Connections: shard 0.
  uint64_t next_connection_id() { return ++last_connection_id_; }
  [[nodiscard]] ConnectionQuota& connection_quota(bool controller) { return connection_quotas_[controller ? 1 : 0]; }
  // max.connections and its kin, as they are now.
  [[nodiscard]] ConnectionLimits connection_limits() const;
  // Whether a listener is the one between brokers, beside others for clients.
  [[nodiscard]] bool is_between_brokers(const ListenerSettings& listener) const;

  // ---- From any shard, hopping to shard 0.
  // Runs `call(MetadataNode&)` -> Task<T> on the metadata shard.
  template <class F>
  auto on_metadata(io::Loop& from, F call) {
    return io::call_on(from, worlds_[0].loop, [this, call]() { return call(*metadata_); });
  }
  // Waits until this node's shards have applied what is committed now, at most `limit`. Shard 0.
  io::Task<> wait_applied(std::chrono::milliseconds limit);
  [[nodiscard]] metadata::MetadataNode& metadata() { return *metadata_; }
  [[nodiscard]] bool metadata_running() const { return metadata_ != nullptr; }

  [[nodiscard]] replication::IsrSender& isr_sender() { return *isr_sender_; }
  [[nodiscard]] DirectoryAssigner& directory_assigner() { return *directory_assigner_; }
  // Tells the controller which directories get no new replicas. Shard 0.
  void tell_cordoned(const std::vector<bool>& cordoned, const metadata::MetadataImage& image);
  // Writes the checkpoint files of all directories now. Shard 0.
  io::Task<> write_checkpoints();

  // A log directory failed on some shard; on shard 0.
  void directory_failed(int directory, const Error& why);

 private:
  // Tells the shards, and the controller; the end of the node where it was the last one.
  void directory_went_offline(size_t index, const Error& why);
  io::Task<> await_noted(Uuid directory);
  Result<void> bind_listeners();
  void start_senders();
  Result<void> bind_metrics();
  Result<void> prepare_directories();
  Result<void> format(const std::vector<std::string>& unformatted);
  metadata::MetadataNodeOptions metadata_options() const;
  std::vector<metadata::Endpoint> advertised(bool controller) const;
  io::Task<Result<void>> load_logs();
  io::Task<> write_checkpoints_now(bool only_high_watermarks);
  io::Task<std::vector<std::vector<storage::DirectoryCheckpoints>>> gather_checkpoints();
  io::Task<> checkpoint_periodically(std::chrono::milliseconds every, bool only_high_watermarks);
  io::Task<> close_logs();

  io::Worlds worlds_;
  NodeSettings settings_;
  std::function<void(Error)> fault_;
  std::string cluster_id_;
  std::unique_ptr<metadata::ConfigValidator> validator_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<io::Address> bound_;
  std::unique_ptr<MetricsListener> metrics_listener_;
  Uuid metadata_directory_id_;
  std::unique_ptr<storage::LogDirectories> directories_;
  std::unique_ptr<metadata::MetadataNode> metadata_;
  std::unique_ptr<replication::IsrSender> isr_sender_;
  std::unique_ptr<DirectoryAssigner> directory_assigner_;
  std::unique_ptr<io::FileLock> metadata_lock_;  // Of a metadata.log.dir that is none of log.dirs.
  std::vector<std::unique_ptr<Shard>> shards_;
  io::Mutex checkpointing_;
  io::TaskGroup background_;
  io::Signal stopping_signal_;
  uint64_t last_connection_id_ = 0;
  ConnectionQuota connection_quotas_[2];  // Of the listeners for brokers' clients, and of the controllers'.
  bool metadata_started_ = false;
  bool logs_loaded_ = false;  // Without it nothing is marked as cleanly shut down.
  bool stopping_ = false;
};

}  // namespace samsa::server
