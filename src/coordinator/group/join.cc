// JoinGroup: who may join, new members and their ids, static members, members that come again.
#include <algorithm>

#include "base/assert.h"
#include "coordinator/group/consumer_records.h"
#include "coordinator/group/machine.h"

namespace samsa::coordinator {
namespace {

using protocol::JoinGroupResponse;

constexpr int16_t kMemberIdRequiredVersion = 4;
constexpr int16_t kSkipAssignmentVersion = 9;

JoinGroupResponse refused(ErrorCode code, std::string_view member = {}) {
  JoinGroupResponse response;
  response.error_code = static_cast<int16_t>(code);
  response.member_id = member;
  return response;
}

// Version 0 has no rebalance timeout: the session's counts.
int32_t rebalance_timeout(const protocol::JoinGroupRequest& request, int16_t version) {
  return version == 0 ? request.session_timeout_ms : request.rebalance_timeout_ms;
}

std::optional<std::string> owned(const protocol::NullableText& text) { return text ? std::optional(text->str()) : std::nullopt; }

}  // namespace

bool GroupMachine::accepts_joining(const ClassicGroup& group, std::string_view id) const {
  const auto found = group.members().find(id);
  const bool member = found != group.members().end();
  const auto limit = static_cast<size_t>(std::max(config_.max_size, 0));
  switch (group.state()) {
    case ClassicState::kPreparingRebalance:
      // Counts who waits, not who is listed: the limit may have shrunk, and the last to come again are then left out.
      return (member && found->second.join) || group.awaiting_join() < limit;
    case ClassicState::kCompletingRebalance:
    case ClassicState::kStable:
      return member || group.members().size() < limit;
    case ClassicState::kEmpty:
    case ClassicState::kDead:
      break;
  }
  return true;
}

JoinGroupResponse GroupMachine::join_response(const ClassicGroup& group, const ClassicMember& member) {
  JoinGroupResponse response;
  response.member_id = member.id;
  response.generation_id = group.generation();
  if (group.protocol_type()) response.protocol_type = protocol::Text(*group.protocol_type());
  if (group.protocol_name()) response.protocol_name = protocol::Text(*group.protocol_name());
  response.leader = group.leader().value_or("");
  if (!group.is_leader(member.id)) return response;
  response.members.reserve(group.members().size());
  for (const auto& [id, other] : group.members()) {
    auto& listed = response.members.emplace_back();
    listed.member_id = id;
    if (other.instance_id) listed.group_instance_id = protocol::Text(*other.instance_id);
    listed.metadata = other.metadata(group.protocol_name().value_or(""));
  }
  return response;
}

Writes GroupMachine::join(const Caller& caller, const protocol::JoinGroupRequest& request, JoinReply reply, Now now) {
  const std::string_view id = request.member_id;
  GroupPtr group = find_group(request.group_id);
  const bool is_new = !group;
  const ConsumerGroup* consumer = is_new ? consumers_.find(request.group_id) : nullptr;
  if (consumer && !consumer->empty()) {
    reply.resolve(refused(ErrorCode::kInconsistentGroupProtocol));
    return {};
  }
  if (is_new) {
    if (!id.empty()) {
      reply.resolve(refused(ErrorCode::kUnknownMemberId, id));
      return {};
    }
    group = create_group(request.group_id, now.wall_ms);
  }
  JoinCall call{caller, request, {}, reply, now};
  for (const auto& offered : request.protocols) {
    call.protocols.push_back({offered.name.str(), protocol::Blob::copy_of(offered.metadata)});
  }

  Writes writes;
  if (!accepts_joining(*group, id)) {
    if (!id.empty()) writes = remove_member(group, std::string(id), now);
    reply.resolve(refused(ErrorCode::kGroupMaxSizeReached));
  } else if (!group->supports(request.protocol_type, call.protocols)) {
    reply.resolve(refused(ErrorCode::kInconsistentGroupProtocol, id));
  } else if (id.empty()) {
    writes = join_new_member(group, call);
  } else {
    writes = join_existing_member(group, call);
  }
  if (!is_new) return writes;
  if (writes.records.empty()) writes = first_record(group, std::move(reply));
  if (consumer) {
    // The group of the other kind, which nobody uses any more, ends in the same batch.
    RecordList records;
    append_group_tombstones(*consumer, records);
    writes.replayed = records.size();
    records.append(std::move(writes.records));
    writes.records = std::move(records);
  }
  return writes;
}

// A new group is in the log from the beginning, though it has no generation yet.
Writes GroupMachine::first_record(const GroupPtr& group, JoinReply reply) {
  Writes writes;
  writes.replayed = 0;
  writes.records.push_back(empty_group_metadata_record(*group));
  writes.on_committed = [this, group, reply](const WriteOutcome& outcome, Now) mutable {
    if (outcome.result) return;
    const ErrorCode code = outcome.result.error().code;
    reply.resolve(refused(code));
    if (outcome.in_log || group->generation() > 0 || group->in(ClassicState::kDead)) return;
    for (auto& [id, member] : group->members()) group->complete_join(member, refused(code));
    drop_group(group->id());
  };
  return writes;
}

Writes GroupMachine::join_new_member(const GroupPtr& group, JoinCall& call) {
  const auto instance = owned(call.request.group_instance_id);
  std::string id = instance ? *instance : std::string(call.caller.client_id);
  // The id must fit into a Kafka string with the 37 characters that follow.
  constexpr size_t kLongest = INT16_MAX - 37;
  if (id.size() > kLongest) {
    call.reply.resolve(refused(ErrorCode::kInvalidRequest, ""));
    return {};
  }
  id += '-';
  id += random_.uuid().to_dashed();
  if (instance) {
    if (const auto present = group->static_member(*instance)) return replace_static_member(group, *present, id, call);
    return add_member(group, id, call);
  }
  if (call.caller.api_version < kMemberIdRequiredVersion) return add_member(group, id, call);
  // The client comes again with this id; one that never does is forgotten after its session timeout.
  const auto deadline = io::after(call.now.mono, std::chrono::milliseconds(call.request.session_timeout_ms));
  group->pending().emplace(id, deadline);
  touch(group, deadline);
  call.reply.resolve(refused(ErrorCode::kMemberIdRequired, id));
  return {};
}

Writes GroupMachine::join_existing_member(const GroupPtr& group, JoinCall& call) {
  const std::string_view id = call.request.member_id;
  if (group->is_pending(id)) {
    if (!call.request.group_instance_id) return add_member(group, std::string(id), call);
    // Ids are only handed out in advance to dynamic members.
    call.reply.resolve(refused(ErrorCode::kUnknownMemberId, id));
    return {};
  }
  if (const auto code = group->validate_member(id, call.request.group_instance_id); code != ErrorCode::kNone) {
    call.reply.resolve(refused(code, id));
    return {};
  }
  return join_known_member(group, *group->member(id), call);
}

Writes GroupMachine::join_known_member(const GroupPtr& group, ClassicMember& member, JoinCall& call) {
  const bool changed = member.protocols != call.protocols;
  switch (group->state()) {
    case ClassicState::kPreparingRebalance:
      return update_member(group, member, call);
    case ClassicState::kCompletingRebalance:
      if (changed) return update_member(group, member, call);
      break;  // The answer was lost, say.
    case ClassicState::kStable:
      // The leader forces a rebalance by joining: it alone knows of changes that touch the assignment.
      if (changed || group->is_leader(member.id)) return update_member(group, member, call);
      break;
    case ClassicState::kEmpty:
    case ClassicState::kDead:
      call.reply.resolve(refused(ErrorCode::kUnknownMemberId, member.id));
      return {};
  }
  call.reply.resolve(join_response(*group, member));
  return {};
}

Writes GroupMachine::add_member(const GroupPtr& group, const std::string& id, JoinCall& call) {
  ClassicMember member;
  member.id = id;
  member.instance_id = owned(call.request.group_instance_id);
  member.client_id = call.caller.client_id;
  member.client_host = call.caller.client_host;
  member.rebalance_timeout_ms = rebalance_timeout(call.request, call.caller.api_version);
  member.session_timeout_ms = call.request.session_timeout_ms;
  member.protocols = std::move(call.protocols);
  member.is_new = true;
  if (group->in(ClassicState::kPreparingRebalance) && group->previous_state() == ClassicState::kEmpty) group->new_member_added = true;
  ClassicMember& added = group->add(std::move(member), call.request.protocol_type, call.reply);
  // It cannot heartbeat before it has its id, and a client that went away is not noticed while its call is parked: so it gets a limit.
  refresh_session(group, added, config_.new_member_join_timeout.count(), call.now);
  return rebalance_or_complete(group, call.now);
}

Writes GroupMachine::update_member(const GroupPtr& group, ClassicMember& member, JoinCall& call) {
  group->update(member, std::move(call.protocols), rebalance_timeout(call.request, call.caller.api_version),
                call.request.session_timeout_ms, call.reply);
  return rebalance_or_complete(group, call.now);
}

Writes GroupMachine::replace_static_member(const GroupPtr& group, const std::string& old_id, const std::string& new_id, JoinCall& call) {
  const auto old_leader = group->leader();
  ClassicMember& member = group->replace_static(*owned(call.request.group_instance_id), old_id, new_id);
  refresh_session(group, member, call.now);
  const ClassicMember before = member;
  group->update(member, std::move(call.protocols), rebalance_timeout(call.request, call.caller.api_version),
                call.request.session_timeout_ms, call.reply);
  switch (group->state()) {
    case ClassicState::kStable:
      if (group->protocol_name() == group->select_protocol()) {
        return persist_static_member(group, member, old_id, old_leader, before, call);
      }
      return rebalance_or_complete(group, call.now);
    case ClassicState::kCompletingRebalance:
      // The leader may be assigning to the old id right now.
      return prepare_rebalance(group, call.now);
    case ClassicState::kPreparingRebalance:
      return maybe_complete_join(group, call.now);
    case ClassicState::kEmpty:
    case ClassicState::kDead:
      break;
  }
  SAMSA_ASSERT(false, "a group with members is neither empty nor dead");
}

// The replacement needs no rebalance, but must survive: it is answered when the group's record with the new id is committed.
Writes GroupMachine::persist_static_member(const GroupPtr& group, ClassicMember& member, const std::string& old_id,
                                           const std::optional<std::string>& old_leader, ClassicMember before, JoinCall& call) {
  Writes writes;
  writes.replayed = 0;
  writes.records.push_back(group_metadata_record(*group, nullptr));
  writes.on_committed = [this, group, id = member.id, old_id, old_leader, before = std::move(before), reply = call.reply,
                         version = call.caller.api_version](const WriteOutcome& outcome, Now now) mutable {
    ClassicMember* joined = group->member(id);
    if (!joined || group->in(ClassicState::kDead)) return;
    if (!outcome.result) {
      JoinGroupResponse response = refused(outcome.result.error().code);
      response.generation_id = group->generation();
      response.leader = old_leader.value_or("");
      reply.resolve(std::move(response));
      if (outcome.in_log) {
        // The log has the new id. The client comes again and gets yet another one.
        group->update(*joined, joined->protocols, joined->rebalance_timeout_ms, joined->session_timeout_ms, {});
      } else {
        group->update(*joined, before.protocols, before.rebalance_timeout_ms, before.session_timeout_ms, {});
        refresh_session(group, group->replace_static(*before.instance_id, id, old_id), now);
      }
      return;
    }
    if (!group->in(ClassicState::kStable)) return;  // A rebalance began meanwhile and answers it.
    JoinGroupResponse response = join_response(*group, *joined);
    if (version >= kSkipAssignmentVersion) {
      response.skip_assignment = group->is_leader(id);
    } else {
      // Old clients compute the assignment whenever they see themselves as leader: give them the old one's id.
      response.members.clear();
      response.leader = old_leader.value_or("");
    }
    group->complete_join(*joined, std::move(response));
  };
  return writes;
}

}  // namespace samsa::coordinator
