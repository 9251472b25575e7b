// RaftLog: what the quorum's state machine needs of the metadata log, without waiting. The replica of a node implements it over
// storage::Log (storage_raft_log.h); tests over memory. Truncation and syncing need time and are done by RaftNode, not here.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "raft/raft_types.h"

namespace samsa::raft {

class RaftLog {
 public:
  virtual ~RaftLog() = default;
  [[nodiscard]] virtual Offset start_offset() const = 0;
  // Offset of the next record.
  [[nodiscard]] virtual Offset end_offset() const = 0;
  // Everything below is on disk.
  [[nodiscard]] virtual Offset durable_offset() const = 0;
  // Epoch of the last record; where the log is empty, of the snapshot that it starts after; else 0.
  [[nodiscard]] virtual LeaderEpoch last_epoch() const = 0;
  // The largest epoch <= `epoch` that the log (or the snapshot it starts after) knows, and the offset where it ends. Where all its
  // epochs are larger: {start offset, epoch of the oldest snapshot or 0}.
  [[nodiscard]] virtual OffsetAndEpoch end_of_epoch(LeaderEpoch epoch) const = 0;
  // Frozen snapshots; the voters' 0-0 one does not count.
  [[nodiscard]] virtual std::optional<OffsetAndEpoch> latest_snapshot() const = 0;
  [[nodiscard]] virtual std::optional<OffsetAndEpoch> earliest_snapshot() const = 0;
  // Appends one batch that has end_offset() as its base and the leader's epoch in it.
  virtual Result<void> append(Buffer batch, LeaderEpoch epoch) = 0;
};

}  // namespace samsa::raft
