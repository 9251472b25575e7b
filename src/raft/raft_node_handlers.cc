// RaftNode: the controller listener's side.
#include <algorithm>

#include "protocol/codec.h"
#include "protocol/api/api_versions.h"
#include "raft/raft_node_state.h"

namespace samsa::raft {

namespace {
constexpr std::string_view kTopic = "__cluster_metadata";
}

void RaftNode::handle_vote(const protocol::VoteRequest& request, std::string_view listener, protocol::VoteResponse& response) {
  state_->core->handle(request, listener, response, state_->now());
  state_->pump();
  state_->wake.notify_all();
}

void RaftNode::handle_begin_quorum_epoch(const protocol::BeginQuorumEpochRequest& request, std::string_view listener,
                                         protocol::BeginQuorumEpochResponse& response) {
  state_->core->handle(request, listener, response, state_->now());
  state_->pump();
  state_->wake.notify_all();
}

void RaftNode::handle_end_quorum_epoch(const protocol::EndQuorumEpochRequest& request, std::string_view listener,
                                       protocol::EndQuorumEpochResponse& response) {
  state_->core->handle(request, listener, response, state_->now());
  state_->pump();
  state_->wake.notify_all();
}

void RaftNode::handle_describe_quorum(const protocol::DescribeQuorumRequest& request, std::string_view listener,
                                      protocol::DescribeQuorumResponse& response) {
  state_->core->handle(request, response, state_->now());
}

void RaftNode::State::fill_fetch(const RaftCore::FetchPlan& plan, Buffer records, std::string_view listener_name,
                                 protocol::FetchResponse& response) const {
  if (plan.top_level) {
    response.error_code = protocol::to_wire(plan.error);
    return;
  }
  auto& topic = response.responses.emplace_back();
  topic.topic = protocol::Text(kTopic);
  topic.topic_id = kMetadataTopicId;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = 0;
  partition.error_code = protocol::to_wire(plan.error);
  partition.high_watermark = core->leader_high_watermark();
  partition.last_stable_offset = -1;
  partition.log_start_offset = log->start_offset();
  partition.current_leader.leader_id = core->leader().leader;
  partition.current_leader.leader_epoch = core->epoch();
  if (plan.kind == RaftCore::FetchPlan::Kind::kDiverging) {
    partition.diverging_epoch.epoch = plan.diverging.epoch;
    partition.diverging_epoch.end_offset = plan.diverging.offset;
  }
  if (plan.kind == RaftCore::FetchPlan::Kind::kSnapshot) {
    partition.snapshot_id.end_offset = plan.snapshot.offset;
    partition.snapshot_id.epoch = plan.snapshot.epoch;
  }
  partition.records = protocol::Records::of(protocol::Blob(std::move(records)));
  if (const auto endpoint = core->leader_endpoint(listener_name); endpoint && core->leader().leader >= 0) {
    auto& node = response.node_endpoints.emplace_back();
    node.node_id = core->leader().leader;
    node.host = endpoint->host;
    node.port = endpoint->port;
  }
}

io::Task<> RaftNode::handle_fetch(const protocol::FetchRequest& request, int16_t version, std::string_view listener,
                                  protocol::FetchResponse& response) {
  auto& s = *state_;
  const io::MonoTime deadline = io::after(s.world.loop.now(), std::chrono::milliseconds(std::max(request.max_wait_ms, 0)));
  auto plan = s.core->plan_fetch(request, version, s.now());
  s.pump();
  while (plan.park && !s.stopping && s.world.loop.now() < deadline) {
    co_await s.progress.wait_until(s.world.loop, deadline);
    plan = s.core->plan_fetch(request, version, s.now());
    s.pump();
  }
  Buffer records;
  if (plan.kind == RaftCore::FetchPlan::Kind::kRecords && !s.stopping) {
    const uint64_t limit = static_cast<uint64_t>(std::max(request.max_bytes, 1));
    auto read = co_await s.log->read(plan.from, s.log->end_offset(), limit);
    if (read) {
      records = std::move(*read);
    } else {
      SAMSA_LOG_WARN("raft: fetch at {}: {}", plan.from, read.error().describe());
    }
  }
  s.fill_fetch(plan, std::move(records), listener, response);
}

void RaftNode::handle_fetch_snapshot(const protocol::FetchSnapshotRequest& request, std::string_view listener,
                                     protocol::FetchSnapshotResponse& response) {
  auto& s = *state_;
  const auto plan = s.core->plan_fetch_snapshot(request, s.now());
  s.pump();
  if (plan.top_level) {
    response.error_code = protocol::to_wire(plan.error);
    return;
  }
  auto& topic = response.topics.emplace_back();
  topic.name = protocol::Text(kTopic);
  auto& partition = topic.partitions.emplace_back();
  partition.index = 0;
  partition.error_code = protocol::to_wire(plan.error);
  partition.current_leader.leader_id = s.core->leader().leader;
  partition.current_leader.leader_epoch = s.core->epoch();
  partition.unaligned_records = protocol::Records::empty();
  if (const auto endpoint = s.core->leader_endpoint(listener); endpoint && s.core->leader().leader >= 0) {
    auto& node = response.node_endpoints.emplace_back();
    node.node_id = s.core->leader().leader;
    node.host = endpoint->host;
    node.port = endpoint->port;
  }
  if (plan.error != ErrorCode::kNone) return;
  const auto refuse = [&](ErrorCode error) { partition.error_code = protocol::to_wire(error); };
  partition.snapshot_id.end_offset = plan.snapshot.offset;
  partition.snapshot_id.epoch = plan.snapshot.epoch;
  if (!s.log->has_snapshot(plan.snapshot)) return refuse(ErrorCode::kSnapshotNotFound);
  auto file = s.world.disk.open(s.log->snapshot_path(plan.snapshot), io::OpenMode::kRead);
  if (!file) return refuse(ErrorCode::kSnapshotNotFound);
  const auto size = (*file)->size();
  if (!size) return refuse(ErrorCode::kKafkaStorageError);
  if (plan.from < 0 || plan.from >= static_cast<int64_t>(*size)) return refuse(ErrorCode::kPositionOutOfRange);
  const uint64_t length = std::min<uint64_t>({static_cast<uint64_t>(std::max(request.max_bytes, 1)), *size - static_cast<uint64_t>(plan.from),
                                              static_cast<uint64_t>(s.config.snapshot_fetch_max_bytes)});
  Buffer bytes(length);
  const auto read = (*file)->read_at(bytes, static_cast<uint64_t>(plan.from));
  if (!read) return refuse(ErrorCode::kKafkaStorageError);
  bytes.resize(*read);
  partition.size = static_cast<int64_t>(*size);
  partition.position = plan.from;
  partition.unaligned_records = protocol::Records::of(protocol::Blob(std::move(bytes)));
}

// ---- Voters

namespace {
template <class Response>
void set_change(Response& response, const RaftCore::VoterChange& change) {
  response.error_code = protocol::to_wire(change.error);
  response.error_message = std::nullopt;
  if (change.error != ErrorCode::kNone) {
    response.error_message = protocol::Text(change.message.empty() ? std::string(error_text(change.error)) : change.message);
  }
}
}  // namespace

// The range of kraft.version that a node offers, as its ApiVersions says; an error where it cannot be reached.
static io::Task<Result<std::pair<int16_t, int16_t>>> ask_kraft_range(RaftTransport& transport, io::Address to) {
  protocol::ApiVersionsRequest request;
  request.client_software_name = "samsa";
  request.client_software_version = "1";
  CO_TRY_ASSIGN(const auto response, co_await transport.call(to, request, 3));
  for (const auto& feature : response->supported_features) {
    if (feature.name == "kraft.version") co_return std::pair<int16_t, int16_t>{feature.min_version, feature.max_version};
  }
  co_return std::pair<int16_t, int16_t>{0, 0};
}

io::Task<> RaftNode::handle_add_voter(const protocol::AddRaftVoterRequest& request, protocol::AddRaftVoterResponse& response) {
  auto& s = *state_;
  auto change = s.core->check_add_voter(request, s.now());
  if (change.error != ErrorCode::kNone) {
    set_change(response, change);
    co_return;
  }
  io::Address to;
  for (const auto& l : request.listeners) {
    if (l.name.view() == s.config.controller_listener) to = {l.host.str(), l.port};
  }
  const LeaderEpoch epoch = s.core->epoch();
  Result<std::pair<int16_t, int16_t>> range = fail(ErrorCode::kRequestTimedOut);
  if (s.transport) range = co_await ask_kraft_range(*s.transport, to);
  if (!range || s.core->epoch() != epoch) {
    set_change(response, {ErrorCode::kRequestTimedOut, "The new voter could not be asked for its features: " + (range ? std::string("leadership was lost") : range.error().text())});
    co_return;
  }
  change = s.core->add_voter(request, range->first, range->second, s.now());
  s.pump();
  s.wake.notify_all();
  if (change.error == ErrorCode::kNone && request.ack_when_committed) {
    if (auto done = co_await wait_committed(change.commit, epoch); !done) change = {ErrorCode::kNotLeaderOrFollower, ""};
  }
  set_change(response, change);
}

io::Task<> RaftNode::handle_remove_voter(const protocol::RemoveRaftVoterRequest& request, protocol::RemoveRaftVoterResponse& response) {
  auto& s = *state_;
  const LeaderEpoch epoch = s.core->epoch();
  auto change = s.core->remove_voter(request, s.now());
  s.pump();
  s.wake.notify_all();
  while (change.error == ErrorCode::kNone && s.core->high_watermark() <= change.commit) {
    // A leader that removes itself resigns at the very moment of the commit.
    if (s.stopping || s.faulted || s.core->epoch() != epoch) {
      change = {ErrorCode::kNotLeaderOrFollower, ""};
      break;
    }
    co_await s.progress.wait(s.world.loop);
  }
  set_change(response, change);
}

io::Task<> RaftNode::handle_update_voter(const protocol::UpdateRaftVoterRequest& request, std::string_view listener,
                                         protocol::UpdateRaftVoterResponse& response) {
  state_->core->handle(request, listener, response, state_->now());
  state_->pump();
  state_->wake.notify_all();
  co_return;
}

Result<Offset> RaftNode::upgrade_kraft_version(int16_t level, bool validate_only) {
  auto change = state_->core->upgrade_kraft_version(level, state_->now(), validate_only);
  state_->pump();
  if (change.error != ErrorCode::kNone) return fail(change.error, change.message);
  return change.commit;
}

}  // namespace samsa::raft
