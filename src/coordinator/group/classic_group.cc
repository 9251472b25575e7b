#include "coordinator/group/classic_group.h"

#include <algorithm>

#include "base/assert.h"
#include "coordinator/group/subscription.h"

namespace samsa::coordinator {
namespace {

constexpr std::string_view kConsumerType = "consumer";

}  // namespace

std::string_view state_name(ClassicState state) {
  switch (state) {
    case ClassicState::kEmpty:
      return "Empty";
    case ClassicState::kPreparingRebalance:
      return "PreparingRebalance";
    case ClassicState::kCompletingRebalance:
      return "CompletingRebalance";
    case ClassicState::kStable:
      return "Stable";
    case ClassicState::kDead:
      break;
  }
  return "Dead";
}

protocol::Blob ClassicMember::metadata(std::string_view protocol) const {
  for (const auto& offered : protocols) {
    if (offered.name == protocol) return offered.metadata;
  }
  return {};
}

ClassicMember* ClassicGroup::member(std::string_view id) {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

std::optional<std::string> ClassicGroup::static_member(std::string_view instance) const {
  const auto found = static_members_.find(instance);
  return found == static_members_.end() ? std::nullopt : std::optional(found->second);
}

bool ClassicGroup::uses_consumer_protocol() const { return protocol_type_ == kConsumerType; }

int32_t ClassicGroup::rebalance_timeout_ms() const {
  int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout_ms);
  return longest;
}

bool ClassicGroup::supports(std::string_view type, const std::vector<MemberProtocol>& protocols) const {
  if (in(ClassicState::kEmpty)) return !type.empty() && !protocols.empty();
  if (protocol_type_ != type) return false;
  return std::ranges::any_of(protocols, [&](const MemberProtocol& offered) {
    const auto found = protocol_counts_.find(offered.name);
    return (found == protocol_counts_.end() ? 0 : found->second) == static_cast<int>(members_.size());
  });
}

std::string ClassicGroup::select_protocol() const {
  SAMSA_ASSERT(!members_.empty());
  std::map<std::string_view, int> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& offered : member.protocols) {
      const auto count = protocol_counts_.find(offered.name);
      if (count == protocol_counts_.end() || count->second != static_cast<int>(members_.size())) continue;
      ++votes[offered.name];
      break;
    }
  }
  SAMSA_ASSERT(!votes.empty());
  return std::string(std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first);
}

ErrorCode ClassicGroup::validate_member(std::string_view member, const protocol::NullableText& instance) const {
  if (instance) {
    const auto found = static_members_.find(instance->view());
    if (found == static_members_.end()) return ErrorCode::kUnknownMemberId;
    if (found->second != member) return ErrorCode::kFencedInstanceId;
  }
  return members_.find(member) == members_.end() ? ErrorCode::kUnknownMemberId : ErrorCode::kNone;
}

bool ClassicGroup::is_subscribed(std::string_view topic) const {
  if (!subscribed_topics_) return uses_consumer_protocol();
  return subscribed_topics_->find(topic) != subscribed_topics_->end();
}

void ClassicGroup::count_protocols(const ClassicMember& member, int by) {
  // A protocol named twice by one member still counts once.
  std::set<std::string_view> seen;
  for (const auto& offered : member.protocols) {
    if (!seen.insert(offered.name).second) continue;
    const auto at = protocol_counts_.try_emplace(offered.name, 0).first;
    if ((at->second += by) == 0) protocol_counts_.erase(at);
  }
}

ClassicMember& ClassicGroup::add(ClassicMember member, std::string_view protocol_type, JoinReply reply) {
  if (members_.empty()) protocol_type_ = std::string(protocol_type);
  SAMSA_ASSERT(protocol_type_ == protocol_type);
  if (member.instance_id) SAMSA_ASSERT(static_members_.emplace(*member.instance_id, member.id).second);
  if (!leader_) leader_ = member.id;
  pending_.erase(member.id);
  const auto [at, fresh] = members_.emplace(member.id, std::move(member));
  SAMSA_ASSERT(fresh);
  ClassicMember& added = at->second;
  count_protocols(added, 1);
  added.join = std::move(reply);
  if (added.join) ++awaiting_join_;
  return added;
}

void ClassicGroup::remove(const std::string& id) {
  const std::string name = id;  // The caller's reference may die with the member.
  if (const auto at = members_.find(name); at != members_.end()) {
    ClassicMember& member = at->second;
    protocol::SyncGroupResponse gone;
    gone.error_code = static_cast<int16_t>(ErrorCode::kUnknownMemberId);
    complete_sync(member, std::move(gone));
    protocol::JoinGroupResponse left;
    left.error_code = static_cast<int16_t>(ErrorCode::kUnknownMemberId);
    complete_join(member, std::move(left));
    count_protocols(member, -1);
    if (member.instance_id) static_members_.erase(*member.instance_id);
    members_.erase(at);
  }
  if (is_leader(name)) leader_ = members_.empty() ? std::nullopt : std::optional(members_.begin()->first);
  pending_.erase(name);
  pending_sync.erase(name);
}

void ClassicGroup::update(ClassicMember& member, std::vector<MemberProtocol> protocols, int32_t rebalance_timeout_ms,
                          int32_t session_timeout_ms, JoinReply reply) {
  count_protocols(member, -1);
  member.protocols = std::move(protocols);
  count_protocols(member, 1);
  member.rebalance_timeout_ms = rebalance_timeout_ms;
  member.session_timeout_ms = session_timeout_ms;
  give_up_join(member);
  if (reply) ++awaiting_join_;
  member.join = std::move(reply);
}

void ClassicGroup::give_up_join(ClassicMember& member) {
  protocol::JoinGroupResponse response;
  response.member_id = member.id;
  response.error_code = static_cast<int16_t>(ErrorCode::kRebalanceInProgress);
  complete_join(member, std::move(response));
}

void ClassicGroup::park_sync(ClassicMember& member, SyncReply reply) {
  protocol::SyncGroupResponse response;
  response.error_code = static_cast<int16_t>(ErrorCode::kRebalanceInProgress);
  complete_sync(member, std::move(response));
  member.sync = std::move(reply);
}

ClassicMember& ClassicGroup::replace_static(const std::string& instance, const std::string& old_id, const std::string& new_id) {
  auto node = members_.extract(old_id);
  SAMSA_ASSERT(!node.empty());
  ClassicMember& member = node.mapped();
  protocol::JoinGroupResponse fenced_join;
  fenced_join.member_id = old_id;
  fenced_join.error_code = static_cast<int16_t>(ErrorCode::kFencedInstanceId);
  complete_join(member, std::move(fenced_join));
  protocol::SyncGroupResponse fenced_sync;
  fenced_sync.error_code = static_cast<int16_t>(ErrorCode::kFencedInstanceId);
  complete_sync(member, std::move(fenced_sync));

  node.key() = new_id;
  member.id = new_id;
  member.is_new = false;
  member.session_deadline = io::kNever;
  const auto at = members_.insert(std::move(node)).position;
  if (is_leader(old_id)) leader_ = new_id;
  static_members_[instance] = new_id;
  return at->second;
}

bool ClassicGroup::elect_joined_leader() {
  if (!leader_) return false;
  const ClassicMember* present = member(*leader_);
  if (present && present->join) return true;
  for (const auto& [id, member] : members_) {
    if (!member.join) continue;
    leader_ = id;
    return true;
  }
  return false;
}

void ClassicGroup::transition(ClassicState state, TimestampMs now_ms) {
  previous_ = state_;
  state_ = state;
  state_timestamp_ = now_ms;
}

void ClassicGroup::next_generation(TimestampMs now_ms) {
  ++generation_;
  ++assignment_write;
  protocol_name_ = members_.empty() ? std::nullopt : std::optional(select_protocol());
  subscribed_topics_ = compute_subscribed_topics();
  transition(members_.empty() ? ClassicState::kEmpty : ClassicState::kCompletingRebalance, now_ms);
  pending_sync.clear();
}

bool ClassicGroup::complete_join(ClassicMember& member, protocol::JoinGroupResponse response) {
  if (!member.join) return false;
  std::exchange(member.join, {}).resolve(std::move(response));
  --awaiting_join_;
  return true;
}

bool ClassicGroup::complete_sync(ClassicMember& member, protocol::SyncGroupResponse response) {
  if (!member.sync) return false;
  std::exchange(member.sync, {}).resolve(std::move(response));
  return true;
}

void ClassicGroup::restore(int32_t generation, std::optional<std::string> type, std::optional<std::string> protocol,
                           std::optional<std::string> leader, std::optional<TimestampMs> state_timestamp,
                           std::vector<ClassicMember> members) {
  const std::string kept_type = type.value_or("");
  for (auto& member : members) {
    // A record is not trusted: the first of two members of one name counts.
    const bool known = members_.contains(member.id) || (member.instance_id && static_members_.contains(*member.instance_id));
    if (!known) add(std::move(member), kept_type, {});
  }
  generation_ = generation;
  protocol_type_ = kept_type.empty() ? std::nullopt : std::move(type);
  protocol_name_ = std::move(protocol);
  if (leader) leader_ = std::move(leader);
  state_timestamp_ = state_timestamp;
  state_ = members_.empty() ? ClassicState::kEmpty : ClassicState::kStable;
  subscribed_topics_ = compute_subscribed_topics();
}

std::optional<std::set<std::string, std::less<>>> ClassicGroup::compute_subscribed_topics() const {
  if (!uses_consumer_protocol()) return std::nullopt;
  std::set<std::string, std::less<>> topics;
  if (members_.empty()) return topics;
  if (!protocol_name_) return std::nullopt;
  for (const auto& [id, member] : members_) {
    if (!read_subscribed_topics(member.metadata(*protocol_name_), topics)) return std::nullopt;
  }
  return topics;
}

io::MonoTime ClassicGroup::earliest_deadline() const {
  io::MonoTime earliest = std::min(join_deadline, sync_deadline);
  for (const auto& [id, member] : members_) earliest = std::min(earliest, member.session_deadline);
  for (const auto& [id, deadline] : pending_) earliest = std::min(earliest, deadline);
  return earliest;
}

}  // namespace samsa::coordinator
