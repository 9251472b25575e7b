// What the handlers of the controller listener share: the right CLUSTER_ACTION, the way to the quorum and to the controller.
#pragma once

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

inline bool may_act_on_cluster(RequestContext& context, Operation operation = Operation::kClusterAction) {
  return context.authorized(operation, ResourceType::kCluster, kClusterResource);
}

// Runs `handle(RaftNode&)` -> Task<> on the metadata shard; CLUSTER_AUTHORIZATION_FAILED where the caller may not.
template <class Response, class Handle>
io::Task<> ask_quorum(RequestContext& context, Response& response, Handle handle, Operation operation = Operation::kClusterAction) {
  if (!may_act_on_cluster(context, operation)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<> { co_await handle(metadata.raft()); };
  co_await context.shard.node().on_metadata(context.shard.loop(), call);
}

// Asks the controller; an error of the whole becomes the response's error code.
template <class Request, class Response>
io::Task<> answer_from_controller(RequestContext& context, const Request& request,
                                  io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller),
                                  Response& response, int32_t timeout_ms = 30000, Operation operation = Operation::kClusterAction) {
  Result<Response> answer = fail(ErrorCode::kClusterAuthorizationFailed);
  if (may_act_on_cluster(context, operation)) answer = co_await ask_controller(context, request, method, timeout_ms);
  if (answer) {
    response = std::move(*answer);
    co_return;
  }
  response.error_code = to_wire(answer.error().code);
  if constexpr (requires { response.error_message = protocol::Text("x"); }) response.error_message = protocol::Text(answer.error().text());
}

}  // namespace samsa::server
