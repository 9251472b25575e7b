// RaftCore: what a replica asks of the others, and what their answers mean.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/codec.h"
#include "raft/raft_core.h"

namespace samsa::raft {

namespace {
constexpr std::string_view kTopic = "__cluster_metadata";

template <class Named>
void name_endpoints(const std::vector<VoterEndpoint>& own, std::vector<Named>& into) {
  for (const auto& e : own) {
    auto& to = into.emplace_back();
    to.name = e.listener;
    to.host = e.host;
    to.port = e.port;
  }
}
}  // namespace

std::optional<io::Address> RaftCore::voter_address(int32_t id) const {
  const Voter* voter = voters().find(id);
  if (voter == nullptr || voter->endpoints.empty()) return std::nullopt;
  const VoterEndpoint* e = voter->endpoint(config_.controller_listener);
  if (e == nullptr) e = &voter->endpoints.front();
  return io::Address{e->host, e->port};
}

bool RaftCore::claim(int32_t peer, Now now) {
  Link& l = link(peer);
  if (l.busy || now.mono < l.not_before) return false;
  l.busy = true;
  l.not_before = io::MonoTime{INT64_MIN};
  return true;
}

std::vector<Ask> RaftCore::poll(Now now) {
  std::vector<Ask> asks;
  if (fault_) return asks;
  switch (role_) {
    case Role::kProspective:
    case Role::kCandidate: poll_votes(now, asks); break;
    case Role::kLeader: poll_leader(now, asks); break;
    case Role::kResigned: poll_resigned(now, asks); break;
    case Role::kFollower:
      if (!stopping_ && !poll_membership(now, asks)) poll_fetch(now, asks);
      break;
    case Role::kUnattached:
      if (!stopping_) poll_fetch(now, asks);
      break;
  }
  return asks;
}

void RaftCore::poll_votes(Now now, std::vector<Ask>& asks) {
  if (election_lost_) return;
  for (const auto& [id, voter] : voters().all()) {
    if (id == self_.id || election_.granted.contains(id) || election_.rejected.contains(id)) continue;
    const auto address = voter_address(id);
    if (!address || !claim(id, now)) continue;
    protocol::VoteRequest request;
    request.cluster_id = protocol::Text(config_.cluster_id);
    request.voter_id = id;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = protocol::Text(kTopic);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 0;
    partition.replica_epoch = epoch_;
    partition.replica_id = self_.id;
    partition.replica_directory_id = self_.directory;
    partition.voter_directory_id = voter.key.directory;
    partition.last_offset_epoch = log_.last_epoch();
    partition.last_offset = log_.end_offset();
    partition.pre_vote = role_ == Role::kProspective;
    asks.push_back({id, *address, epoch_, std::move(request)});
  }
}

void RaftCore::poll_leader(Now now, std::vector<Ask>& asks) {
  for (const auto& [id, voter] : voters().all()) {
    if (id == self_.id) continue;
    const ReplicaProgress* progress = nullptr;
    for (const auto& [key, p] : replicas_) {
      if (key.id == id && (progress == nullptr || p.last_fetch > progress->last_fetch)) progress = &p;
    }
    const bool fresh = progress != nullptr && progress->last_fetch.ns >= 0 && now.mono < io::after(progress->last_fetch, config_.fetch_timeout / 2);
    if (fresh) continue;
    const auto address = voter_address(id);
    if (!address || !claim(id, now)) continue;
    protocol::BeginQuorumEpochRequest request;
    request.cluster_id = protocol::Text(config_.cluster_id);
    request.voter_id = id;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = protocol::Text(kTopic);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 0;
    partition.voter_directory_id = voter.key.directory;
    partition.leader_id = self_.id;
    partition.leader_epoch = epoch_;
    name_endpoints(config_.own_endpoints, request.leader_endpoints);
    asks.push_back({id, *address, epoch_, std::move(request)});
  }
}

void RaftCore::poll_resigned(Now now, std::vector<Ask>& asks) {
  for (const auto& [id, voter] : voters().all()) {
    if (id == self_.id || end_acknowledged_.contains(id)) continue;
    const auto address = voter_address(id);
    if (!address || !claim(id, now)) continue;
    protocol::EndQuorumEpochRequest request;
    request.cluster_id = protocol::Text(config_.cluster_id);
    auto& topic = request.topics.emplace_back();
    topic.topic_name = protocol::Text(kTopic);
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 0;
    partition.leader_id = self_.id;
    partition.leader_epoch = epoch_;
    for (const auto& key : successors_) {
      partition.preferred_successors.push_back(key.id);
      auto& to = partition.preferred_candidates.emplace_back();
      to.candidate_id = key.id;
      to.candidate_directory_id = key.directory;
    }
    name_endpoints(config_.own_endpoints, request.leader_endpoints);
    asks.push_back({id, *address, epoch_, std::move(request)});
  }
}

protocol::FetchRequest RaftCore::make_fetch() const {
  protocol::FetchRequest request;
  request.cluster_id = protocol::Text(config_.cluster_id);
  request.replica_state.replica_id = self_.id;
  request.max_wait_ms = 500;
  request.min_bytes = 0;
  request.max_bytes = config_.fetch_max_bytes;
  auto& topic = request.topics.emplace_back();
  topic.topic = protocol::Text(kTopic);
  topic.topic_id = kMetadataTopicId;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = 0;
  partition.current_leader_epoch = epoch_;
  partition.fetch_offset = log_.end_offset();
  partition.last_fetched_epoch = log_.last_epoch();
  partition.log_start_offset = -1;
  partition.partition_max_bytes = 0;
  partition.replica_directory_id = self_.directory;
  partition.high_watermark = high_watermark_;
  return request;
}

void RaftCore::poll_fetch(Now now, std::vector<Ask>& asks) {
  const bool leader_lost = role_ == Role::kFollower && now.mono >= fetch_deadline_;
  if (role_ == Role::kFollower && !leader_lost) {
    const auto endpoint = leader_endpoint(config_.controller_listener);
    std::optional<io::Address> address;
    if (endpoint) address = io::Address{endpoint->host, endpoint->port};
    if (!address) address = voter_address(leader_);
    if (!address || !claim(leader_, now)) return;
    if (!snapshot_id_) {
      asks.push_back({leader_, *address, epoch_, make_fetch()});
      return;
    }
    protocol::FetchSnapshotRequest request;
    request.cluster_id = protocol::Text(config_.cluster_id);
    request.replica_id = self_.id;
    request.max_bytes = config_.snapshot_fetch_max_bytes;
    auto& topic = request.topics.emplace_back();
    topic.name = protocol::Text(kTopic);
    auto& partition = topic.partitions.emplace_back();
    partition.partition = 0;
    partition.current_leader_epoch = epoch_;
    partition.snapshot_id.end_offset = snapshot_id_->offset;
    partition.snapshot_id.epoch = snapshot_id_->epoch;
    partition.position = snapshot_position_;
    partition.replica_directory_id = self_.directory;
    asks.push_back({leader_, *address, epoch_, std::move(request)});
    return;
  }
  // No leader is known, or an observer's has fallen silent: ask around. The answer names the leader.
  std::vector<std::pair<int32_t, io::Address>> candidates;
  for (size_t i = 0; i < config_.bootstrap_servers.size(); ++i) candidates.emplace_back(-2 - static_cast<int32_t>(i), config_.bootstrap_servers[i]);
  for (const auto& [id, voter] : voters().all()) {
    if (const auto address = voter_address(id); address && id != self_.id) candidates.emplace_back(id, *address);
  }
  if (candidates.empty()) return;
  for (const auto& [id, address] : candidates) {
    if (link(id).busy) return;  // One at a time.
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto& [id, address] = candidates[next_bootstrap_++ % candidates.size()];
    if (claim(id, now)) {
      asks.push_back({id, address, epoch_, make_fetch()});
      return;
    }
  }
}

// controller.quorum.auto.join.enable: a controller that is no voter makes itself one. The entry of an earlier directory of its own goes first.
bool RaftCore::poll_join(Now now, std::vector<Ask>& asks) {
  const bool may = config_.auto_join && config_.controller && kraft_version() > 0 && fetched_once_ && !config_.own_endpoints.empty();
  if (!may || now.mono < update_voter_at_) return false;
  const auto endpoint = leader_endpoint(config_.controller_listener);
  if (!endpoint || !claim(leader_, now)) return false;
  const io::Address address{endpoint->host, endpoint->port};
  if (const Voter* stale = voters().find(self_.id)) {
    protocol::RemoveRaftVoterRequest request;
    request.cluster_id = protocol::Text(config_.cluster_id);
    request.voter_id = self_.id;
    request.voter_directory_id = stale->key.directory;
    asks.push_back({leader_, address, epoch_, std::move(request)});
    return true;
  }
  protocol::AddRaftVoterRequest request;
  request.cluster_id = protocol::Text(config_.cluster_id);
  request.timeout_ms = static_cast<int32_t>(config_.request_timeout.count());
  request.voter_id = self_.id;
  request.voter_directory_id = self_.directory;
  name_endpoints(config_.own_endpoints, request.listeners);
  // It would wait for a majority of the new set, of which this replica, busy with waiting, is a part.
  request.ack_when_committed = false;
  asks.push_back({leader_, address, epoch_, std::move(request)});
  return true;
}

bool RaftCore::poll_membership(Now now, std::vector<Ask>& asks) {
  if (!is_voter()) return poll_join(now, asks);
  if (update_voter_done_ || now.mono < update_voter_at_ || !fetched_once_ || config_.own_endpoints.empty()) return false;
  const Voter* own = voters().find(self_.id);
  if (kraft_version() > 0 && own != nullptr && own->endpoints == config_.own_endpoints) {
    update_voter_done_ = true;
    return false;
  }
  const auto address = voter_address(leader_);
  if (!address || !claim(leader_, now)) return false;
  protocol::UpdateRaftVoterRequest request;
  request.cluster_id = protocol::Text(config_.cluster_id);
  request.current_leader_epoch = epoch_;
  request.voter_id = self_.id;
  request.voter_directory_id = self_.directory;
  name_endpoints(config_.own_endpoints, request.listeners);
  request.k_raft_version_feature.min_supported_version = 0;
  request.k_raft_version_feature.max_supported_version = 1;
  asks.push_back({leader_, *address, epoch_, std::move(request)});
  return true;
}

// ---- Answers

namespace {
// Followers of a leader that is gone ask for votes one after the other, so that they do not split them: the first when all will have
// noticed, the next ones each after several times what a round of votes takes.
constexpr std::chrono::milliseconds kFirstSuccessor{30};
constexpr std::chrono::milliseconds kBetweenSuccessors{100};
constexpr std::chrono::milliseconds kSuccessorSpread{20};
}  // namespace

// Nobody listens at the peer's address: its process has ended.
void RaftCore::on_refused(const Ask& ask, Now now) {
  if (role_ == Role::kFollower && ask.peer == leader_) {
    if (leader_refuses_) return;
    // No need to wait out the timeout.
    leader_refuses_ = true;
    int64_t before = 0;
    for (const auto& [id, voter] : voters().all()) before += id < self_.id && id != leader_;
    const auto pause = kFirstSuccessor + before * kBetweenSuccessors + std::chrono::milliseconds(random_.between(0, kSuccessorSpread.count()));
    fetch_deadline_ = std::min(fetch_deadline_, is_voter() ? in(pause, now) : now.mono);
  } else if ((role_ == Role::kProspective || role_ == Role::kCandidate) && std::holds_alternative<protocol::VoteRequest>(ask.question)) {
    // As good as a refusal: where no majority can come together any more the round need not be waited out.
    election_.rejected.insert(ask.peer);
    count_votes(now);
  }
}

void RaftCore::on_answer(const Ask& ask, Result<Answer> answer, Now now) {
  Link& l = link(ask.peer);
  if (!answer) {
    l.busy = false;
    l.not_before = in(config_.retry_backoff, now);
    const bool unsupported = answer.error().code == ErrorCode::kUnsupportedVersion;
    SAMSA_LOG_DEBUG("raft: no answer from {} at {}: {}", ask.peer, ask.address.to_string(), answer.error().describe());
    if (ask.epoch == epoch_ && io::is_refused(answer.error())) on_refused(ask, now);
    if (unsupported && role_ == Role::kProspective && std::holds_alternative<protocol::VoteRequest>(ask.question) && ask.epoch == epoch_) {
      become_candidate(now);  // A voter without pre-vote: the round is skipped.
    }
    if (unsupported && std::holds_alternative<protocol::UpdateRaftVoterRequest>(ask.question)) update_voter_done_ = true;
    const bool joining = std::holds_alternative<protocol::AddRaftVoterRequest>(ask.question) || std::holds_alternative<protocol::RemoveRaftVoterRequest>(ask.question);
    if (joining) update_voter_at_ = in(config_.fetch_timeout, now);
    return;
  }
  l.busy = false;
  if (const auto* vote = std::get_if<protocol::VoteResponse>(&*answer)) return on_vote_answer(ask, *vote, now);
  if (const auto* begin = std::get_if<protocol::BeginQuorumEpochResponse>(&*answer)) return on_begin_answer(ask, *begin, now);
  if (const auto* end = std::get_if<protocol::EndQuorumEpochResponse>(&*answer)) return on_end_answer(ask, *end, now);
  if (const auto* update = std::get_if<protocol::UpdateRaftVoterResponse>(&*answer)) return on_update_voter_answer(ask, *update, now);
  if (const auto* add = std::get_if<protocol::AddRaftVoterResponse>(&*answer)) return on_join_answer(error_from_wire(add->error_code), false, now);
  if (const auto* remove = std::get_if<protocol::RemoveRaftVoterResponse>(&*answer)) return on_join_answer(error_from_wire(remove->error_code), true, now);
}

void RaftCore::on_join_answer(ErrorCode error, bool removed, Now now) {
  // Not yet caught up, or another change under way: asked again.
  update_voter_at_ = in(removed && error == ErrorCode::kNone ? config_.retry_backoff : config_.fetch_timeout, now);
  const std::string_view what = removed ? "its entry of an earlier directory is removed" : "it asks to be a voter";
  if (error == ErrorCode::kNone) {
    SAMSA_LOG_INFO("raft: {} (controller.quorum.auto.join.enable)", what);
  } else {
    SAMSA_LOG_INFO("raft: {}: {}; trying again", what, error_name(error));
  }
}

namespace {
template <class Endpoints>
std::optional<VoterEndpoint> endpoint_of(const Endpoints& list, int32_t leader, const std::string& listener) {
  for (const auto& e : list) {
    if (e.node_id == leader) return VoterEndpoint{listener, e.host.str(), static_cast<uint16_t>(e.port)};
  }
  return std::nullopt;
}
}  // namespace

void RaftCore::on_vote_answer(const Ask& ask, const protocol::VoteResponse& response, Now now) {
  const auto& request = std::get<protocol::VoteRequest>(ask.question);
  Link& l = link(ask.peer);
  l.not_before = in(config_.retry_backoff, now);
  if (response.error_code != 0) {
    SAMSA_LOG_WARN("raft: voter {} answers a vote request with {}", ask.peer, error_name(error_from_wire(response.error_code)));
    return;
  }
  if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1) return;
  const auto& partition = response.topics[0].partitions[0];
  if (take_leader(ask.peer, partition.leader_id, partition.leader_epoch, endpoint_of(response.node_endpoints, partition.leader_id, config_.controller_listener),
                  now)) {
    return;
  }
  const bool pre_vote = request.topics[0].partitions[0].pre_vote;
  const bool current = ask.epoch == epoch_ && role_ == (pre_vote ? Role::kProspective : Role::kCandidate);
  if (!current || partition.error_code != 0) return;
  (partition.vote_granted ? election_.granted : election_.rejected).insert(ask.peer);
  count_votes(now);
}

void RaftCore::on_begin_answer(const Ask& ask, const protocol::BeginQuorumEpochResponse& response, Now now) {
  link(ask.peer).not_before = in(config_.fetch_timeout / 2, now);
  if (response.error_code != 0 || response.topics.size() != 1 || response.topics[0].partitions.size() != 1) return;
  const auto& partition = response.topics[0].partitions[0];
  take_leader(ask.peer, partition.leader_id, partition.leader_epoch, endpoint_of(response.node_endpoints, partition.leader_id, config_.controller_listener), now);
}

void RaftCore::on_end_answer(const Ask& ask, const protocol::EndQuorumEpochResponse& response, Now now) {
  if (response.error_code != 0 || response.topics.size() != 1 || response.topics[0].partitions.size() != 1) return;
  const auto& partition = response.topics[0].partitions[0];
  if (take_leader(ask.peer, partition.leader_id, partition.leader_epoch, endpoint_of(response.node_endpoints, partition.leader_id, config_.controller_listener),
                  now)) {
    return;
  }
  end_acknowledged_.insert(ask.peer);
}

void RaftCore::on_update_voter_answer(const Ask& ask, const protocol::UpdateRaftVoterResponse& response, Now now) {
  update_voter_at_ = in(config_.fetch_timeout, now);
  if (role_ != Role::kFollower || ask.epoch != epoch_) return;
  const ErrorCode error = error_from_wire(response.error_code);
  if (error == ErrorCode::kUnsupportedVersion || (error == ErrorCode::kNone && kraft_version() == 0)) update_voter_done_ = true;
  std::optional<VoterEndpoint> endpoint;
  const auto& leader = response.current_leader;
  if (leader.leader_id >= 0 && !leader.host.empty()) {
    endpoint = VoterEndpoint{config_.controller_listener, leader.host.str(), static_cast<uint16_t>(leader.port)};
  }
  take_leader(ask.peer, leader.leader_id, leader.leader_epoch, endpoint, now);
}

RaftCore::FetchStep RaftCore::on_fetch_answer(const Ask& ask, const protocol::FetchResponse& response, Now now) {
  FetchStep step;
  const auto back_off = [&] { link(ask.peer).not_before = in(config_.retry_backoff, now); };
  if (response.error_code != 0) {
    SAMSA_LOG_WARN("raft: fetch from {} fails with {}", ask.peer, error_name(error_from_wire(response.error_code)));
    back_off();
    return step;
  }
  if (response.responses.size() != 1 || response.responses[0].partitions.size() != 1) return back_off(), step;
  const auto& partition = response.responses[0].partitions[0];
  const auto& leader = partition.current_leader;
  if (take_leader(ask.peer, leader.leader_id, leader.leader_epoch, endpoint_of(response.node_endpoints, leader.leader_id, config_.controller_listener), now)) {
    return step;
  }
  const bool from_leader = role_ == Role::kFollower && ask.epoch == epoch_ && (ask.peer == leader_ || leader.leader_id == leader_);
  if (partition.error_code != 0 || !from_leader) {
    back_off();
    return step;
  }
  fetch_deadline_ = in(config_.fetch_timeout, now);
  fetched_once_ = true;
  leader_refuses_ = false;
  failed_elections_ = 0;
  step.leader_hw = partition.high_watermark;
  if (partition.diverging_epoch.end_offset >= 0 && partition.diverging_epoch.epoch >= 0) {
    const OffsetAndEpoch own = log_.end_of_epoch(partition.diverging_epoch.epoch);
    const Offset to = own.epoch == partition.diverging_epoch.epoch ? std::min(own.offset, partition.diverging_epoch.end_offset) : own.offset;
    if (to < high_watermark_) {
      fault_ = Error{ErrorCode::kUnknownServerError,
                     fmt::format("leader {} wants the metadata log cut to {}, below the committed offset {}", leader_, to, high_watermark_)};
      return step;
    }
    step.kind = FetchStep::Kind::kTruncate;
    step.truncate_to = to;
    return step;
  }
  if (partition.snapshot_id.end_offset >= 0 && partition.snapshot_id.epoch >= 0) {
    step.kind = FetchStep::Kind::kSnapshot;
    step.snapshot = {partition.snapshot_id.end_offset, partition.snapshot_id.epoch};
    return step;
  }
  step.kind = FetchStep::Kind::kAppend;
  step.records = partition.records.memory.view();
  return step;
}

void RaftCore::fetch_done(const Ask& ask, Offset leader_hw, Now now) {
  if (role_ != Role::kFollower || ask.epoch != epoch_) return;
  if (leader_hw >= 0) set_high_watermark(std::min(leader_hw, log_.end_offset()));
}

void RaftCore::begin_snapshot_fetch(OffsetAndEpoch id, Now now) {
  snapshot_id_ = id;
  snapshot_position_ = 0;
}

RaftCore::SnapshotPiece RaftCore::on_snapshot_answer(const Ask& ask, const protocol::FetchSnapshotResponse& response, Now now) {
  SnapshotPiece piece;
  const auto start_over = [&] {
    link(ask.peer).not_before = in(config_.retry_backoff, now);
    snapshot_id_.reset();
  };
  if (response.error_code != 0 || response.topics.size() != 1 || response.topics[0].partitions.size() != 1) return start_over(), piece;
  const auto& partition = response.topics[0].partitions[0];
  const auto& leader = partition.current_leader;
  if (take_leader(ask.peer, leader.leader_id, leader.leader_epoch, endpoint_of(response.node_endpoints, leader.leader_id, config_.controller_listener), now)) {
    return piece;
  }
  const bool from_leader = role_ == Role::kFollower && ask.epoch == epoch_ && ask.peer == leader_ && snapshot_id_;
  if (partition.error_code != 0 || !from_leader) return start_over(), piece;
  const OffsetAndEpoch id{partition.snapshot_id.end_offset, partition.snapshot_id.epoch};
  if (id != *snapshot_id_ || partition.position != snapshot_position_ || partition.size < 0) return start_over(), piece;
  fetch_deadline_ = in(config_.fetch_timeout, now);
  fetched_once_ = true;
  leader_refuses_ = false;
  failed_elections_ = 0;
  piece.usable = true;
  piece.bytes = partition.unaligned_records.memory.view();
  piece.position = partition.position;
  piece.total = partition.size;
  return piece;
}

void RaftCore::snapshot_progress(int64_t next_position, Now now) { snapshot_position_ = next_position; }

void RaftCore::end_snapshot_fetch(const Ask& ask, Now now) {
  if (snapshot_id_) set_high_watermark(snapshot_id_->offset);
  snapshot_id_.reset();
}

}  // namespace samsa::raft
