// The records of KIP-848 groups in __consumer_offsets (keys 3 to 8), byte for byte as Kafka's.
#pragma once

#include "coordinator/group/consumer_group.h"
#include "coordinator/runtime.h"

namespace samsa::coordinator {

Result<CoordinatorRecord> consumer_group_record(std::string_view group, int32_t epoch, int64_t metadata_hash);
Result<CoordinatorRecord> consumer_member_record(std::string_view group, const ConsumerMember& member);
Result<CoordinatorRecord> consumer_target_epoch_record(std::string_view group, int32_t epoch, TimestampMs timestamp);
Result<CoordinatorRecord> consumer_target_record(std::string_view group, std::string_view member, const PartitionSet& partitions);
Result<CoordinatorRecord> consumer_current_record(std::string_view group, const ConsumerMember& member);

// Tombstones of all that a member has, in Kafka's order: current, target, subscription.
void append_member_tombstones(std::string_view group, std::string_view member, RecordList& records);
// Of a group without members.
void append_group_tombstones(const ConsumerGroup& group, RecordList& records);

}  // namespace samsa::coordinator
