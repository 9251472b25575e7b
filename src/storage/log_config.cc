#include "storage/log_config.h"

#include <charconv>
#include <string>

#include <fmt/format.h>

namespace samsa::storage {
namespace {

std::unexpected<Error> bad(std::string_view name, std::string_view value, std::string_view want) {
  return fail(ErrorCode::kInvalidConfig, fmt::format("Invalid value {} for configuration {}: {}", value, name, want));
}

template <class T>
Result<void> number(T& into, std::string_view name, std::string_view value, T low, T high) {
  T parsed{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc() || end != value.data() + value.size()) return bad(name, value, "not a number");
  if (parsed < low || parsed > high) return bad(name, value, fmt::format("must be from {} to {}", low, high));
  into = parsed;
  return {};
}

Result<void> boolean(bool& into, std::string_view name, std::string_view value) {
  if (value != "true" && value != "false") return bad(name, value, "must be true or false");
  into = value == "true";
  return {};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<void> cleanup_policy(LogConfig& config, std::string_view value) {
  bool remove = false;
  bool compact = false;
  for (std::string_view rest = value; !rest.empty();) {
    const size_t comma = rest.find(',');
    const std::string_view word = trimmed(rest.substr(0, comma));
    if (word == "delete") {
      remove = true;
    } else if (word == "compact") {
      compact = true;
    } else if (!word.empty()) {
      return bad("cleanup.policy", value, "must be delete, compact or both");
    }
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  }
  config.cleanup_delete = remove;
  config.cleanup_compact = compact;
  return {};
}

Result<void> compression_type(LogConfig& config, std::string_view value) {
  constexpr std::pair<std::string_view, StoredCompression> kNames[] = {
      {"producer", StoredCompression::kProducer}, {"uncompressed", StoredCompression::kNone}, {"gzip", StoredCompression::kGzip},
      {"snappy", StoredCompression::kSnappy},     {"lz4", StoredCompression::kLz4},           {"zstd", StoredCompression::kZstd}};
  for (const auto& [name, codec] : kNames) {
    if (name == value) {
      config.compression = codec;
      return {};
    }
  }
  return bad("compression.type", value, "must be producer, uncompressed, gzip, snappy, lz4 or zstd");
}

struct IntSetting {
  std::string_view name;
  int32_t LogConfig::* field;
  int32_t low;
  int32_t high;
};
constexpr IntSetting kInts[] = {
    {"segment.bytes", &LogConfig::segment_bytes, 14, INT32_MAX},
    {"segment.index.bytes", &LogConfig::segment_index_bytes, 4, INT32_MAX},
    {"index.interval.bytes", &LogConfig::index_interval_bytes, 0, INT32_MAX},
    {"max.message.bytes", &LogConfig::max_message_bytes, 0, INT32_MAX},
    {"compression.gzip.level", &LogConfig::gzip_level, -1, 9},
    {"compression.lz4.level", &LogConfig::lz4_level, 1, 17},
    {"compression.zstd.level", &LogConfig::zstd_level, -131072, 22},
};

struct LongSetting {
  std::string_view name;
  int64_t LogConfig::* field;
  int64_t low;
};
constexpr LongSetting kLongs[] = {
    {"segment.ms", &LogConfig::segment_ms, 1},
    {"segment.jitter.ms", &LogConfig::segment_jitter_ms, 0},
    {"retention.ms", &LogConfig::retention_ms, -1},
    {"retention.bytes", &LogConfig::retention_bytes, INT64_MIN},
    {"file.delete.delay.ms", &LogConfig::file_delete_delay_ms, 0},
    {"message.timestamp.before.max.ms", &LogConfig::timestamp_before_max_ms, 0},
    {"message.timestamp.after.max.ms", &LogConfig::timestamp_after_max_ms, 0},
    {"flush.messages", &LogConfig::flush_messages, 1},
    {"flush.ms", &LogConfig::flush_ms, 0},
    {"delete.retention.ms", &LogConfig::delete_retention_ms, 0},
    {"min.compaction.lag.ms", &LogConfig::min_compaction_lag_ms, 0},
    {"max.compaction.lag.ms", &LogConfig::max_compaction_lag_ms, 1},
};

}  // namespace

Result<void> apply_topic_setting(LogConfig& config, std::string_view name, std::string_view value) {
  value = trimmed(value);
  for (const auto& setting : kInts) {
    if (setting.name == name) return number(config.*setting.field, name, value, setting.low, setting.high);
  }
  for (const auto& setting : kLongs) {
    if (setting.name == name) return number(config.*setting.field, name, value, setting.low, INT64_MAX);
  }
  if (name == "cleanup.policy") return cleanup_policy(config, value);
  if (name == "compression.type") return compression_type(config, value);
  if (name == "preallocate") return boolean(config.preallocate, name, value);
  if (name == "samsa.durable.appends") return boolean(config.durable, name, value);
  if (name == "message.timestamp.type") {
    if (value != "CreateTime" && value != "LogAppendTime") return bad(name, value, "must be CreateTime or LogAppendTime");
    config.log_append_time = value == "LogAppendTime";
    return {};
  }
  if (name == "min.cleanable.dirty.ratio") {
    double parsed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size() || !(parsed >= 0 && parsed <= 1)) {
      return bad(name, value, "must be a number from 0 to 1");
    }
    config.min_cleanable_dirty_ratio = parsed;
  }
  return {};
}

}  // namespace samsa::storage
