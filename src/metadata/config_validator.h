// ConfigValidator: what the controller must know of configuration keys, implemented over the table of the config room.
// Pure: answers depend on the arguments only (and on the static configuration that it was made with).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/dynamic.h"
#include "metadata/image.h"

namespace samsa::metadata {

// A key with its effective value, as CreateTopics v5+ answers with.
struct EffectiveConfig {
  std::string name;
  std::optional<std::string> value;  // nullopt: no value, or a secret.
  int8_t source = 5;                 // DescribeConfigs' sources: 1 topic, 2 dynamic broker, 3 dynamic default, 4 static, 5 default.
  bool read_only = false;
  bool sensitive = false;
};

class ConfigValidator {
 public:
  virtual ~ConfigValidator() = default;
  // Whether `proposed` (all overrides that the resource would have) is acceptable, given `existing` (those it has). The error's
  // code is what the client gets: INVALID_CONFIG mostly, with Kafka's text.
  virtual Result<void> validate(const ConfigResource& resource, const ConfigMap& existing, const ConfigMap& proposed) const = 0;
  // The overrides of a resource that has `current`, after the operations of IncrementalAlterConfigs; not validated. Errors: those of
  // config::apply_alters.
  virtual Result<ConfigMap> altered(const MetadataImage& image, ConfigType type, const ConfigMap& current,
                                    const std::vector<config::Alter>& alters) const = 0;
  // The value that the resource has without an override of its own: from the cluster's dynamic configs, this node's static ones,
  // or the table. nullopt: none. For a topic the broker's key of the same meaning counts (log.retention.ms for retention.ms).
  virtual std::optional<std::string> default_value(const MetadataImage& image, ConfigType type, std::string_view key) const = 0;
  // Every key of a topic with these overrides, sorted by name.
  virtual std::vector<EffectiveConfig> effective_topic_configs(const MetadataImage& image, const ConfigMap& overrides) const = 0;
};

}  // namespace samsa::metadata
