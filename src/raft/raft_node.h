// RaftNode: this node's replica of __cluster_metadata-0. It drives the pure state machine (raft_core.h) with the world: log and
// snapshot files, timers, the network; and hands committed batches to one listener in order.
//
// Owner: the metadata shard; every method runs on its loop. With one voter the node elects itself as soon as it is started; with
// several it votes, fetches and replicates as KRaft has it (KIP-595, 630, 853, 996). A broker's node observes: it fetches, but
// has no vote.
// Durability: a batch counts as committed only after this leader's own fsync (and a majority's); a follower's fetch acknowledges
// only what it has synced.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/sync.h"
#include "io/world.h"
#include "raft/raft_config.h"
#include "raft/raft_types.h"
#include "raft/voter_set.h"

namespace samsa::protocol {
struct VoteRequest;
struct VoteResponse;
struct BeginQuorumEpochRequest;
struct BeginQuorumEpochResponse;
struct EndQuorumEpochRequest;
struct EndQuorumEpochResponse;
struct FetchRequest;
struct FetchResponse;
struct FetchSnapshotRequest;
struct FetchSnapshotResponse;
struct DescribeQuorumRequest;
struct DescribeQuorumResponse;
struct AddRaftVoterRequest;
struct AddRaftVoterResponse;
struct RemoveRaftVoterRequest;
struct RemoveRaftVoterResponse;
struct UpdateRaftVoterRequest;
struct UpdateRaftVoterResponse;
}  // namespace samsa::protocol

namespace samsa::raft {

// A committed batch of records. `values` view the node's buffer and are valid during the call only.
struct CommittedBatch {
  Offset base_offset = 0;
  Offset last_offset = 0;
  LeaderEpoch epoch = 0;
  TimestampMs append_ms = 0;
  size_t size_bytes = 0;
  std::span<const Bytes> values;  // Values of the data records in order; empty for control batches.
};

// What the state machine over the log implements. Called on the metadata shard, in log order; must not block.
class RaftListener {
 public:
  virtual ~RaftListener() = default;
  // Everything that came before is replaced by what follows until end_snapshot: the batches of a snapshot.
  virtual void begin_snapshot(OffsetAndEpoch id, TimestampMs last_contained_log_ms) = 0;
  virtual Result<void> on_snapshot_batch(const CommittedBatch& batch) = 0;
  virtual Result<void> end_snapshot() = 0;
  // The next committed batch. An error is fatal for the node (a record it does not know): the fault handler of RaftNode gets it.
  virtual Result<void> on_commit(const CommittedBatch& batch) = 0;
  // The known leader changed. For this node's own election it comes after everything committed before its epoch has been handed
  // over; `epoch_start` is then the offset after the control batch of the election.
  virtual void on_leader_change(LeaderAndEpoch leader, std::optional<Offset> epoch_start) = 0;
};

// A snapshot being written by the listener of this node; see RaftNode::create_snapshot.
class SnapshotSink {
 public:
  virtual ~SnapshotSink() = default;
  // One batch of record values, each framed as in the log.
  virtual Result<void> append(std::span<const Buffer> values) = 0;
};

class RaftCore;
class RaftLog;
class RaftTransport;

class RaftNode {
 public:
  // Opens or creates <metadata_dir>/__cluster_metadata-0: log recovery, quorum-state, newest snapshot, voters. Nothing runs yet.
  // INVALID_CONFIG or KAFKA_STORAGE_ERROR with a text for people. `transport` null: one of its own.
  static io::Task<Result<std::unique_ptr<RaftNode>>> open(io::World world, RaftConfig config, std::unique_ptr<RaftTransport> transport);
  ~RaftNode();

  // Starts elections, fetching and delivery. `fault` is told of a failure that the node cannot survive (disk, unknown record).
  void start(RaftListener& listener, std::function<void(Error)> fault);
  // Gives up leadership in an orderly way (EndQuorumEpoch), flushes, closes.
  io::Task<> stop();

  // ---- Leader: writing
  // Appends record values (framed) as one batch in `epoch` and answers with the offset of the last. The order of calls is the order
  // in the log. NOT_LEADER_OR_FOLLOWER where this node does not lead that epoch; RECORD_LIST_TOO_LARGE above kMaxBatchBytes.
  // Durability and replication follow in the background.
  Result<Offset> append(std::span<const Buffer> values, LeaderEpoch epoch);
  static constexpr size_t kMaxBatchBytes = 8 * 1024 * 1024;
  // Resumes once `offset` is committed; NOT_LEADER_OR_FOLLOWER when leadership of `epoch` was lost before.
  io::Task<Result<void>> wait_committed(Offset offset, LeaderEpoch epoch);
  // Gives up the leadership of `epoch`; the state machine asks for it after a failure of its own.
  void resign(LeaderEpoch epoch);

  // ---- State
  [[nodiscard]] LeaderAndEpoch leader() const;
  [[nodiscard]] bool is_leader() const;
  // Endpoint of the leader for a controller listener; nullopt while unknown.
  [[nodiscard]] std::optional<VoterEndpoint> leader_endpoint(std::string_view listener) const;
  [[nodiscard]] Offset high_watermark() const;  // -1: not yet known. Exclusive.
  // Whether it is what a leader says (or this leader's own), and not only what the newest snapshot proves.
  [[nodiscard]] bool high_watermark_learned() const;
  [[nodiscard]] Offset log_end_offset() const;
  [[nodiscard]] const VoterSet& voters() const;
  [[nodiscard]] int16_t kraft_version() const;
  [[nodiscard]] const RaftConfig& config() const;

  // ---- Snapshots
  // Writes a snapshot of everything below `end` (batch-aligned, committed, delivered) through `fill`; freezes it and lets the log
  // before it go by the retention settings. A snapshot that exists already is left alone.
  io::Task<Result<void>> create_snapshot(OffsetAndEpoch end, TimestampMs last_contained_log_ms,
                                         std::function<Result<void>(SnapshotSink&)> fill);
  [[nodiscard]] std::optional<OffsetAndEpoch> latest_snapshot() const;

  // ---- Handlers of the controller listener. `listener` is the name of the one the request came in on. The response carries
  // what Kafka's would, errors included; a handler fails only when the node stops.
  void handle_vote(const protocol::VoteRequest& request, std::string_view listener, protocol::VoteResponse& response);
  void handle_begin_quorum_epoch(const protocol::BeginQuorumEpochRequest& request, std::string_view listener,
                                 protocol::BeginQuorumEpochResponse& response);
  void handle_end_quorum_epoch(const protocol::EndQuorumEpochRequest& request, std::string_view listener,
                               protocol::EndQuorumEpochResponse& response);
  // `version` of the request: what a reply may carry. The response owns the bytes of its records.
  io::Task<> handle_fetch(const protocol::FetchRequest& request, int16_t version, std::string_view listener,
                          protocol::FetchResponse& response);
  void handle_fetch_snapshot(const protocol::FetchSnapshotRequest& request, std::string_view listener,
                             protocol::FetchSnapshotResponse& response);
  void handle_describe_quorum(const protocol::DescribeQuorumRequest& request, std::string_view listener,
                              protocol::DescribeQuorumResponse& response);
  io::Task<> handle_add_voter(const protocol::AddRaftVoterRequest& request, protocol::AddRaftVoterResponse& response);
  io::Task<> handle_remove_voter(const protocol::RemoveRaftVoterRequest& request, protocol::RemoveRaftVoterResponse& response);
  io::Task<> handle_update_voter(const protocol::UpdateRaftVoterRequest& request, std::string_view listener,
                                 protocol::UpdateRaftVoterResponse& response);
  // UpdateFeatures of kraft.version: offset of the record to wait for, -1 where nothing changes.
  Result<Offset> upgrade_kraft_version(int16_t level, bool validate_only);

 private:
  struct State;
  explicit RaftNode(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace samsa::raft
