// ListConfigResources: names of what has, or may have, settings of its own (KIP-714, 1142).
#include "protocol/api/list_config_resources.h"

#include <algorithm>
#include <set>

#include "server/api/common.h"

namespace samsa::server {

namespace {

using metadata::ConfigType;

constexpr ConfigType kListed[] = {ConfigType::kTopic, ConfigType::kBroker, ConfigType::kBrokerLogger, ConfigType::kClientMetrics, ConfigType::kGroup};

}  // namespace

io::Task<> handle_list_config_resources(RequestContext& context, protocol::ListConfigResourcesRequest& request,
                                        protocol::ListConfigResourcesResponse& response) {
  if (!context.authorized(Operation::kDescribeConfigs, ResourceType::kCluster, kClusterResource)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  // Version 0 knows one type only; from 1 on none means all.
  std::set<int8_t> types(request.resource_types.begin(), request.resource_types.end());
  if (context.version() == 0) types = {static_cast<int8_t>(ConfigType::kClientMetrics)};
  for (const auto type : kListed) {
    if (context.version() > 0 && request.resource_types.empty()) types.insert(static_cast<int8_t>(type));
  }
  const bool known = std::ranges::all_of(types, [](int8_t type) { return std::ranges::find(kListed, static_cast<ConfigType>(type)) != std::end(kListed); });
  if (!known) {
    response.error_code = to_wire(ErrorCode::kUnsupportedVersion);
    co_return;
  }
  const auto image = context.shard.image();
  const auto wanted = [&](ConfigType type) { return types.contains(static_cast<int8_t>(type)); };
  const auto add = [&](ConfigType type, const std::string& name) {
    auto& found = response.config_resources.emplace_back();
    found.resource_name = name;
    found.resource_type = static_cast<int8_t>(type);
  };
  // Groups and client metrics are there once somebody has given them settings.
  image->configs.for_each([&](const metadata::ConfigResource& resource, const metadata::ConfigMap&) {
    const bool by_settings = resource.type == ConfigType::kGroup || resource.type == ConfigType::kClientMetrics;
    if (by_settings && wanted(resource.type)) add(resource.type, resource.name);
  });
  for (const auto type : {ConfigType::kBrokerLogger, ConfigType::kBroker}) {
    if (!wanted(type)) continue;
    image->brokers.for_each([&](int32_t id, const metadata::BrokerImage& broker) {
      if (!broker.fenced) add(type, std::to_string(id));
    });
  }
  if (wanted(ConfigType::kTopic)) image->topics.for_each([&](const std::string& name, const metadata::TopicImage&) { add(ConfigType::kTopic, name); });
}

}  // namespace samsa::server
