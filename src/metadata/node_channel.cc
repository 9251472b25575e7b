#include "metadata/node_channel.h"

#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/codec.h"

namespace samsa::metadata {

template <class Request, class Response>
io::Task<Result<Response>> NodeChannel::remote(const Request& request) {
  const auto endpoint = raft_.leader_endpoint(raft_.config().controller_listener);
  if (!endpoint || peers_ == nullptr) co_return fail(ErrorCode::kNotController, "the active controller is not known");
  const io::Address to{endpoint->host, endpoint->port};
  const io::MonoTime deadline = io::after(loop_.now(), raft_.config().request_timeout);
  CO_TRY_ASSIGN(const int16_t version, co_await peers_->negotiate(to, Request::kApiKey, Request::kMinVersion, Request::kMaxVersion, deadline));
  protocol::Encoder body;
  CO_TRY(protocol::encode(request, version, body));
  const Buffer bytes = body.take();
  CO_TRY_ASSIGN(const Buffer answer, co_await peers_->call(to, Request::kApiKey, version, bytes, deadline));
  CO_TRY_ASSIGN(auto response, protocol::decode<Response>(answer, version));
  if (response.error_code != 0) co_return fail(error_from_wire(response.error_code));
  co_return response;
}

io::Task<Result<BrokerRegistrationResponse>> NodeChannel::register_broker(const BrokerRegistrationRequest& request) {
  if (local_ != nullptr && local_->active()) co_return co_await local_->register_broker(request, {.deadline = io::after(loop_.now(), raft_.config().request_timeout)});
  co_return co_await remote<BrokerRegistrationRequest, BrokerRegistrationResponse>(request);
}

io::Task<Result<BrokerHeartbeatResponse>> NodeChannel::heartbeat(const BrokerHeartbeatRequest& request) {
  if (local_ != nullptr && local_->active()) co_return co_await local_->heartbeat(request, {.deadline = io::after(loop_.now(), raft_.config().request_timeout)});
  co_return co_await remote<BrokerHeartbeatRequest, BrokerHeartbeatResponse>(request);
}

io::Task<> NodeChannel::wait_change(std::chrono::milliseconds at_most) {
  co_await changed_.wait_until(loop_, io::after(loop_.now(), at_most));
}

}  // namespace samsa::metadata
