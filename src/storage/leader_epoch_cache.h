// LeaderEpochCache: at which offset each leader epoch of a partition began. Answers OffsetForLeaderEpoch, by which followers find where
// their log parts from the leader's (KIP-101, KIP-279).
//
// Invariant: epochs and start offsets both ascend. Changes stay in memory until write(): a crash before loses nothing, since recovery
// takes the epochs of all batches above the recovery point from the batches. Format: docs/formats/directory.md. Owner: the log's shard.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"
#include "storage/checkpoint_file.h"

namespace samsa::storage {

class LeaderEpochCache {
 public:
  LeaderEpochCache(io::Disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}

  // Reads leader-epoch-checkpoint; a damaged file counts as empty (false is returned).
  Result<bool> load();
  // Writes the file durably where something changed.
  io::Task<Result<void>> write();
  // The same in two steps, with a sync of everything by the caller after each: a file that is not synced must not take the old one's place.
  Result<void> prepare_write();
  Result<void> finish_write();

  // The epoch begins at `start`. Nothing where it is known or older than the latest; entries at or above `start` are replaced.
  void assign(LeaderEpoch epoch, Offset start);
  [[nodiscard]] LeaderEpoch latest() const { return entries_.empty() ? kNoLeaderEpoch : entries_.back().first; }
  [[nodiscard]] LeaderEpoch earliest() const { return entries_.empty() ? kNoLeaderEpoch : entries_.front().first; }
  [[nodiscard]] std::optional<Offset> earliest_start() const {
    return entries_.empty() ? std::nullopt : std::optional(entries_.front().second);
  }
  // Epoch of the record at the offset; -1 where unknown.
  [[nodiscard]] LeaderEpoch epoch_of(Offset offset) const;
  // {largest known epoch <= epoch, where it ends}; {-1, -1} where unknown.
  [[nodiscard]] std::pair<LeaderEpoch, Offset> end_offset_for(LeaderEpoch epoch, Offset log_end) const;
  // Removes entries that start at or above `end`.
  void truncate_from_end(Offset end);
  // The log starts at `start` now: the entry that holds it begins there, those before go.
  void truncate_from_start(Offset start);
  void clear();
  [[nodiscard]] const EpochEntries& entries() const { return entries_; }
  void set_directory(std::string directory) { directory_ = std::move(directory); }

 private:
  io::Disk& disk_;
  std::string directory_;
  EpochEntries entries_;
  bool dirty_ = false;
};

}  // namespace samsa::storage
