#include "server/topic_configs.h"

#include <algorithm>

#include <fmt/format.h>

namespace samsa::server {

namespace {

struct TopicSetting {
  std::string_view name;
  std::string_view broker_name;
  std::string_view standard;
  bool list = false;
};

// Sorted by name.
constexpr TopicSetting kTopicSettings[] = {
    {"cleanup.policy", "log.cleanup.policy", "delete", true},
    {"compression.gzip.level", "compression.gzip.level", "-1"},
    {"compression.lz4.level", "compression.lz4.level", "9"},
    {"compression.type", "compression.type", "producer"},
    {"compression.zstd.level", "compression.zstd.level", "3"},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms", "86400000"},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms", "60000"},
    {"flush.messages", "log.flush.interval.messages", "9223372036854775807"},
    {"flush.ms", "log.flush.interval.ms", "9223372036854775807"},
    {"follower.replication.throttled.replicas", "", "", true},
    {"index.interval.bytes", "log.index.interval.bytes", "4096"},
    {"leader.replication.throttled.replicas", "", "", true},
    {"local.retention.bytes", "log.local.retention.bytes", "-2"},
    {"local.retention.ms", "log.local.retention.ms", "-2"},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", "9223372036854775807"},
    {"max.message.bytes", "message.max.bytes", "1048588"},
    {"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", "3600000"},
    {"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", "9223372036854775807"},
    {"message.timestamp.type", "log.message.timestamp.type", "CreateTime"},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", "0.5"},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", "0"},
    {"min.insync.replicas", "min.insync.replicas", "1"},
    {"preallocate", "log.preallocate", "false"},
    {"remote.log.copy.disable", "", "false"},
    {"remote.log.delete.on.disable", "", "false"},
    {"remote.storage.enable", "", "false"},
    {"retention.bytes", "log.retention.bytes", "-1"},
    {"retention.ms", "log.retention.ms", "604800000"},
    {"segment.bytes", "log.segment.bytes", "1073741824"},
    {"segment.index.bytes", "log.index.size.max.bytes", "10485760"},
    {"segment.jitter.ms", "log.roll.jitter.ms", "0"},
    {"segment.ms", "log.roll.ms", "604800000"},
    {"unclean.leader.election.enable", "unclean.leader.election.enable", "false"},
};

const TopicSetting* find_setting(std::string_view name) {
  const auto* found = std::ranges::find(kTopicSettings, name, &TopicSetting::name);
  return found == std::end(kTopicSettings) ? nullptr : found;
}

}  // namespace

Result<void> TopicConfigs::validate(const metadata::ConfigResource& resource, const metadata::ConfigMap&,
                                    const metadata::ConfigMap& proposed) const {
  if (resource.type != metadata::ConfigType::kTopic) return {};
  storage::LogConfig config = settings_.log;
  for (const auto& [name, value] : proposed) {
    if (find_setting(name) == nullptr) return fail(ErrorCode::kInvalidConfig, fmt::format("Unknown topic config name: {}", name));
    TRY(storage::apply_topic_setting(config, name, value));
  }
  return {};
}

bool TopicConfigs::is_list(metadata::ConfigType type, std::string_view key) const {
  const TopicSetting* setting = type == metadata::ConfigType::kTopic ? find_setting(key) : nullptr;
  return setting != nullptr && setting->list;
}

std::optional<std::string> TopicConfigs::default_value(const metadata::MetadataImage& image, metadata::ConfigType type,
                                                       std::string_view key) const {
  const TopicSetting* setting = type == metadata::ConfigType::kTopic ? find_setting(key) : nullptr;
  if (setting == nullptr) return std::nullopt;
  for (const std::string& resource : {std::to_string(settings_.node_id), std::string()}) {
    const std::string* dynamic = image.config(metadata::ConfigType::kBroker, resource, setting->broker_name);
    if (dynamic != nullptr) return *dynamic;
  }
  if (const auto own = settings_.properties.find(setting->broker_name); own != settings_.properties.end()) return own->second;
  return std::string(setting->standard);
}

std::vector<metadata::EffectiveConfig> TopicConfigs::effective_topic_configs(const metadata::MetadataImage& image,
                                                                             const metadata::ConfigMap& overrides) const {
  std::vector<metadata::EffectiveConfig> configs;
  for (const auto& setting : kTopicSettings) {
    metadata::EffectiveConfig config{.name = std::string(setting.name)};
    if (const auto own = overrides.find(setting.name); own != overrides.end()) {
      config.value = own->second;
      config.source = 1;
    } else {
      config.value = default_value(image, metadata::ConfigType::kTopic, setting.name);
      config.source = settings_.properties.contains(setting.broker_name) ? 4 : 5;
    }
    configs.push_back(std::move(config));
  }
  return configs;
}

}  // namespace samsa::server
