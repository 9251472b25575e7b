// Asking the active controller on a client's behalf, and waiting until this node's shards have seen the outcome.
#pragma once

#include <algorithm>
#include <chrono>

#include "metadata/controller_runtime.h"
#include "protocol/api_table.h"
#include "server/node.h"
#include "server/request_context.h"
#include "server/shard.h"

namespace samsa::server {

// How long an answer waits for this node's own image to follow (the change is committed already).
inline constexpr std::chrono::milliseconds kFollowLimit{1000};

// The client of a request, as the controller is told of it.
inline metadata::ForwardedFor forwarded_for(const RequestContext& context) {
  return {context.connection.principal->type, context.connection.principal->name, context.connection.peer.host, std::string(context.client_id())};
}
// The version in which a request goes on to the controller: the client's own, where it is the client's request.
template <class Request>
int16_t forwarded_version(const RequestContext& context) {
  return context.header.api_key == Request::kApiKey ? context.version() : protocol::find_api(Request::kApiKey)->max_stable();
}

// An answer that is an error of the whole, as that error.
template <class Request>
Result<client::Reply<typename Request::Response>> refuse_failed(client::Reply<typename Request::Response> reply) {
  if constexpr (requires { reply->error_code; }) {
    if (reply->error_code != 0) {
      Error error{error_from_wire(reply->error_code), {}};
      if constexpr (requires { reply->error_message->str(); }) {
        if (reply->error_message) error.message = reply->error_message->str();
      }
      return fail(std::move(error));
    }
  }
  return reply;
}

// Asks the active controller on another node; on the metadata shard. The reply has no error of the whole.
template <class Request>
io::Task<Result<client::Reply<typename Request::Response>>> forward(RequestContext& context, metadata::MetadataNode& metadata, const Request& request) {
  auto reply = co_await metadata.channel().forward(request, forwarded_for(context), forwarded_version<Request>(context));
  if (!reply) co_return fail(std::move(reply).error());
  co_return refuse_failed<Request>(std::move(*reply));
}

// Calls `method` on the controller's shard. The request's memory stays with the caller until then.
// Where another node is the active controller it is asked over the network.
// Errors: NOT_CONTROLLER while none is known (until the timeout), or for a request that came from another node; those of the
// controller.
template <class Request, class Response>
io::Task<Result<Response>> ask_controller(RequestContext& context, const Request& request,
                                          io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller),
                                          int32_t timeout_ms) {
  Node& node = context.shard.node();
  metadata::Caller caller;
  caller.principal = context.connection.principal->type + ":" + context.connection.principal->name;
  caller.deadline = io::after(context.shard.loop().now(), std::chrono::milliseconds(std::max(0, timeout_ms)));
  caller.version = context.version();
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<Result<Response>> {
    Result<Response> answer = fail(ErrorCode::kNotController);
    while (true) {
      if (metadata.controller() != nullptr && metadata.controller()->active()) {
        answer = co_await (metadata.controller()->*method)(request, caller);
        context.not_controller = !answer && answer.error().code == ErrorCode::kNotController;
        break;
      }
      context.not_controller = context.connection.listener->controller;
      if (context.not_controller) break;  // Another node's question: it looks for the controller itself.
      auto reply = co_await forward(context, metadata, request);
      if (reply) {
        auto kept = std::make_shared<client::Reply<Response>>(std::move(*reply));
        answer = **kept;
        context.kept.push_back(std::move(kept));
        break;
      }
      answer = fail(std::move(reply).error());
      const bool moved = answer.error().code == ErrorCode::kNotController || answer.error().code == ErrorCode::kNetworkException;
      const bool again = moved && node.worlds()[0].loop.now() < caller.deadline && !node.shard(0).stopping();
      if (!again) break;
      co_await metadata.channel().wait_change(std::chrono::milliseconds(50));
    }
    if (answer && !context.connection.listener->controller) co_await node.wait_applied(kFollowLimit);
    co_return answer;
  };
  const WaitTimer waiting(context, context.shard.loop());
  co_return co_await node.on_metadata(context.shard.loop(), call);
}

}  // namespace samsa::server
