#include "coordinator/group/assignor.h"

#include <algorithm>
#include <vector>

namespace samsa::coordinator {
namespace {

struct Load {
  const std::set<Uuid>* topics = nullptr;
  size_t count = 0;
  PartitionSet* assigned = nullptr;
};

void give(Load& member, const Uuid& topic, PartitionIndex partition) {
  (*member.assigned)[topic].insert(partition);
  ++member.count;
}

// The member with the least that may have the topic; nullptr: nobody.
Load* least_loaded(std::vector<Load>& members, const Uuid& topic) {
  Load* best = nullptr;
  for (Load& member : members) {
    if (member.topics->contains(topic) && (!best || member.count < best->count)) best = &member;
  }
  return best;
}

// Moves single partitions from members with two more than another that could have them. Each move lowers the sum of squares, so it
// ends; the bound only keeps a single decision short.
void balance(std::vector<Load>& members, size_t partitions) {
  size_t moves = 10 * partitions + 100;
  for (bool moved = true; moved && moves > 0;) {
    moved = false;
    std::ranges::sort(members, {}, &Load::count);
    for (auto from = members.rbegin(); from != members.rend() && !moved; ++from) {
      for (auto& to : members) {
        if (to.count + 1 >= from->count) break;
        const auto topic = std::ranges::find_if(*from->assigned, [&](const auto& entry) { return to.topics->contains(entry.first); });
        if (topic == from->assigned->end()) continue;
        const Uuid id = topic->first;
        const PartitionIndex partition = *topic->second.rbegin();
        topic->second.erase(partition);
        if (topic->second.empty()) from->assigned->erase(topic);
        --from->count;
        give(to, id, partition);
        moved = true;
        --moves;
        break;
      }
    }
  }
}

}  // namespace

bool is_known_assignor(std::string_view name) { return name == kUniformAssignor || name == kRangeAssignor; }

TargetAssignment assign_uniform(const AssignmentProblem& problem) {
  TargetAssignment result;
  std::vector<Load> members;
  size_t total = 0;
  for (const auto& [topic, count] : problem.partitions) total += static_cast<size_t>(count);
  for (const auto& [id, topics] : problem.subscriptions) members.push_back({&topics, 0, &result[id]});
  if (members.empty()) return result;
  const bool same = std::ranges::all_of(members, [&](const Load& member) { return *member.topics == *members.front().topics; });

  // What stays where it is: in groups of one mind no more than an even share, of which as many as there are left over are larger.
  const size_t share = total / members.size();
  size_t larger = total % members.size();
  std::map<Uuid, std::vector<bool>> taken;
  for (const auto& [topic, count] : problem.partitions) taken[topic].resize(static_cast<size_t>(count));
  size_t at = 0;
  for (const auto& [id, topics] : problem.subscriptions) {
    Load& member = members[at++];
    const auto present = problem.present.find(id);
    if (present == problem.present.end()) continue;
    for (const auto& [topic, partitions] : present->second) {
      const auto known = taken.find(topic);
      if (known == taken.end() || !topics.contains(topic)) continue;
      for (const PartitionIndex partition : partitions) {
        if (partition < 0 || static_cast<size_t>(partition) >= known->second.size() || known->second[static_cast<size_t>(partition)])
          continue;
        if (same && member.count >= share) {
          if (member.count > share || larger == 0) continue;
          --larger;
        }
        known->second[static_cast<size_t>(partition)] = true;
        give(member, topic, partition);
      }
    }
  }
  // The rest, the topics with the fewest takers first.
  std::vector<std::pair<size_t, Uuid>> order;
  for (const auto& [topic, used] : taken) {
    order.emplace_back(std::ranges::count_if(members, [&, id = topic](const Load& m) { return m.topics->contains(id); }), topic);
  }
  std::ranges::sort(order);
  for (const auto& [takers, topic] : order) {
    const auto& used = taken[topic];
    for (size_t partition = 0; partition < used.size(); ++partition) {
      if (used[partition]) continue;
      if (Load* member = least_loaded(members, topic)) give(*member, topic, static_cast<PartitionIndex>(partition));
    }
  }
  if (!same) balance(members, total);
  return result;
}

TargetAssignment assign_range(const AssignmentProblem& problem) {
  TargetAssignment result;
  for (const auto& [id, topics] : problem.subscriptions) result[id];
  for (const auto& [topic, count] : problem.partitions) {
    std::vector<std::string_view> takers;
    for (const auto& [id, topics] : problem.subscriptions) {
      if (topics.contains(topic)) takers.push_back(id);
    }
    if (takers.empty()) continue;
    const int32_t each = count / static_cast<int32_t>(takers.size());
    int32_t larger = count % static_cast<int32_t>(takers.size());
    PartitionIndex next = 0;
    for (const auto taker : takers) {
      const int32_t size = each + (larger-- > 0 ? 1 : 0);
      for (int32_t i = 0; i < size; ++i) result.find(taker)->second[topic].insert(next++);
    }
  }
  return result;
}

TargetAssignment assign(std::string_view assignor, const AssignmentProblem& problem) {
  return assignor == kRangeAssignor ? assign_range(problem) : assign_uniform(problem);
}

}  // namespace samsa::coordinator
