// What AlterConfigs and IncrementalAlterConfigs do before the controller is asked: rights, duplicates, and that a broker's own settings
// are changed at that broker.
#pragma once

#include <map>

#include <fmt/format.h>

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

template <class Response>
void refuse_alter(Response& response, int8_t type, std::string_view name, const Error& error) {
  auto& answer = response.responses.emplace_back();
  answer.resource_type = type;
  answer.resource_name = name;
  answer.error_code = to_wire(error.code);
  answer.error_message = protocol::Text(error.text());
}

inline Result<void> check_alter(const RequestContext& context, int8_t type, std::string_view name) {
  using metadata::ConfigType;
  const std::string own = std::to_string(context.shard.settings().node_id);
  switch (static_cast<ConfigType>(type)) {
    case ConfigType::kTopic:
      if (context.authorized(Operation::kAlterConfigs, ResourceType::kTopic, name)) return {};
      return fail(ErrorCode::kTopicAuthorizationFailed);
    case ConfigType::kGroup:
      if (context.authorized(Operation::kAlterConfigs, ResourceType::kGroup, name)) return {};
      return fail(ErrorCode::kGroupAuthorizationFailed);
    case ConfigType::kBroker:
      // The controller takes what the broker has let pass.
      if (!context.connection.controller_listener && !name.empty() && name != own) {
        return fail(ErrorCode::kInvalidRequest, fmt::format("Unexpected broker id, expected {} or empty string, but received {}", own, name));
      }
      [[fallthrough]];
    case ConfigType::kClientMetrics:
      if (context.authorized(Operation::kAlterConfigs, ResourceType::kCluster, kClusterResource)) return {};
      return fail(ErrorCode::kClusterAuthorizationFailed);
    case ConfigType::kBrokerLogger: return fail(ErrorCode::kInvalidRequest, "Log levels of this broker cannot be changed while it runs.");
  }
  return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown resource type {}", type));
}

template <class Request, class Response>
io::Task<> alter(RequestContext& context, Request& request, Response& response,
                 io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller)) {
  std::map<std::pair<int8_t, std::string>, int> count;
  for (const auto& resource : request.resources) ++count[{resource.resource_type, resource.resource_name.str()}];
  std::erase_if(request.resources, [&](const auto& resource) {
    const bool twice = count[{resource.resource_type, resource.resource_name.str()}] > 1;
    const auto checked = twice ? Result<void>(fail(ErrorCode::kInvalidRequest, "Each resource must appear at most once."))
                               : check_alter(context, resource.resource_type, resource.resource_name);
    if (!checked) refuse_alter(response, resource.resource_type, resource.resource_name, checked.error());
    return !checked;
  });
  if (request.resources.empty()) co_return;
  const auto timeout = static_cast<int32_t>(context.shard.settings().request_timeout.count());
  auto answer = co_await ask_controller(context, request, method, timeout);
  if (!answer) {
    for (const auto& resource : request.resources) {
      refuse_alter(response, resource.resource_type, resource.resource_name, answer.error());
    }
    co_return;
  }
  for (auto& result : answer->responses) response.responses.push_back(std::move(result));
}

}  // namespace samsa::server
