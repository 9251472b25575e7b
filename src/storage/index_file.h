// IndexFile: a file of fixed-size entries in ascending order: what .index, .timeindex and .txnindex have in common.
//
// New entries are kept in memory and written in groups, on write_out() and when there are many (and there is room): until then a crash loses them, which
// recovery repairs, since it rebuilds the indexes of every segment that is not known to be synced. Lookups are binary searches by
// pread that begin in the page where the last one ended; nothing of the file is kept in memory but its last entry. The file is made with its first entry unless create() is called.
//
// Entries that are built again are written over those in the file, and write_out() cuts off what is left of these; nobody reads them meanwhile. To cut
// first would free a block, and where the disk is told of it (ext4 without a journal, mounted with `discard`) that takes a millisecond.
// Format: docs/formats/log.md. Owner: the segment's shard.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"
#include "io/task.h"
#include "storage/file_pool.h"

namespace samsa::storage {

class IndexFile {
 public:
  using Below = std::function<bool(const uint8_t* entry)>;

  // `entry_size`: at most kMostEntrySize bytes.
  IndexFile(FilePool& pool, std::string path, size_t entry_size) : pool_(pool), file_(pool, std::move(path)), entry_size_(entry_size) {
    SAMSA_ASSERT(entry_size <= kMostEntrySize);
  }

  // Takes in what is on disk. CORRUPT_MESSAGE where the size is no multiple of an entry's.
  Result<void> load();
  // Forgets all entries, to build them again; nothing where there is no file.
  Result<void> clear();
  // Keeps the first `count` entries; those behind are about to be built again.
  void rebuild_from(size_t count);
  // Makes the (empty) file, so that Kafka finds it.
  Result<void> create();
  [[nodiscard]] bool exists() const { return exists_; }
  // Entries, the unwritten ones too.
  [[nodiscard]] size_t count() const { return written_ + pending_.size() / entry_size_; }

  // Copies the entry into `into` (entry_size bytes).
  Result<void> read(size_t index, uint8_t* into);
  // The last entry, or nothing; from memory after the first time.
  Result<std::optional<Buffer>> last();
  Result<void> append(Bytes entry);
  // The index of the first entry for which `below` is false; `below` must be true for a prefix only.
  Result<size_t> partition_point(const Below& below);
  // The last entry for which `below` is true, as it was at some moment of the call; nothing if none. What is not in the page cache is read beside
  // the loop, and a partition_point() that follows finds it there, if no other search comes between.
  io::Task<Result<std::optional<Buffer>>> last_below(Below below);
  // So that last() does not read on the loop.
  io::Task<Result<void>> warm_last();
  // Calls `take` for each entry from the first on until it says false.
  Result<void> visit(const std::function<bool(const uint8_t* entry)>& take);
  // Keeps the first `count` entries.
  Result<void> truncate(size_t count);
  // Writes what is in memory only; then the file holds the entries and nothing else.
  Result<void> write_out();
  // Writes out and syncs; nothing where there is no file.
  io::Task<Result<void>> sync();

  // Whether the file was made since the last call: its directory needs a sync.
  bool take_fresh() { return std::exchange(fresh_, false); }
  [[nodiscard]] const std::string& path() const { return file_.path(); }
  void set_path(std::string path) { file_.set_path(std::move(path)); }
  void close_file() { file_.close(); }

 private:
  static constexpr size_t kPageEntries = 256;  // Entries that a search reads at once.
  static constexpr size_t kMostEntrySize = 34;
  struct Page {
    size_t from = 0;
    size_t count = 0;
    uint8_t entries[kPageEntries * kMostEntrySize];
  };
  // partition_point() among the first `end` entries, all in the file.
  Result<size_t> search_file(size_t end, const Below& below);
  Result<void> read_page(size_t index, size_t end, Page& into);
  [[nodiscard]] size_t first_not_below(const uint8_t* entries, size_t count, const Below& below) const;
  Result<void> write_pending();

  FilePool& pool_;
  PooledFile file_;
  size_t entry_size_;
  size_t written_ = 0;  // Entries in the file.
  bool odd_ = false;    // The file holds something that is no entry.
  size_t stale_ = 0;    // Entries that the file holds behind those, forgotten.
  size_t searched_page_ = 0;  // Where the last search in the file ended.
  Buffer pending_;      // Entries not yet in the file.
  std::optional<Buffer> last_;
  bool exists_ = false;
  bool dirty_ = false;  // Written since the last sync.
  bool fresh_ = false;
};

}  // namespace samsa::storage
