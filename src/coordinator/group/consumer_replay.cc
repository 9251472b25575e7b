// ConsumerGroups: what records of the keys 3 to 8 do to the groups.
#include "coordinator/group/consumer_groups.h"
#include "coordinator/group/records.h"
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

std::optional<std::string> owned(const protocol::NullableText& text) { return text ? std::optional(text->str()) : std::nullopt; }

template <class From>
EpochSet epoch_set(const From& from, int32_t member_epoch) {
  EpochSet set;
  for (const auto& topic : from) {
    for (size_t i = 0; i < topic.partitions.size(); ++i) {
      const bool known = topic.assignment_epochs && i < topic.assignment_epochs->size();
      set[topic.topic_id][topic.partitions[i]] = known ? (*topic.assignment_epochs)[i] : member_epoch;
    }
  }
  return set;
}

ConsumerMember member_or_new(const ConsumerGroup& group, std::string_view id) {
  if (const auto* present = group.member(id)) return *present;
  ConsumerMember member;
  member.id = id;
  return member;
}

Result<void> replay_member(ConsumerGroup& group, std::string_view id, const std::optional<Bytes>& bytes) {
  if (!bytes) {
    group.remove_member(id);
    return {};
  }
  TRY_ASSIGN(const auto value, protocol::decode_record<protocol::ConsumerGroupMemberMetadataValue>(*bytes));
  ConsumerMember member = member_or_new(group, id);
  member.instance_id = owned(value.instance_id);
  member.rack_id = owned(value.rack_id);
  member.client_id = value.client_id.str();
  member.client_host = value.client_host.str();
  member.subscribed_topics.clear();
  for (const auto& topic : value.subscribed_topic_names) member.subscribed_topics.insert(topic.str());
  member.subscribed_regex = owned(value.subscribed_topic_regex);
  member.rebalance_timeout_ms = value.rebalance_timeout_ms;
  member.server_assignor = owned(value.server_assignor);
  group.put_member(std::move(member));
  return {};
}

Result<void> replay_current(ConsumerGroup& group, std::string_view id, const std::optional<Bytes>& bytes) {
  if (!bytes) {
    if (!group.member(id)) return {};
    ConsumerMember member = *group.member(id);
    member.epoch = member.previous_epoch = kLeaveEpoch;
    member.assigned.clear();
    member.pending_revocation.clear();
    group.put_member(std::move(member));
    return {};
  }
  TRY_ASSIGN(const auto value, protocol::decode_record<protocol::ConsumerGroupCurrentMemberAssignmentValue>(*bytes));
  ConsumerMember member = member_or_new(group, id);
  member.epoch = value.member_epoch;
  member.previous_epoch = value.previous_member_epoch;
  member.state = value.state >= 0 && value.state <= 2 ? static_cast<MemberState>(value.state) : MemberState::kUnknown;
  member.assigned = epoch_set(value.assigned_partitions, value.member_epoch);
  member.pending_revocation = epoch_set(value.partitions_pending_revocation, value.member_epoch);
  group.put_member(std::move(member));
  return {};
}

Result<void> replay_target(ConsumerGroup& group, const std::string& id, const std::optional<Bytes>& bytes) {
  if (!bytes) {
    group.remove_target(id);
    return {};
  }
  TRY_ASSIGN(const auto value, protocol::decode_record<protocol::ConsumerGroupTargetAssignmentMemberValue>(*bytes));
  PartitionSet partitions;
  for (const auto& topic : value.topic_partitions) partitions[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  group.set_target(id, std::move(partitions));
  return {};
}

// The group of a key with group and member; nullptr for a tombstone in a group that is not there.
template <class Key, class Apply>
Result<void> for_member(const ReplayedRecord& record, auto get_group, Apply apply) {
  TRY_ASSIGN(const auto key, protocol::decode_record<Key>(record.key));
  ConsumerGroup* group = get_group(key.group_id);
  return group ? apply(*group, key.member_id.str(), record.value) : Result<void>{};
}

}  // namespace

ConsumerGroup& ConsumerGroups::get_or_create(std::string_view group) {
  const auto found = groups_.find(group);
  return found != groups_.end() ? found->second : groups_.emplace(std::string(group), ConsumerGroup(std::string(group))).first->second;
}

void ConsumerGroups::erase(std::string_view group) {
  if (const auto found = groups_.find(group); found != groups_.end()) groups_.erase(found);
  if (const auto found = checked_images_.find(group); found != checked_images_.end()) checked_images_.erase(found);
}

Result<void> ConsumerGroups::replay(const ReplayedRecord& record) {
  const auto get_group = [&](std::string_view id) -> ConsumerGroup* {
    if (record.value) return &get_or_create(id);
    const auto found = groups_.find(id);
    return found == groups_.end() ? nullptr : &found->second;
  };
  switch (static_cast<KeyType>(load_be<int16_t>(record.key.data()))) {
    case KeyType::kConsumerGroupMetadata: {
      TRY_ASSIGN(const auto key, protocol::decode_record<protocol::ConsumerGroupMetadataKey>(record.key));
      if (!record.value) {
        erase(key.group_id);
        return {};
      }
      TRY_ASSIGN(const auto value, protocol::decode_record<protocol::ConsumerGroupMetadataValue>(*record.value));
      ConsumerGroup& group = get_or_create(key.group_id);
      group.epoch = value.epoch;
      group.metadata_hash = value.metadata_hash;
      return {};
    }
    case KeyType::kConsumerGroupPartitionMetadata: {
      TRY_ASSIGN(const auto key, protocol::decode_record<protocol::ConsumerGroupPartitionMetadataKey>(record.key));
      if (ConsumerGroup* group = get_group(key.group_id)) group->has_partition_metadata = record.value.has_value();
      return {};
    }
    case KeyType::kConsumerGroupTargetAssignmentMetadata: {
      TRY_ASSIGN(const auto key, protocol::decode_record<protocol::ConsumerGroupTargetAssignmentMetadataKey>(record.key));
      ConsumerGroup* group = get_group(key.group_id);
      if (!group) return {};
      group->assignment_epoch = 0;
      if (!record.value) return {};
      TRY_ASSIGN(const auto value, protocol::decode_record<protocol::ConsumerGroupTargetAssignmentMetadataValue>(*record.value));
      group->assignment_epoch = value.assignment_epoch;
      return {};
    }
    case KeyType::kConsumerGroupMemberMetadata:
      return for_member<protocol::ConsumerGroupMemberMetadataKey>(record, get_group, replay_member);
    case KeyType::kConsumerGroupTargetAssignmentMember:
      return for_member<protocol::ConsumerGroupTargetAssignmentMemberKey>(record, get_group, replay_target);
    case KeyType::kConsumerGroupCurrentMemberAssignment:
      return for_member<protocol::ConsumerGroupCurrentMemberAssignmentKey>(record, get_group, replay_current);
    default:
      return {};
  }
}

}  // namespace samsa::coordinator
