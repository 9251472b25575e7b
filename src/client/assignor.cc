#include "client/assignor.h"

#include <algorithm>
#include <set>

namespace samsa::client {
namespace {

// Java orders static members first, by instance id, then dynamic ones by member id.
bool before(const MemberSubscription& a, const MemberSubscription& b) {
  if (a.instance_id.empty() != b.instance_id.empty()) return !a.instance_id.empty();
  if (!a.instance_id.empty()) return a.instance_id < b.instance_id;
  return a.member_id < b.member_id;
}

bool wants(const MemberSubscription& member, const std::string& topic) {
  return std::find(member.topics.begin(), member.topics.end(), topic) != member.topics.end();
}

GroupAssignment nothing_for(const std::vector<MemberSubscription>& members) {
  GroupAssignment assignment;
  for (const auto& member : members) assignment[member.member_id];
  return assignment;
}

}  // namespace

GroupAssignment assign_range(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts) {
  std::sort(members.begin(), members.end(), before);
  GroupAssignment assignment = nothing_for(members);
  for (const auto& [topic, partitions] : partition_counts) {
    std::vector<const MemberSubscription*> takers;
    for (const auto& member : members) {
      if (wants(member, topic)) takers.push_back(&member);
    }
    if (takers.empty()) continue;
    const auto count = static_cast<int32_t>(takers.size());
    int32_t next = 0;
    for (int32_t i = 0; i < count; ++i) {
      const int32_t share = partitions / count + (i < partitions % count ? 1 : 0);
      for (int32_t k = 0; k < share; ++k) assignment[takers[static_cast<size_t>(i)]->member_id].push_back({topic, next++});
    }
  }
  return assignment;
}

GroupAssignment assign_round_robin(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts) {
  std::sort(members.begin(), members.end(), before);
  GroupAssignment assignment = nothing_for(members);
  size_t turn = 0;
  for (const auto& [topic, partitions] : partition_counts) {
    if (std::none_of(members.begin(), members.end(), [&](const auto& m) { return wants(m, topic); })) continue;
    for (int32_t i = 0; i < partitions; ++i) {
      while (!wants(members[turn % members.size()], topic)) ++turn;
      assignment[members[turn++ % members.size()].member_id].push_back({topic, i});
    }
  }
  return assignment;
}

GroupAssignment assign_sticky(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts) {
  std::sort(members.begin(), members.end(), before);
  GroupAssignment assignment = nothing_for(members);
  std::set<TopicPartition> free;
  for (const auto& [topic, partitions] : partition_counts) {
    for (int32_t i = 0; i < partitions; ++i) free.insert({topic, i});
  }
  const size_t most = members.empty() ? 0 : (free.size() + members.size() - 1) / members.size();
  for (const auto& member : members) {
    auto& mine = assignment[member.member_id];
    for (const auto& partition : member.owned) {
      if (mine.size() < most && wants(member, partition.topic) && free.erase(partition)) mine.push_back(partition);
    }
  }
  for (const auto& partition : free) {
    std::vector<TopicPartition>* least = nullptr;
    for (const auto& member : members) {
      auto& mine = assignment[member.member_id];
      if (wants(member, partition.topic) && (!least || mine.size() < least->size())) least = &mine;
    }
    if (least) least->push_back(partition);
  }
  return assignment;
}

}  // namespace samsa::client
