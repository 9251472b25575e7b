// GroupMachine: the state machine of one partition of __consumer_offsets: classic groups, committed offsets, and beside them the
// KIP-848 groups (consumer_groups.h). Share and streams groups will stand there too, told apart by the keys of their records.
//
// Decisions take `now` and give records; offsets change by replay only. A classic group's membership is soft state that decisions
// change at once; its record is written when a generation gets its assignment, when it becomes empty and when a static member is
// replaced, and is not replayed into the running group.
// Parked JoinGroup and SyncGroup calls are Reply objects in the members. Own shard only.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "coordinator/group/classic_group.h"
#include "coordinator/group/config.h"
#include "coordinator/group/consumer_groups.h"
#include "coordinator/group/offset_store.h"
#include "coordinator/group/records.h"
#include "coordinator/group/stats.h"
#include "coordinator/runtime.h"
#include "io/random.h"
#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/list_groups.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_delete.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/sync_group.h"
#include "protocol/api/txn_offset_commit.h"

namespace samsa::coordinator {

class GroupMachine final : public StateMachine {
 public:
  // `environment` is read at each decision and may change between them; `random` makes member ids and outlives the machine.
  GroupMachine(std::shared_ptr<const GroupEnvironment> environment, io::Random& random)
      : environment_(std::move(environment)), config_(environment_->config), random_(random), consumers_(*environment_, random) {}

  // ---- Decisions ----
  // Group id and session timeout were checked. The reply is resolved at once or when the rebalance completes.
  Writes join(const Caller& caller, const protocol::JoinGroupRequest& request, JoinReply reply, Now now);
  Writes sync(const Caller& caller, const protocol::SyncGroupRequest& request, SyncReply reply, Now now);
  ErrorCode heartbeat(const protocol::HeartbeatRequest& request, Now now);
  // `members` as version 3 has them. UNKNOWN_MEMBER_ID as an error where the group does not exist.
  Result<Decision<protocol::LeaveGroupResponse>> leave(std::string_view group,
                                                       const std::vector<protocol::LeaveGroupRequest::MemberIdentity>& members, Now now);
  Result<Decision<protocol::ConsumerGroupHeartbeatResponse>> consumer_heartbeat(const Caller& caller,
                                                                                const protocol::ConsumerGroupHeartbeatRequest& request,
                                                                                Now now);
  // Topic names are filled in, topics and partitions exist and are allowed. Errors for the whole request: 22, 25, 27, 69, 82, 15.
  Result<Decision<protocol::OffsetCommitResponse>> commit(const Caller& caller, const protocol::OffsetCommitRequest& request, Now now);
  Result<Decision<protocol::TxnOffsetCommitResponse>> commit_in_transaction(const protocol::TxnOffsetCommitRequest& request, Now now);
  // Errors for the whole request: GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP.
  Result<Decision<protocol::OffsetDeleteResponse>> delete_offsets(const protocol::OffsetDeleteRequest& request);
  Decision<std::vector<protocol::DeleteGroupsResponse::DeletableGroupResult>> delete_groups(const std::vector<std::string>& groups);
  // Tombstones for all offsets of these topics.
  Writes delete_topics(const std::vector<std::string>& topics);

  // ---- Reads ----
  // Topics by name; topic ids that differ from the committed one's hide it. `high_watermark` INT64_MAX: the latest state.
  protocol::OffsetFetchResponse::OffsetFetchResponseGroup fetch(const protocol::OffsetFetchRequest::OffsetFetchRequestGroup& request,
                                                                bool require_stable, Offset high_watermark) const;
  // Filters in lower case; empty: everything.
  std::vector<protocol::ListGroupsResponse::ListedGroup> list(const std::vector<std::string>& states,
                                                              const std::vector<std::string>& types) const;
  protocol::ConsumerGroupDescribeResponse::DescribedGroup describe_consumer(std::string_view group) const;
  protocol::DescribeGroupsResponse::DescribedGroup describe(std::string_view group, int16_t api_version) const;

  // ---- StateMachine ----
  Result<void> replay(const ReplayedRecord& record) override;
  void replay_marker(ProducerStamp producer, bool commit, Offset offset) override;
  void on_loaded(Now now) override;
  void on_resigned() override;
  void on_committed(Offset high_watermark) override { offsets_.trim(high_watermark); }
  [[nodiscard]] io::MonoTime next_deadline() const override;
  Writes on_deadline(Now now) override;

  [[nodiscard]] const GroupTotals& totals() const { return totals_; }
  // Adds this partition's totals and gauges.
  void add_to(GroupStats& stats) const;
  // For tests.
  [[nodiscard]] const ClassicGroup* find(std::string_view group) const;
  [[nodiscard]] const ConsumerGroups& consumers() const { return consumers_; }
  [[nodiscard]] const OffsetStore& offsets() const { return offsets_; }
  [[nodiscard]] size_t group_count() const { return groups_.size(); }

 private:
  using GroupPtr = std::shared_ptr<ClassicGroup>;
  struct JoinCall {
    const Caller& caller;
    const protocol::JoinGroupRequest& request;
    std::vector<MemberProtocol> protocols;
    JoinReply reply;
    Now now;
  };

  // join.cc
  bool accepts_joining(const ClassicGroup& group, std::string_view member) const;
  Writes join_new_member(const GroupPtr& group, JoinCall& call);
  Writes join_existing_member(const GroupPtr& group, JoinCall& call);
  Writes join_known_member(const GroupPtr& group, ClassicMember& member, JoinCall& call);
  Writes replace_static_member(const GroupPtr& group, const std::string& old_id, const std::string& new_id, JoinCall& call);
  Writes persist_static_member(const GroupPtr& group, ClassicMember& member, const std::string& old_id,
                               const std::optional<std::string>& old_leader, ClassicMember before, JoinCall& call);
  Writes add_member(const GroupPtr& group, const std::string& id, JoinCall& call);
  Writes update_member(const GroupPtr& group, ClassicMember& member, JoinCall& call);
  Writes first_record(const GroupPtr& group, JoinReply reply);

  // rebalance.cc
  Writes rebalance_or_complete(const GroupPtr& group, Now now);
  Writes prepare_rebalance(const GroupPtr& group, Now now);
  Writes maybe_complete_join(const GroupPtr& group, Now now);
  Writes complete_join(const GroupPtr& group, Now now);
  void answer_joins(const GroupPtr& group, Now now);
  Writes end_initial_delay(const GroupPtr& group, Now now);
  Writes expire_sync(const GroupPtr& group, Now now);
  Writes expire_member(const GroupPtr& group, const std::string& member, Now now);
  Writes remove_member(const GroupPtr& group, const std::string& member, Now now);
  void propagate_assignment(const GroupPtr& group, ErrorCode error, Now now);
  void synced(const GroupPtr& group, std::string_view member);
  Writes store_assignment(const GroupPtr& group, const protocol::SyncGroupRequest& request);
  void refresh_session(const GroupPtr& group, ClassicMember& member, Now now);
  void refresh_session(const GroupPtr& group, ClassicMember& member, int64_t timeout_ms, Now now);

  // machine.cc
  GroupPtr find_group(std::string_view group) const;
  GroupPtr create_group(std::string_view group, TimestampMs now_ms);
  void drop_group(std::string_view group);
  // The group's deadline may have become this early.
  void touch(const GroupPtr& group, io::MonoTime deadline);
  // Puts the group where its earliest deadline is.
  void rearm(const GroupPtr& group);
  std::optional<Writes> run_due(const GroupPtr& group, Now now);
  Result<void> replay_offset(const ReplayedRecord& record);
  Result<void> replay_group(const ReplayedRecord& record);
  Result<void> replay_consumer(const ReplayedRecord& record);
  static protocol::JoinGroupResponse join_response(const ClassicGroup& group, const ClassicMember& member);

  // offsets.cc
  Result<GroupPtr> check_commit(std::string_view group, std::string_view member, const protocol::NullableText& instance, int32_t generation,
                                bool transactional, int16_t api_version) const;
  template <class Response, class Request, class Stamp>
  void write_offsets(const Request& request, Now now, Decision<Response>& decision, Stamp stamp);
  Result<void> check_consumer_commit(const ConsumerGroup& group, std::string_view member, const protocol::NullableText& instance,
                                     int32_t epoch, bool transactional, int16_t api_version) const;
  // Whether a member whose epoch is behind may still commit for the partition.
  bool behind_for(const ConsumerGroup* group, std::string_view member, int32_t epoch, std::string_view topic,
                  PartitionIndex partition) const;
  ErrorCode check_fetch(const protocol::OffsetFetchRequest::OffsetFetchRequestGroup& request) const;
  Writes sweep_some(Now now);
  void expire_offsets(const std::string& group, Now now, RecordList& records);
  void forget_offsets(std::string_view group, RecordList& records) const;

  struct Armed {
    io::MonoTime deadline;
    uint64_t sequence;
    GroupPtr group;
    bool operator<(const Armed& other) const { return deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence; }
  };

  std::shared_ptr<const GroupEnvironment> environment_;
  const GroupConfig& config_;
  io::Random& random_;
  ConsumerGroups consumers_;
  std::map<std::string, GroupPtr, std::less<>> groups_;
  std::set<Armed> armed_;  // Each group with a deadline once, at or before its earliest one.
  uint64_t next_sequence_ = 0;
  OffsetStore offsets_;
  GroupTotals totals_;
  io::MonoTime sweep_deadline_ = io::kNever;
  std::vector<std::string> sweep_left_;  // Groups that this sweep has still to look at, last first.
};

}  // namespace samsa::coordinator
