// A ConfigValidator for tests: a few keys, refuses "bad.key".
#pragma once

#include <map>

#include "metadata/config_validator.h"

namespace samsa::metadata {

class TestConfigs final : public ConfigValidator {
 public:
  std::map<std::string, std::string, std::less<>> defaults{{"min.insync.replicas", "1"}, {"unclean.leader.election.enable", "false"}, {"cleanup.policy", "delete"}};

  Result<void> validate(const ConfigResource& resource, const ConfigMap& existing, const ConfigMap& proposed) const override {
    if (proposed.contains("bad.key")) return fail(ErrorCode::kInvalidConfig, "Unknown topic config name: bad.key");
    return {};
  }
  Result<ConfigMap> altered(const MetadataImage& image, ConfigType, const ConfigMap& current,
                            const std::vector<config::Alter>& alters) const override {
    return config::apply_alters(config::Kind::kTopic, current, alters, {.cluster = &image.config(ConfigType::kBroker, "")});
  }
  std::optional<std::string> default_value(const MetadataImage& image, ConfigType, std::string_view key) const override {
    if (const auto* dynamic = image.config(ConfigType::kBroker, "", key)) return *dynamic;
    const auto it = defaults.find(key);
    if (it == defaults.end()) return std::nullopt;
    return it->second;
  }
  std::vector<EffectiveConfig> effective_topic_configs(const MetadataImage& image, const ConfigMap& overrides) const override {
    std::vector<EffectiveConfig> all;
    for (const auto& [key, value] : defaults) {
      const auto own = overrides.find(key);
      const bool set = own != overrides.end();
      all.push_back({.name = key, .value = set ? own->second : value, .source = static_cast<int8_t>(set ? 1 : 5)});
    }
    return all;
  }
};

}  // namespace samsa::metadata
