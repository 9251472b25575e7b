// What kafka-reassign-partitions works out without asking anybody: its JSON files, which replicas a change moves from where to where, the
// throttles for that, and its texts. Pure.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace samsa::tool {

using Replicas = std::vector<int32_t>;
using Assignments = std::map<TopicPartition, Replicas>;

// In the order in which Java's tool compares them: broker, topic, partition.
struct ReplicaOf {
  int32_t broker = -1;
  TopicPartition partition;
  auto operator<=>(const ReplicaOf&) const = default;
  [[nodiscard]] std::string to_string() const { return partition.to_string() + "-" + std::to_string(broker); }
};
using LogDirs = std::map<ReplicaOf, std::string>;

// A file of reassignments: {"version":1,"partitions":[{"topic":..,"partition":..,"replicas":[..],"log_dirs":[..]}]}.
struct ReassignmentFile {
  std::vector<std::pair<TopicPartition, Replicas>> partitions;  // As written, with repetitions.
  LogDirs log_dirs;                                             // Without "any".
  [[nodiscard]] Assignments assignments() const { return {partitions.begin(), partitions.end()}; }
};
// INVALID_REQUEST in Kafka's words.
Result<ReassignmentFile> parse_reassignment(std::string_view text);
// Whether it can be executed: something in it, no replica list empty, nothing twice.
Result<void> check_executable(const ReassignmentFile& file);
// {"version":1,"topics":[{"topic":..}]}: the names. Refuses names that stand in it twice.
Result<std::vector<std::string>> parse_topics_to_move(std::string_view text);
// "1,2,3"; refuses what is no number and what stands in it twice.
Result<Replicas> parse_broker_list(std::string_view text);
// The file that would bring about these assignments.
std::string reassignment_json(const Assignments& assignments, const LogDirs& log_dirs);

struct Ongoing {
  Replicas replicas, adding, removing;
};
using OngoingMoves = std::map<TopicPartition, Ongoing>;
std::string ongoing_text(const OngoingMoves& ongoing);

// From where to where the data of each partition of a topic go.
struct Move {
  std::set<int32_t> sources, destinations;
  bool operator==(const Move&) const = default;
};
using Moves = std::map<std::string, std::map<int32_t, Move>>;
// Those under way and those proposed; `current` has the replicas of partitions that are at rest.
Moves plan_moves(const OngoingMoves& ongoing, const Assignments& proposed, const Assignments& current);
// leader.replication.throttled.replicas and follower.replication.throttled.replicas of a topic.
std::string leader_throttles(const std::map<int32_t, Move>& moves);
std::string follower_throttles(const std::map<int32_t, Move>& moves);
std::set<int32_t> brokers_of(const Moves& moves);

// What --verify finds of a partition.
struct PartitionState {
  Replicas current, target;
  bool done = true;
};
std::string states_text(const std::map<TopicPartition, PartitionState>& states);

// What --verify and --cancel find of a replica that is to lie in a certain directory.
struct DirectoryState {
  bool known = false;  // The broker was asked and answered.
  std::string current, future, target;  // Empty: none.
  [[nodiscard]] bool moving() const { return known && !current.empty() && !future.empty(); }
  [[nodiscard]] bool done() const { return known && !current.empty() && future.empty(); }
};
std::string directory_states_text(const std::map<ReplicaOf, DirectoryState>& states);

}  // namespace samsa::tool
