// The config room's table as the controller, the shards and the admin APIs ask for it: layers of a node's static settings and of the
// image's dynamic ones. Immutable; any shard.
#pragma once

#include <vector>

#include "config/config.h"
#include "metadata/config_validator.h"
#include "server/settings.h"
#include "storage/log_config.h"

namespace samsa::server {

// The layers of a resource as `image` has them. They refer to the image and the settings.
config::Layers layers_of(const NodeSettings& settings, const metadata::MetadataImage& image, const metadata::ConfigMap* own);

// What a topic's log goes by.
storage::LogConfig log_config_of(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view topic);
// A number that a topic has, or takes from the broker.
int64_t topic_number(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view topic, std::string_view name);

// cordoned.log.dirs: for each of log.dirs whether it gets no new replicas. None where the cluster's metadata.version does not know it.
std::vector<bool> cordoned_directories(const NodeSettings& settings, const metadata::MetadataImage& image);

// A number of this broker, with its dynamic values.
int64_t broker_number(const NodeSettings& settings, const metadata::MetadataImage& image, std::string_view name);

class TopicConfigs final : public metadata::ConfigValidator {
 public:
  explicit TopicConfigs(const NodeSettings& settings) : settings_(settings) {}

  Result<void> validate(const metadata::ConfigResource& resource, const metadata::ConfigMap& existing,
                        const metadata::ConfigMap& proposed) const override;
  Result<metadata::ConfigMap> altered(const metadata::MetadataImage& image, metadata::ConfigType type, const metadata::ConfigMap& current,
                                      const std::vector<config::Alter>& alters) const override;
  std::optional<std::string> default_value(const metadata::MetadataImage& image, metadata::ConfigType type,
                                           std::string_view key) const override;
  std::vector<metadata::EffectiveConfig> effective_topic_configs(const metadata::MetadataImage& image,
                                                                 const metadata::ConfigMap& overrides) const override;

 private:
  const NodeSettings& settings_;
};

}  // namespace samsa::server
