// Asking the active controller on a client's behalf, and waiting until this node's shards have seen the outcome.
#pragma once

#include <algorithm>
#include <chrono>

#include "metadata/controller_runtime.h"
#include "server/node.h"
#include "server/request_context.h"

namespace samsa::server {

// How long an answer waits for this node's own image to follow (the change is committed already).
inline constexpr std::chrono::milliseconds kFollowLimit{1000};

// Calls `method` on the controller's shard. The request's memory stays with the caller until then.
// Errors: NOT_CONTROLLER where this node is not the active controller; those of the controller.
template <class Request, class Response>
io::Task<Result<Response>> ask_controller(RequestContext& context, const Request& request,
                                          io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller),
                                          int32_t timeout_ms) {
  Node& node = context.shard.node();
  metadata::Caller caller;
  caller.principal = context.connection.principal_type + ":" + context.connection.principal_name;
  caller.deadline = io::after(context.shard.loop().now(), std::chrono::milliseconds(std::max(0, timeout_ms)));
  caller.version = context.version();
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<Result<Response>> {
    if (metadata.controller() == nullptr) co_return fail(ErrorCode::kNotController);
    auto answer = co_await (metadata.controller()->*method)(request, caller);
    if (answer) co_await node.wait_applied(kFollowLimit);
    co_return answer;
  };
  co_return co_await node.on_metadata(context.shard.loop(), call);
}

}  // namespace samsa::server
