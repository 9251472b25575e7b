// NodeChannel: a broker's way to the active controller: straight into the runtime where that is on this node, else over the network
// to the quorum's leader.
#pragma once

#include "io/loop.h"
#include "io/sync.h"
#include "metadata/broker_lifecycle.h"
#include "metadata/controller_runtime.h"
#include "metadata/envelope.h"
#include "protocol/headers.h"
#include "raft/raft_node.h"
#include "raft/transport.h"

namespace samsa::metadata {

class NodeChannel final : public ControllerChannel {
 public:
  // `local` is null on a broker-only node.
  NodeChannel(io::World world, raft::RaftNode& raft, ControllerRuntime* local)
      : loop_(world.loop), network_(world.network), raft_(raft), local_(local), peers_(world, "broker-" + std::to_string(raft.config().node_id), raft.config().request_timeout),
        isr_(world, "isr-" + std::to_string(raft.config().node_id), raft.config().request_timeout),
        forwarding_(world, "forwarding-" + std::to_string(raft.config().node_id), std::chrono::milliseconds(60000)) {}

  io::Task<Result<BrokerRegistrationResponse>> register_broker(const BrokerRegistrationRequest& request) override;
  io::Task<Result<BrokerHeartbeatResponse>> heartbeat(const BrokerHeartbeatRequest& request) override;
  io::Task<Result<ControllerRegistrationResponse>> register_controller(const ControllerRegistrationRequest& request) override;
  io::Task<bool> majority_refuses() override;
  io::Task<> wait_change(std::chrono::milliseconds at_most) override;
  // A leader's ISR changes (replication/isr_sender.h); errors of the whole request as errors.
  io::Task<Result<AlterPartitionResponse>> alter_partition(const AlterPartitionRequest& request);
  // In which directories this broker's replicas lie (server/directory_assigner.h).
  io::Task<Result<AssignReplicasToDirsResponse>> assign_directories(const AssignReplicasToDirsRequest& request);
  void on_leader_change() { changed_.notify_all(); }
  void close() {
    peers_.close();
    isr_.close();
    forwarding_.close();
  }

  // Asks the active controller on another node in a client's name, in an envelope where the API may come in one (in `version` then). The
  // answer's views live as long as the Reply. NOT_CONTROLLER where it is not known, or is not the one any more; other errors of the
  // whole answer as such.
  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> forward(const Request& request, const ForwardedFor& who, int16_t version) {
    if constexpr (is_forwardable(Request::kApiKey)) {
      protocol::Encoder bytes;
      const protocol::RequestHeader header{Request::kApiKey, version, 0, protocol::Text(who.client_id)};
      protocol::encode_request_header(header, bytes);
      CO_TRY(protocol::encode(request, version, bytes));
      CO_TRY_ASSIGN(auto inner, co_await in_envelope(header, bytes.take(), who));
      CO_TRY_ASSIGN(auto message, protocol::decode<typename Request::Response>(Bytes(*inner.frame).subspan(inner.body_at), version));
      co_return client::Reply<typename Request::Response>(std::move(inner.frame), std::move(message));
    } else {
      co_return co_await ask(request);
    }
  }
  // The same in this broker's own name.
  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> ask(const Request& request) {
    const auto endpoint = raft_.leader_endpoint(raft_.config().controller_listener);
    if (!endpoint || raft_.is_leader()) co_return fail(ErrorCode::kNotController, "the active controller is not known");
    co_return co_await forwarding_.call({endpoint->host, endpoint->port}, request);
  }

 private:
  struct Inner {
    std::shared_ptr<Buffer> frame;
    size_t body_at = 0;
  };
  io::Task<Result<Inner>> in_envelope(protocol::RequestHeader header, Buffer request, const ForwardedFor& who);
  // Only for answers that view nothing of their frame.
  template <class Request, class Response>
  io::Task<Result<Response>> remote(raft::RaftTransport& through, const Request& request);

  io::Loop& loop_;
  io::Network& network_;
  raft::RaftNode& raft_;
  ControllerRuntime* local_;
  raft::RaftTransport peers_;       // Heartbeats: never behind a slow answer.
  raft::RaftTransport isr_;         // Never behind a client's request.
  raft::RaftTransport forwarding_;
  io::Signal changed_;
};

}  // namespace samsa::metadata
