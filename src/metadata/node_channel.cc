#include "metadata/node_channel.h"

#include "base/log.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/controller_registration.h"
#include "protocol/api/envelope.h"
#include "protocol/codec.h"

namespace samsa::metadata {

template <class Request, class Response>
io::Task<Result<Response>> NodeChannel::remote(raft::RaftTransport& through, const Request& request) {
  const auto endpoint = raft_.leader_endpoint(raft_.config().controller_listener);
  if (!endpoint) co_return fail(ErrorCode::kNotController, "the active controller is not known");
  // This node has won the election and is still taking office: its own listener is not the way to it.
  if (local_ != nullptr && raft_.is_leader()) co_return fail(ErrorCode::kNotController, "the active controller is not ready");
  auto reply = co_await through.call({endpoint->host, endpoint->port}, request);
  if (!reply) co_return fail(std::move(reply).error());
  // Nothing of these answers views the frame.
  Response response = **reply;
  if (response.error_code != 0) co_return fail(error_from_wire(response.error_code));
  co_return response;
}

io::Task<Result<BrokerRegistrationResponse>> NodeChannel::register_broker(const BrokerRegistrationRequest& request) {
  if (local_ != nullptr && local_->active()) co_return co_await local_->register_broker(request, {.deadline = io::after(loop_.now(), raft_.config().request_timeout)});
  co_return co_await remote<BrokerRegistrationRequest, BrokerRegistrationResponse>(peers_, request);
}

io::Task<Result<BrokerHeartbeatResponse>> NodeChannel::heartbeat(const BrokerHeartbeatRequest& request) {
  if (local_ != nullptr && local_->active()) co_return co_await local_->heartbeat(request, {.deadline = io::after(loop_.now(), raft_.config().request_timeout)});
  co_return co_await remote<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(peers_, request);
}

io::Task<Result<ControllerRegistrationResponse>> NodeChannel::register_controller(const ControllerRegistrationRequest& request) {
  if (local_ != nullptr && local_->active()) {
    co_return co_await local_->register_controller(request, {.deadline = io::after(loop_.now(), raft_.config().request_timeout)});
  }
  auto answer = co_await remote<ControllerRegistrationRequest, ControllerRegistrationResponse>(peers_, request);
  if (answer) answer->error_message = std::nullopt;  // It would view a frame that is gone.
  co_return answer;
}

io::Task<Result<AlterPartitionResponse>> NodeChannel::alter_partition(const AlterPartitionRequest& request) {
  if (local_ != nullptr && local_->active()) {
    const Caller self{.deadline = io::after(loop_.now(), raft_.config().request_timeout), .version = AlterPartitionRequest::kMaxVersion};
    co_return co_await local_->alter_partition(request, self);
  }
  co_return co_await remote<AlterPartitionRequest, AlterPartitionResponse>(isr_, request);
}

io::Task<Result<NodeChannel::Inner>> NodeChannel::in_envelope(protocol::RequestHeader header, Buffer request, const ForwardedFor& who) {
  const auto endpoint = raft_.leader_endpoint(raft_.config().controller_listener);
  if (!endpoint || raft_.is_leader()) co_return fail(ErrorCode::kNotController, "the active controller is not known");
  protocol::EnvelopeRequest envelope;
  envelope.request_data = protocol::Blob(std::move(request));
  envelope.request_principal = protocol::Blob(encode_principal(who));
  envelope.client_host_address = protocol::Blob(address_bytes(who.host));
  auto reply = co_await forwarding_.call({endpoint->host, endpoint->port}, envelope);
  if (!reply) co_return fail(std::move(reply).error());
  if (const ErrorCode error = error_from_wire((*reply)->error_code); error != ErrorCode::kNone) {
    // That the broker's own rights or bytes did not suffice is nothing that its client could have done better.
    const bool telling = error == ErrorCode::kNotController || error == ErrorCode::kUnsupportedVersion;
    if (!telling) SAMSA_LOG_WARN("the controller refuses a forwarded request: {}", error_name(error));
    co_return fail(telling ? error : ErrorCode::kUnknownServerError);
  }
  if (!(*reply)->response_data) co_return fail(ErrorCode::kUnknownServerError, "an envelope without an answer");
  Inner inner{std::make_shared<Buffer>((*reply)->response_data->copy()), 0};
  int32_t correlation = 0;
  CO_TRY_ASSIGN(inner.body_at, protocol::decode_response_header(*inner.frame, header.api_key, header.api_version, correlation));
  co_return inner;
}

io::Task<Result<AssignReplicasToDirsResponse>> NodeChannel::assign_directories(const AssignReplicasToDirsRequest& request) {
  if (local_ != nullptr && local_->active()) {
    const Caller self{.deadline = io::after(loop_.now(), raft_.config().request_timeout), .version = AssignReplicasToDirsRequest::kMaxVersion};
    co_return co_await local_->assign_directories(request, self);
  }
  co_return co_await remote<AssignReplicasToDirsRequest, AssignReplicasToDirsResponse>(isr_, request);
}

io::Task<bool> NodeChannel::majority_refuses() {
  const raft::VoterSet voters = raft_.voters();
  size_t left = voters.size();
  for (const auto& [id, voter] : voters.all()) {
    if (id == raft_.config().node_id || voter.endpoints.empty()) continue;
    const auto* endpoint = voter.endpoint(raft_.config().controller_listener);
    if (endpoint == nullptr) endpoint = &voter.endpoints.front();
    const auto stream = co_await network_.connect({endpoint->host, endpoint->port}, std::chrono::milliseconds(500));
    if (stream) {
      (*stream)->close();
    } else if (io::is_refused(stream.error())) {
      --left;
    }
  }
  co_return left < voters.majority();
}

io::Task<> NodeChannel::wait_change(std::chrono::milliseconds at_most) {
  co_await changed_.wait_until(loop_, io::after(loop_.now(), at_most));
}

}  // namespace samsa::metadata
