// What kafka-reassign-partitions asks of the cluster. Errors carry the text that Java's tool shows of them: the exception's class and its
// message.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tool/admin_calls.h"
#include "tool/reassign_plan.h"

namespace samsa::tool {

// Those under way; of these partitions only, if given.
io::Task<Result<OngoingMoves>> list_reassignments(client::Cluster& cluster, const std::optional<std::vector<TopicPartition>>& of = {});

// Replicas to move to; nothing: the move is called off.
using ReassignmentWishes = std::map<TopicPartition, std::optional<Replicas>>;
// The error of each partition that has one.
io::Task<Result<std::map<TopicPartition, Error>>> alter_reassignments(client::Cluster& cluster, const ReassignmentWishes& wishes, bool allow_factor_change);

// The replicas of all partitions of these topics. UNKNOWN_TOPIC_OR_PARTITION "Topic x not found.".
io::Task<Result<Assignments>> assignments_of(client::Cluster& cluster, const std::set<std::string>& topics);

// Where each replica lies and where it moves to, for those whose broker is up.
io::Task<Result<std::map<ReplicaOf, DirectoryState>>> directories_of(client::Cluster& cluster, const std::vector<ReplicaOf>& replicas);
// The replicas that now move to their directories; those that are not there yet are left out. Other errors fail.
io::Task<Result<std::vector<ReplicaOf>>> alter_directories(client::Cluster& cluster, const LogDirs& wanted);

// Settings of brokers or topics; no value: the setting is removed.
struct SettingsOf {
  bool broker = false;
  std::string name;
  std::map<std::string, std::optional<std::string>> settings;
};
io::Task<Result<void>> alter_settings(client::Cluster& cluster, const std::vector<SettingsOf>& changes);

}  // namespace samsa::tool
