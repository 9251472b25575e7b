// Segment: a stretch of a log in one file, "<base offset>.log", with its indexes beside it (docs/formats/log.md).
//
// Invariants: batches lie one behind the other in ascending offset; only the last segment of a log is written; the file holds exactly
// size() bytes of batches (a failed write is cut off again). Files are opened on demand through the FilePool.
// The active segment remembers where its newest batches lie, so that reads near the end touch no index.
// Look-ups that return a Result read on the loop: for start, recovery and truncation, and after the task that has warmed what they read. Those
// that return a Task leave to the disk's threads what is not in the page cache.
// Owner: the log's shard. A reader keeps the segment (shared_ptr) or the file (slice) alive after the log has dropped it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"
#include "io/task.h"
#include "storage/file_pool.h"
#include "storage/indexes.h"
#include "storage/log_config.h"

namespace samsa::storage {

// Where a batch lies in its segment.
struct BatchPlace {
  Offset base_offset = 0;
  Offset last_offset = 0;
  uint64_t position = 0;  // Bytes from the start of the segment.
  uint64_t size = 0;      // Bytes.
  TimestampMs max_timestamp = kNoTimestamp;
  int8_t magic = 2;
};

class Segment {
 public:
  // `suffix`: "" or ".cleaned" / ".swap" while compaction works on it.
  Segment(FilePool& pool, const std::string& directory, Offset base, const LogConfig& config, TimestampMs now, std::string_view suffix = {});

  // Makes the empty files; with `preallocate` with room for a whole segment on the disk, as far as there is any. The file's size is that of
  // its batches all the same.
  Result<void> create(const LogConfig& config);
  // Takes in existing files without reading records: sizes and, with `look`, the ends of the indexes. CORRUPT_MESSAGE where an index
  // must be rebuilt (missing or impossible).
  Result<void> load(bool look);
  // The offset after the last batch, by reading from the last index entry on.
  Result<Offset> read_next_offset();

  // Appends whole batches (one write). `places` are theirs with position 0 at the first; each place's batch is indexed as Kafka does.
  Result<void> append(Bytes batches, std::span<BatchPlace> places, const LogConfig& config);
  // The same in two steps, around a write at size() that the disk's threads make; but for keep_room() nothing may change the segment meanwhile. Without
  // the second the segment knows nothing of the bytes.
  Result<std::shared_ptr<io::File>> begin_append();
  Result<void> end_append(io::File& file, Result<void> written, std::span<BatchPlace> places, const LogConfig& config);
  // Whether an append of so many bytes may stand for long, so that it is better made so.
  [[nodiscard]] bool appends_stand(size_t bytes) const;
  // Whether the batches may still go here: size, index room, offset span; time is the log's matter.
  [[nodiscard]] bool has_room(uint64_t bytes, Offset last_offset, const LogConfig& config) const;
  // Writes the closing time index entry; called when the segment is rolled or closed.
  Result<void> finish();
  // Whoever appends much is kept room ahead for on the disk, in growing steps, behind the end of the file: what is to be made now, if anything;
  // keep_room() must follow.
  struct Room {
    std::shared_ptr<io::File> file;
    uint64_t end = 0;  // Bytes from the start of the file.
  };
  [[nodiscard]] std::optional<Room> room_wanted(const LogConfig& config);
  io::Task<> keep_room(Room room);
  // Gives it back: at once, or where nothing was appended since the last call.
  void give_back_room(bool at_once);

  // The first batch whose last offset is >= the target; nothing if there is none.
  Result<std::optional<BatchPlace>> find(Offset target);
  // Whether find() answers from memory.
  [[nodiscard]] bool remembers(Offset target) const { return (!recent_.empty() && target >= recent_.front().base) || find_warmed(target); }
  // Looks for it in index and log file without stopping the loop, so that find() has it from memory.
  io::Task<Result<void>> warm(Offset target);
  // The first batch at or after `position`; nothing at the end or where the bytes are no batch.
  Result<std::optional<BatchPlace>> batch_at(uint64_t position);
  io::Task<Result<std::optional<BatchPlace>>> batch_at_async(uint64_t position);
  // First batch with max timestamp >= the target at or after `from`.
  io::Task<Result<std::optional<BatchPlace>>> find_timestamp(TimestampMs target, Offset from);
  // The bytes of one batch (or any range).
  io::Task<Result<Buffer>> read_bytes(uint64_t position, uint64_t size);
  Result<std::shared_ptr<io::File>> open_file() { return log_.get(); }

  // Cuts at the first batch whose last offset is >= `offset`. Returns the bytes removed.
  Result<uint64_t> truncate_to(Offset offset);
  // Cuts the file at a batch border, without looking at indexes.
  Result<void> truncate_bytes(uint64_t size);
  // Empties the indexes, to build them anew with index_batch().
  Result<void> clear_indexes();
  // Indexes a batch that is already in the file; position ascending.
  Result<void> index_batch(const BatchPlace& place, const LogConfig& config);
  // Of a file that was read through to its end. An earlier life may have kept room behind that: finish() gives it back.
  void set_size(uint64_t bytes) {
    size_ = bytes;
    if (size_ >= kAheadFrom) reserved_ = UINT64_MAX;
  }
  // Indexing goes on at `position`, with what the (cut) indexes still hold.
  void restart_indexing(uint64_t position);

  // Writes what the file has from `position` on once more, as it stands (OpenLog::write_again_from).
  io::Task<Result<void>> write_again(io::Loop& loop, uint64_t position);
  // Syncs data and indexes.
  io::Task<Result<void>> sync();
  // Syncs the data alone.
  io::Task<Result<void>> sync_data();

  // Whether an index file was made since the last call.
  bool take_fresh_files();
  [[nodiscard]] Offset base_offset() const { return base_; }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& path() const { return log_.path(); }
  // Greatest record timestamp; -1 where none has one (or the segment is empty).
  Result<TimestampEntry> max_timestamp();
  // The same without reading on the loop; from then on it is in memory.
  io::Task<Result<TimestampEntry>> learn_max_timestamp();
  // The same, or the time of the last change of the file where no record has a timestamp.
  Result<TimestampMs> newest_time();
  // Max timestamp of the first batch, by which the segment's age is told; nothing if the segment is empty.
  Result<std::optional<TimestampMs>> first_timestamp();
  [[nodiscard]] TimestampMs created() const { return created_; }
  [[nodiscard]] int64_t roll_jitter() const { return roll_jitter_; }
  void set_roll_jitter(int64_t ms) { roll_jitter_ = ms; }
  void set_directory(const std::string& directory);
  // The names that the files have, or would have, with the suffix.
  [[nodiscard]] std::vector<std::string> paths(std::string_view suffix) const;
  // Renames the files from one suffix to another (".deleted" goes behind); missing indexes are no error. Returns the new names.
  Result<std::vector<std::string>> rename_suffix(std::string_view suffix);
  Result<void> remove_files();
  void close_files();
  void forget_recent() { recent_.clear(); recent_.shrink_to_fit(); }

  OffsetIndex& offsets() { return offsets_; }
  TimeIndex& times() { return times_; }
  TransactionIndex& transactions() { return transactions_; }

 private:
  // A recent batch, packed: 20,000 logs have some each.
  struct Recent {
    Offset base;
    int32_t last_delta;
    uint32_t position;
  };
  void remember(const BatchPlace& place);
  void set_dirty(bool dirty) {
    dirty_ = dirty;
    log_.keep_open(dirty);
  }
  [[nodiscard]] std::optional<BatchPlace> find_recent(Offset target) const;
  [[nodiscard]] const BatchPlace* find_warmed(Offset target) const;
  using Wanted = std::function<bool(const BatchPlace&)>;
  Result<std::optional<BatchPlace>> scan(uint64_t position, const std::function<bool(const BatchPlace&)>& wanted);
  // The same two without reading on the loop.
  io::Task<Result<std::optional<BatchPlace>>> scan_async(uint64_t position, Wanted wanted);
  io::Task<Result<std::optional<BatchPlace>>> scan_from_async(OffsetPosition entry, Wanted wanted);
  // From the index entry's batch on; from the start where the entry points at none of its offset (damage).
  Result<std::optional<BatchPlace>> scan_from(const OffsetPosition& entry, const std::function<bool(const BatchPlace&)>& wanted);

  FilePool& pool_;
  Offset base_;
  PooledFile log_;
  OffsetIndex offsets_;
  TimeIndex times_;
  TransactionIndex transactions_;
  uint64_t size_ = 0;
  uint64_t bytes_since_index_ = 0;
  static constexpr uint64_t kAheadFrom = 8 << 20;  // Bytes appended before room is kept ahead: small partitions are many.
  bool preallocated_;          // By the setting.
  uint64_t appended_ = 0;      // Bytes, by this object.
  uint64_t reserved_ = 0;      // Where the room that is kept ends, as far as it is known.
  uint64_t reserve_next_ = 0;  // The end of file from which on more is kept.
  uint64_t idle_since_ = 0;    // appended_ at the last call of give_back_room().
  bool keeping_room_ = false;
  bool finished_ = false;      // Nothing was appended since finish().
  bool dirty_ = false;  // Data written since the last sync.
  bool max_known_ = false;
  TimestampEntry max_;  // Greatest timestamp and the last offset of the batch that holds it.
  std::optional<TimestampMs> first_timestamp_;
  TimestampMs created_;
  int64_t roll_jitter_ = 0;
  // What warm() found the last two times (a read looks for its beginning and its bound), newest first: where the offsets from `from` to the
  // batch's last one lie.
  struct Warmed {
    Offset from = 0;
    BatchPlace place{.last_offset = -1};
  };
  std::unique_ptr<std::array<Warmed, 2>> warmed_;
  uint32_t cuts_ = 0;                   // Lets a look-up in flight notice that the file was cut meanwhile.
  std::vector<Recent> recent_;  // The newest batches, oldest first; at most kRecentMost.
  std::string directory_;
};

}  // namespace samsa::storage
