// LogConfig: the settings of one partition's log, as plain values. Names follow Kafka's topic settings (segment.bytes, ...).
//
// Built from the broker's defaults and the topic's own values: start from the broker's LogConfig and apply_topic_setting() for each
// value of the topic. A running log takes a new one through Log::update_config. Owner: the shard of the log; copies are cheap.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace samsa::storage {

// compression.type: what batches are stored with. The numbers are the codec bits of a batch's attributes.
enum class StoredCompression : int8_t { kProducer = -1, kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

struct LogConfig {
  int32_t segment_bytes = 1 << 30;
  int64_t segment_ms = 604'800'000;
  int64_t segment_jitter_ms = 0;
  int32_t segment_index_bytes = 10'485'760;
  int32_t index_interval_bytes = 4096;
  bool preallocate = false;

  int64_t retention_ms = 604'800'000;   // -1: unlimited.
  int64_t retention_bytes = -1;         // -1: unlimited.
  int64_t file_delete_delay_ms = 60'000;
  bool cleanup_delete = true;           // cleanup.policy holds "delete"; neither: nothing but log start deletes.
  bool cleanup_compact = false;         // cleanup.policy holds "compact".

  int32_t max_message_bytes = 1'048'588;
  bool log_append_time = false;                       // message.timestamp.type.
  int64_t timestamp_before_max_ms = INT64_MAX;        // message.timestamp.before.max.ms
  int64_t timestamp_after_max_ms = 3'600'000;         // message.timestamp.after.max.ms
  StoredCompression compression = StoredCompression::kProducer;
  int32_t gzip_level = -1;   // -1: the codec's default.
  int32_t lz4_level = 9;
  int32_t zstd_level = 3;

  int64_t flush_messages = INT64_MAX;  // Sync after so many records.
  int64_t flush_ms = INT64_MAX;        // Sync what is older than this.
  bool durable = false;                // samsa.durable.appends (ours), or flush.messages=1: acknowledged only once synced.

  int64_t delete_retention_ms = 86'400'000;
  int64_t min_compaction_lag_ms = 0;
  int64_t max_compaction_lag_ms = INT64_MAX;
  double min_cleanable_dirty_ratio = 0.5;

  // segment.ms as a compacted topic has it: capped by max.compaction.lag.ms.
  [[nodiscard]] int64_t effective_segment_ms() const {
    return cleanup_compact && max_compaction_lag_ms < segment_ms ? max_compaction_lag_ms : segment_ms;
  }
  bool operator==(const LogConfig&) const = default;
};

// Sets one topic setting by Kafka's name ("retention.ms", "cleanup.policy", ...) from its text. Names that do not concern the log
// (min.insync.replicas, follower.replication.throttled.replicas, ...) are accepted and change nothing. INVALID_CONFIG for a value
// that is no number, out of the setting's range or no known word.
Result<void> apply_topic_setting(LogConfig& config, std::string_view name, std::string_view value);

}  // namespace samsa::storage
