#include "coordinator/group/consumer_group.h"

#include <algorithm>

namespace samsa::coordinator {
namespace {

bool contains(const PartitionSet& set, const Uuid& topic, PartitionIndex partition) {
  const auto found = set.find(topic);
  return found != set.end() && found->second.contains(partition);
}

// Whether the client may still work on one of these. Silence counts as yes.
bool owns_any(const EpochSet& partitions, const PartitionSet* owned) {
  if (!owned) return true;
  for (const auto& [topic, held] : *owned) {
    for (const PartitionIndex partition : held) {
      if (coordinator::contains(partitions, topic, partition)) return true;
    }
  }
  return false;
}

ConsumerMember step(const ConsumerGroup& group, const ConsumerMember& member, int32_t epoch, int32_t target_epoch,
                    const PartitionSet& target, const PartitionSet* owned) {
  EpochSet keep, revoke, add;
  bool unreleased = false;
  for (const auto& [topic, partitions] : member.assigned) {
    for (const auto& [partition, assigned_in] : partitions) {
      (contains(target, topic, partition) ? keep : revoke)[topic][partition] = assigned_in;
    }
  }
  for (const auto& [topic, partitions] : target) {
    for (const PartitionIndex partition : partitions) {
      if (coordinator::contains(keep, topic, partition)) continue;
      if (group.partition_epoch(topic, partition) != -1) {
        unreleased = true;
      } else {
        add[topic][partition] = target_epoch;
      }
    }
  }
  ConsumerMember next = member;
  next.previous_epoch = member.epoch;
  next.assigned = std::move(keep);
  if (!revoke.empty() && owns_any(revoke, owned)) {
    next.state = MemberState::kUnrevoked;
    next.epoch = epoch;
    next.pending_revocation = std::move(revoke);
    return next;
  }
  for (auto& [topic, partitions] : add) next.assigned[topic].merge(partitions);
  next.pending_revocation.clear();
  next.state = unreleased ? MemberState::kUnreleased : MemberState::kStable;
  next.epoch = target_epoch;
  return next;
}

}  // namespace

bool contains(const EpochSet& set, const Uuid& topic, PartitionIndex partition) {
  const auto found = set.find(topic);
  return found != set.end() && found->second.contains(partition);
}

PartitionSet without_epochs(const EpochSet& set) {
  PartitionSet plain;
  for (const auto& [topic, partitions] : set) {
    for (const auto& [partition, epoch] : partitions) plain[topic].insert(partition);
  }
  return plain;
}

const ConsumerMember* ConsumerGroup::member(std::string_view id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerMember* ConsumerGroup::static_member(std::string_view instance) const {
  const auto found = static_members_.find(instance);
  return found == static_members_.end() ? nullptr : member(found->second);
}

std::string_view ConsumerGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch > assignment_epoch) return "Assigning";
  const bool settled = std::ranges::all_of(
      members_, [&](const auto& entry) { return entry.second.state == MemberState::kStable && entry.second.epoch == assignment_epoch; });
  return settled ? "Stable" : "Reconciling";
}

bool ConsumerGroup::is_subscribed(std::string_view topic) const {
  return std::ranges::any_of(
      members_, [&](const auto& entry) { return entry.second.subscribed_topics.find(topic) != entry.second.subscribed_topics.end(); });
}

int32_t ConsumerGroup::partition_epoch(const Uuid& topic, PartitionIndex partition) const {
  const auto found = partition_epochs_.find({topic, partition});
  return found == partition_epochs_.end() ? -1 : found->second.first;
}

std::optional<std::string> ConsumerGroup::preferred_assignor(const std::map<std::string, ConsumerMember, std::less<>>& members) {
  std::map<std::string, int> votes;
  for (const auto& [id, member] : members) {
    if (member.server_assignor) ++votes[*member.server_assignor];
  }
  if (votes.empty()) return std::nullopt;
  return std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first;
}

void ConsumerGroup::add_epochs(const ConsumerMember& member) {
  for (const EpochSet* set : {&member.assigned, &member.pending_revocation}) {
    for (const auto& [topic, partitions] : *set) {
      for (const auto& [partition, assigned_in] : partitions) partition_epochs_[{topic, partition}] = {member.epoch, member.id};
    }
  }
}

void ConsumerGroup::drop_epochs(const ConsumerMember& member) {
  for (const EpochSet* set : {&member.assigned, &member.pending_revocation}) {
    for (const auto& [topic, partitions] : *set) {
      for (const auto& [partition, assigned_in] : partitions) {
        // Compaction may show the new holder's record before the old one's: only its own entry goes.
        const auto found = partition_epochs_.find({topic, partition});
        if (found != partition_epochs_.end() && found->second.second == member.id) partition_epochs_.erase(found);
      }
    }
  }
}

void ConsumerGroup::put_member(ConsumerMember member) {
  if (const auto present = members_.find(member.id); present != members_.end()) {
    drop_epochs(present->second);
    const auto& instance = present->second.instance_id;
    if (instance && static_members_[*instance] == member.id) static_members_.erase(*instance);
  }
  if (member.instance_id) static_members_[*member.instance_id] = member.id;
  add_epochs(member);
  const std::string id = member.id;
  members_.insert_or_assign(id, std::move(member));
}

void ConsumerGroup::remove_member(std::string_view id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  drop_epochs(found->second);
  const auto& instance = found->second.instance_id;
  if (instance && static_members_[*instance] == found->first) static_members_.erase(*instance);
  members_.erase(found);
}

void ConsumerGroup::remove_target(std::string_view member) {
  if (const auto found = target_.find(member); found != target_.end()) target_.erase(found);
}

ConsumerMember reconcile(const ConsumerGroup& group, const ConsumerMember& member, int32_t target_epoch, const PartitionSet& target,
                         const PartitionSet* owned) {
  switch (member.state) {
    case MemberState::kStable:
      if (member.epoch == target_epoch) return member;
      return step(group, member, member.epoch, target_epoch, target, owned);
    case MemberState::kUnrevoked:
      // Given up is what the client does not list any more.
      if (owns_any(member.pending_revocation, owned)) return member;
      return step(group, member, member.epoch + 1, target_epoch, target, owned);
    case MemberState::kUnreleased:
      return step(group, member, member.epoch, target_epoch, target, owned);
    case MemberState::kUnknown:
      break;
  }
  return step(group, member, target_epoch, target_epoch, target, owned);
}

}  // namespace samsa::coordinator
