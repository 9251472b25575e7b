// RaftCore: the quorum's rules as a pure state machine (KIP-595, KIP-853 voters, KIP-996 pre-vote).
//
// In: time (handed in), answers of peers, requests of peers, word that the log grew or is on disk. Out: what it stores
// (quorum-state, through QuorumStateStore, before anything that depends on it), control batches it appends as leader, requests to
// send (poll), answers, and its state to look at. It has no clock, no thread, no socket. RaftNode runs it; tests run many in one.
//
// Invariants: epoch never falls; one vote per epoch; the high watermark never falls; a leader commits only once a record of its own
// epoch is on a majority; own records count only when they are on disk.
// A failure to store is kept in fault(): the node must end.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/loop.h"
#include "io/random.h"
#include "raft/control_records.h"
#include "raft/quorum_state.h"
#include "raft/raft_config.h"
#include "raft/raft_log.h"
#include "raft/raft_messages.h"
#include "raft/raft_types.h"

namespace samsa::raft {

enum class Role { kUnattached, kProspective, kCandidate, kLeader, kFollower, kResigned };
std::string_view role_name(Role role);

struct Now {
  io::MonoTime mono;
  TimestampMs wall = 0;
};

// What a leader knows of another replica.
struct ReplicaProgress {
  Offset end_offset = -1;  // It has everything below; -1: it has not fetched yet.
  io::MonoTime last_fetch{-1};
  TimestampMs last_fetch_ms = -1;
  TimestampMs last_caught_up_ms = -1;
  TimestampMs previous_fetch_ms = -1;
  Offset leader_end_at_last_fetch = -1;
  bool acknowledged_begin = false;
};

class RaftCore {
 public:
  RaftCore(const RaftConfig& config, RaftLog& log, QuorumStateStore& store, VotersHistory& history, io::Random& random);

  // ---- In: life
  void start(const std::optional<QuorumState>& stored, Now now);
  // To be called when next_deadline() has come; early calls do no harm.
  void tick(Now now);
  // When something is due that no other event brings about. To be asked after tick and poll.
  [[nodiscard]] io::MonoTime next_deadline(Now now) const;
  // The leader's log grew by what RaftNode appended, or is on disk further than before.
  void on_durable(Now now);
  // The follower's log was cut: voters that stood above `offset` are forgotten.
  void on_truncated(Offset offset);
  // The node stops: a leader resigns, nothing is sought any more.
  void resign(Now now);
  // A leader gives up its epoch because its state machine failed; it stays in the quorum.
  void step_down(Now now);

  // ---- Out: requests to peers
  // What should be sent now. Each destination has at most one request under way; on_answer frees it.
  std::vector<Ask> poll(Now now);
  void on_answer(const Ask& ask, Result<Answer> answer, Now now);

  // ---- In: requests of peers (raft_core_vote.cc, raft_core_fetch.cc, raft_core_voters.cc)
  void handle(const protocol::VoteRequest& request, std::string_view listener, protocol::VoteResponse& response, Now now);
  void handle(const protocol::BeginQuorumEpochRequest& request, std::string_view listener, protocol::BeginQuorumEpochResponse& response, Now now);
  void handle(const protocol::EndQuorumEpochRequest& request, std::string_view listener, protocol::EndQuorumEpochResponse& response, Now now);
  void handle(const protocol::DescribeQuorumRequest& request, protocol::DescribeQuorumResponse& response, Now now) const;
  void handle(const protocol::UpdateRaftVoterRequest& request, std::string_view listener, protocol::UpdateRaftVoterResponse& response, Now now);

  // Fetch of a replica: checks it, notes its progress, and says what to answer with.
  struct FetchPlan {
    enum class Kind { kError, kSnapshot, kDiverging, kRecords } kind = Kind::kError;
    ErrorCode error = ErrorCode::kNone;
    bool top_level = false;              // The error goes to the response, not to its partition.
    OffsetAndEpoch snapshot, diverging;  // diverging: end offset and epoch.
    Offset from = 0;
    bool park = false;  // Nothing to tell yet: wait for the log or the high watermark to move, then ask again.
  };
  FetchPlan plan_fetch(const protocol::FetchRequest& request, int16_t version, Now now);
  FetchPlan plan_fetch_snapshot(const protocol::FetchSnapshotRequest& request, Now now);

  // Changing the voters (leader). What the caller waits for: `commit` committed; or an error.
  struct VoterChange {
    ErrorCode error = ErrorCode::kNone;
    std::string message;
    Offset commit = -1;
  };
  VoterChange check_add_voter(const protocol::AddRaftVoterRequest& request, Now now) const;
  VoterChange add_voter(const protocol::AddRaftVoterRequest& request, int16_t min_kraft, int16_t max_kraft, Now now);
  VoterChange remove_voter(const protocol::RemoveRaftVoterRequest& request, Now now);
  // UpdateFeatures of kraft.version from 0 to 1; kNone and commit -1 where it is so already.
  VoterChange upgrade_kraft_version(int16_t level, Now now, bool validate_only);

  // ---- State
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] bool is_leader() const { return role_ == Role::kLeader; }
  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] LeaderAndEpoch leader() const { return {leader_, epoch_}; }
  [[nodiscard]] const ReplicaKey& voted() const { return voted_; }
  [[nodiscard]] const ReplicaKey& self() const { return self_; }
  // Whether this replica is in the voter set as it knows it.
  [[nodiscard]] bool is_voter() const;
  // Exclusive; -1: not known.
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] bool high_watermark_learned() const { return learned_; }
  // What a leader may tell others: -1 until a record of its own epoch is committed.
  [[nodiscard]] Offset leader_high_watermark() const { return is_leader() ? leader_hw_ : -1; }
  // First offset of the leader's epoch.
  [[nodiscard]] Offset epoch_start() const { return epoch_start_; }
  [[nodiscard]] std::optional<VoterEndpoint> leader_endpoint(std::string_view listener) const;
  [[nodiscard]] const VoterSet& voters() const { return history_.voters(); }
  [[nodiscard]] int16_t kraft_version() const { return history_.kraft_version(); }
  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }
  // A follower's wish that RaftNode carries out: see FetchStep.
  struct FetchStep {
    enum class Kind { kNone, kAppend, kTruncate, kSnapshot } kind = Kind::kNone;
    Bytes records;             // kAppend: as they came. View of the answer.
    Offset truncate_to = 0;
    OffsetAndEpoch snapshot;   // kSnapshot: to be fetched from now on.
    Offset leader_hw = -1;
  };
  // What a Fetch answer means for the log. RaftNode does it, then calls fetch_done (the answer's destination stays busy till then).
  FetchStep on_fetch_answer(const Ask& ask, const protocol::FetchResponse& response, Now now);
  void fetch_done(const Ask& ask, Offset leader_hw, Now now);
  // The snapshot under way: position to ask for next; RaftNode writes the pieces.
  void begin_snapshot_fetch(OffsetAndEpoch id, Now now);
  struct SnapshotPiece {
    bool usable = false;
    Bytes bytes;
    int64_t position = 0;
    int64_t total = 0;
  };
  SnapshotPiece on_snapshot_answer(const Ask& ask, const protocol::FetchSnapshotResponse& response, Now now);
  void snapshot_progress(int64_t next_position, Now now);
  void end_snapshot_fetch(const Ask& ask, Now now);

 private:
  struct Link {
    bool busy = false;
    io::MonoTime not_before{INT64_MIN};
  };
  struct Election {
    std::set<int32_t> granted, rejected;
  };

  void on_refused(const Ask& ask, Now now);
  // Transitions. Each stores what must be durable first.
  void become_unattached(LeaderEpoch epoch, Now now);
  void become_follower(LeaderEpoch epoch, int32_t leader, std::vector<VoterEndpoint> endpoints, Now now);
  void become_prospective(Now now);
  void become_candidate(Now now);
  void become_leader(Now now);
  void become_resigned(Now now);
  void elect_alone(Now now);
  void count_votes(Now now);
  bool store();
  // Takes in what a peer (`from`) says of leader and epoch. True where that changed this replica's state (the answer is then of no use).
  bool take_leader(int32_t from, int32_t leader, LeaderEpoch epoch, std::optional<VoterEndpoint> endpoint, Now now);

  void advance_high_watermark(Now now);
  void set_high_watermark(Offset offset);
  void note_fetch(const ReplicaKey& key, Offset offset, Now now);
  void refresh_check_quorum(Now now);
  Result<void> append_control(const std::vector<OwnedControl>& records, Now now);

  // A request that is meant for another replica.
  [[nodiscard]] bool addressed_wrongly(int32_t voter_id, const Uuid& directory) const;
  [[nodiscard]] bool grants_vote(const ReplicaKey& candidate, bool fresh) const;
  [[nodiscard]] bool grants_pre_vote(LeaderEpoch epoch) const;
  // This replica's place in the order that a resigning leader prefers.
  [[nodiscard]] int64_t successor_position(const protocol::EndQuorumEpochRequest::PartitionData& asked) const;
  VoterChange check_change(const protocol::NullableText& cluster) const;
  VoterChange append_voters(const VoterSet& set, Now now);
  [[nodiscard]] bool log_is_up_to_date(LeaderEpoch last_epoch, Offset end) const;
  [[nodiscard]] ErrorCode check_leader(LeaderEpoch epoch) const;
  [[nodiscard]] bool cluster_matches(const protocol::NullableText& id) const;

  void poll_votes(Now now, std::vector<Ask>& asks);
  void poll_leader(Now now, std::vector<Ask>& asks);
  void poll_resigned(Now now, std::vector<Ask>& asks);
  void poll_fetch(Now now, std::vector<Ask>& asks);
  bool poll_membership(Now now, std::vector<Ask>& asks);
  bool poll_join(Now now, std::vector<Ask>& asks);
  void on_join_answer(ErrorCode error, bool removed, Now now);
  void on_vote_answer(const Ask& ask, const protocol::VoteResponse& response, Now now);
  void on_begin_answer(const Ask& ask, const protocol::BeginQuorumEpochResponse& response, Now now);
  void on_end_answer(const Ask& ask, const protocol::EndQuorumEpochResponse& response, Now now);
  void on_update_voter_answer(const Ask& ask, const protocol::UpdateRaftVoterResponse& response, Now now);
  Link& link(int32_t peer) { return links_[peer]; }
  bool claim(int32_t peer, Now now);
  [[nodiscard]] std::optional<io::Address> voter_address(int32_t id) const;
  protocol::FetchRequest make_fetch() const;

  io::MonoTime in(std::chrono::milliseconds d, Now now) const { return io::after(now.mono, d); }
  io::MonoTime random_election_deadline(Now now);

  const RaftConfig& config_;
  RaftLog& log_;
  QuorumStateStore& store_;
  VotersHistory& history_;
  io::Random& random_;
  const ReplicaKey self_;

  Role role_ = Role::kUnattached;
  LeaderEpoch epoch_ = 0;
  int32_t leader_ = -1;
  std::vector<VoterEndpoint> leader_endpoints_;
  ReplicaKey voted_;
  Offset high_watermark_ = -1;
  bool learned_ = false;
  std::optional<Error> fault_;
  bool stopping_ = false;

  io::MonoTime election_deadline_ = io::kNever;  // Unattached, Prospective, Candidate, Resigned.
  io::MonoTime fetch_deadline_ = io::kNever;     // Follower: without a good answer by then the leader is gone.
  bool leader_refuses_ = false;                  // Follower: nobody listens at the leader's address; its process has ended.
  bool fetched_once_ = false;                    // Follower: this leader has answered.
  int failed_elections_ = 0;
  bool election_lost_ = false;
  Election election_;

  // Leader.
  Offset epoch_start_ = -1;
  Offset leader_hw_ = -1;
  std::map<ReplicaKey, ReplicaProgress> replicas_;  // Voters and observers alike.
  io::MonoTime check_quorum_deadline_ = io::kNever;
  std::set<int32_t> fetched_since_check_;
  std::map<int32_t, Voter> reported_voters_;  // kraft.version 0: what voters said with UpdateRaftVoter.

  // Resigned: who has acknowledged, and the order in which the others should stand.
  std::set<int32_t> end_acknowledged_;
  std::vector<ReplicaKey> successors_;

  // Follower, observer.
  std::optional<OffsetAndEpoch> snapshot_id_;
  int64_t snapshot_position_ = 0;
  io::MonoTime update_voter_at_{INT64_MIN};
  bool update_voter_done_ = false;
  size_t next_bootstrap_ = 0;

  std::map<int32_t, Link> links_;
};

}  // namespace samsa::raft
