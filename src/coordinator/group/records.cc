#include "coordinator/group/records.h"

#include "protocol/codec.h"
#include "protocol/record/group_metadata_key.h"
#include "protocol/record/group_metadata_value.h"
#include "protocol/record/offset_commit_key.h"
#include "protocol/record/offset_commit_value.h"

namespace samsa::coordinator {
namespace {

using protocol::Text;

constexpr int16_t kOffsetCommitVersion = 4;
constexpr int16_t kOffsetCommitVersionWithExpiry = 1;
constexpr int16_t kGroupMetadataVersion = 3;

Result<Buffer> offset_commit_key(std::string_view group, std::string_view topic, PartitionIndex partition) {
  protocol::OffsetCommitKey key;
  key.group = Text::view_of(group);
  key.topic = Text::view_of(topic);
  key.partition = partition;
  return protocol::encode_record(key, static_cast<int16_t>(KeyType::kOffsetCommit));
}

Result<Buffer> group_metadata_key(std::string_view group) {
  protocol::GroupMetadataKey key;
  key.group = Text::view_of(group);
  return protocol::encode_record(key, static_cast<int16_t>(KeyType::kGroupMetadata));
}

protocol::GroupMetadataValue group_metadata_value(const ClassicGroup& group) {
  protocol::GroupMetadataValue value;
  value.protocol_type = Text(group.protocol_type().value_or(""));
  value.generation = group.generation();
  value.protocol.reset();
  value.leader.reset();
  value.current_state_timestamp = group.state_timestamp().value_or(kNoTimestamp);
  return value;
}

}  // namespace

Result<CoordinatorRecord> offset_commit_record(std::string_view group, std::string_view topic, PartitionIndex partition,
                                       const CommittedOffset& committed) {
  protocol::OffsetCommitValue value;
  value.offset = committed.offset;
  value.leader_epoch = committed.leader_epoch;
  value.metadata = Text::view_of(committed.metadata);
  value.commit_timestamp = committed.commit_timestamp;
  value.expire_timestamp = committed.expire_timestamp.value_or(kNoTimestamp);
  value.topic_id = committed.topic_id;
  const int16_t version = committed.expire_timestamp ? kOffsetCommitVersionWithExpiry : kOffsetCommitVersion;
  return record_of(offset_commit_key(group, topic, partition), protocol::encode_record(value, version));
}

Result<CoordinatorRecord> offset_commit_tombstone(std::string_view group, std::string_view topic, PartitionIndex partition) {
  return tombstone_of(offset_commit_key(group, topic, partition));
}

Result<CoordinatorRecord> group_metadata_record(const ClassicGroup& group, const Assignments* assignments) {
  auto value = group_metadata_value(group);
  if (group.protocol_name()) value.protocol = Text(*group.protocol_name());
  if (group.leader()) value.leader = Text(*group.leader());
  for (const auto& [id, member] : group.members()) {
    auto& to = value.members.emplace_back();
    to.member_id = Text::view_of(id);
    if (member.instance_id) to.group_instance_id = Text::view_of(*member.instance_id);
    to.client_id = Text::view_of(member.client_id);
    to.client_host = Text::view_of(member.client_host);
    to.rebalance_timeout = member.rebalance_timeout_ms;
    to.session_timeout = member.session_timeout_ms;
    to.subscription = member.metadata(group.protocol_name().value_or(""));
    if (!assignments) {
      to.assignment = member.assignment;
    } else if (const auto found = assignments->find(id); found != assignments->end()) {
      to.assignment = found->second;
    }
  }
  return record_of(group_metadata_key(group.id()), protocol::encode_record(value, kGroupMetadataVersion));
}

Result<CoordinatorRecord> empty_group_metadata_record(const ClassicGroup& group) {
  auto value = group_metadata_value(group);
  value.protocol_type = Text();
  value.generation = 0;
  return record_of(group_metadata_key(group.id()), protocol::encode_record(value, kGroupMetadataVersion));
}

Result<CoordinatorRecord> group_metadata_tombstone(std::string_view group) { return tombstone_of(group_metadata_key(group)); }

}  // namespace samsa::coordinator
