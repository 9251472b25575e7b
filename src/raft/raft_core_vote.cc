// RaftCore: elections as others ask for them (Vote, BeginQuorumEpoch, EndQuorumEpoch).
#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"
#include "protocol/codec.h"
#include "raft/raft_core.h"

namespace samsa::raft {

namespace {

constexpr std::string_view kTopic = "__cluster_metadata";

// The one partition that these requests may name; null for any other shape.
template <class Request>
auto only_partition(const Request& request) -> decltype(&request.topics[0].partitions[0]) {
  if (request.topics.size() != 1 || request.topics[0].topic_name.view() != kTopic) return nullptr;
  if (request.topics[0].partitions.size() != 1 || request.topics[0].partitions[0].partition_index != 0) return nullptr;
  return &request.topics[0].partitions[0];
}

template <class Response>
auto& answer_partition(Response& response) {
  auto& topic = response.topics.emplace_back();
  topic.topic_name = protocol::Text(kTopic);
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = 0;
  return partition;
}

template <class Response>
void name_leader(Response& response, int32_t leader, const std::optional<VoterEndpoint>& endpoint) {
  if (leader < 0 || !endpoint) return;
  auto& node = response.node_endpoints.emplace_back();
  node.node_id = leader;
  node.host = endpoint->host;
  node.port = endpoint->port;
}

}  // namespace

bool RaftCore::addressed_wrongly(int32_t voter_id, const Uuid& directory) const {
  if (voter_id >= 0 && voter_id != self_.id) return true;
  return !directory.is_zero() && !self_.directory.is_zero() && directory != self_.directory;
}

void RaftCore::handle(const protocol::VoteRequest& request, std::string_view listener, protocol::VoteResponse& response, Now now) {
  if (!cluster_matches(request.cluster_id)) {
    response.error_code = protocol::to_wire(ErrorCode::kInconsistentClusterId);
    return;
  }
  const auto* asked = only_partition(request);
  if (asked == nullptr) {
    response.error_code = protocol::to_wire(ErrorCode::kInvalidRequest);
    return;
  }
  ErrorCode error = ErrorCode::kNone;
  bool granted = false;
  const bool sane = asked->last_offset >= 0 && asked->last_offset_epoch >= 0 && asked->replica_id >= 0 &&
                    (asked->pre_vote ? asked->last_offset_epoch <= asked->replica_epoch : asked->last_offset_epoch < asked->replica_epoch);
  if (!sane) {
    error = ErrorCode::kInvalidRequest;
  } else if (asked->replica_epoch < epoch_) {
    error = ErrorCode::kFencedLeaderEpoch;
  } else if (addressed_wrongly(request.voter_id, asked->voter_directory_id)) {
    error = ErrorCode::kInvalidVoterKey;
  } else if (stopping_) {
    error = ErrorCode::kBrokerNotAvailable;
  } else {
    if (!asked->pre_vote && asked->replica_epoch > epoch_) become_unattached(asked->replica_epoch, now);
    const ReplicaKey candidate{asked->replica_id, asked->replica_directory_id};
    const bool fresh = log_is_up_to_date(asked->last_offset_epoch, asked->last_offset);
    granted = asked->pre_vote ? fresh && grants_pre_vote(asked->replica_epoch) : grants_vote(candidate, fresh);
    if (granted && !asked->pre_vote && voted_.id < 0) {
      voted_ = candidate;
      election_deadline_ = random_election_deadline(now);
      if (!store()) granted = false;
    }
  }
  auto& partition = answer_partition(response);
  partition.error_code = protocol::to_wire(error);
  partition.leader_id = leader_;
  partition.leader_epoch = epoch_;
  partition.vote_granted = granted;
  name_leader(response, leader_, leader_endpoint(listener));
}

bool RaftCore::grants_pre_vote(LeaderEpoch epoch) const {
  switch (role_) {
    case Role::kLeader: return false;
    // A follower that hears from its leader does not help to depose it.
    case Role::kFollower: return !fetched_once_ || leader_refuses_ || epoch > epoch_;
    default: return true;
  }
}

bool RaftCore::grants_vote(const ReplicaKey& candidate, bool fresh) const {
  if (SAMSA_MUTANT("vote-twice") && role_ != Role::kLeader) return fresh;
  if (role_ == Role::kLeader || role_ == Role::kCandidate || role_ == Role::kFollower || role_ == Role::kResigned) {
    // Again to the one who has it; a leader's, candidate's or follower's vote in this epoch is spoken for.
    return voted_ == candidate && role_ == Role::kFollower && leader_ == candidate.id;
  }
  if (voted_.id >= 0) return voted_.id == candidate.id && (voted_.directory == candidate.directory || candidate.directory.is_zero());
  return leader_ < 0 && fresh;
}

void RaftCore::handle(const protocol::BeginQuorumEpochRequest& request, std::string_view listener, protocol::BeginQuorumEpochResponse& response,
                      Now now) {
  if (!cluster_matches(request.cluster_id)) {
    response.error_code = protocol::to_wire(ErrorCode::kInconsistentClusterId);
    return;
  }
  const auto* asked = only_partition(request);
  if (asked == nullptr) {
    response.error_code = protocol::to_wire(ErrorCode::kInvalidRequest);
    return;
  }
  ErrorCode error = ErrorCode::kNone;
  std::vector<VoterEndpoint> endpoints;
  for (const auto& e : request.leader_endpoints) endpoints.push_back({e.name.str(), e.host.str(), e.port});
  if (endpoints.empty()) {
    if (const Voter* voter = voters().find(asked->leader_id)) endpoints = voter->endpoints;
  }
  if (asked->leader_epoch < epoch_ && !SAMSA_MUTANT("forget-fence")) {
    error = ErrorCode::kFencedLeaderEpoch;
  } else if (addressed_wrongly(request.voter_id, asked->voter_directory_id)) {
    error = ErrorCode::kInvalidVoterKey;
  } else if (stopping_) {
    error = ErrorCode::kBrokerNotAvailable;
  } else if (asked->leader_id < 0 || asked->leader_id == self_.id || (asked->leader_epoch == epoch_ && role_ == Role::kLeader)) {
    error = ErrorCode::kUnknownLeaderEpoch;
  } else if (endpoints.empty()) {
    if (asked->leader_epoch > epoch_) become_unattached(asked->leader_epoch, now);
  } else if (asked->leader_epoch != epoch_ || (role_ != Role::kFollower && role_ != Role::kResigned)) {
    become_follower(asked->leader_epoch, asked->leader_id, std::move(endpoints), now);
  } else if (role_ == Role::kFollower && leader_ == asked->leader_id) {
    leader_endpoints_ = std::move(endpoints);
  }
  auto& partition = answer_partition(response);
  partition.error_code = protocol::to_wire(error);
  partition.leader_id = leader_;
  partition.leader_epoch = epoch_;
  name_leader(response, leader_, leader_endpoint(listener));
}

void RaftCore::handle(const protocol::EndQuorumEpochRequest& request, std::string_view listener, protocol::EndQuorumEpochResponse& response,
                      Now now) {
  if (!cluster_matches(request.cluster_id)) {
    response.error_code = protocol::to_wire(ErrorCode::kInconsistentClusterId);
    return;
  }
  const auto* asked = only_partition(request);
  if (asked == nullptr) {
    response.error_code = protocol::to_wire(ErrorCode::kInvalidRequest);
    return;
  }
  ErrorCode error = ErrorCode::kNone;
  if (asked->leader_epoch < epoch_) {
    error = ErrorCode::kFencedLeaderEpoch;
  } else if (stopping_) {
    error = ErrorCode::kBrokerNotAvailable;
  } else {
    if (asked->leader_epoch > epoch_) become_unattached(asked->leader_epoch, now);
    const bool concerned = is_voter() && (role_ == Role::kUnattached || (role_ == Role::kFollower && leader_ == asked->leader_id));
    if (concerned) {
      const int64_t position = successor_position(*asked);
      if (position == 0) {
        become_prospective(now);
      } else {
        // Each further one waits longer, so that they do not meet.
        const int64_t base = std::min<int64_t>(config_.election_backoff_max.count(), int64_t{50} << std::min<int64_t>(position, 10));
        become_unattached(epoch_, now);
        election_deadline_ = in(std::chrono::milliseconds(random_.between(base / 2, base)), now);
      }
    }
  }
  auto& partition = answer_partition(response);
  partition.error_code = protocol::to_wire(error);
  partition.leader_id = leader_;
  partition.leader_epoch = epoch_;
  name_leader(response, leader_, leader_endpoint(listener));
}

int64_t RaftCore::successor_position(const protocol::EndQuorumEpochRequest::PartitionData& asked) const {
  for (size_t i = 0; i < asked.preferred_candidates.size(); ++i) {
    const auto& c = asked.preferred_candidates[i];
    if (c.candidate_id == self_.id && (c.candidate_directory_id.is_zero() || c.candidate_directory_id == self_.directory)) return static_cast<int64_t>(i);
  }
  for (size_t i = 0; i < asked.preferred_successors.size(); ++i) {
    if (asked.preferred_successors[i] == self_.id) return static_cast<int64_t>(i);
  }
  return static_cast<int64_t>(std::max(asked.preferred_candidates.size(), asked.preferred_successors.size())) + 1;
}

}  // namespace samsa::raft
