// Assignors: how the leader of a classic group gives partitions to members. The names and results are Java's ("range",
// "roundrobin", "sticky" keeps what it can of the last assignment). Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/ids.h"

namespace samsa::client {

struct MemberSubscription {
  std::string member_id;
  std::string instance_id;  // Empty: a dynamic member.
  std::vector<std::string> topics;
  std::vector<TopicPartition> owned;
};

// By member id; every member has an entry.
using GroupAssignment = std::map<std::string, std::vector<TopicPartition>>;

// Topic by topic, consecutive partitions to members in order of their ids; the first ones get one more where it does not divide.
GroupAssignment assign_range(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts);
// All partitions of all topics in order, one to each member in turn.
GroupAssignment assign_round_robin(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts);
// Balanced, with as much as possible left where it is.
GroupAssignment assign_sticky(std::vector<MemberSubscription> members, const std::map<std::string, int32_t>& partition_counts);

}  // namespace samsa::client
