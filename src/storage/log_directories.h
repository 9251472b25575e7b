// LogDirectories: the node's log.dirs: locks, identities, clean-shutdown marks, checkpoint files, and which partitions lie where.
//
// Owner: shard 0, before the shards start and for the checkpoints afterwards. The logs themselves belong to LogManager, per shard.
// Formats: docs/formats/directory.md.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/random.h"
#include "io/task.h"
#include "storage/checkpoint_file.h"
#include "storage/meta_properties.h"

namespace samsa::storage {



// A partition directory found at start-up, with what the checkpoints say of it.
struct FoundLog {
  int directory = 0;  // Index of the log directory.
  std::string path;
  TopicPartition partition;
  Uuid topic_id;  // From partition.metadata; zero where there is none.
  Offset recovery_point = 0;
  Offset log_start_offset = 0;
  Offset high_watermark = 0;
  Offset first_dirty_offset = 0;
  bool clean = false;
  bool future = false;  // "-future": a copy being built by a move between directories.
};

// One shard's (or all shards') part of a directory's checkpoint files.
struct DirectoryCheckpoints {
  OffsetMap recovery_point;
  OffsetMap log_start;       // Only logs whose start is above their first segment.
  OffsetMap high_watermark;
  OffsetMap cleaner;         // First dirty offsets of compacted logs.
};

struct LogDirectory {
  std::string path;
  MetaProperties meta;             // directory_id is always set.
  bool clean = false;              // The clean-shutdown file was there at open (and has been removed).
  int64_t previous_broker_epoch = -1;
  std::optional<Error> offline;    // Why, where it is.
  DirectoryCheckpoints checkpoints;  // As read at open.
  std::vector<std::string> doomed;   // "-delete" directories, to be removed.
  std::unique_ptr<io::FileLock> lock;
};

class LogDirectories {
 public:
  // Locks every directory and reads meta.properties, the clean-shutdown file (which it removes) and the checkpoints. A directory
  // that cannot be read is offline, not an error. Errors (INVALID_CONFIG): a directory in use by another process, any directory without
  // meta.properties (a disk that is not mounted, say) or node or cluster id in it, cluster or node ids that differ from each
  // other or from what is expected, the same directory id twice, no usable directory.
  // Without cluster_id the directories' own counts. `random` gives a directory without an id one (without it: an error).
  static Result<std::unique_ptr<LogDirectories>> open(io::Disk& disk, std::vector<std::string> paths, NodeId node_id,
                                                      std::optional<std::string> cluster_id = {}, io::Random* random = nullptr);
  ~LogDirectories();

  [[nodiscard]] size_t size() const { return directories_.size(); }
  [[nodiscard]] const LogDirectory& at(size_t index) const { return directories_[index]; }
  [[nodiscard]] std::vector<std::string> paths() const;
  // Index of the directory with this id; -1: none.
  [[nodiscard]] int index_of(Uuid directory_id) const;
  [[nodiscard]] const std::string& cluster_id() const { return cluster_id_; }
  // The broker epoch of the last clean stop: -1 where any directory has none or they differ.
  [[nodiscard]] int64_t previous_broker_epoch() const;

  // The partition directories of all online directories; __cluster_metadata-0 is left out. "-delete" ones are noted as doomed, -stray
  // ones left alone. KAFKA_STORAGE_ERROR for a name that is no partition or a partition found twice.
  Result<std::vector<FoundLog>> find_logs();

  // Whether find_logs saw entries in a checkpoint file of partitions that are not in its directory: a crash came between their end and the next
  // write. A new partition of such a name must not find them.
  [[nodiscard]] bool has_stale_entries() const { return stale_entries_; }

  // Writes the four checkpoint files of every online directory: `parts` has one vector (indexed by directory) per shard.
  // A directory where that fails goes offline; returns the first error.
  // One call at a time.
  io::Task<Result<void>> write_checkpoints(std::vector<std::vector<DirectoryCheckpoints>> parts);
  // Only replication-offset-checkpoint (high watermarks; every replica.high.watermark.checkpoint.interval.ms).
  io::Task<Result<void>> write_high_watermarks(std::vector<std::vector<DirectoryCheckpoints>> parts);
  // Writes .kafka_cleanshutdown with the broker epoch (-1: without). Only after all logs of the directory closed cleanly and the
  // checkpoints are written.
  Result<void> mark_clean(size_t index, int64_t broker_epoch);
  void take_offline(size_t index, Error why);
  // Releases the locks (removes the .lock files).
  void release();

 private:
  explicit LogDirectories(io::Disk& disk) : disk_(disk) {}
  Result<void> open_directory(LogDirectory& directory);
  Result<void> check_identities(NodeId node_id, const std::optional<std::string>& cluster_id, io::Random* random);
  io::Task<Result<void>> write_some(std::vector<std::vector<DirectoryCheckpoints>> parts, bool only_high_watermarks);
  io::Task<Result<void>> write_one(const std::string& directory, const char* name, const OffsetMap& offsets);

  io::Disk& disk_;
  std::vector<LogDirectory> directories_;
  std::string cluster_id_;
  bool stale_entries_ = false;
  std::map<std::string, std::string> written_;  // What each checkpoint file was last given.
};

// "name-3" -> {name, 3}, split at the last '-'. Nothing where it is no such name.
std::optional<TopicPartition> parse_partition_directory(std::string_view name);
// "<topic>-<partition>.<32 hex>-delete" and the like, the topic cut so that the whole is at most 255 characters (never for -future).
std::string renamed_directory(const TopicPartition& partition, Uuid unique, std::string_view suffix);

}  // namespace samsa::storage
