// GroupMember: one member of a classic group (KIP-62): joins, computes the assignment when it is the leader, heartbeats in the
// background, leaves. Eager: everything is given up before a rebalance.
//
// Belongs to one shard. The owner calls ensure_joined() before each poll; a rebalance shows there. leave() before destruction.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "client/assignor.h"
#include "client/cluster.h"
#include "io/sync.h"

namespace samsa::client {

enum class Assignor { kRange, kRoundRobin, kSticky };

struct GroupMemberConfig {
  std::string group_id;
  std::string instance_id;                                // group.instance.id; empty: dynamic.
  std::chrono::milliseconds session_timeout{45'000};      // session.timeout.ms
  std::chrono::milliseconds heartbeat_interval{3'000};    // heartbeat.interval.ms
  std::chrono::milliseconds rebalance_timeout{300'000};   // max.poll.interval.ms
  std::vector<Assignor> assignors{Assignor::kRange, Assignor::kRoundRobin};
};

class GroupMember {
 public:
  GroupMember(Cluster& cluster, GroupMemberConfig config);
  ~GroupMember();

  void subscribe(std::vector<std::string> topics);
  // True when the member holds an assignment and no rebalance is under way. Joins otherwise: `before_rebalance` (commit, say) runs
  // first when an assignment was held. Returns whether the assignment is new.
  io::Task<Result<bool>> ensure_joined(std::function<io::Task<>()> before_rebalance);
  [[nodiscard]] const std::vector<TopicPartition>& assignment() const { return assignment_; }
  [[nodiscard]] const std::string& member_id() const { return member_id_; }
  [[nodiscard]] int32_t generation() const { return generation_; }
  [[nodiscard]] bool rejoin_needed() const { return rejoin_; }
  // To be told of errors of commits that mean that the membership is lost (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS).
  void on_group_error(ErrorCode code);
  // Leaves (dynamic members) and ends the heartbeats.
  io::Task<> leave();

 private:
  io::Task<Result<void>> join_once(bool& joined);
  io::Task<Result<void>> sync(std::string protocol, std::vector<MemberSubscription> members,
                              bool& synced);  // `members`: of the leader; empty otherwise.
  io::Task<> heartbeats();
  io::Task<Result<GroupAssignment>> compute(const std::string& protocol, std::vector<MemberSubscription> members);

  Cluster& cluster_;
  GroupMemberConfig config_;
  io::TaskGroup tasks_;
  io::Signal changed_;
  std::vector<std::string> topics_;
  std::vector<TopicPartition> assignment_;
  std::string member_id_;
  int32_t generation_ = -1;
  bool rejoin_ = true;
  bool beating_ = false;
  bool leaving_ = false;
};

}  // namespace samsa::client
