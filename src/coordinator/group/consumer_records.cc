#include "coordinator/group/consumer_records.h"

#include "protocol/codec.h"
#include "protocol/record/consumer_group_current_member_assignment_key.h"
#include "protocol/record/consumer_group_current_member_assignment_value.h"
#include "protocol/record/consumer_group_member_metadata_key.h"
#include "protocol/record/consumer_group_member_metadata_value.h"
#include "protocol/record/consumer_group_metadata_key.h"
#include "protocol/record/consumer_group_metadata_value.h"
#include "protocol/record/consumer_group_partition_metadata_key.h"
#include "protocol/record/consumer_group_target_assignment_member_key.h"
#include "protocol/record/consumer_group_target_assignment_member_value.h"
#include "protocol/record/consumer_group_target_assignment_metadata_key.h"
#include "protocol/record/consumer_group_target_assignment_metadata_value.h"

namespace samsa::coordinator {
namespace {

using protocol::Text;

constexpr int16_t kValueVersion = 0;

template <class Key>
Result<Buffer> group_key(std::string_view group) {
  Key key;
  key.group_id = Text::view_of(group);
  return protocol::encode_record(key);
}

template <class Key>
Result<Buffer> member_key(std::string_view group, std::string_view member) {
  Key key;
  key.group_id = Text::view_of(group);
  key.member_id = Text::view_of(member);
  return protocol::encode_record(key);
}

protocol::NullableText nullable(const std::optional<std::string>& text) {
  return text ? protocol::NullableText(Text::view_of(*text)) : std::nullopt;
}

template <class To>
void put_epoch_set(const EpochSet& from, To& to) {
  for (const auto& [topic, partitions] : from) {
    auto& entry = to.emplace_back();
    entry.topic_id = topic;
    entry.assignment_epochs.emplace();
    for (const auto& [partition, epoch] : partitions) {
      entry.partitions.push_back(partition);
      entry.assignment_epochs->push_back(epoch);
    }
  }
}

}  // namespace

Result<CoordinatorRecord> consumer_group_record(std::string_view group, int32_t epoch, int64_t metadata_hash) {
  protocol::ConsumerGroupMetadataValue value;
  value.epoch = epoch;
  value.metadata_hash = metadata_hash;
  return record_of(group_key<protocol::ConsumerGroupMetadataKey>(group), protocol::encode_record(value, kValueVersion));
}

Result<CoordinatorRecord> consumer_member_record(std::string_view group, const ConsumerMember& member) {
  protocol::ConsumerGroupMemberMetadataValue value;
  value.instance_id = nullable(member.instance_id);
  value.rack_id = nullable(member.rack_id);
  value.client_id = Text::view_of(member.client_id);
  value.client_host = Text::view_of(member.client_host);
  for (const auto& topic : member.subscribed_topics) value.subscribed_topic_names.push_back(Text::view_of(topic));
  value.subscribed_topic_regex = nullable(member.subscribed_regex);
  value.rebalance_timeout_ms = member.rebalance_timeout_ms;
  value.server_assignor = nullable(member.server_assignor);
  value.classic_member_metadata.reset();
  return record_of(member_key<protocol::ConsumerGroupMemberMetadataKey>(group, member.id), protocol::encode_record(value, kValueVersion));
}

Result<CoordinatorRecord> consumer_target_epoch_record(std::string_view group, int32_t epoch, TimestampMs timestamp) {
  protocol::ConsumerGroupTargetAssignmentMetadataValue value;
  value.assignment_epoch = epoch;
  value.assignment_timestamp = timestamp;
  return record_of(group_key<protocol::ConsumerGroupTargetAssignmentMetadataKey>(group), protocol::encode_record(value, kValueVersion));
}

Result<CoordinatorRecord> consumer_target_record(std::string_view group, std::string_view member, const PartitionSet& partitions) {
  protocol::ConsumerGroupTargetAssignmentMemberValue value;
  for (const auto& [topic, indexes] : partitions) {
    auto& entry = value.topic_partitions.emplace_back();
    entry.topic_id = topic;
    entry.partitions.assign(indexes.begin(), indexes.end());
  }
  return record_of(member_key<protocol::ConsumerGroupTargetAssignmentMemberKey>(group, member), protocol::encode_record(value, kValueVersion));
}

Result<CoordinatorRecord> consumer_current_record(std::string_view group, const ConsumerMember& member) {
  protocol::ConsumerGroupCurrentMemberAssignmentValue value;
  value.member_epoch = member.epoch;
  value.previous_member_epoch = member.previous_epoch;
  value.state = static_cast<int8_t>(member.state);
  put_epoch_set(member.assigned, value.assigned_partitions);
  put_epoch_set(member.pending_revocation, value.partitions_pending_revocation);
  return record_of(member_key<protocol::ConsumerGroupCurrentMemberAssignmentKey>(group, member.id), protocol::encode_record(value, kValueVersion));
}

void append_member_tombstones(std::string_view group, std::string_view member, RecordList& records) {
  records.push_back(tombstone_of(member_key<protocol::ConsumerGroupCurrentMemberAssignmentKey>(group, member)));
  records.push_back(tombstone_of(member_key<protocol::ConsumerGroupTargetAssignmentMemberKey>(group, member)));
  records.push_back(tombstone_of(member_key<protocol::ConsumerGroupMemberMetadataKey>(group, member)));
}

void append_group_tombstones(const ConsumerGroup& group, RecordList& records) {
  for (const auto& [member, partitions] : group.target()) {
    records.push_back(tombstone_of(member_key<protocol::ConsumerGroupTargetAssignmentMemberKey>(group.id(), member)));
  }
  records.push_back(tombstone_of(group_key<protocol::ConsumerGroupTargetAssignmentMetadataKey>(group.id())));
  if (group.has_partition_metadata) {
    records.push_back(tombstone_of(group_key<protocol::ConsumerGroupPartitionMetadataKey>(group.id())));
  }
  records.push_back(tombstone_of(group_key<protocol::ConsumerGroupMetadataKey>(group.id())));
}

}  // namespace samsa::coordinator
