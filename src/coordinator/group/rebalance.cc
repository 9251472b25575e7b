// The rebalance of a classic group: join phase, sync phase, and what heartbeats, leaving and deadlines do to them.
#include <algorithm>

#include "base/assert.h"
#include "coordinator/group/machine.h"

namespace samsa::coordinator {
namespace {

using protocol::LeaveGroupRequest;
using protocol::LeaveGroupResponse;
using protocol::SyncGroupResponse;

constexpr int32_t kLeastWaitMs = 100;

io::MonoTime deadline_in(Now now, int64_t ms) { return io::after(now.mono, std::chrono::milliseconds(ms)); }

SyncGroupResponse sync_error(ErrorCode code) {
  SyncGroupResponse response;
  response.error_code = static_cast<int16_t>(code);
  return response;
}

SyncGroupResponse sync_response(const ClassicGroup& group, const ClassicMember& member) {
  SyncGroupResponse response;
  if (group.protocol_type()) response.protocol_type = protocol::Text(*group.protocol_type());
  if (group.protocol_name()) response.protocol_name = protocol::Text(*group.protocol_name());
  response.assignment = member.assignment;
  return response;
}

bool differs(const protocol::NullableText& given, const std::optional<std::string>& present) {
  return given && present && given->view() != *present;
}

}  // namespace

// ---- Join phase ----

Writes GroupMachine::rebalance_or_complete(const GroupPtr& group, Now now) {
  return group->can_rebalance() ? prepare_rebalance(group, now) : maybe_complete_join(group, now);
}

Writes GroupMachine::prepare_rebalance(const GroupPtr& group, Now now) {
  if (group->in(ClassicState::kCompletingRebalance)) {
    for (auto& [id, member] : group->members()) member.assignment = {};
    propagate_assignment(group, ErrorCode::kRebalanceInProgress, now);
  }
  group->pending_sync.clear();
  group->sync_deadline = io::kNever;
  const bool initial = group->in(ClassicState::kEmpty);
  if (initial) {
    // More members are probably on their way.
    const int64_t delay = config_.initial_rebalance_delay.count();
    group->initial = ClassicGroup::InitialDelay{delay, std::max<int64_t>(group->rebalance_timeout_ms() - delay, 0)};
    group->join_deadline = deadline_in(now, delay);
    touch(group, group->join_deadline);
  }
  group->transition(ClassicState::kPreparingRebalance, now.wall_ms);
  if (initial) return {};
  if (group->all_joined()) return complete_join(group, now);
  group->initial.reset();
  group->join_deadline = deadline_in(now, group->rebalance_timeout_ms());
  touch(group, group->join_deadline);
  return {};
}

Writes GroupMachine::maybe_complete_join(const GroupPtr& group, Now now) {
  const bool waits = !group->in(ClassicState::kPreparingRebalance) || group->previous_state() == ClassicState::kEmpty;
  if (waits || !group->all_joined()) return {};
  return complete_join(group, now);
}

Writes GroupMachine::end_initial_delay(const GroupPtr& group, Now now) {
  const auto [delay, remaining] = *group->initial;
  if (!group->new_member_added || remaining == 0) return complete_join(group, now);
  group->new_member_added = false;
  const int64_t next = std::min<int64_t>(config_.initial_rebalance_delay.count(), remaining);
  group->initial = ClassicGroup::InitialDelay{next, std::max<int64_t>(remaining - delay, 0)};
  group->join_deadline = deadline_in(now, next);
  touch(group, group->join_deadline);
  return {};
}

Writes GroupMachine::complete_join(const GroupPtr& group, Now now) {
  group->join_deadline = io::kNever;
  group->initial.reset();
  std::vector<std::string> missing;
  for (const auto& [id, member] : group->members()) {
    if (!member.join && !member.is_static()) missing.push_back(id);
  }
  for (const auto& id : missing) group->remove(id);

  if (!group->elect_joined_leader() && !group->members().empty()) {
    // Only static members are left and none came again: they are given up by their sessions, one by one. Clients may have asked for a
    // timeout of nothing, and this must not go round and round until then.
    group->join_deadline = deadline_in(now, std::max(group->rebalance_timeout_ms(), kLeastWaitMs));
    touch(group, group->join_deadline);
    return {};
  }
  group->next_generation(now.wall_ms);
  if (!group->in(ClassicState::kEmpty)) {
    answer_joins(group, now);
    return {};
  }
  // Should this be lost, the last generation comes back at the next load and its members time out.
  Writes writes;
  writes.replayed = 0;
  writes.records.push_back(group_metadata_record(*group, nullptr));
  return writes;
}

void GroupMachine::answer_joins(const GroupPtr& group, Now now) {
  for (auto& [id, member] : group->members()) {
    if (member.join) group->complete_join(member, join_response(*group, member));
    refresh_session(group, member, now);
    member.is_new = false;
    group->pending_sync.insert(id);
  }
  group->sync_deadline = deadline_in(now, group->rebalance_timeout_ms());
  touch(group, group->sync_deadline);
}

// ---- Sync phase ----

Writes GroupMachine::sync(const Caller&, const protocol::SyncGroupRequest& request, SyncReply reply, Now now) {
  const GroupPtr group = find_group(request.group_id);
  ErrorCode code = group ? group->validate_member(request.member_id, request.group_instance_id) : ErrorCode::kUnknownMemberId;
  if (code == ErrorCode::kNone) {
    if (request.generation_id != group->generation()) {
      code = ErrorCode::kIllegalGeneration;
    } else if (differs(request.protocol_type, group->protocol_type()) || differs(request.protocol_name, group->protocol_name())) {
      code = ErrorCode::kInconsistentGroupProtocol;
    } else if (group->in(ClassicState::kPreparingRebalance)) {
      code = ErrorCode::kRebalanceInProgress;
    }
  }
  if (code != ErrorCode::kNone) {
    reply.resolve(sync_error(code));
    return {};
  }
  ClassicMember& member = *group->member(request.member_id);
  synced(group, request.member_id);
  if (group->in(ClassicState::kStable)) {
    reply.resolve(sync_response(*group, member));
    return {};
  }
  group->park_sync(member, std::move(reply));
  return group->is_leader(member.id) ? store_assignment(group, request) : Writes{};
}

void GroupMachine::synced(const GroupPtr& group, std::string_view member) {
  if (const auto found = group->pending_sync.find(member); found != group->pending_sync.end()) group->pending_sync.erase(found);
  if (group->pending_sync.empty()) group->sync_deadline = io::kNever;
}

// The leader's assignment: everybody gets theirs once it is committed.
Writes GroupMachine::store_assignment(const GroupPtr& group, const protocol::SyncGroupRequest& request) {
  auto assignments = std::make_shared<Assignments>();
  for (const auto& given : request.assignments) {
    assignments->insert_or_assign(given.member_id.str(), protocol::Blob::copy_of(given.assignment));
  }
  Writes writes;
  writes.replayed = 0;
  writes.records.push_back(group_metadata_record(*group, assignments.get()));
  writes.on_committed = [this, group, assignments, write = ++group->assignment_write](const WriteOutcome& outcome, Now now) {
    // The group may have gone on while the record was on its way, or the leader may have sent another assignment, which then is the one
    // in the log.
    if (!group->in(ClassicState::kCompletingRebalance) || group->assignment_write != write) return;
    for (auto& [id, member] : group->members()) {
      const auto found = assignments->find(id);
      member.assignment = outcome.result && found != assignments->end() ? found->second : protocol::Blob{};
    }
    propagate_assignment(group, outcome.result ? ErrorCode::kNone : outcome.result.error().code, now);
    if (outcome.result) {
      ++totals_.completed_rebalances;
      group->transition(ClassicState::kStable, now.wall_ms);
    } else {
      rebalance_or_complete(group, now);
    }
  };
  return writes;
}

void GroupMachine::propagate_assignment(const GroupPtr& group, ErrorCode error, Now now) {
  for (auto& [id, member] : group->members()) {
    auto response = error == ErrorCode::kNone ? sync_response(*group, member) : sync_error(error);
    // Its session did not run while it waited.
    if (group->complete_sync(member, std::move(response))) refresh_session(group, member, now);
  }
}

Writes GroupMachine::expire_sync(const GroupPtr& group, Now now) {
  group->sync_deadline = io::kNever;
  const bool synchronizing = group->in(ClassicState::kCompletingRebalance) || group->in(ClassicState::kStable);
  if (!synchronizing || group->pending_sync.empty()) return {};
  const auto missing = group->pending_sync;
  for (const auto& id : missing) group->remove(id);
  return prepare_rebalance(group, now);
}

// ---- Sessions ----

void GroupMachine::refresh_session(const GroupPtr& group, ClassicMember& member, Now now) {
  refresh_session(group, member, member.session_timeout_ms, now);
}

void GroupMachine::refresh_session(const GroupPtr& group, ClassicMember& member, int64_t timeout_ms, Now now) {
  member.session_deadline = deadline_in(now, timeout_ms);
  touch(group, member.session_deadline);
}

ErrorCode GroupMachine::heartbeat(const protocol::HeartbeatRequest& request, Now now) {
  const GroupPtr group = find_group(request.group_id);
  if (!group) return ErrorCode::kUnknownMemberId;
  if (const auto code = group->validate_member(request.member_id, request.group_instance_id); code != ErrorCode::kNone) return code;
  if (request.generation_id != group->generation()) return ErrorCode::kIllegalGeneration;
  if (group->in(ClassicState::kEmpty)) return ErrorCode::kUnknownMemberId;
  refresh_session(group, *group->member(request.member_id), now);
  return group->in(ClassicState::kPreparingRebalance) ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone;
}

Writes GroupMachine::expire_member(const GroupPtr& group, const std::string& id, Now now) {
  if (group->is_pending(id)) {
    group->remove(id);
    if (group->in(ClassicState::kPreparingRebalance) && group->all_joined()) return complete_join(group, now);
    return {};
  }
  ClassicMember& member = *group->member(id);
  member.session_deadline = io::kNever;
  // Who waits for us needs no heartbeat, unless it never was part of a generation.
  if (!member.is_new && (member.join || member.sync)) return {};
  return remove_member(group, id, now);
}

Writes GroupMachine::remove_member(const GroupPtr& group, const std::string& id, Now now) {
  if (ClassicMember* member = group->member(id)) {
    protocol::JoinGroupResponse gone;
    gone.error_code = static_cast<int16_t>(ErrorCode::kUnknownMemberId);
    group->complete_join(*member, std::move(gone));
  }
  group->remove(id);
  if (group->in(ClassicState::kStable) || group->in(ClassicState::kCompletingRebalance)) return rebalance_or_complete(group, now);
  if (group->in(ClassicState::kPreparingRebalance) && group->all_joined()) return complete_join(group, now);
  return {};
}

// ---- Leaving ----

Result<Decision<LeaveGroupResponse>> GroupMachine::leave(std::string_view group_id,
                                                         const std::vector<LeaveGroupRequest::MemberIdentity>& members, Now now) {
  const GroupPtr group = find_group(group_id);
  if (!group) return fail(ErrorCode::kUnknownMemberId);
  Decision<LeaveGroupResponse> decision;
  bool any = false;
  for (const auto& leaving : members) {
    auto& answer = decision.response.members.emplace_back();
    answer.member_id = leaving.member_id.str();
    if (leaving.group_instance_id) answer.group_instance_id = protocol::Text(leaving.group_instance_id->str());
    std::string id = leaving.member_id.str();
    ErrorCode code = ErrorCode::kNone;
    if (id.empty()) {
      // An administrator removes a static member, whatever its id is now.
      const auto present = leaving.group_instance_id ? group->static_member(*leaving.group_instance_id) : std::nullopt;
      code = present ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
      id = present.value_or("");
    } else if (!group->is_pending(id)) {
      code = group->validate_member(id, leaving.group_instance_id);
    }
    answer.error_code = static_cast<int16_t>(code);
    if (code != ErrorCode::kNone) continue;
    any = true;
    if (ClassicMember* member = group->member(id)) {
      protocol::JoinGroupResponse gone;
      gone.error_code = static_cast<int16_t>(ErrorCode::kUnknownMemberId);
      group->complete_join(*member, std::move(gone));
    }
    group->remove(id);
  }
  if (!any) return decision;
  if (group->in(ClassicState::kStable) || group->in(ClassicState::kCompletingRebalance)) {
    decision.writes = rebalance_or_complete(group, now);
  } else if (group->in(ClassicState::kPreparingRebalance)) {
    decision.writes = maybe_complete_join(group, now);
  }
  return decision;
}

}  // namespace samsa::coordinator
