// RaftCore: changing the voter set (KIP-853). One change at a time; a set counts as soon as it is appended.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/codec.h"
#include "raft/raft_core.h"

namespace samsa::raft {

namespace {
template <class List>
std::vector<VoterEndpoint> endpoints_of(const List& list) {
  std::vector<VoterEndpoint> to;
  for (const auto& e : list) to.push_back({e.name.str(), e.host.str(), e.port});
  return to;
}
constexpr int64_t kCaughtUpWithinMs = 3'600'000;
}  // namespace

// What every change needs: this leader's epoch committed, no other change under way, kraft.version 1.
RaftCore::VoterChange RaftCore::check_change(const protocol::NullableText& cluster) const {
  if (!cluster_matches(cluster)) return {ErrorCode::kInconsistentClusterId, ""};
  if (stopping_) return {ErrorCode::kBrokerNotAvailable, ""};
  if (role_ != Role::kLeader) return {ErrorCode::kNotLeaderOrFollower, ""};
  if (leader_hw_ < 0) return {ErrorCode::kRequestTimedOut, "The leader has not yet committed a record of its epoch."};
  if (kraft_version() < 1) return {ErrorCode::kUnsupportedVersion, "The quorum does not support changing its voters: kraft.version is 0."};
  if (history_.last_voters_offset() >= leader_hw_) return {ErrorCode::kRequestTimedOut, "An earlier change of the voters is not yet committed."};
  return {};
}

RaftCore::VoterChange RaftCore::check_add_voter(const protocol::AddRaftVoterRequest& request, Now now) const {
  if (auto wrong = check_change(request.cluster_id); wrong.error != ErrorCode::kNone) return wrong;
  if (voters().find(request.voter_id) != nullptr) {
    return {ErrorCode::kDuplicateVoter, fmt::format("The voter id for {} is already part of the set of voters.", request.voter_id)};
  }
  const auto endpoints = endpoints_of(request.listeners);
  const bool reachable = std::any_of(endpoints.begin(), endpoints.end(), [&](const auto& e) { return e.listener == config_.controller_listener; });
  if (request.voter_id < 0 || request.voter_directory_id.is_zero() || !reachable) {
    return {ErrorCode::kInvalidRequest, fmt::format("A voter needs an id, a directory id and an endpoint for the listener {}.", config_.controller_listener)};
  }
  const auto progress = replicas_.find({request.voter_id, request.voter_directory_id});
  const bool caught_up = progress != replicas_.end() && progress->second.last_caught_up_ms >= 0 &&
                         now.wall - progress->second.last_caught_up_ms < kCaughtUpWithinMs;
  if (!caught_up) return {ErrorCode::kRequestTimedOut, fmt::format("Node {} has not caught up with the leader within the last hour.", request.voter_id)};
  return {};
}

RaftCore::VoterChange RaftCore::append_voters(const VoterSet& set, Now now) {
  const auto appended = append_control({voters_record(set)}, now);
  if (!appended) {
    if (!fault_) fault_ = appended.error();
    return {ErrorCode::kUnknownServerError, appended.error().text()};
  }
  // A single voter that becomes one of two needs the check from now on.
  if (check_quorum_deadline_ == io::kNever && voters().size() > 1) check_quorum_deadline_ = in(config_.fetch_timeout * 3 / 2, now);
  advance_high_watermark(now);
  return {.commit = log_.end_offset() - 1};
}

RaftCore::VoterChange RaftCore::add_voter(const protocol::AddRaftVoterRequest& request, int16_t min_kraft, int16_t max_kraft, Now now) {
  if (auto wrong = check_add_voter(request, now); wrong.error != ErrorCode::kNone) return wrong;
  if (kraft_version() < min_kraft || kraft_version() > max_kraft) {
    return {ErrorCode::kInvalidRequest, fmt::format("Node {} supports kraft.version {} to {}, the quorum has {}.", request.voter_id, min_kraft, max_kraft, kraft_version())};
  }
  VoterSet set = voters();
  set.add({{request.voter_id, request.voter_directory_id}, endpoints_of(request.listeners), min_kraft, max_kraft});
  return append_voters(set, now);
}

RaftCore::VoterChange RaftCore::remove_voter(const protocol::RemoveRaftVoterRequest& request, Now now) {
  if (auto wrong = check_change(request.cluster_id); wrong.error != ErrorCode::kNone) return wrong;
  const Voter* voter = voters().find(request.voter_id);
  if (voter == nullptr || voter->key.directory != request.voter_directory_id) {
    return {ErrorCode::kVoterNotFound, fmt::format("Cannot remove voter {} because it is not in the set of voters.", request.voter_id)};
  }
  if (voters().size() == 1) return {ErrorCode::kVoterNotFound, "The only voter cannot be removed."};
  VoterSet set = voters();
  set.remove(request.voter_id);
  return append_voters(set, now);
}

void RaftCore::handle(const protocol::UpdateRaftVoterRequest& request, std::string_view listener, protocol::UpdateRaftVoterResponse& response,
                      Now now) {
  const auto finish = [&](ErrorCode error) {
    response.error_code = protocol::to_wire(error);
    response.current_leader.leader_id = leader_;
    response.current_leader.leader_epoch = epoch_;
    if (const auto endpoint = leader_endpoint(listener)) {
      response.current_leader.host = endpoint->host;
      response.current_leader.port = endpoint->port;
    }
  };
  if (!cluster_matches(request.cluster_id)) return finish(ErrorCode::kInconsistentClusterId);
  if (const ErrorCode error = check_leader(request.current_leader_epoch); error != ErrorCode::kNone) return finish(error);
  const ReplicaKey key{request.voter_id, request.voter_directory_id};
  const auto endpoints = endpoints_of(request.listeners);
  const auto& range = request.k_raft_version_feature;
  if (request.voter_id < 0 || key.directory.is_zero() || endpoints.empty()) return finish(ErrorCode::kInvalidRequest);
  if (!voters().contains(key)) return finish(ErrorCode::kVoterNotFound);
  if (leader_hw_ < 0) return finish(ErrorCode::kRequestTimedOut);
  Voter updated{key, endpoints, range.min_supported_version, range.max_supported_version};
  if (kraft_version() == 0) {
    // Remembered for the upgrade to kraft.version 1; the static set stays as it is.
    reported_voters_[key.id] = std::move(updated);
    return finish(ErrorCode::kNone);
  }
  if (history_.last_voters_offset() >= leader_hw_) return finish(ErrorCode::kRequestTimedOut);
  if (kraft_version() < range.min_supported_version || kraft_version() > range.max_supported_version) return finish(ErrorCode::kInvalidRequest);
  if (const Voter* now_there = voters().find(key.id); now_there != nullptr && *now_there == updated) return finish(ErrorCode::kNone);
  VoterSet set = voters();
  set.add(std::move(updated));
  finish(append_voters(set, now).error);
}

RaftCore::VoterChange RaftCore::upgrade_kraft_version(int16_t level, Now now, bool validate_only) {
  const auto refuse = [&](std::string why) { return VoterChange{ErrorCode::kInvalidUpdateVersion, std::move(why)}; };
  if (level == kraft_version()) return {};
  if (level < kraft_version()) return refuse("Invalid kraft.version: it cannot be downgraded.");
  if (level != 1) return refuse(fmt::format("Invalid kraft.version {}: 0 and 1 are supported.", level));
  if (role_ != Role::kLeader) return {ErrorCode::kNotLeaderOrFollower, ""};
  if (leader_hw_ < 0) return {ErrorCode::kRequestTimedOut, "The leader has not yet committed a record of its epoch."};
  VoterSet set;
  for (const auto& [id, voter] : voters().all()) {
    if (id == self_.id) {
      set.add({self_, config_.own_endpoints.empty() ? voter.endpoints : config_.own_endpoints, 0, 1});
      continue;
    }
    const auto reported = reported_voters_.find(id);
    if (reported == reported_voters_.end() || reported->second.max_kraft_version < level) {
      return refuse(fmt::format("kraft.version {} needs the directory id and the endpoints of every voter; {} has not told them.", level, id));
    }
    set.add(reported->second);
  }
  if (validate_only) return {};
  if (auto appended = append_control({kraft_version_record(level), voters_record(set)}, now); !appended) {
    if (!fault_) fault_ = appended.error();
    return {ErrorCode::kUnknownServerError, appended.error().text()};
  }
  store();
  return {.commit = log_.end_offset() - 1};
}

}  // namespace samsa::raft
