#include "server/group_scope.h"

#include "server/shard.h"

namespace samsa::server {

GroupScope::GroupScope(RequestContext& context, Operation on_group, Operation on_topic)
    : context_(context),
      image_(context.shard.image()),
      on_group_(on_group),
      on_topic_(on_topic),
      client_host_("/" + context.connection.peer.host) {}

bool GroupScope::group_allowed(std::string_view group) const { return context_.authorized(on_group_, ResourceType::kGroup, group); }

bool GroupScope::topic_allowed(std::string_view topic) const { return context_.authorized(on_topic_, ResourceType::kTopic, topic); }

std::optional<Uuid> GroupScope::topic_id(std::string_view name) const {
  const auto* topic = image_->topic(name);
  if (topic == nullptr) return std::nullopt;
  return topic->id;
}

std::optional<std::string> GroupScope::topic_name(const Uuid& id) const {
  const auto* topic = image_->topic(id);
  if (topic == nullptr) return std::nullopt;
  return topic->name;
}

bool GroupScope::partition_exists(std::string_view topic, PartitionIndex partition) const {
  return image_->partition(topic, partition) != nullptr;
}

int32_t GroupScope::group_operations(std::string_view group) const {
  return context_.authorized_operations(ResourceType::kGroup, group);
}

coordinator::RequestInfo GroupScope::info() const {
  return {.api_version = context_.version(), .client_id = context_.client_id(), .client_host = client_host_, .scope = *this};
}

}  // namespace samsa::server
