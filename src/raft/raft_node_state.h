// RaftNode's inside: the tasks that run RaftCore in the world. Private to raft_node*.cc.
#pragma once

#include "base/log.h"
#include "io/sync.h"
#include "raft/control_records.h"
#include "raft/quorum_state.h"
#include "raft/raft_core.h"
#include "raft/raft_node.h"
#include "raft/snapshot.h"
#include "raft/storage_raft_log.h"
#include "raft/transport.h"

namespace samsa::raft {

struct RaftNode::State {
  State(io::World world, RaftConfig configuration, std::unique_ptr<RaftTransport> peers);

  // Log, snapshots, voters and quorum-state as the directory has them.
  io::Task<Result<void>> load();
  Result<void> load_head(OffsetAndEpoch id);
  // Tasks.
  io::Task<> drive();    // Time, requests; wakes at deadlines.
  io::Task<> sync();     // Leader: brings what was appended to disk.
  io::Task<> deliver();  // Hands committed batches to the listener.
  io::Task<> send(Ask ask);
  // After every event: starts what is due and tells who waits.
  void pump();

  Result<void> deliver_snapshot(OffsetAndEpoch id);
  io::Task<Result<void>> deliver_log(Offset until);
  void tell_leader();

  // Answers (raft_node_fetch.cc).
  io::Task<Result<Answer>> exchange(const Ask& ask, std::shared_ptr<void>& holder);
  io::Task<> carry_out(const Ask& ask, const protocol::FetchResponse& response);
  io::Task<> store_piece(const Ask& ask, const protocol::FetchSnapshotResponse& response);
  io::Task<Result<void>> finish_snapshot(OffsetAndEpoch id);
  Result<void> append_fetched(Bytes records);
  void fill_fetch(const RaftCore::FetchPlan& plan, Buffer records, std::string_view listener, protocol::FetchResponse& response) const;

  [[nodiscard]] Now now() const { return {world.loop.now(), world.loop.wall_ms()}; }
  void failed(Error error);

  io::World world;
  RaftConfig config;
  std::unique_ptr<RaftTransport> transport;
  std::unique_ptr<StorageRaftLog> log;
  VotersHistory history;
  QuorumStateFile quorum_file;
  std::optional<QuorumState> stored;
  std::unique_ptr<RaftCore> core;
  RaftListener* listener = nullptr;
  std::function<void(Error)> on_fault;
  bool faulted = false;

  io::Signal wake;      // For drive().
  io::Signal progress;  // Log end, high watermark, role or epoch moved.
  io::TaskGroup tasks;
  bool started = false;
  bool stopping = false;
  bool syncing = false;
  bool delivering = false;
  bool log_busy = false;  // Truncation or restart under way: no election begins meanwhile.

  Offset delivered = 0;              // The listener has everything below.
  std::optional<LeaderAndEpoch> told;  // What the listener knows of the leader.
  Offset seen_high_watermark = -1;
  Offset seen_end = -1;
  LeaderAndEpoch seen_leader;
  Role seen_role = Role::kUnattached;

  std::shared_ptr<io::File> piece_file;  // The snapshot being fetched.
  OffsetAndEpoch piece_id;
};

}  // namespace samsa::raft
