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
      : loop_(world.loop), raft_(raft), local_(local), peers_(world, "broker-" + std::to_string(raft.config().node_id), raft.config().request_timeout),
        isr_(world, "isr-" + std::to_string(raft.config().node_id), raft.config().request_timeout),
        forwarding_(world, "forwarding-" + std::to_string(raft.config().node_id), std::chrono::milliseconds(60000)) {}

  io::Task<Result<BrokerRegistrationResponse>> register_broker(const BrokerRegistrationRequest& request) override;
  io::Task<Result<BrokerHeartbeatResponse>> heartbeat(const BrokerHeartbeatRequest& request) override;
  io::Task<Result<ControllerRegistrationResponse>> register_controller(const ControllerRegistrationRequest& request) override;
  io::Task<> wait_change(std::chrono::milliseconds at_most) override;
  // A leader's ISR changes (replication/isr_sender.h); errors of the whole request as errors.
  io::Task<Result<AlterPartitionResponse>> alter_partition(const AlterPartitionRequest& request);
  void on_leader_change() { changed_.notify_all(); }
  void close() {
    peers_.close();
    isr_.close();
    forwarding_.close();
  }

  // Asks the active controller on another node in a client's name; the answer's views live as long as the Reply. NOT_CONTROLLER where
  // it is not known, or is not the one any more; other errors of the whole answer as such.
  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> forward(const Request& request) {
    const auto endpoint = raft_.leader_endpoint(raft_.config().controller_listener);
    if (!endpoint || raft_.is_leader()) co_return fail(ErrorCode::kNotController, "the active controller is not known");
    auto reply = co_await forwarding_.call({endpoint->host, endpoint->port}, request);
    if (!reply) co_return fail(std::move(reply).error());
    if constexpr (requires { (*reply)->error_code; }) {
      if ((*reply)->error_code != 0) {
        Error error{error_from_wire((*reply)->error_code), {}};
        if constexpr (requires { (*reply)->error_message->str(); }) {
          if ((*reply)->error_message) error.message = (*reply)->error_message->str();
        }
        co_return fail(std::move(error));
      }
    }
    co_return reply;
  }

 private:
  // Only for answers that view nothing of their frame.
  template <class Request, class Response>
  io::Task<Result<Response>> remote(raft::RaftTransport& through, const Request& request);

  io::Loop& loop_;
  raft::RaftNode& raft_;
  ControllerRuntime* local_;
  raft::RaftTransport peers_;       // Heartbeats: never behind a slow answer.
  raft::RaftTransport isr_;         // Never behind a client's request.
  raft::RaftTransport forwarding_;
  io::Signal changed_;
};

}  // namespace samsa::metadata
