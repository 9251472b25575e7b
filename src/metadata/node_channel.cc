#include "metadata/node_channel.h"

#include "protocol/api/alter_partition.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/controller_registration.h"
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

io::Task<> NodeChannel::wait_change(std::chrono::milliseconds at_most) {
  co_await changed_.wait_until(loop_, io::after(loop_.now(), at_most));
}

}  // namespace samsa::metadata
