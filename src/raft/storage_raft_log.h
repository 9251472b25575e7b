// StorageRaftLog: the metadata log over storage::Log, with its snapshots beside the segments in <metadata dir>/__cluster_metadata-0.
//
// Nothing is deleted by time or size of the log itself: segments go when a snapshot covers them. Owner: the metadata shard.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/world.h"
#include "raft/raft_config.h"
#include "raft/raft_log.h"
#include "storage/file_pool.h"
#include "storage/log.h"

namespace samsa::raft {

class StorageRaftLog final : public RaftLog {
 public:
  // Opens or creates the directory and repairs what a crash left: unfinished snapshots go; where the newest snapshot is beyond the
  // log's end, the log starts anew at it. KAFKA_STORAGE_ERROR where the log begins after offset 0 and no snapshot covers that.
  static io::Task<Result<std::unique_ptr<StorageRaftLog>>> open(io::World world, const RaftConfig& config);

  [[nodiscard]] Offset start_offset() const override { return log_->log_start_offset(); }
  [[nodiscard]] Offset end_offset() const override { return log_->log_end_offset(); }
  [[nodiscard]] Offset durable_offset() const override { return durable_; }
  [[nodiscard]] LeaderEpoch last_epoch() const override;
  [[nodiscard]] OffsetAndEpoch end_of_epoch(LeaderEpoch epoch) const override;
  [[nodiscard]] std::optional<OffsetAndEpoch> latest_snapshot() const override;
  [[nodiscard]] std::optional<OffsetAndEpoch> earliest_snapshot() const override;
  Result<void> append(Buffer batch, LeaderEpoch epoch) override;

  // As the leader sent them; a partial batch at the end and batches of an epoch above `epoch` are dropped.
  Result<void> append_as_follower(Bytes batches, LeaderEpoch epoch);
  // Whole batches from `from` (a batch's base or an offset within), below `until`; at least one batch whatever its size.
  io::Task<Result<Buffer>> read(Offset from, Offset until, uint64_t max_bytes);
  // Syncs what is there now; durable_offset() is moved. Up to where it succeeded is noted in the file `synced` now and then: a start writes
  // what stands behind it once more, because a sync that failed before the start would otherwise be believed to have been made good.
  io::Task<Result<void>> sync();
  io::Task<Result<void>> truncate(Offset offset);
  // A snapshot replaces the log: it starts empty at the snapshot's end.
  io::Task<Result<void>> restart_at(OffsetAndEpoch snapshot);
  // Epoch of the record at `offset`; -1 where unknown.
  [[nodiscard]] LeaderEpoch epoch_of(Offset offset) const { return log_->epoch_of(offset); }

  // ---- Snapshots
  [[nodiscard]] const std::vector<OffsetAndEpoch>& snapshots() const { return snapshots_; }
  [[nodiscard]] std::string snapshot_path(OffsetAndEpoch id) const;
  [[nodiscard]] bool has_snapshot(OffsetAndEpoch id) const;
  void add_snapshot(OffsetAndEpoch id);
  // Whether the voters' 0-0 snapshot of a formatted directory is there.
  [[nodiscard]] bool has_bootstrap_snapshot() const { return bootstrap_snapshot_; }
  static constexpr OffsetAndEpoch kBootstrapId{0, 0};
  // Lets old snapshots go, all but the newest, by age and by the bytes of log and snapshots together; then the segments that the
  // oldest one left covers. `high_watermark`: nothing at or above it goes.
  Result<void> clean(Offset high_watermark, TimestampMs now_ms);
  void set_high_watermark(Offset offset) { log_->set_high_watermark(offset); }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] io::Disk& disk() { return world_.disk; }

  io::Task<Result<void>> close();

 private:
  StorageRaftLog(io::World world, const RaftConfig& config);
  Result<void> note_synced(Offset offset);
  Result<void> forget_note();
  [[nodiscard]] Offset noted_offset() const;

  io::World world_;
  const RaftConfig& config_;
  std::string directory_;
  storage::FilePool files_;
  storage::LogContext context_;
  std::unique_ptr<storage::Log> log_;
  std::vector<OffsetAndEpoch> snapshots_;  // Without 0-0, in order.
  bool bootstrap_snapshot_ = false;
  Offset durable_ = 0;
  Offset noted_ = 0;          // What the note says.
  uint64_t since_note_ = 0;   // Bytes appended.
};

}  // namespace samsa::raft
