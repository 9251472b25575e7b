// DescribeConfigs: the values of topics, brokers, groups and client-metrics subscriptions, with where each comes from (KIP-133, 226).
#include "protocol/api/describe_configs.h"

#include <fmt/format.h>

#include "server/api/common.h"
#include "server/topic_configs.h"

namespace samsa::server {

namespace {

using metadata::ConfigType;
using Resource = protocol::DescribeConfigsRequest::DescribeConfigsResource;
using Names = std::optional<std::vector<std::string>>;

Result<void> check(RequestContext& context, const Resource& resource) {
  const auto& image = *context.shard.image();
  const std::string_view name = resource.resource_name;
  switch (static_cast<ConfigType>(resource.resource_type)) {
    case ConfigType::kTopic:
      if (!context.authorized(Operation::kDescribeConfigs, ResourceType::kTopic, name)) return fail(ErrorCode::kTopicAuthorizationFailed);
      if (!is_legal_topic_name(name)) return fail(ErrorCode::kInvalidTopicException, fmt::format("Topic name is invalid: '{}'", name));
      if (image.topic(name) == nullptr) return fail(ErrorCode::kUnknownTopicOrPartition);
      return {};
    case ConfigType::kGroup:
      if (!context.authorized(Operation::kDescribeConfigs, ResourceType::kGroup, name)) return fail(ErrorCode::kGroupAuthorizationFailed);
      if (name.empty()) return fail(ErrorCode::kInvalidRequest, "Group name must not be empty");
      return {};
    case ConfigType::kClientMetrics:
      if (name.empty()) return fail(ErrorCode::kInvalidRequest, "Client metrics subscription name must not be empty");
      [[fallthrough]];
    case ConfigType::kBroker:
    case ConfigType::kBrokerLogger: break;
    default:
      return fail(ErrorCode::kInvalidRequest, fmt::format("Unsupported resource type: {}", resource.resource_type));
  }
  if (!context.authorized(Operation::kDescribeConfigs, ResourceType::kCluster, kClusterResource)) {
    return fail(ErrorCode::kClusterAuthorizationFailed);
  }
  const auto type = static_cast<ConfigType>(resource.resource_type);
  const std::string own = std::to_string(context.shard.settings().node_id);
  if (type == ConfigType::kBroker && !name.empty() && name != own) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Unexpected broker id, expected {} or empty string, but received {}", own, name));
  }
  if (type == ConfigType::kBrokerLogger && name != own) {
    return fail(ErrorCode::kInvalidRequest, name.empty() ? "Broker id must not be empty"
                                                         : fmt::format("Unexpected broker id, expected {} but received {}", own, name));
  }
  return {};
}

std::vector<config::Described> describe(RequestContext& context, const Resource& resource, const Names& names) {
  const auto image = context.shard.image();
  const auto type = static_cast<ConfigType>(resource.resource_type);
  const auto& own = image->config(type, resource.resource_name.view());
  const auto layers = layers_of(context.shard.settings(), *image, &own);
  switch (type) {
    case ConfigType::kTopic: return config::describe_topic(layers, names);
    case ConfigType::kGroup: return config::describe_group(layers, names);
    case ConfigType::kClientMetrics: return config::describe_client_metrics(layers, names);
    case ConfigType::kBroker:
      return resource.resource_name.empty() ? config::describe_cluster(layers, names) : config::describe_broker(layers, names);
    case ConfigType::kBrokerLogger: break;
  }
  return {};
}

protocol::NullableText nullable(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return protocol::Text(*text);
}

template <class Answer>
void fill(Answer& answer, const config::Described& described, const protocol::DescribeConfigsRequest& request, int16_t version) {
  answer.name = described.name;
  answer.value = nullable(described.value);
  answer.read_only = described.read_only;
  answer.is_sensitive = described.sensitive;
  answer.config_source = static_cast<int8_t>(described.source);
  if (version >= 3) answer.config_type = static_cast<int8_t>(described.type);
  answer.documentation.reset();
  if (request.include_documentation) answer.documentation = protocol::Text(described.doc);
  if (!request.include_synonyms) return;
  for (const auto& synonym : described.synonyms) {
    auto& entry = answer.synonyms.emplace_back();
    entry.name = synonym.name;
    entry.value = nullable(synonym.value);
    entry.source = static_cast<int8_t>(synonym.source);
  }
}

}  // namespace

io::Task<> handle_describe_configs(RequestContext& context, protocol::DescribeConfigsRequest& request,
                                   protocol::DescribeConfigsResponse& response) {
  for (const auto& resource : request.resources) {
    auto& answer = response.results.emplace_back();
    answer.resource_type = resource.resource_type;
    answer.resource_name = resource.resource_name;
    if (const auto checked = check(context, resource); !checked) {
      answer.error_code = to_wire(checked.error().code);
      answer.error_message = protocol::Text(checked.error().text());
      continue;
    }
    answer.error_message.reset();
    Names names;
    if (resource.configuration_keys && !resource.configuration_keys->empty()) {
      names.emplace();
      for (const auto& key : *resource.configuration_keys) names->push_back(key.str());
    }
    for (const auto& described : describe(context, resource, names)) fill(answer.configs.emplace_back(), described, request, context.version());
  }
  co_return;
}

}  // namespace samsa::server
