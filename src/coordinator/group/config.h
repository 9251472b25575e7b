// GroupConfig: what the group coordinator reads of the settings (defaults are Kafka's).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace samsa::coordinator {

struct GroupConfig {
  std::chrono::milliseconds min_session_timeout{6000};            // group.min.session.timeout.ms
  std::chrono::milliseconds max_session_timeout{1'800'000};       // group.max.session.timeout.ms
  std::chrono::milliseconds initial_rebalance_delay{3000};        // group.initial.rebalance.delay.ms
  std::chrono::milliseconds new_member_join_timeout{300'000};     // Fixed in Kafka.
  int32_t max_size = INT32_MAX;                                   // group.max.size
  size_t offset_metadata_max_size = 4096;                         // offset.metadata.max.bytes; counted in UTF-16 units as Java does
  std::chrono::milliseconds offsets_retention{10080LL * 60'000};  // offsets.retention.minutes
  std::chrono::milliseconds offsets_retention_check{600'000};     // offsets.retention.check.interval.ms
  std::chrono::milliseconds offset_commit_timeout{5000};          // offsets.commit.timeout.ms
  std::chrono::milliseconds consumer_session_timeout{45'000};     // group.consumer.session.timeout.ms
  std::chrono::milliseconds consumer_heartbeat_interval{5'000};   // group.consumer.heartbeat.interval.ms
  int32_t consumer_max_size = INT32_MAX;                          // group.consumer.max.size
  size_t load_buffer_size = 5 * 1024 * 1024;                      // offsets.load.buffer.size
};

}  // namespace samsa::coordinator
