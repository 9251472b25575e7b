// Snapshots of the metadata log: <20 digits end offset>-<10 digits epoch>.checkpoint, the whole state as of the records below the
// end offset, as batches with offsets of their own (from 0). First a control batch with the header (and, with kraft.version 1,
// KRAFT_VERSION and KRAFT_VOTERS), last one with the footer. Being written it has the suffix ".part"; freezing means sync, 0400,
// rename, directory sync. bootstrap.checkpoint has the same content without an offset in its name (KIP-630, KIP-853).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file.h"
#include "protocol/record_batch.h"
#include "raft/raft_types.h"
#include "raft/voter_set.h"

namespace samsa::raft {

inline constexpr size_t kMaxSnapshotBatchBytes = 8 * 1024 * 1024;

// "00000000000000000123-0000000004.checkpoint"
std::string snapshot_name(OffsetAndEpoch id);
// nullopt for any other name.
std::optional<OffsetAndEpoch> parse_snapshot_name(std::string_view name);

// Ids of the frozen snapshots in the directory, in order; unfinished and deleted ones (".part", ".checkpoint.deleted") are removed.
Result<std::vector<OffsetAndEpoch>> scan_snapshots(io::Disk& disk, const std::string& directory);

struct SnapshotHead {
  TimestampMs last_contained_log_ms = 0;
  std::optional<int16_t> kraft_version;  // Written with the voters.
  std::optional<VoterSet> voters;
};

class SnapshotWriter {
 public:
  // Starts "<path>.part"; the header batch is written at once. `epoch` stands in every batch.
  static Result<std::unique_ptr<SnapshotWriter>> create(io::Disk& disk, std::string path, LeaderEpoch epoch, TimestampMs now_ms,
                                                        const SnapshotHead& head);
  ~SnapshotWriter();
  // Adds record values (framed), in batches of at most kMaxSnapshotBatchBytes.
  Result<void> append(std::span<const Buffer> values);
  // Footer, sync, read-only, rename to `path`, directory sync.
  Result<void> freeze();
  // The same, with the sync off the loop's thread.
  io::Task<Result<void>> freeze_async();
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  SnapshotWriter(io::Disk& disk, std::string path, LeaderEpoch epoch, TimestampMs now_ms);
  Result<void> write(Bytes batch);
  Result<void> flush_batch();
  Result<void> finish();

  io::Disk& disk_;
  std::string path_;
  LeaderEpoch epoch_;
  TimestampMs now_ms_;
  std::shared_ptr<io::File> file_;
  uint64_t size_ = 0;
  Offset next_offset_ = 0;
  protocol::RecordBatchBuilder builder_;
  bool frozen_ = false;
};

struct SnapshotContent {
  SnapshotHead head;
  uint64_t size_bytes = 0;
};
// Reads a frozen snapshot: head, then on_batch(values, batch size) for each data batch (views valid during the call). CORRUPT_MESSAGE
// where a batch is broken or header or footer is missing.
Result<SnapshotContent> read_snapshot(io::Disk& disk, const std::string& path,
                                      const std::function<Result<void>(std::span<const Bytes> values, const protocol::BatchView& batch)>& on_batch);

// Values of the data records of a batch, in order. `scratch` and `values` must outlive the views.
Result<void> batch_values(const protocol::BatchView& batch, protocol::Scratch& scratch, std::vector<Bytes>& values);

}  // namespace samsa::raft
