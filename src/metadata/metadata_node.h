// MetadataNode: the metadata side of one node, put together: raft replica, the image with its publisher, the controller (where the
// node has that role) and the broker's life cycle (where it has that one). The server opens one of these and asks it for the rest.
//
// Owner: the metadata shard, worlds[0]. start-up order of a node (KIP-631):
//   check_directories -> MetadataNode::open -> start -> subscribe the shards -> broker().register_and_wait_caught_up ->
//   open logs, start replicas and coordinators -> broker().unfence -> accept client requests.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "io/world.h"
#include "metadata/broker_lifecycle.h"
#include "metadata/broker_presence.h"
#include "metadata/controller_runtime.h"
#include "metadata/node_channel.h"
#include "metadata/publisher.h"
#include "raft/raft_node.h"
#include "raft/transport.h"

namespace samsa::metadata {

struct MetadataNodeOptions {
  raft::RaftConfig raft;
  ControllerSettings controller;  // Used where raft.controller.
  std::optional<BrokerOptions> broker;  // Where the node has the broker role.
  std::vector<Endpoint> controller_endpoints;  // Advertised controller listeners, with their security protocols.
  int64_t snapshot_bytes = 20 * 1024 * 1024;                // metadata.log.max.record.bytes.between.snapshots
  std::chrono::milliseconds snapshot_interval{3'600'000};   // metadata.log.max.snapshot.interval.ms; 0: never by age
  uint64_t disk_reserve_bytes = 0;  // Kept back for the metadata log on a full disk (storage/reserved_disk.h).
};

class MetadataNode {
 public:
  // Reads bootstrap.checkpoint and opens the raft log. `configs` outlives the node. `fault`: the node cannot go on.
  static io::Task<Result<std::unique_ptr<MetadataNode>>> open(io::World world, MetadataNodeOptions options, const ConfigValidator& configs,
                                                              std::unique_ptr<raft::RaftTransport> transport, std::function<void(Error)> fault);
  ~MetadataNode();
  void start();
  io::Task<> stop();

  [[nodiscard]] raft::RaftNode& raft();
  // nullptr where the node has no controller role.
  [[nodiscard]] ControllerRuntime* controller();
  // Which brokers' processes live; nullptr where the node has no controller role.
  [[nodiscard]] BrokerPresence* presence();
  // nullptr where the node has no broker role.
  [[nodiscard]] BrokerLifecycle* broker();
  // The way to the active controller, wherever it is.
  [[nodiscard]] NodeChannel& channel();
  [[nodiscard]] Publisher& publisher();
  // The newest committed image that was published; an empty one until the node has caught up with the quorum once.
  [[nodiscard]] const ImagePtr& image() const;

 private:
  struct State;
  explicit MetadataNode(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace samsa::metadata
