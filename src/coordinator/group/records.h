// The records of __consumer_offsets that classic groups and offsets write, byte for byte as Kafka's (docs/formats/consumer_offsets.md):
// key i16 type and fields, value i16 version and fields.
#pragma once

#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "coordinator/group/classic_group.h"
#include "coordinator/group/offset_store.h"
#include "coordinator/runtime.h"

namespace samsa::coordinator {

// Types of keys (i16 at the front of each key).
enum class KeyType : int16_t {
  kLegacyOffsetCommit = 0,
  kOffsetCommit = 1,
  kGroupMetadata = 2,
  kConsumerGroupMetadata = 3,
  kConsumerGroupPartitionMetadata = 4,
  kConsumerGroupMemberMetadata = 5,
  kConsumerGroupTargetAssignmentMetadata = 6,
  kConsumerGroupTargetAssignmentMember = 7,
  kConsumerGroupCurrentMemberAssignment = 8,
};

// Value version 4, or 1 where an expiry time is stated.
Result<CoordinatorRecord> offset_commit_record(std::string_view group, std::string_view topic, PartitionIndex partition,
                                       const CommittedOffset& value);
Result<CoordinatorRecord> offset_commit_tombstone(std::string_view group, std::string_view topic, PartitionIndex partition);
// Value version 3. The members' assignments are looked up by id in `assignments`, and taken from the members where that is null.
using Assignments = std::map<std::string, protocol::Blob, std::less<>>;
Result<CoordinatorRecord> group_metadata_record(const ClassicGroup& group, const Assignments* assignments);
// A group without members and protocol: a new one.
Result<CoordinatorRecord> empty_group_metadata_record(const ClassicGroup& group);
Result<CoordinatorRecord> group_metadata_tombstone(std::string_view group);

}  // namespace samsa::coordinator
