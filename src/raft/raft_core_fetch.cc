// RaftCore: the leader's side of Fetch and FetchSnapshot, and DescribeQuorum.
#include <algorithm>

#include "protocol/codec.h"
#include "raft/raft_core.h"

namespace samsa::raft {

namespace {
constexpr std::string_view kTopic = "__cluster_metadata";
constexpr std::chrono::milliseconds kObserverSession{300'000};
}  // namespace

void RaftCore::refresh_check_quorum(Now now) {
  // A majority, this leader included where it votes, has fetched: a new round begins.
  size_t heard = 0;
  for (const int32_t id : fetched_since_check_) {
    if (id != self_.id && voters().find(id) != nullptr) ++heard;
  }
  const size_t needed = voters().contains(self_) ? voters().majority() - 1 : voters().majority();
  if (heard < needed) return;
  fetched_since_check_.clear();
  check_quorum_deadline_ = voters().size() > 1 || !voters().contains(self_) ? in(config_.fetch_timeout * 3 / 2, now) : io::kNever;
}

void RaftCore::note_fetch(const ReplicaKey& key, Offset offset, Now now) {
  if (key.id < 0 || key.id == self_.id) return;
  ReplicaProgress& p = replicas_[key];
  if (offset >= 0) {
    if (offset >= log_.end_offset()) {
      p.last_caught_up_ms = std::max(p.last_caught_up_ms, now.wall);
    } else if (p.leader_end_at_last_fetch >= 0 && offset >= p.leader_end_at_last_fetch) {
      p.last_caught_up_ms = std::max(p.last_caught_up_ms, p.last_fetch_ms);
    }
    p.leader_end_at_last_fetch = log_.end_offset();
    p.end_offset = offset;
  }
  p.last_fetch = now.mono;
  p.last_fetch_ms = now.wall;
  if (voters().contains(key)) {
    fetched_since_check_.insert(key.id);
    refresh_check_quorum(now);
    if (offset >= 0) advance_high_watermark(now);
  }
  // Observers that have gone are forgotten.
  std::erase_if(replicas_, [&](const auto& entry) {
    return !voters().contains(entry.first) && now.mono > io::after(entry.second.last_fetch, kObserverSession);
  });
}

RaftCore::FetchPlan RaftCore::plan_fetch(const protocol::FetchRequest& request, int16_t version, Now now) {
  FetchPlan plan;
  const auto refuse = [&](ErrorCode error, bool top_level) {
    plan.kind = FetchPlan::Kind::kError;
    plan.error = error;
    plan.top_level = top_level;
    return plan;
  };
  if (!cluster_matches(request.cluster_id)) return refuse(ErrorCode::kInconsistentClusterId, true);
  if (request.topics.size() != 1 || request.topics[0].partitions.size() != 1) return refuse(ErrorCode::kInvalidRequest, true);
  const auto& topic = request.topics[0];
  const bool named = version >= 13 ? topic.topic_id == kMetadataTopicId : topic.topic.view() == kTopic;
  const auto& asked = topic.partitions[0];
  if (!named || asked.partition != 0) return refuse(ErrorCode::kInvalidRequest, true);
  const bool sane = request.max_wait_ms >= 0 && asked.fetch_offset >= 0 && asked.last_fetched_epoch >= 0 &&
                    asked.last_fetched_epoch <= asked.current_leader_epoch;
  // A fetch that makes no sense is refused as one of an unknown epoch is: Java ends its process on INVALID_REQUEST of a partition.
  if (!sane) return refuse(asked.current_leader_epoch < 0 ? ErrorCode::kUnknownLeaderEpoch : ErrorCode::kInvalidRequest, asked.current_leader_epoch >= 0);
  if (const ErrorCode error = check_leader(asked.current_leader_epoch); error != ErrorCode::kNone) return refuse(error, false);

  const int32_t replica = version >= 15 ? request.replica_state.replica_id : request.replica_id;
  const ReplicaKey key{replica, asked.replica_directory_id};
  const Offset end = log_.end_offset();
  const auto newest = log_.latest_snapshot();
  if (asked.fetch_offset == 0 && newest) {
    plan.kind = FetchPlan::Kind::kSnapshot;
    plan.snapshot = *newest;
    note_fetch(key, -1, now);
    return plan;
  }
  const Offset start = log_.start_offset();
  const auto oldest = log_.earliest_snapshot();
  const bool before_log = asked.fetch_offset < start || (asked.fetch_offset == start && start > 0 && oldest && asked.last_fetched_epoch != oldest->epoch &&
                                                         asked.last_fetched_epoch < oldest->epoch);
  const bool old_epoch = oldest && start > 0 && asked.last_fetched_epoch < oldest->epoch;
  if ((before_log || old_epoch) && newest) {
    plan.kind = FetchPlan::Kind::kSnapshot;
    plan.snapshot = *newest;
    note_fetch(key, -1, now);
    return plan;
  }
  if (asked.fetch_offset > 0 || asked.last_fetched_epoch > 0) {
    const OffsetAndEpoch own = log_.end_of_epoch(asked.last_fetched_epoch);
    const bool at_snapshot = newest && asked.fetch_offset == newest->offset && asked.last_fetched_epoch == newest->epoch;
    if (!at_snapshot && (own.epoch != asked.last_fetched_epoch || own.offset < asked.fetch_offset)) {
      plan.kind = FetchPlan::Kind::kDiverging;
      plan.diverging = own;
      note_fetch(key, -1, now);
      return plan;
    }
  }
  plan.kind = FetchPlan::Kind::kRecords;
  plan.from = asked.fetch_offset;
  note_fetch(key, asked.fetch_offset, now);
  if (role_ != Role::kLeader) return refuse(ErrorCode::kNotLeaderOrFollower, false);  // The fetch committed the removal of this leader.
  // The follower's high watermark: one that does not state it (before v18) is not woken by its move.
  const Offset known = version >= 18 ? asked.high_watermark : INT64_MAX;
  plan.park = asked.fetch_offset >= end && request.max_wait_ms > 0 && leader_hw_ <= known;
  return plan;
}

RaftCore::FetchPlan RaftCore::plan_fetch_snapshot(const protocol::FetchSnapshotRequest& request, Now now) {
  FetchPlan plan;
  const auto refuse = [&](ErrorCode error, bool top_level) {
    plan.kind = FetchPlan::Kind::kError;
    plan.error = error;
    plan.top_level = top_level;
    return plan;
  };
  if (!cluster_matches(request.cluster_id)) return refuse(ErrorCode::kInconsistentClusterId, true);
  const bool shape = request.topics.size() == 1 && request.topics[0].name.view() == kTopic && request.topics[0].partitions.size() == 1 &&
                     request.topics[0].partitions[0].partition == 0;
  if (!shape) return refuse(ErrorCode::kInvalidRequest, true);
  const auto& asked = request.topics[0].partitions[0];
  if (const ErrorCode error = check_leader(asked.current_leader_epoch); error != ErrorCode::kNone) return refuse(error, false);
  note_fetch({request.replica_id, asked.replica_directory_id}, -1, now);
  plan.kind = FetchPlan::Kind::kSnapshot;
  plan.snapshot = {asked.snapshot_id.end_offset, asked.snapshot_id.epoch};
  plan.from = asked.position;
  return plan;
}

void RaftCore::handle(const protocol::DescribeQuorumRequest& request, protocol::DescribeQuorumResponse& response, Now now) const {
  response.error_message = std::nullopt;
  const bool shape = request.topics.size() == 1 && request.topics[0].topic_name.view() == kTopic && request.topics[0].partitions.size() == 1 &&
                     request.topics[0].partitions[0].partition_index == 0;
  if (!shape) {
    response.error_code = protocol::to_wire(ErrorCode::kInvalidRequest);
    return;
  }
  auto& topic = response.topics.emplace_back();
  topic.topic_name = protocol::Text(kTopic);
  auto& partition = topic.partitions.emplace_back();
  partition.error_message = std::nullopt;
  partition.leader_id = leader_;
  partition.leader_epoch = epoch_;
  if (role_ != Role::kLeader) {
    partition.error_code = protocol::to_wire(ErrorCode::kNotLeaderOrFollower);
    return;
  }
  partition.high_watermark = leader_hw_;
  const auto add = [&](auto& list, const ReplicaKey& key, const ReplicaProgress* progress) {
    auto& to = list.emplace_back();
    to.replica_id = key.id;
    to.replica_directory_id = key.directory;
    const bool self = key.id == self_.id;
    to.log_end_offset = self ? log_.end_offset() : progress != nullptr ? progress->end_offset : -1;
    to.last_fetch_timestamp = self ? now.wall : progress != nullptr ? progress->last_fetch_ms : -1;
    to.last_caught_up_timestamp = self ? now.wall : progress != nullptr ? progress->last_caught_up_ms : -1;
  };
  for (const auto& [id, voter] : voters().all()) {
    const ReplicaProgress* progress = nullptr;
    ReplicaKey key = voter.key;
    for (const auto& [other, p] : replicas_) {
      if (other.id != id || (!voter.key.directory.is_zero() && other.directory != voter.key.directory)) continue;
      if (progress == nullptr || p.last_fetch > progress->last_fetch) progress = &p;
    }
    add(partition.current_voters, id == self_.id ? ReplicaKey{id, self_.directory} : key, progress);
    auto& node = response.nodes.emplace_back();
    node.node_id = id;
    for (const auto& e : id == self_.id && !config_.own_endpoints.empty() ? config_.own_endpoints : voter.endpoints) {
      auto& l = node.listeners.emplace_back();
      l.name = e.listener;
      l.host = e.host;
      l.port = e.port;
    }
  }
  for (const auto& [key, progress] : replicas_) {
    if (!voters().contains(key)) add(partition.observers, key, &progress);
  }
}

}  // namespace samsa::raft
