#include "coordinator/group/machine.h"

#include <algorithm>

#include "coordinator/group/consumer_records.h"
#include "protocol/codec.h"
#include "protocol/record/group_metadata_key.h"
#include "protocol/record/group_metadata_value.h"
#include "protocol/record/offset_commit_key.h"
#include "protocol/record/offset_commit_value.h"

namespace samsa::coordinator {
namespace {

constexpr int16_t kDescribeNotFoundVersion = 6;

std::optional<std::string> owned(const protocol::NullableText& text) { return text ? std::optional(text->str()) : std::nullopt; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

}  // namespace

// ---- Groups and their deadlines ----

GroupMachine::GroupPtr GroupMachine::find_group(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second;
}

const ClassicGroup* GroupMachine::find(std::string_view group) const { return find_group(group).get(); }

GroupMachine::GroupPtr GroupMachine::create_group(std::string_view group, TimestampMs now_ms) {
  auto created = std::make_shared<ClassicGroup>(std::string(group), now_ms);
  created->sequence = ++next_sequence_;
  groups_.insert_or_assign(std::string(group), created);
  return created;
}

void GroupMachine::drop_group(std::string_view group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  const GroupPtr dropped = found->second;
  armed_.erase({dropped->armed, dropped->sequence, nullptr});
  dropped->armed = io::kNever;
  dropped->transition(ClassicState::kDead, dropped->state_timestamp().value_or(kNoTimestamp));
  groups_.erase(found);
}

void GroupMachine::touch(const GroupPtr& group, io::MonoTime deadline) {
  if (deadline >= group->armed || group->in(ClassicState::kDead)) return;
  armed_.erase({group->armed, group->sequence, nullptr});
  group->armed = deadline;
  armed_.insert({deadline, group->sequence, group});
}

void GroupMachine::rearm(const GroupPtr& group) {
  armed_.erase({group->armed, group->sequence, nullptr});
  group->armed = io::kNever;
  touch(group, group->earliest_deadline());
}

io::MonoTime GroupMachine::next_deadline() const {
  const io::MonoTime other = std::min(sweep_deadline_, consumers_.next_deadline());
  return armed_.empty() ? other : std::min(other, armed_.begin()->deadline);
}

Writes GroupMachine::on_deadline(Now now) {
  while (!armed_.empty() && armed_.begin()->deadline <= now.mono) {
    const GroupPtr group = armed_.begin()->group;
    if (auto writes = run_due(group, now)) return std::move(*writes);
    rearm(group);  // Nothing is due any more: heartbeats have come.
  }
  if (consumers_.next_deadline() <= now.mono) return consumers_.on_deadline(now);
  if (sweep_deadline_ <= now.mono) return sweep_some(now);
  return {};
}

std::optional<Writes> GroupMachine::run_due(const GroupPtr& group, Now now) {
  if (group->join_deadline <= now.mono) {
    group->join_deadline = io::kNever;
    return group->initial ? end_initial_delay(group, now) : complete_join(group, now);
  }
  if (group->sync_deadline <= now.mono) return expire_sync(group, now);
  for (const auto& [id, deadline] : group->pending()) {
    if (deadline <= now.mono) return expire_member(group, std::string(id), now);
  }
  for (const auto& [id, member] : group->members()) {
    if (member.session_deadline <= now.mono) return expire_member(group, std::string(id), now);
  }
  return std::nullopt;
}

// ---- Log ----

Result<void> GroupMachine::replay(const ReplayedRecord& record) {
  if (record.key.size() < 2) return {};
  switch (static_cast<KeyType>(load_be<int16_t>(record.key.data()))) {
    case KeyType::kLegacyOffsetCommit:
    case KeyType::kOffsetCommit:
      return replay_offset(record);
    case KeyType::kGroupMetadata:
      return replay_group(record);
    case KeyType::kConsumerGroupMetadata:
    case KeyType::kConsumerGroupPartitionMetadata:
    case KeyType::kConsumerGroupMemberMetadata:
    case KeyType::kConsumerGroupTargetAssignmentMetadata:
    case KeyType::kConsumerGroupTargetAssignmentMember:
    case KeyType::kConsumerGroupCurrentMemberAssignment:
      return replay_consumer(record);
    default:
      return {};  // Other kinds of groups.
  }
}

Result<void> GroupMachine::replay_offset(const ReplayedRecord& record) {
  // Types 0 and 1 have the same fields; the type stands where a version would.
  Buffer as_current(record.key.begin(), record.key.end());
  store_be<int16_t>(as_current.data(), static_cast<int16_t>(KeyType::kOffsetCommit));
  TRY_ASSIGN(const auto key, protocol::decode_record<protocol::OffsetCommitKey>(as_current));
  if (!record.value) {
    offsets_.erase(key.group, key.topic, key.partition, record.offset);
    return {};
  }
  TRY_ASSIGN(const auto value, protocol::decode_record<protocol::OffsetCommitValue>(*record.value));
  CommittedOffset committed;
  committed.offset = value.offset;
  committed.leader_epoch = value.leader_epoch;
  committed.metadata = value.metadata.str();
  committed.commit_timestamp = value.commit_timestamp;
  if (value.expire_timestamp != kNoTimestamp) committed.expire_timestamp = value.expire_timestamp;
  committed.topic_id = value.topic_id;
  committed.record_offset = record.offset;
  // Whoever commits without being a member makes a simple group.
  if (!find_group(key.group) && !consumers_.find(key.group)) create_group(key.group, value.commit_timestamp);
  if (record.producer.id != kNoProducerId) {
    offsets_.put_pending(record.producer.id, key.group, key.topic, key.partition, std::move(committed));
  } else {
    offsets_.put(key.group, key.topic, key.partition, std::move(committed), record.offset);
  }
  return {};
}

// The first field of each of these keys is the group.
Result<void> GroupMachine::replay_consumer(const ReplayedRecord& record) {
  if (record.value && record.key.size() >= 4) {
    const auto length = static_cast<size_t>(load_be<uint16_t>(record.key.data() + 2));
    // An empty classic group, made for offsets that were committed under this name.
    if (record.key.size() >= 4 + length) drop_group(as_text(record.key.subspan(4, length)));
  }
  return consumers_.replay(record);
}

Result<void> GroupMachine::replay_group(const ReplayedRecord& record) {
  TRY_ASSIGN(const auto key, protocol::decode_record<protocol::GroupMetadataKey>(record.key));
  drop_group(key.group);
  if (!record.value) return {};
  TRY_ASSIGN(const auto value, protocol::decode_record<protocol::GroupMetadataValue>(*record.value));
  std::vector<ClassicMember> members;
  members.reserve(value.members.size());
  for (const auto& from : value.members) {
    ClassicMember& member = members.emplace_back();
    member.id = from.member_id.str();
    member.instance_id = owned(from.group_instance_id);
    member.client_id = from.client_id.str();
    member.client_host = from.client_host.str();
    member.session_timeout_ms = from.session_timeout;
    member.rebalance_timeout_ms = from.rebalance_timeout == -1 ? from.session_timeout : from.rebalance_timeout;
    member.protocols.push_back({owned(value.protocol).value_or(""), protocol::Blob::copy_of(from.subscription)});
    member.assignment = protocol::Blob::copy_of(from.assignment);
  }
  const auto timestamp = value.current_state_timestamp == kNoTimestamp ? std::nullopt : std::optional(value.current_state_timestamp);
  consumers_.erase(key.group);
  create_group(key.group, kNoTimestamp)
      ->restore(value.generation, value.protocol_type.str(), owned(value.protocol), owned(value.leader), timestamp, std::move(members));
  return {};
}

void GroupMachine::replay_marker(ProducerStamp producer, bool commit, Offset offset) {
  offsets_.end_transaction(producer.id, commit, offset);
}

void GroupMachine::on_loaded(Now now) {
  sweep_deadline_ = now.mono + config_.offsets_retention_check;
  consumers_.on_loaded(now);
  for (const auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members()) refresh_session(group, member, now);
    // The limit has shrunk: members get the chance to commit, then the last to come again are left out.
    if (group->members().size() > static_cast<size_t>(std::max(config_.max_size, 0))) prepare_rebalance(group, now);
  }
}

void GroupMachine::on_resigned() {
  constexpr auto kCode = static_cast<int16_t>(ErrorCode::kNotCoordinator);
  for (const auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group->members()) {
      protocol::JoinGroupResponse join;
      join.member_id = member_id;
      join.error_code = kCode;
      group->complete_join(member, std::move(join));
      protocol::SyncGroupResponse sync;
      sync.error_code = kCode;
      group->complete_sync(member, std::move(sync));
    }
  }
}

// ---- Reads and deletion of groups ----

void GroupMachine::add_to(GroupStats& stats) const {
  stats.totals += totals_;
  stats.offsets += offsets_.count();
  for (const auto& [id, group] : groups_) ++stats.classic_by_state[static_cast<size_t>(group->state())];
}

std::vector<protocol::ListGroupsResponse::ListedGroup> GroupMachine::list(const std::vector<std::string>& states,
                                                                          const std::vector<std::string>& types) const {
  std::vector<protocol::ListGroupsResponse::ListedGroup> listed;
  const auto passes = [](const std::vector<std::string>& filter, std::string_view value) {
    return filter.empty() || std::ranges::find(filter, lower(value)) != filter.end();
  };
  const auto add = [&](std::string_view id, std::string_view state, std::string_view protocol, std::string_view type) {
    if (!passes(states, state) || !passes(types, type)) return;
    auto& to = listed.emplace_back();
    to.group_id = id;
    to.protocol_type = protocol;
    to.group_state = state;
    to.group_type = type;
  };
  for (const auto& [id, group] : groups_) add(id, state_name(group->state()), group->protocol_type().value_or(""), "classic");
  for (const auto& [id, group] : consumers_.all()) add(id, group.state_name(), "consumer", "consumer");
  return listed;
}

protocol::DescribeGroupsResponse::DescribedGroup GroupMachine::describe(std::string_view id, int16_t api_version) const {
  protocol::DescribeGroupsResponse::DescribedGroup described;
  described.group_id = id;
  const GroupPtr group = find_group(id);
  if (!group) {
    described.group_state = state_name(ClassicState::kDead);
    if (api_version >= kDescribeNotFoundVersion) {
      described.error_code = static_cast<int16_t>(ErrorCode::kGroupIdNotFound);
      described.error_message =
          protocol::Text("Group " + std::string(id) + (consumers_.find(id) ? " is not a classic group." : " not found."));
    }
    return described;
  }
  const bool stable = group->in(ClassicState::kStable);
  const std::string protocol = group->protocol_name().value_or("");
  described.group_state = state_name(group->state());
  described.protocol_type = group->protocol_type().value_or("");
  if (stable) described.protocol_data = protocol;
  for (const auto& [member_id, member] : group->members()) {
    auto& to = described.members.emplace_back();
    to.member_id = member_id;
    if (member.instance_id) to.group_instance_id = protocol::Text(*member.instance_id);
    to.client_id = member.client_id;
    to.client_host = member.client_host;
    if (!stable) continue;
    to.member_metadata = member.metadata(protocol);
    to.member_assignment = member.assignment;
  }
  return described;
}

Decision<std::vector<protocol::DeleteGroupsResponse::DeletableGroupResult>> GroupMachine::delete_groups(
    const std::vector<std::string>& groups) {
  Decision<std::vector<protocol::DeleteGroupsResponse::DeletableGroupResult>> decision;
  for (const auto& id : groups) {
    auto& result = decision.response.emplace_back();
    result.group_id = id;
    const GroupPtr group = find_group(id);
    const ConsumerGroup* consumer = group ? nullptr : consumers_.find(id);
    ErrorCode code = ErrorCode::kNone;
    if (!group && !consumer) code = ErrorCode::kGroupIdNotFound;
    if ((group && !group->in(ClassicState::kEmpty)) || (consumer && !consumer->empty())) code = ErrorCode::kNonEmptyGroup;
    result.error_code = static_cast<int16_t>(code);
    if (code != ErrorCode::kNone) continue;
    forget_offsets(id, decision.writes.records);
    if (consumer) {
      append_group_tombstones(*consumer, decision.writes.records);
    } else {
      decision.writes.records.push_back(group_metadata_tombstone(id));
    }
  }
  return decision;
}

// ---- KIP-848 groups ----

Result<Decision<protocol::ConsumerGroupHeartbeatResponse>> GroupMachine::consumer_heartbeat(
    const Caller& caller, const protocol::ConsumerGroupHeartbeatRequest& request, Now now) {
  RecordList records;
  if (const GroupPtr classic = find_group(request.group_id)) {
    // An empty classic group makes room; one with members is not converted.
    if (!classic->in(ClassicState::kEmpty) || request.member_epoch != kJoinEpoch) {
      return fail(ErrorCode::kGroupIdNotFound, "Group " + request.group_id.str() + " is not a consumer group.");
    }
    records.push_back(group_metadata_tombstone(request.group_id));
  }
  return consumers_.heartbeat(caller, request, now, std::move(records));
}

protocol::ConsumerGroupDescribeResponse::DescribedGroup GroupMachine::describe_consumer(std::string_view id) const {
  if (const auto* group = consumers_.find(id)) return consumers_.describe(*group);
  protocol::ConsumerGroupDescribeResponse::DescribedGroup described;
  described.group_id = id;
  described.error_code = static_cast<int16_t>(ErrorCode::kGroupIdNotFound);
  described.error_message = protocol::Text("Group " + std::string(id) + (find_group(id) ? " is not a consumer group." : " not found."));
  return described;
}

}  // namespace samsa::coordinator
