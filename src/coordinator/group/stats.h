// GroupStats: what the group coordinator's metrics are made of, for one shard. Names in the comments are Kafka's:
// kafka.coordinator.group:type=GroupMetadataManager and kafka.server:type=group-coordinator-metrics.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace samsa::coordinator {

// Sums since the start; a partition's stay when it is resigned.
struct GroupTotals {
  uint64_t offset_commits = 0;        // offset-commit-count
  uint64_t offset_expirations = 0;    // offset-expiration-count
  uint64_t offset_deletions = 0;      // offset-deletion-count
  uint64_t completed_rebalances = 0;  // group-completed-rebalance-count
  GroupTotals& operator+=(const GroupTotals& other) {
    offset_commits += other.offset_commits;
    offset_expirations += other.offset_expirations;
    offset_deletions += other.offset_deletions;
    completed_rebalances += other.completed_rebalances;
    return *this;
  }
};

struct GroupStats {
  GroupTotals totals;
  size_t offsets = 0;                        // NumOffsets
  std::array<size_t, 5> classic_by_state{};  // NumGroupsEmpty, -PreparingRebalance, -CompletingRebalance, -Stable, -Dead
  size_t loading = 0;                        // num-partitions{state=loading}
  size_t active = 0;                         // num-partitions{state=active}
  size_t failed = 0;                         // num-partitions{state=failed}
};

}  // namespace samsa::coordinator
