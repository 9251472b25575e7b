// OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete and the expiry of committed offsets.
#include <algorithm>

#include "coordinator/group/consumer_records.h"
#include "base/mutant.h"
#include "coordinator/group/machine.h"
#include "metadata/image.h"

namespace samsa::coordinator {
namespace {

constexpr int16_t kGroupNotFoundVersion = 9;
constexpr int64_t kDefaultRetention = -1;
constexpr size_t kSweepRecords = 1000;  // Tombstones per batch, about.

// Length as Java counts it: UTF-16 code units.
size_t utf16_length(std::string_view utf8) {
  size_t units = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

bool expired(const CommittedOffset& value, std::optional<TimestampMs> since, Now now, std::chrono::milliseconds retention) {
  if (value.expire_timestamp) return now.wall_ms >= *value.expire_timestamp;
  return now.wall_ms - since.value_or(value.commit_timestamp) >= retention.count();
}

}  // namespace

// ---- Commit ----

Result<GroupMachine::GroupPtr> GroupMachine::check_commit(std::string_view group_id, std::string_view member,
                                                          const protocol::NullableText& instance, int32_t generation, bool transactional,
                                                          int16_t api_version) const {
  const GroupPtr group = find_group(group_id);
  if (const ConsumerGroup* consumer = group ? nullptr : consumers_.find(group_id)) {
    TRY(check_consumer_commit(*consumer, member, instance, generation, transactional, api_version));
    return nullptr;
  }
  if (!group) {
    // Generation -1: somebody who does not use the group's membership; the commit makes the group.
    if (generation < 0) return nullptr;
    return fail(!transactional && api_version >= kGroupNotFoundVersion ? ErrorCode::kGroupIdNotFound : ErrorCode::kIllegalGeneration);
  }
  if (generation < 0 && group->in(ClassicState::kEmpty)) return group;
  if (generation >= 0 || !member.empty() || instance) {
    if (SAMSA_MUTANT("forget-generation")) return group;
    if (const auto code = group->validate_member(member, instance); code != ErrorCode::kNone) return fail(code);
    if (generation != group->generation()) return fail(ErrorCode::kIllegalGeneration);
  } else if (!transactional && !group->in(ClassicState::kEmpty)) {
    return fail(ErrorCode::kUnknownMemberId);
  }
  if (!transactional && group->in(ClassicState::kCompletingRebalance)) return fail(ErrorCode::kRebalanceInProgress);
  return group;
}

Result<void> GroupMachine::check_consumer_commit(const ConsumerGroup& group, std::string_view member_id,
                                                 const protocol::NullableText& instance, int32_t epoch, bool transactional,
                                                 int16_t api_version) const {
  if (epoch < 0 && group.empty()) return {};
  if (transactional && epoch < 0 && member_id.empty() && !instance) return {};  // Producers before KIP-447 say nothing of the group.
  const ConsumerMember* member = group.member(member_id);
  if (!member) return fail(ErrorCode::kUnknownMemberId);
  if (!transactional && api_version < kGroupNotFoundVersion) return fail(ErrorCode::kUnsupportedVersion);
  if (epoch > member->epoch || epoch < 0) return fail(transactional ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch);
  return {};  // A smaller one is looked at for each partition.
}

bool GroupMachine::behind_for(const ConsumerGroup* group, std::string_view member_id, int32_t epoch, std::string_view topic,
                              PartitionIndex partition) const {
  const ConsumerMember* member = group ? group->member(member_id) : nullptr;
  if (!member || epoch < 0 || epoch >= member->epoch) return false;
  const auto* image = environment_->image ? environment_->image->topic(topic) : nullptr;
  const auto held = image ? member->assigned.find(image->id) : member->assigned.end();
  if (held == member->assigned.end()) return true;
  const auto assigned_in = held->second.find(partition);
  return assigned_in == held->second.end() || epoch < assigned_in->second;
}

template <class Response, class Request, class Stamp>
void GroupMachine::write_offsets(const Request& request, Now now, Decision<Response>& decision, Stamp stamp) {
  const ConsumerGroup* consumer = consumers_.find(request.group_id);
  const bool transactional = decision.writes.producer.id != kNoProducerId;
  for (const auto& topic : request.topics) {
    auto& answered = decision.response.topics.emplace_back();
    answered.name = topic.name.str();
    answered.topic_id = topic.topic_id;
    for (const auto& partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      if (partition.committed_metadata && utf16_length(*partition.committed_metadata) > config_.offset_metadata_max_size) {
        answer.error_code = static_cast<int16_t>(ErrorCode::kOffsetMetadataTooLarge);
        continue;
      }
      if (behind_for(consumer, request.member_id, request.generation_id_or_member_epoch, topic.name, partition.partition_index)) {
        answer.error_code = static_cast<int16_t>(transactional ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch);
        continue;
      }
      CommittedOffset value;
      value.offset = partition.committed_offset;
      value.leader_epoch = partition.committed_leader_epoch;
      if (partition.committed_metadata) value.metadata = partition.committed_metadata->str();
      value.commit_timestamp = now.wall_ms;
      value.topic_id = topic.topic_id;
      stamp(value);
      decision.writes.records.push_back(offset_commit_record(request.group_id, topic.name, partition.partition_index, value));
      ++totals_.offset_commits;
    }
  }
}

Result<Decision<protocol::OffsetCommitResponse>> GroupMachine::commit(const Caller& caller, const protocol::OffsetCommitRequest& request,
                                                                      Now now) {
  TRY_ASSIGN(const GroupPtr group, check_commit(request.group_id, request.member_id, request.group_instance_id,
                                                request.generation_id_or_member_epoch, false, caller.api_version));
  if (group && (group->in(ClassicState::kStable) || group->in(ClassicState::kPreparingRebalance))) {
    if (ClassicMember* member = group->member(request.member_id)) refresh_session(group, *member, now);
  }
  Decision<protocol::OffsetCommitResponse> decision;
  write_offsets(request, now, decision, [&](CommittedOffset& value) {
    if (request.retention_time_ms == kDefaultRetention) return;
    TimestampMs expires = 0;
    value.expire_timestamp = __builtin_add_overflow(now.wall_ms, request.retention_time_ms, &expires) ? INT64_MAX : expires;
  });
  return decision;
}

Result<Decision<protocol::TxnOffsetCommitResponse>> GroupMachine::commit_in_transaction(const protocol::TxnOffsetCommitRequest& request,
                                                                                        Now now) {
  TRY(check_commit(request.group_id, request.member_id, request.group_instance_id, request.generation_id_or_member_epoch, true, 0));
  Decision<protocol::TxnOffsetCommitResponse> decision;
  decision.writes.producer = {request.producer_id, request.producer_epoch};
  write_offsets(request, now, decision, [](CommittedOffset&) {});
  return decision;
}

// ---- Fetch ----

protocol::OffsetFetchResponse::OffsetFetchResponseGroup GroupMachine::fetch(
    const protocol::OffsetFetchRequest::OffsetFetchRequestGroup& request, bool require_stable, Offset high_watermark) const {
  protocol::OffsetFetchResponse::OffsetFetchResponseGroup response;
  response.group_id = request.group_id.str();
  if (const ErrorCode code = check_fetch(request); code != ErrorCode::kNone) {
    response.error_code = static_cast<int16_t>(code);
    return response;
  }
  const auto answer = [&](auto& to, std::string_view topic, PartitionIndex partition, const CommittedOffset* value) {
    to.partition_index = partition;
    to.committed_offset = -1;
    to.committed_leader_epoch = -1;
    to.metadata = protocol::Text();
    if (require_stable && offsets_.has_pending(request.group_id, topic, partition)) {
      to.error_code = static_cast<int16_t>(ErrorCode::kUnstableOffsetCommit);
    } else if (value) {
      to.committed_offset = value->offset;
      to.committed_leader_epoch = value->leader_epoch;
      to.metadata = protocol::Text(value->metadata);
    }
  };
  if (!request.topics) {
    offsets_.for_each(request.group_id, high_watermark, [&](const TopicPartition& tp, const CommittedOffset& value) {
      if (response.topics.empty() || response.topics.back().name.view() != tp.topic) response.topics.emplace_back().name = tp.topic;
      answer(response.topics.back().partitions.emplace_back(), tp.topic, tp.partition, &value);
    });
    return response;
  }
  for (const auto& topic : *request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name.str();
    answered.topic_id = topic.topic_id;
    for (const PartitionIndex partition : topic.partition_indexes) {
      const auto* value = offsets_.committed(request.group_id, topic.name, partition, high_watermark);
      // An offset of a topic of the same name that is gone.
      if (value && !topic.topic_id.is_zero() && !value->topic_id.is_zero() && value->topic_id != topic.topic_id) value = nullptr;
      answer(answered.partitions.emplace_back(), topic.name, partition, value);
    }
  }
  return response;
}

// A member of a KIP-848 group that says who it is must be up to date.
ErrorCode GroupMachine::check_fetch(const protocol::OffsetFetchRequest::OffsetFetchRequestGroup& request) const {
  const ConsumerGroup* group = consumers_.find(request.group_id);
  if (!group || !request.member_id || request.member_epoch < 0) return ErrorCode::kNone;
  const ConsumerMember* member = group->member(*request.member_id);
  if (!member) return ErrorCode::kUnknownMemberId;
  return member->epoch == request.member_epoch ? ErrorCode::kNone : ErrorCode::kStaleMemberEpoch;
}

// ---- Deletion and expiry ----

Result<Decision<protocol::OffsetDeleteResponse>> GroupMachine::delete_offsets(const protocol::OffsetDeleteRequest& request) {
  const GroupPtr group = find_group(request.group_id);
  const ConsumerGroup* consumer = group ? nullptr : consumers_.find(request.group_id);
  if (!group && !consumer) return fail(ErrorCode::kGroupIdNotFound);
  if (group && !group->in(ClassicState::kEmpty) && !group->uses_consumer_protocol()) return fail(ErrorCode::kNonEmptyGroup);
  Decision<protocol::OffsetDeleteResponse> decision;
  for (const auto& topic : request.topics) {
    auto& answered = decision.response.topics.emplace_back();
    answered.name = topic.name.str();
    const bool subscribed = group ? group->is_subscribed(topic.name) : consumer->is_subscribed(topic.name);
    for (const auto& partition : topic.partitions) {
      auto& answer = answered.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      if (subscribed) {
        answer.error_code = static_cast<int16_t>(ErrorCode::kGroupSubscribedToTopic);
      } else if (offsets_.latest(request.group_id, topic.name, partition.partition_index)) {
        decision.writes.records.push_back(offset_commit_tombstone(request.group_id, topic.name, partition.partition_index));
        ++totals_.offset_deletions;
      }
    }
  }
  return decision;
}

// Tombstones for all that a group committed, in open transactions too.
void GroupMachine::forget_offsets(std::string_view group, RecordList& records) const {
  std::set<TopicPartition> known;
  offsets_.for_each(group, INT64_MAX, [&](const TopicPartition& tp, const CommittedOffset&) { known.insert(tp); });
  offsets_.for_each_pending(group, [&](const TopicPartition& tp) { known.insert(tp); });
  for (const auto& tp : known) records.push_back(offset_commit_tombstone(group, tp.topic, tp.partition));
}

Writes GroupMachine::delete_topics(const std::vector<std::string>& topics) {
  const std::set<std::string_view> gone(topics.begin(), topics.end());
  std::map<std::string_view, std::set<TopicPartition>> found;
  const auto collect = [&](const std::string& group) {
    const auto note = [&](const TopicPartition& tp) {
      if (gone.contains(tp.topic)) found[group].insert(tp);
    };
    offsets_.for_each(group, INT64_MAX, [&](const TopicPartition& tp, const CommittedOffset&) { note(tp); });
    offsets_.for_each_pending(group, note);
  };
  offsets_.for_each_group(collect);
  offsets_.for_each_pending_group(collect);
  Writes writes;
  for (const auto& [group, partitions] : found) {
    for (const auto& tp : partitions) writes.records.push_back(offset_commit_tombstone(group, tp.topic, tp.partition));
  }
  return writes;
}

// One portion of the sweep that runs every offsets.retention.check.interval.ms.
Writes GroupMachine::sweep_some(Now now) {
  if (sweep_left_.empty()) {
    for (const auto& [id, group] : groups_) sweep_left_.push_back(id);
    for (const auto& [id, group] : consumers_.all()) sweep_left_.push_back(id);
    std::ranges::reverse(sweep_left_);
  }
  Writes writes;
  while (!sweep_left_.empty() && writes.records.size() < kSweepRecords) {
    expire_offsets(sweep_left_.back(), now, writes.records);
    sweep_left_.pop_back();
  }
  if (sweep_left_.empty()) sweep_deadline_ = now.mono + config_.offsets_retention_check;
  return writes;
}

void GroupMachine::expire_offsets(const std::string& id, Now now, RecordList& records) {
  const GroupPtr group = find_group(id);
  const ConsumerGroup* consumer = group ? nullptr : consumers_.find(id);
  if (!group && !consumer) return;
  const bool empty = group ? group->in(ClassicState::kEmpty) : consumer->empty();
  const bool simple = consumer || !group->protocol_type();
  const bool by_subscription = group && group->in(ClassicState::kStable) && group->uses_consumer_protocol() && group->subscribed_topics();
  bool all_expired = true;
  if (offsets_.has_offsets(id)) {
    // While a rebalance runs nobody knows what is in use.
    if (!simple && !empty && !by_subscription) return;
    const auto since = !simple && empty ? group->state_timestamp() : std::nullopt;
    offsets_.for_each(id, INT64_MAX, [&](const TopicPartition& tp, const CommittedOffset& value) {
      const bool goes = !(group ? group->is_subscribed(tp.topic) : consumer->is_subscribed(tp.topic)) &&
                        expired(value, since, now, config_.offsets_retention) && !offsets_.has_pending(id, tp.topic, tp.partition);
      if (goes) {
        records.push_back(offset_commit_tombstone(id, tp.topic, tp.partition));
        ++totals_.offset_expirations;
      }
      all_expired = all_expired && goes;
    });
  }
  // A group that only waits for a member it has given an id to is not forgotten.
  if (!all_expired || !empty || offsets_.has_open_transaction(id) || (group && !group->pending().empty())) return;
  if (consumer) {
    append_group_tombstones(*consumer, records);
  } else {
    records.push_back(group_metadata_tombstone(id));
  }
}

}  // namespace samsa::coordinator
