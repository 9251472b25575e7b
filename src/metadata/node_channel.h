// NodeChannel: a broker's way to the active controller: straight into the runtime where that is on this node, else over the network
// to the quorum's leader.
#pragma once

#include "io/loop.h"
#include "io/sync.h"
#include "metadata/broker_lifecycle.h"
#include "metadata/controller_runtime.h"
#include "raft/raft_node.h"
#include "raft/transport.h"

namespace samsa::metadata {

class NodeChannel final : public ControllerChannel {
 public:
  // `local` is null on a broker-only node.
  NodeChannel(io::World world, raft::RaftNode& raft, ControllerRuntime* local)
      : loop_(world.loop), raft_(raft), local_(local), peers_(world, "broker-" + std::to_string(raft.config().node_id), raft.config().request_timeout) {}

  io::Task<Result<BrokerRegistrationResponse>> register_broker(const BrokerRegistrationRequest& request) override;
  io::Task<Result<BrokerHeartbeatResponse>> heartbeat(const BrokerHeartbeatRequest& request) override;
  io::Task<> wait_change(std::chrono::milliseconds at_most) override;
  void on_leader_change() { changed_.notify_all(); }
  void close() { peers_.close(); }

 private:
  template <class Request, class Response>
  io::Task<Result<Response>> remote(const Request& request);

  io::Loop& loop_;
  raft::RaftNode& raft_;
  ControllerRuntime* local_;
  raft::RaftTransport peers_;
  io::Signal changed_;
};

}  // namespace samsa::metadata
