// The three indexes of a segment (docs/formats/log.md): offset -> position, timestamp -> offset, aborted transactions.
//
// Offsets are stored relative to the segment's base and fit 31 bits. An entry says: every batch before `position` has only offsets
// below or equal to `offset` ... reading from there finds the offset. Lookups give the greatest entry at or below the target.
// Owner: the segment's shard.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "storage/index_file.h"

namespace samsa::storage {

struct OffsetPosition {
  Offset offset = 0;
  uint64_t position = 0;  // Bytes from the start of the segment.
};

class OffsetIndex {
 public:
  static constexpr size_t kEntrySize = 8;
  OffsetIndex(FilePool& pool, std::string path, Offset base, size_t max_bytes)
      : file_(pool, std::move(path), kEntrySize), base_(base), max_entries_(max_bytes / kEntrySize) {}

  // The greatest entry with an offset <= target; {base, 0} where there is none.
  Result<OffsetPosition> lookup(Offset target);
  // The same without reading on the loop (IndexFile::last_below).
  io::Task<Result<OffsetPosition>> lookup_async(Offset target);
  Result<std::optional<OffsetPosition>> last();
  // Offset of the first entry at or behind the position; nothing if none.
  Result<std::optional<Offset>> offset_at_or_behind(uint64_t position);
  // So that it does not read on the loop.
  io::Task<Result<void>> warm_position(uint64_t position);
  // Adds an entry unless its offset is not above the last one's.
  Result<void> append(Offset offset, uint64_t position);
  // Removes entries with an offset >= `offset`.
  Result<void> truncate_to(Offset offset);
  [[nodiscard]] bool full() const { return file_.count() >= max_entries_; }
  // Calls `take` (entry -> bool) for each entry from the first on until it says false.
  Result<void> visit(const std::function<bool(const OffsetPosition&)>& take);
  // CORRUPT_MESSAGE where the last entry cannot be right (a crash left the file at full size, filled with zeros).
  Result<void> check();
  IndexFile& file() { return file_; }

 private:
  [[nodiscard]] OffsetPosition parse(const uint8_t* entry) const {
    return {base_ + load_be<int32_t>(entry), static_cast<uint32_t>(load_be<int32_t>(entry + 4))};
  }
  IndexFile file_;
  Offset base_;
  size_t max_entries_;
};

struct TimestampEntry {
  TimestampMs timestamp = kNoTimestamp;
  Offset offset = 0;
};

class TimeIndex {
 public:
  static constexpr size_t kEntrySize = 12;
  TimeIndex(FilePool& pool, std::string path, Offset base, size_t max_bytes)
      : file_(pool, std::move(path), kEntrySize), base_(base), max_entries_(max_bytes / kEntrySize) {}

  // The greatest entry with a timestamp <= target; {-1, base} where there is none.
  Result<TimestampEntry> lookup(TimestampMs target);
  // The same without reading on the loop.
  io::Task<Result<TimestampEntry>> lookup_async(TimestampMs target);
  // {-1, base} where there is none.
  Result<TimestampEntry> last();
  // Adds an entry unless its timestamp is not above the last one's. `even_full`: the closing entry of a segment.
  Result<void> append(TimestampMs timestamp, Offset offset, bool even_full = false);
  Result<void> truncate_to(Offset offset);
  [[nodiscard]] bool full() const { return file_.count() + 1 >= max_entries_; }
  Result<void> visit(const std::function<bool(const TimestampEntry&)>& take);
  Result<void> check();
  IndexFile& file() { return file_; }

 private:
  [[nodiscard]] TimestampEntry parse(const uint8_t* entry) const {
    return {load_be<int64_t>(entry), base_ + load_be<int32_t>(entry + 8)};
  }
  IndexFile file_;
  Offset base_;
  size_t max_entries_;
};

struct AbortedEntry {
  int64_t producer_id = kNoProducerId;
  Offset first_offset = 0;
  Offset last_offset = 0;  // Of the marker.
  Offset last_stable_offset = 0;
  bool operator==(const AbortedEntry&) const = default;
};

class TransactionIndex {
 public:
  static constexpr size_t kEntrySize = 34;
  TransactionIndex(FilePool& pool, std::string path) : file_(pool, std::move(path), kEntrySize) {}

  Result<void> append(const AbortedEntry& entry);
  Result<AbortedEntry> at(size_t index);
  // Adds those that overlap [from, to); says whether no later segment can have more.
  Result<bool> collect(Offset from, Offset to, std::vector<AbortedEntry>& into);
  // So that it finds its first entries, some hundreds, in the page cache.
  io::Task<Result<void>> warm(Offset from);
  // Removes entries whose marker is at or above `offset`.
  Result<void> truncate_to(Offset offset);
  // CORRUPT_MESSAGE where entries are out of order or below the segment's base.
  Result<void> check(Offset base);
  IndexFile& file() { return file_; }

 private:
  IndexFile file_;
};

}  // namespace samsa::storage
