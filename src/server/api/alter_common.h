// What AlterConfigs and IncrementalAlterConfigs do before the controller is asked: rights, duplicates, and that a broker's own settings
// are changed at that broker.
#pragma once

#include <map>

#include <fmt/format.h>

#include "protocol/api/alter_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "server/api/common.h"
#include "server/controller_call.h"
#include "server/thread_pools.h"
#include "server/topic_configs.h"

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
      if (!context.connection.listener->controller && !name.empty() && name != own) {
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

// The values that a resource is to have. Where that cannot be said the controller will.
inline std::optional<config::Properties> values_after(const protocol::IncrementalAlterConfigsRequest::AlterConfigsResource& resource,
                                                      const config::Properties& now) {
  std::vector<config::Alter> alters;
  for (const auto& config : resource.configs) {
    auto& alter = alters.emplace_back(config::Alter{config.name.str(), static_cast<config::AlterOp>(config.config_operation), {}});
    if (config.value) alter.value = config.value->str();
  }
  auto values = config::apply_alters(config::Kind::kBroker, now, alters);
  if (!values) return std::nullopt;
  return std::move(*values);
}
inline std::optional<config::Properties> values_after(const protocol::AlterConfigsRequest::AlterConfigsResource& resource, const config::Properties&) {
  config::Properties values;
  for (const auto& config : resource.configs) {
    if (config.value) values.insert_or_assign(config.name.str(), config.value->str());
  }
  return values;
}

// What only the broker that is asked knows, by what is in force there.
template <class Resource>
Result<void> check_in_force(const RequestContext& context, const Resource& resource) {
  if (static_cast<metadata::ConfigType>(resource.resource_type) != metadata::ConfigType::kBroker || context.connection.listener->controller) return {};
  const auto image = context.shard.image();
  const auto now = layers_of(context.shard.settings(), *image, nullptr);
  const bool own = !resource.resource_name.view().empty();
  const auto values = values_after(resource, own ? *now.broker : *now.cluster);
  if (!values) return {};
  auto then = now;
  (own ? then.broker : then.cluster) = &*values;
  return check_thread_pools(now, then);
}

template <class Request, class Response>
io::Task<> alter(RequestContext& context, Request& request, Response& response,
                 io::Task<Result<Response>> (metadata::ControllerRuntime::*method)(const Request&, metadata::Caller)) {
  std::map<std::pair<int8_t, std::string>, int> count;
  for (const auto& resource : request.resources) ++count[{resource.resource_type, resource.resource_name.str()}];
  std::erase_if(request.resources, [&](const auto& resource) {
    const bool twice = count[{resource.resource_type, resource.resource_name.str()}] > 1;
    auto checked = twice ? Result<void>(fail(ErrorCode::kInvalidRequest, "Each resource must appear at most once."))
                         : check_alter(context, resource.resource_type, resource.resource_name);
    if (checked) checked = check_in_force(context, resource);
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
