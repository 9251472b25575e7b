// Asking the active controller on a client's behalf, and waiting until this node's shards have seen the outcome.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "metadata/controller_runtime.h"
#include "server/node.h"
#include "server/request_context.h"
#include "server/shard.h"

namespace samsa::server {

// How long an answer waits for this node's own image to follow (the change is committed already).
inline constexpr std::chrono::milliseconds kFollowLimit{1000};

// Calls `method` on the controller's shard. The request's memory stays with the caller until then.
// Where another node is the active controller it is asked over the network, unless `forwards` is false. `kept` then gets what the
// answer's views point to.
// Errors: NOT_CONTROLLER while none is known (until the deadline), or where it may not be asked elsewhere; those of the controller.
template <class Request, class Response>
io::Task<Result<Response>> ask_controller(Node& node, io::Loop& home, const Request& request,
                                          io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller),
                                          metadata::Caller caller, bool forwards, std::vector<std::shared_ptr<void>>& kept) {
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<Result<Response>> {
    Result<Response> answer = fail(ErrorCode::kNotController);
    while (true) {
      if (metadata.controller() != nullptr && metadata.controller()->active()) {
        answer = co_await (metadata.controller()->*method)(request, caller);
        break;
      }
      if (!forwards) break;  // Another node's question: it looks for the controller itself.
      auto reply = co_await metadata.channel().forward(request);
      if (reply) {
        auto whole = std::make_shared<client::Reply<Response>>(std::move(*reply));
        answer = **whole;
        kept.push_back(std::move(whole));
        break;
      }
      answer = fail(std::move(reply).error());
      const bool in_time = node.worlds()[0].loop.now() < caller.deadline && !node.shard(0).stopping();
      const bool again = answer.error().code == ErrorCode::kNotController && in_time;
      if (!again) break;
      co_await metadata.channel().wait_change(std::chrono::milliseconds(50));
    }
    if (answer && forwards) co_await node.wait_applied(kFollowLimit);
    co_return answer;
  };
  co_return co_await node.on_metadata(home, call);
}

// The same on behalf of a request's principal.
template <class Request, class Response>
io::Task<Result<Response>> ask_controller(RequestContext& context, const Request& request,
                                          io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller),
                                          int32_t timeout_ms) {
  metadata::Caller caller;
  caller.principal = context.connection.principal_type + ":" + context.connection.principal_name;
  caller.deadline = io::after(context.shard.loop().now(), std::chrono::milliseconds(std::max(0, timeout_ms)));
  caller.version = context.version();
  co_return co_await ask_controller(context.shard.node(), context.shard.loop(), request, method, caller, !context.connection.controller_listener,
                                    context.kept);
}

}  // namespace samsa::server
