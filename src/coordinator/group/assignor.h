// The server-side assignors of KIP-848 groups: "uniform" (the default) and "range". Pure: members, topics and the present target in,
// the new target out. Every partition of a topic goes to exactly one member that subscribes to it, or to nobody where nobody does.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/uuid.h"

namespace samsa::coordinator {

using PartitionSet = std::map<Uuid, std::set<PartitionIndex>>;              // By topic id; no topic with an empty set.
using TargetAssignment = std::map<std::string, PartitionSet, std::less<>>;  // By member id.

struct AssignmentProblem {
  std::map<std::string, std::set<Uuid>, std::less<>> subscriptions;  // By member id: topics that exist.
  std::map<Uuid, int32_t> partitions;                                // Partitions of each topic somebody subscribes to.
  TargetAssignment present;                                          // May name members and topics that are gone.
};

inline constexpr std::string_view kUniformAssignor = "uniform";
inline constexpr std::string_view kRangeAssignor = "range";
bool is_known_assignor(std::string_view name);

// As even as subscriptions allow, moving as little as possible. Each member of the problem is in the result, perhaps with nothing.
TargetAssignment assign_uniform(const AssignmentProblem& problem);
// Topic by topic, contiguous ranges to the members in order of their ids: topics with equal partition counts are co-partitioned.
TargetAssignment assign_range(const AssignmentProblem& problem);
TargetAssignment assign(std::string_view assignor, const AssignmentProblem& problem);

}  // namespace samsa::coordinator
