// TopicConfigs: the node's settings as the controller and the admin APIs ask for them: which keys there are, whether a value is
// legal, what a resource has without a value of its own.
// Pure, immutable after construction; any shard.
#pragma once

#include "metadata/config_validator.h"
#include "server/settings.h"

namespace samsa::server {

class TopicConfigs final : public metadata::ConfigValidator {
 public:
  explicit TopicConfigs(const NodeSettings& settings) : settings_(settings) {}

  Result<void> validate(const metadata::ConfigResource& resource, const metadata::ConfigMap& existing,
                        const metadata::ConfigMap& proposed) const override;
  bool is_list(metadata::ConfigType type, std::string_view key) const override;
  std::optional<std::string> default_value(const metadata::MetadataImage& image, metadata::ConfigType type,
                                           std::string_view key) const override;
  std::vector<metadata::EffectiveConfig> effective_topic_configs(const metadata::MetadataImage& image,
                                                                 const metadata::ConfigMap& overrides) const override;

 private:
  const NodeSettings& settings_;
};

}  // namespace samsa::server
