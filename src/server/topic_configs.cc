#include "server/topic_configs.h"

#include <algorithm>

#include "base/log.h"
#include "metadata/features.h"

namespace samsa::server {

namespace {

using metadata::ConfigType;

config::Kind kind_of(ConfigType type) {
  switch (type) {
    case ConfigType::kTopic: return config::Kind::kTopic;
    case ConfigType::kClientMetrics: return config::Kind::kClientMetrics;
    case ConfigType::kGroup: return config::Kind::kGroup;
    case ConfigType::kBroker:
    case ConfigType::kBrokerLogger: break;
  }
  return config::Kind::kBroker;
}

}  // namespace

config::Layers layers_of(const NodeSettings& settings, const metadata::MetadataImage& image, const metadata::ConfigMap* own) {
  return {.own = own,
          .broker = &image.config(ConfigType::kBroker, std::to_string(settings.node_id)),
          .cluster = &image.config(ConfigType::kBroker, ""),
          .server = &settings.config->given()};
}

storage::LogConfig log_config_of(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view topic) {
  storage::LogConfig log;
  log.durable = settings.config->flag("samsa.durable.appends");
  const auto layers = layers_of(settings, image, &image.config(ConfigType::kTopic, topic));
  const auto apply = [&](std::string_view as, std::string_view name, std::string_view value) {
    if (const auto applied = storage::apply_topic_setting(log, as, value); !applied) {
      SAMSA_LOG_WARN("topic {}: {}={} is ignored: {}", topic, name, value, applied.error().text());
    }
  };
  const auto values = config::effective_topic(layers);
  for (const auto& [name, value] : values) apply(name, name, value);
  // For tests: segments below segment.bytes' least.
  if (const auto found = values.find("internal.segment.bytes"); found != values.end()) apply("segment.bytes", found->first, found->second);
  if (log.flush_messages <= 1) log.durable = true;
  return log;
}

std::vector<bool> cordoned_directories(const NodeSettings& settings, const metadata::MetadataImage& image) {
  std::vector<bool> cordoned(settings.log_dirs.size());
  if (image.metadata_version() < metadata::kMvCordoned) return cordoned;
  const std::string list = config::effective_text(config::Kind::kBroker, "cordoned.log.dirs", layers_of(settings, image, nullptr)).value_or("");
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    std::string_view name = std::string_view(list).substr(at, comma - at);
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    for (size_t i = 0; i < cordoned.size(); ++i) {
      if (name == "*" || name == settings.log_dirs[i]) cordoned[i] = true;
    }
    at = comma + 1;
  }
  return cordoned;
}

int64_t topic_number(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view topic, std::string_view name) {
  const auto layers = layers_of(settings, image, &image.config(ConfigType::kTopic, topic));
  const auto value = config::effective_value(config::Kind::kTopic, name, layers);
  return std::holds_alternative<int64_t>(value) ? std::get<int64_t>(value) : -1;
}

int64_t broker_number(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view name) {
  const auto value = config::effective_value(config::Kind::kBroker, name, layers_of(settings, image, nullptr));
  return std::holds_alternative<int64_t>(value) ? std::get<int64_t>(value) : -1;
}

Result<void> TopicConfigs::validate(const metadata::ConfigResource& resource, const metadata::ConfigMap&,
                                    const metadata::ConfigMap& proposed) const {
  switch (resource.type) {
    case ConfigType::kTopic: return config::check_topic(proposed, *settings_.config);
    case ConfigType::kGroup: return config::check_group(proposed, *settings_.config);
    case ConfigType::kClientMetrics: return config::check_client_metrics(resource.name, proposed);
    case ConfigType::kBroker: return config::check_broker(proposed, !resource.name.empty(), *settings_.config);
    case ConfigType::kBrokerLogger: break;
  }
  return fail(ErrorCode::kInvalidRequest, "Unexpected resource type.");
}

Result<metadata::ConfigMap> TopicConfigs::altered(const metadata::MetadataImage& image, ConfigType type, const metadata::ConfigMap& current,
                                                  const std::vector<config::Alter>& alters) const {
  return config::apply_alters(kind_of(type), current, alters, layers_of(settings_, image, nullptr));
}

std::optional<std::string> TopicConfigs::default_value(const metadata::MetadataImage& image, ConfigType type, std::string_view key) const {
  return config::effective_text(kind_of(type), key, layers_of(settings_, image, nullptr));
}

std::vector<metadata::EffectiveConfig> TopicConfigs::effective_topic_configs(const metadata::MetadataImage& image,
                                                                             const metadata::ConfigMap& overrides) const {
  std::vector<metadata::EffectiveConfig> configs;
  for (auto& described : config::describe_topic(layers_of(settings_, image, &overrides), std::nullopt)) {
    configs.push_back({.name = std::move(described.name),
                       .value = std::move(described.value),
                       .source = static_cast<int8_t>(described.source),
                       .read_only = described.read_only,
                       .sensitive = described.sensitive});
  }
  return configs;
}

}  // namespace samsa::server
