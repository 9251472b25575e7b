#include "coordinator/group/consumer_groups.h"

#include <algorithm>
#include <charconv>

#include "coordinator/group/consumer_records.h"
#include "coordinator/group/metadata_hash.h"
#include "metadata/image.h"

namespace samsa::coordinator {
namespace {

using Members = std::map<std::string, ConsumerMember, std::less<>>;

constexpr int16_t kClientMadeIdsVersion = 1;

std::optional<std::string> owned(const protocol::NullableText& text) { return text ? std::optional(text->str()) : std::nullopt; }

std::optional<PartitionSet> owned_partitions(const protocol::ConsumerGroupHeartbeatRequest& request) {
  if (!request.topic_partitions) return std::nullopt;
  PartitionSet set;
  for (const auto& topic : *request.topic_partitions) set[topic.topic_id].insert(topic.partitions.begin(), topic.partitions.end());
  return set;
}

bool is_subset(const std::optional<PartitionSet>& part, const EpochSet& whole) {
  if (!part) return false;
  for (const auto& [topic, partitions] : *part) {
    for (const PartitionIndex partition : partitions) {
      if (!contains(whole, topic, partition)) return false;
    }
  }
  return true;
}

Result<void> check_epoch(const ConsumerMember& member, const protocol::ConsumerGroupHeartbeatRequest& request) {
  if (request.member_epoch == kJoinEpoch || request.member_epoch == member.epoch) return {};
  // The answer with the new epoch was lost.
  const bool behind = request.member_epoch < member.epoch && request.member_epoch == member.previous_epoch;
  if (behind && is_subset(owned_partitions(request), member.assigned)) return {};
  return fail(ErrorCode::kFencedMemberEpoch, "The member's epoch is not the group's. It must give up its partitions and join again.");
}

template <class To>
void put_partitions(const PartitionSet& from, To& to) {
  for (const auto& [topic, partitions] : from) {
    auto& entry = to.emplace_back();
    entry.topic_id = topic;
    entry.partitions.assign(partitions.begin(), partitions.end());
  }
}

std::set<std::string, std::less<>> subscribed(const Members& members) {
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members) topics.insert(member.subscribed_topics.begin(), member.subscribed_topics.end());
  return topics;
}

}  // namespace

const ConsumerGroup* ConsumerGroups::find(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

// ---- Heartbeat ----

Result<void> ConsumerGroups::validate(const Caller& caller, const Request& request) const {
  const auto invalid = [](const char* text) { return fail(ErrorCode::kInvalidRequest, text); };
  if (request.group_id.empty()) return invalid("GroupId can't be empty.");
  if (request.instance_id && request.instance_id->empty()) return invalid("InstanceId can't be empty.");
  if (request.rack_id && request.rack_id->empty()) return invalid("RackId can't be empty.");
  if (request.member_id.empty() && (request.member_epoch != kJoinEpoch || caller.api_version >= kClientMadeIdsVersion)) {
    return invalid("MemberId can't be empty.");
  }
  if (request.subscribed_topic_regex && !request.subscribed_topic_regex->empty()) {
    return invalid("SubscribedTopicRegex is not supported.");
  }
  if (request.member_epoch == kJoinEpoch) {
    if (request.rebalance_timeout_ms == -1) return invalid("RebalanceTimeoutMs must be provided in first request.");
    if (!request.topic_partitions || !request.topic_partitions->empty()) {
      return invalid("TopicPartitions must be empty when (re-)joining.");
    }
    if (!request.subscribed_topic_names) return invalid("SubscribedTopicNames must be set in first request.");
  } else if (request.member_epoch == kStaticLeaveEpoch) {
    if (!request.instance_id) return invalid("InstanceId can't be null.");
  } else if (request.member_epoch < kStaticLeaveEpoch) {
    return invalid("MemberEpoch is invalid.");
  }
  if (request.server_assignor && !is_known_assignor(*request.server_assignor)) {
    return fail(ErrorCode::kUnsupportedAssignor,
                "ServerAssignor " + request.server_assignor->str() + " is not supported. Supported assignors: uniform, range.");
  }
  return {};
}

Result<Decision<ConsumerGroups::Response>> ConsumerGroups::heartbeat(const Caller& caller, const Request& request, Now now,
                                                                     RecordList records) {
  TRY(validate(caller, request));
  if (request.member_epoch < kJoinEpoch) return leave(request);
  const bool joining = request.member_epoch == kJoinEpoch;
  const ConsumerGroup fresh(request.group_id.str());
  const ConsumerGroup* group = find(request.group_id);
  if (!group) {
    if (!joining) return fail(ErrorCode::kGroupIdNotFound, "Group " + request.group_id.str() + " not found.");
    group = &fresh;
  }
  const std::string id = request.member_id.empty() ? random_.uuid().to_string() : request.member_id.str();
  if (!group->member(id) && group->members().size() >= static_cast<size_t>(std::max(environment_.config.consumer_max_size, 0))) {
    return fail(ErrorCode::kGroupMaxSizeReached, "The consumer group has reached its maximum size.");
  }
  std::optional<std::string> replaced;
  TRY_ASSIGN(ConsumerMember before, joining_member(*group, id, request, replaced));
  Step step{*group, before, before, replaced, std::move(records), group->epoch};
  if (replaced) replace_records(step);
  update_member(step, caller, request);
  update_group(step, now);
  int32_t target_epoch = 0;
  const PartitionSet target = update_target(step, now, target_epoch);

  const auto owned = owned_partitions(request);
  const ConsumerMember updated = std::move(step.after);
  ConsumerMember next = reconcile(*group, updated, target_epoch, target, owned ? &*owned : nullptr);
  if (next != updated) {
    step.records.push_back(consumer_current_record(group->id(), next));
    set_rebalance_deadline(group->id(), next, now);
  }
  refresh_session(group->id(), id, now);

  Decision<Response> decision;
  decision.writes.records = std::move(step.records);
  Response& response = decision.response;
  response.member_id = protocol::Text(id);
  response.member_epoch = next.epoch;
  response.heartbeat_interval_ms =
      static_cast<int32_t>(setting(group->id(), "consumer.heartbeat.interval.ms", environment_.config.consumer_heartbeat_interval).count());
  const bool full = joining || (request.rebalance_timeout_ms != -1 && request.subscribed_topic_names && request.topic_partitions);
  const PartitionSet assigned = without_epochs(next.assigned);
  if (full || assigned != without_epochs(before.assigned)) {
    response.assignment.emplace();
    put_partitions(assigned, response.assignment->topic_partitions);
  }
  return decision;
}

// The member as the group has it, or a new one; a static one that takes the place of another id.
Result<ConsumerMember> ConsumerGroups::joining_member(const ConsumerGroup& group, const std::string& id, const Request& request,
                                                      std::optional<std::string>& replaced) const {
  const bool joining = request.member_epoch == kJoinEpoch;
  const ConsumerMember* present = group.member(id);
  if (request.instance_id) {
    const ConsumerMember* holder = group.static_member(*request.instance_id);
    if (joining && holder && holder->id != id) {
      if (holder->epoch != kStaticLeaveEpoch) {
        return fail(ErrorCode::kUnreleasedInstanceId, "The instance id is in use by another member that has not left.");
      }
      replaced = holder->id;
      ConsumerMember member = *holder;
      member.id = id;
      member.epoch = member.previous_epoch = 0;
      return member;
    }
    if (!joining) {
      if (!holder) return fail(ErrorCode::kUnknownMemberId, "The instance id is unknown.");
      if (holder->id != id) return fail(ErrorCode::kFencedInstanceId, "The instance id belongs to another member.");
    }
    present = holder ? holder : present;
  }
  if (!present) {
    if (!joining) return fail(ErrorCode::kUnknownMemberId, "Member " + id + " is not a member of group " + group.id() + ".");
    ConsumerMember member;
    member.id = id;
    return member;
  }
  TRY(check_epoch(*present, request));
  return *present;
}

void ConsumerGroups::replace_records(Step& step) const {
  const std::string& group = step.group.id();
  append_member_tombstones(group, *step.replaced, step.records);
  step.records.push_back(consumer_member_record(group, step.before));
  const auto target = step.group.target().find(*step.replaced);
  step.records.push_back(
      consumer_target_record(group, step.before.id, target == step.group.target().end() ? PartitionSet{} : target->second));
  step.records.push_back(consumer_current_record(group, step.before));
}

// What the request says of the member; null fields mean "as before".
void ConsumerGroups::update_member(Step& step, const Caller& caller, const Request& request) const {
  ConsumerMember& member = step.after;
  if (request.instance_id) member.instance_id = owned(request.instance_id);
  if (request.rack_id) member.rack_id = owned(request.rack_id);
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.server_assignor) member.server_assignor = owned(request.server_assignor);
  if (request.subscribed_topic_names) {
    member.subscribed_topics.clear();
    for (const auto& topic : *request.subscribed_topic_names) member.subscribed_topics.insert(topic.str());
  }
  member.client_id = caller.client_id;
  member.client_host = caller.client_host;
  if (member != step.before) step.records.push_back(consumer_member_record(step.group.id(), member));
}

Members ConsumerGroups::members_after(const Step& step) const {
  Members members = step.group.members();
  if (step.replaced) members.erase(*step.replaced);
  members.insert_or_assign(step.after.id, step.after);
  return members;
}

int64_t ConsumerGroups::hash_of(const Members& members) const {
  return environment_.image ? subscription_hash(subscribed(members), *environment_.image) : 0;
}

// A new epoch where subscriptions or the topics behind them have changed.
void ConsumerGroups::update_group(Step& step, Now) {
  const std::string& id = step.group.id();
  const bool is_new = !step.group.member(step.after.id) && !step.replaced;
  bool bump = step.after.subscribed_topics != step.before.subscribed_topics || (is_new && step.group.empty());
  uint64_t& checked = checked_images_[id];
  if (!bump && checked == environment_.image_version) return;
  const int64_t hash = hash_of(members_after(step));
  if (!bump && hash == step.group.metadata_hash) {
    checked = environment_.image_version;
    return;
  }
  ++step.group_epoch;
  step.records.push_back(consumer_group_record(id, step.group_epoch, hash));
}

// Computes the target anew where the group's epoch is ahead of it. Gives this member's part.
PartitionSet ConsumerGroups::update_target(Step& step, Now now, int32_t& target_epoch) const {
  const auto part_of = [&](const TargetAssignment& target, const std::string& member) {
    const auto found = target.find(member);
    return found == target.end() ? PartitionSet{} : found->second;
  };
  const TargetAssignment& present = step.group.target();
  if (step.group_epoch <= step.group.assignment_epoch) {
    target_epoch = step.group.assignment_epoch;
    return part_of(present, step.replaced.value_or(step.after.id));
  }
  const Members members = members_after(step);
  AssignmentProblem problem;
  for (const auto& [id, member] : members) {
    auto& topics = problem.subscriptions[id];
    for (const auto& name : member.subscribed_topics) {
      const auto* topic = environment_.image ? environment_.image->topic(name) : nullptr;
      if (!topic) continue;
      topics.insert(topic->id);
      problem.partitions.emplace(topic->id, topic->partition_count());
    }
    problem.present[id] = part_of(present, id == step.after.id ? step.replaced.value_or(id) : id);
  }
  const TargetAssignment target = assign(ConsumerGroup::preferred_assignor(members).value_or(std::string(kUniformAssignor)), problem);
  for (const auto& [id, partitions] : target) {
    const auto old = present.find(id);
    if (old == present.end() || old->second != partitions) {
      step.records.push_back(consumer_target_record(step.group.id(), id, partitions));
    }
  }
  target_epoch = step.group_epoch;
  step.records.push_back(consumer_target_epoch_record(step.group.id(), target_epoch, now.wall_ms));
  return part_of(target, step.after.id);
}

Result<Decision<ConsumerGroups::Response>> ConsumerGroups::leave(const Request& request) {
  const ConsumerGroup* group = find(request.group_id);
  if (!group) return fail(ErrorCode::kGroupIdNotFound, "Group " + request.group_id.str() + " not found.");
  const ConsumerMember* member = request.instance_id ? group->static_member(*request.instance_id) : group->member(request.member_id);
  if (!member) return fail(ErrorCode::kUnknownMemberId, "Member " + request.member_id.str() + " is not a member of the group.");
  if (member->id != request.member_id.view()) return fail(ErrorCode::kFencedInstanceId, "The instance id belongs to another member.");
  Decision<Response> decision;
  decision.response.member_id = protocol::Text(member->id);
  decision.response.member_epoch = request.member_epoch;
  if (request.member_epoch == kStaticLeaveEpoch) {
    ConsumerMember away = *member;
    away.epoch = kStaticLeaveEpoch;
    away.pending_revocation.clear();
    decision.writes.records.push_back(consumer_current_record(group->id(), away));
  } else {
    decision.writes = fence(*group, member->id);
  }
  return decision;
}

// Removes a member; the group goes on without it.
Writes ConsumerGroups::fence(const ConsumerGroup& group, const std::string& member) {
  Writes writes;
  append_member_tombstones(group.id(), member, writes.records);
  Members rest = group.members();
  rest.erase(member);
  writes.records.push_back(consumer_group_record(group.id(), group.epoch + 1, hash_of(rest)));
  return writes;
}

protocol::ConsumerGroupDescribeResponse::DescribedGroup ConsumerGroups::describe(const ConsumerGroup& group) const {
  protocol::ConsumerGroupDescribeResponse::DescribedGroup described;
  described.group_id = group.id();
  described.group_state = group.state_name();
  described.group_epoch = group.epoch;
  described.assignment_epoch = group.assignment_epoch;
  described.assignor_name = ConsumerGroup::preferred_assignor(group.members()).value_or(std::string(kUniformAssignor));
  const auto fill = [&](const PartitionSet& from, auto& to) {
    for (const auto& [id, partitions] : from) {
      const auto* topic = environment_.image ? environment_.image->topic(id) : nullptr;
      if (!topic) continue;
      auto& entry = to.topic_partitions.emplace_back();
      entry.topic_id = id;
      entry.topic_name = topic->name;
      entry.partitions.assign(partitions.begin(), partitions.end());
    }
  };
  for (const auto& [id, member] : group.members()) {
    auto& to = described.members.emplace_back();
    to.member_id = id;
    if (member.instance_id) to.instance_id = protocol::Text(*member.instance_id);
    if (member.rack_id) to.rack_id = protocol::Text(*member.rack_id);
    to.member_epoch = member.epoch;
    to.client_id = member.client_id;
    to.client_host = member.client_host;
    for (const auto& topic : member.subscribed_topics) to.subscribed_topic_names.emplace_back(topic);
    if (member.subscribed_regex) to.subscribed_topic_regex = protocol::Text(*member.subscribed_regex);
    fill(without_epochs(member.assigned), to.assignment);
    if (const auto target = group.target().find(id); target != group.target().end()) fill(target->second, to.target_assignment);
    to.member_type = 1;
  }
  return described;
}

// ---- Deadlines ----

std::chrono::milliseconds ConsumerGroups::setting(std::string_view group, std::string_view name, std::chrono::milliseconds standard) const {
  if (!environment_.image) return standard;
  const std::string* text = environment_.image->config(metadata::ConfigType::kGroup, group, name);
  int64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return standard;
  return std::chrono::milliseconds(value);
}

void ConsumerGroups::arm(const MemberKey& key, Deadlines& deadlines) {
  const io::MonoTime earliest = std::min(deadlines.session, deadlines.rebalance);
  if (earliest >= deadlines.armed) return;  // Firing too early costs one look.
  armed_.erase({deadlines.armed, key});
  deadlines.armed = earliest;
  armed_.emplace(earliest, key);
}

void ConsumerGroups::refresh_session(const std::string& group, const std::string& member, Now now) {
  const MemberKey key{group, member};
  Deadlines& deadlines = deadlines_[key];
  deadlines.session = io::after(now.mono, setting(group, "consumer.session.timeout.ms", environment_.config.consumer_session_timeout));
  arm(key, deadlines);
}

void ConsumerGroups::set_rebalance_deadline(const std::string& group, const ConsumerMember& member, Now now) {
  const MemberKey key{group, member.id};
  Deadlines& deadlines = deadlines_[key];
  deadlines.rebalance = io::kNever;
  if (member.state != MemberState::kUnrevoked) return;
  deadlines.rebalance = io::after(now.mono, std::chrono::milliseconds(member.rebalance_timeout_ms));
  deadlines.rebalance_epoch = member.epoch;
  arm(key, deadlines);
}

void ConsumerGroups::forget(const MemberKey& key) {
  const auto found = deadlines_.find(key);
  if (found == deadlines_.end()) return;
  armed_.erase({found->second.armed, key});
  deadlines_.erase(found);
}

void ConsumerGroups::on_loaded(Now now) {
  for (const auto& [id, group] : groups_) {
    for (const auto& [member_id, member] : group.members()) {
      refresh_session(id, member_id, now);
      set_rebalance_deadline(id, member, now);
    }
  }
}

Writes ConsumerGroups::on_deadline(Now now) {
  while (!armed_.empty() && armed_.begin()->first <= now.mono) {
    const MemberKey key = armed_.begin()->second;
    Deadlines& deadlines = deadlines_.at(key);
    const ConsumerGroup* group = find(key.first);
    const ConsumerMember* member = group ? group->member(key.second) : nullptr;
    if (!member) {
      forget(key);
      continue;
    }
    const bool silent = deadlines.session <= now.mono;
    const bool holds_on = deadlines.rebalance <= now.mono && member->epoch == deadlines.rebalance_epoch;
    if (silent || holds_on) {
      // Should the write fail, the member is looked at again after another session.
      deadlines.rebalance = io::kNever;
      refresh_session(key.first, key.second, now);
      armed_.erase({deadlines.armed, key});
      deadlines.armed = io::kNever;
      arm(key, deadlines);
      return fence(*group, key.second);
    }
    if (deadlines.rebalance <= now.mono) deadlines.rebalance = io::kNever;
    armed_.erase({deadlines.armed, key});
    deadlines.armed = io::kNever;
    arm(key, deadlines);
  }
  return {};
}

}  // namespace samsa::coordinator
