#include "raft/raft_core.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace samsa::raft {

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kUnattached: return "unattached";
    case Role::kProspective: return "prospective";
    case Role::kCandidate: return "candidate";
    case Role::kLeader: return "leader";
    case Role::kFollower: return "follower";
    case Role::kResigned: return "resigned";
  }
  return "?";
}

RaftCore::RaftCore(const RaftConfig& config, RaftLog& log, QuorumStateStore& store, VotersHistory& history, io::Random& random)
    : config_(config), log_(log), store_(store), history_(history), random_(random), self_{config.node_id, config.directory_id} {}

bool RaftCore::is_voter() const { return config_.controller && voters().contains(self_); }

std::optional<VoterEndpoint> RaftCore::leader_endpoint(std::string_view listener) const {
  if (leader_ < 0) return std::nullopt;
  const auto& list = leader_ == self_.id ? config_.own_endpoints : leader_endpoints_;
  for (const auto& e : list) {
    if (e.listener == listener) return e;
  }
  if (const Voter* voter = voters().find(leader_)) {
    if (const auto* e = voter->endpoint(listener)) return *e;
  }
  return std::nullopt;
}

io::MonoTime RaftCore::random_election_deadline(Now now) {
  const auto base = config_.election_timeout;
  return in(base + std::chrono::milliseconds(random_.between(0, base.count())), now);
}

bool RaftCore::store() {
  const QuorumState state{epoch_, leader_, voted_};
  auto stored = store_.write(state, kraft_version(), voters());
  if (!stored && !fault_) fault_ = stored.error();
  return stored.has_value();
}

// ---- Start

void RaftCore::start(const std::optional<QuorumState>& stored, Now now) {
  QuorumState state = stored.value_or(QuorumState{.epoch = log_.last_epoch()});
  if (state.epoch < log_.last_epoch()) state = {.epoch = log_.last_epoch()};
  epoch_ = state.epoch;
  voted_ = state.voted;
  high_watermark_ = log_.latest_snapshot() ? log_.latest_snapshot()->offset : log_.start_offset();
  if (log_.start_offset() == 0 && !log_.latest_snapshot()) high_watermark_ = -1;
  const bool voted_self = voted_.id == self_.id && voted_.directory == self_.directory;
  if (state.leader == self_.id && is_voter()) {
    // It led this epoch before it stopped: it may neither lead it again nor vote in it.
    role_ = Role::kResigned;
    leader_ = self_.id;
    election_deadline_ = random_election_deadline(now);
    for (const auto& [id, voter] : voters().all()) {
      if (id != self_.id) successors_.push_back(voter.key);
    }
  } else if (voted_self && is_voter()) {
    role_ = Role::kCandidate;
    election_.granted = {self_.id};
    election_deadline_ = random_election_deadline(now);
  } else if (state.leader >= 0 && state.leader != self_.id && voters().find(state.leader) != nullptr) {
    role_ = Role::kFollower;
    leader_ = state.leader;
    leader_endpoints_ = voters().find(state.leader)->endpoints;
    fetch_deadline_ = in(config_.fetch_timeout, now);
  } else {
    role_ = Role::kUnattached;
    election_deadline_ = is_voter() ? random_election_deadline(now) : io::kNever;
  }
  elect_alone(now);
}

void RaftCore::elect_alone(Now now) {
  if (stopping_ || role_ == Role::kLeader || !is_voter() || !voters().is_only(self_)) return;
  become_candidate(now);  // Its own vote is the majority.
}

// ---- Transitions

void RaftCore::become_unattached(LeaderEpoch epoch, Now now) {
  SAMSA_LOG_INFO("raft: unattached in epoch {} (was {} in {})", epoch, role_name(role_), epoch_);
  const bool fresh = epoch > epoch_;
  if (fresh) {
    epoch_ = epoch;
    voted_ = {};
    leader_ = -1;
    leader_endpoints_.clear();
  } else if (role_ == Role::kResigned || leader_ == self_.id) {
    leader_ = -1;
  }
  role_ = Role::kUnattached;
  leader_hw_ = -1;
  snapshot_id_.reset();
  fetch_deadline_ = io::kNever;
  check_quorum_deadline_ = io::kNever;
  election_deadline_ = is_voter() ? random_election_deadline(now) : io::kNever;
  if (fresh) store();
}

void RaftCore::become_follower(LeaderEpoch epoch, int32_t leader, std::vector<VoterEndpoint> endpoints, Now now) {
  SAMSA_LOG_INFO("raft: follower of {} in epoch {} (was {} in {})", leader, epoch, role_name(role_), epoch_);
  const bool changed = epoch != epoch_ || leader != leader_;
  if (epoch > epoch_) voted_ = {};
  epoch_ = epoch;
  leader_ = leader;
  leader_endpoints_ = std::move(endpoints);
  role_ = Role::kFollower;
  leader_hw_ = -1;
  fetched_once_ = false;
  leader_refuses_ = false;
  snapshot_id_.reset();
  update_voter_done_ = false;
  update_voter_at_ = now.mono;
  election_deadline_ = io::kNever;
  check_quorum_deadline_ = io::kNever;
  fetch_deadline_ = in(config_.fetch_timeout, now);
  if (changed) store();
}

void RaftCore::become_prospective(Now now) {
  SAMSA_LOG_INFO("raft: prospective in epoch {} (was {})", epoch_, role_name(role_));
  role_ = Role::kProspective;
  election_ = {.granted = {self_.id}};
  election_lost_ = false;
  election_deadline_ = random_election_deadline(now);
  fetch_deadline_ = io::kNever;
  count_votes(now);
}

void RaftCore::become_candidate(Now now) {
  role_ = Role::kCandidate;
  ++epoch_;
  voted_ = self_;
  leader_ = -1;
  leader_endpoints_.clear();
  SAMSA_LOG_INFO("raft: candidate in epoch {}", epoch_);
  election_ = {.granted = {self_.id}};
  election_lost_ = false;
  election_deadline_ = random_election_deadline(now);
  fetch_deadline_ = io::kNever;
  // Where it is the only voter it leads in this very step, and what is stored then says all of this.
  if (!voters().is_only(self_) && !store()) return;
  count_votes(now);
}

void RaftCore::become_leader(Now now) {
  role_ = Role::kLeader;
  leader_ = self_.id;
  leader_endpoints_.clear();
  failed_elections_ = 0;
  election_deadline_ = io::kNever;
  epoch_start_ = log_.end_offset();
  leader_hw_ = -1;
  replicas_.clear();
  reported_voters_.clear();
  fetched_since_check_.clear();
  check_quorum_deadline_ = voters().size() > 1 ? in(config_.fetch_timeout * 3 / 2, now) : io::kNever;
  for (const auto& [id, voter] : voters().all()) {
    if (id != self_.id) replicas_[voter.key] = {};
  }
  SAMSA_LOG_INFO("raft: leader in epoch {} from offset {}", epoch_, epoch_start_);
  if (!store()) return;

  std::vector<OwnedControl> records;
  const std::vector<int32_t> granting(election_.granted.begin(), election_.granted.end());
  records.push_back(leader_change_record(self_.id, voters(), granting));
  if (kraft_version() > 0) {
    const Voter* own = voters().find(self_.id);
    const bool outdated = own != nullptr && !config_.own_endpoints.empty() && own->endpoints != config_.own_endpoints;
    const bool never_in_log = history_.last_voters_offset() < 0;
    if (own != nullptr && (outdated || never_in_log)) {
      VoterSet set = voters();
      Voter self = *own;
      if (!config_.own_endpoints.empty()) self.endpoints = config_.own_endpoints;
      set.add(std::move(self));
      records.push_back(kraft_version_record(kraft_version()));
      records.push_back(voters_record(set));
    }
  }
  if (auto appended = append_control(records, now); !appended && !fault_) fault_ = appended.error();
}

void RaftCore::become_resigned(Now now) {
  SAMSA_LOG_INFO("raft: resigned in epoch {}", epoch_);
  std::vector<std::pair<Offset, ReplicaKey>> order;
  for (const auto& [key, progress] : replicas_) {
    if (voters().contains(key)) order.emplace_back(progress.end_offset, key);
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  successors_.clear();
  for (const auto& [offset, key] : order) successors_.push_back(key);
  end_acknowledged_.clear();
  role_ = Role::kResigned;
  leader_hw_ = -1;
  check_quorum_deadline_ = io::kNever;
  election_deadline_ = random_election_deadline(now);
}

void RaftCore::resign(Now now) {
  stopping_ = true;
  if (role_ == Role::kLeader) become_resigned(now);
}

void RaftCore::step_down(Now now) {
  if (role_ == Role::kLeader) become_resigned(now);
}

void RaftCore::count_votes(Now now) {
  const size_t majority = voters().majority();
  if (election_.granted.size() >= majority) {
    if (role_ == Role::kProspective) {
      become_candidate(now);
    } else if (role_ == Role::kCandidate) {
      become_leader(now);
    }
    return;
  }
  if (!election_lost_ && voters().size() - election_.rejected.size() < majority) {
    election_lost_ = true;
    // Exponential, random backoff, at most election_backoff_max.
    ++failed_elections_;
    const int64_t limit = std::min<int64_t>(config_.election_backoff_max.count(), int64_t{100} << std::min(failed_elections_, 10));
    election_deadline_ = in(std::chrono::milliseconds(random_.between(1, std::max<int64_t>(limit, 1))), now);
  }
}

bool RaftCore::take_leader(int32_t from, int32_t leader, LeaderEpoch epoch, std::optional<VoterEndpoint> endpoint, Now now) {
  if (epoch < epoch_ || (leader == self_.id && epoch <= epoch_)) return false;
  if (leader == self_.id) return false;  // Another knows this node as leader of an epoch it never led: not believed.
  std::vector<VoterEndpoint> endpoints;
  if (leader >= 0) {
    if (const Voter* voter = voters().find(leader)) endpoints = voter->endpoints;
    if (endpoint) {
      std::erase_if(endpoints, [&](const auto& e) { return e.listener == endpoint->listener; });
      endpoints.push_back(*endpoint);
    }
  }
  if (epoch > epoch_) {
    if (leader >= 0 && !endpoints.empty()) {
      become_follower(epoch, leader, std::move(endpoints), now);
    } else {
      become_unattached(epoch, now);
    }
    return true;
  }
  if (leader < 0 || endpoints.empty() || role_ == Role::kLeader || role_ == Role::kResigned) return false;
  if (role_ == Role::kFollower) {
    if (leader != leader_) SAMSA_LOG_ERROR("raft: {} and {} both claim to lead epoch {}", leader_, leader, epoch);
    return false;
  }
  // Others still name the leader that this replica has lost; only the leader's own word brings it back.
  if (role_ == Role::kProspective && leader == leader_ && from != leader) return false;
  become_follower(epoch, leader, std::move(endpoints), now);
  return true;
}

// ---- Time

void RaftCore::tick(Now now) {
  if (stopping_) return;
  switch (role_) {
    case Role::kUnattached:
      if (is_voter() && election_deadline_ == io::kNever) election_deadline_ = random_election_deadline(now);
      if (is_voter() && now.mono >= election_deadline_) become_prospective(now);
      break;
    case Role::kProspective:
    case Role::kCandidate:
      if (now.mono < election_deadline_) break;
      if (!is_voter()) {
        become_unattached(epoch_, now);
      } else if (role_ == Role::kProspective && election_lost_ && leader_ >= 0 && leader_ != self_.id) {
        become_follower(epoch_, leader_, std::move(leader_endpoints_), now);  // The others hear from it.
      } else {
        become_prospective(now);
      }
      break;
    case Role::kFollower:
      if (is_voter() && now.mono >= fetch_deadline_) become_prospective(now);
      break;
    case Role::kResigned:
      if (now.mono >= election_deadline_) become_unattached(epoch_ + 1, now);
      break;
    case Role::kLeader:
      if (now.mono >= check_quorum_deadline_) {
        SAMSA_LOG_WARN("raft: no majority has fetched within {} ms: resigning epoch {}", (config_.fetch_timeout * 3 / 2).count(), epoch_);
        become_resigned(now);
      }
      break;
  }
  elect_alone(now);
}

io::MonoTime RaftCore::next_deadline(Now now) const {
  if (stopping_ && role_ != Role::kResigned) return io::kNever;
  io::MonoTime next = io::kNever;
  switch (role_) {
    case Role::kUnattached: next = is_voter() ? election_deadline_ : io::kNever; break;
    case Role::kProspective:
    case Role::kCandidate:
    case Role::kResigned: next = stopping_ ? io::kNever : election_deadline_; break;
    case Role::kFollower: next = is_voter() ? fetch_deadline_ : io::kNever; break;
    case Role::kLeader: next = check_quorum_deadline_; break;
  }
  for (const auto& [id, l] : links_) {
    if (!l.busy && l.not_before > now.mono) next = std::min(next, l.not_before);
  }
  if (role_ == Role::kLeader && voters().size() > 1) {
    // BeginQuorumEpoch to those that have not fetched for half the fetch timeout.
    for (const auto& [key, progress] : replicas_) {
      const io::MonoTime due = io::after(progress.last_fetch, config_.fetch_timeout / 2);
      if (voters().contains(key) && due > now.mono) next = std::min(next, due);
    }
  }
  if (role_ == Role::kFollower && is_voter() && !update_voter_done_ && update_voter_at_ > now.mono) {
    next = std::min(next, update_voter_at_);
  }
  return next;
}

// ---- Leader: progress

Result<void> RaftCore::append_control(const std::vector<OwnedControl>& records, Now now) {
  const Offset base = log_.end_offset();
  Buffer batch = make_control_batch(records, base, epoch_, now.wall);
  TRY_ASSIGN(const auto view, protocol::BatchView::parse(batch));
  TRY(history_.replay(view));
  return log_.append(std::move(batch), epoch_);
}

void RaftCore::on_durable(Now now) {
  if (role_ == Role::kLeader) advance_high_watermark(now);
}

void RaftCore::set_high_watermark(Offset offset) {
  learned_ = true;
  if (offset > high_watermark_) high_watermark_ = offset;
}

void RaftCore::advance_high_watermark(Now now) {
  std::vector<Offset> ends;
  for (const auto& [id, voter] : voters().all()) {
    if (id == self_.id && voters().contains(self_)) {
      ends.push_back(log_.durable_offset());
      continue;
    }
    Offset end = -1;
    for (const auto& [key, progress] : replicas_) {
      const bool same = key.id == id && (voter.key.directory.is_zero() || key.directory.is_zero() || key.directory == voter.key.directory);
      if (same) end = std::max(end, progress.end_offset);
    }
    ends.push_back(end);
  }
  if (ends.empty()) return;
  std::sort(ends.begin(), ends.end(), std::greater<>());
  const Offset reached = ends[ends.size() / 2];
  if (reached <= epoch_start_ || reached <= leader_hw_) return;
  leader_hw_ = reached;
  set_high_watermark(reached);
  // A leader that has removed itself steps down once that is committed.
  if (!voters().contains(self_) && history_.last_voters_offset() < reached) become_resigned(now);
}

void RaftCore::on_truncated(Offset offset) { history_.truncate(offset); }

ErrorCode RaftCore::check_leader(LeaderEpoch epoch) const {
  if (epoch < epoch_) return ErrorCode::kFencedLeaderEpoch;
  if (epoch > epoch_) return ErrorCode::kUnknownLeaderEpoch;
  if (stopping_) return ErrorCode::kBrokerNotAvailable;
  if (role_ != Role::kLeader) return ErrorCode::kNotLeaderOrFollower;
  return ErrorCode::kNone;
}

bool RaftCore::log_is_up_to_date(LeaderEpoch last_epoch, Offset end) const {
  const LeaderEpoch own = log_.last_epoch();
  return last_epoch > own || (last_epoch == own && end >= log_.end_offset());
}

bool RaftCore::cluster_matches(const protocol::NullableText& id) const { return !id || id->view() == config_.cluster_id; }

}  // namespace samsa::raft
