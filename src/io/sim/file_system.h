// FileSystem: the disk of one simulated machine, in memory. It survives crashes of the node and knows what is durable: per file the
// sectors that changed since the last sync with their old content, per directory the names that changed since its sync.
//
// Durable content of a file is not kept twice: `undo` holds the old bytes of changed sectors below the durable size; everything above
// the durable size is unsynced. While a sync is under way there are two layers: `syncing` (what it will make durable) and `undo` (what
// was written since it began).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/sim/kernel.h"
#include "io/sync.h"

namespace samsa::io::sim {

inline constexpr uint64_t kSectorBytes = 512;

class FileContent {
 public:
  [[nodiscard]] const Buffer& bytes() const { return bytes_; }
  void write(std::span<const Bytes> pieces, uint64_t offset);
  void resize(uint64_t size);
  void flip_bit(uint64_t offset, int bit) { bytes_[offset] ^= static_cast<uint8_t>(1 << bit); }

  // A sync is begin, time, end. Only one at a time; others wait for `sync_ended`.
  void begin_sync();
  void end_sync();
  // The sync failed: what it was to write is lost or not, whatever later syncs say.
  void fail_sync();
  [[nodiscard]] bool syncing() const { return syncing_active_; }
  Signal sync_ended;
  // Everything is durable at once.
  void sync_now();

  // The machine lost power: what was not synced is lost, torn or kept.
  void crash(Kernel& kernel);
  // The content that a crash leaves for certain; for tests.
  [[nodiscard]] uint64_t durable_size() const { return durable_size_; }

 private:
  using Sectors = std::map<uint64_t, Buffer>;  // Sector number to its old bytes.
  void save_sectors(uint64_t from, uint64_t to);
  void revert_sector(Kernel& kernel, uint64_t sector, const Buffer& old, bool always);
  void crash_tail(Kernel& kernel, uint64_t from);
  [[nodiscard]] uint64_t base_size() const { return syncing_active_ ? syncing_size_ : durable_size_; }

  Buffer bytes_;
  uint64_t durable_size_ = 0;
  Sectors undo_;
  bool syncing_active_ = false;
  uint64_t syncing_size_ = 0;
  Sectors syncing_;
  Sectors limbo_;  // Of failed syncs.
};

struct Inode {
  bool directory = false;
  bool read_only = false;
  bool locked = false;
  TimestampMs mtime_ms = 0;
  FileContent file;
  std::map<std::string, std::shared_ptr<Inode>> entries;
  std::map<std::string, std::shared_ptr<Inode>> durable_entries;
};

class FileSystem {
 public:
  explicit FileSystem(Kernel& kernel) : kernel_(kernel), root_(std::make_shared<Inode>()) { root_->directory = true; }

  // Bytes that fit; writes beyond fail as on a full disk. May be changed at any time.
  uint64_t capacity_bytes = 1ULL << 40;
  // Added to each awaitable read of files whose paths contain the key: a bad spot of the disk. May be changed at any time.
  std::map<std::string, Duration> slow_reads;
  [[nodiscard]] Duration slowness_of(const std::string& path) const {
    for (const auto& [part, time] : slow_reads) {
      if (path.find(part) != std::string::npos) return time;
    }
    return {};
  }
  [[nodiscard]] uint64_t used_bytes() const { return used_bytes_; }
  void account(int64_t change) { used_bytes_ += static_cast<uint64_t>(change); }

  // Null where the path, or a directory on it, is missing.
  [[nodiscard]] std::shared_ptr<Inode> find(const std::string& path) const;
  // Adds a name that is missing; the directory must be there. Null where it is not.
  std::shared_ptr<Inode> create(const std::string& path, bool directory);
  // False where `from` is missing or the directory of `to` is.
  bool rename(const std::string& from, const std::string& to);
  bool remove(const std::string& path);
  void sync_directory(const std::shared_ptr<Inode>& directory);

  // The machine lost power.
  void crash();

 private:
  // A change of names that is not durable yet: `inode` (if any) appears as to/to_name, from/from_name (if any) disappears.
  struct NameChange {
    std::shared_ptr<Inode> to;
    std::string to_name;
    std::shared_ptr<Inode> inode;
    std::shared_ptr<Inode> from;
    std::string from_name;
    [[nodiscard]] bool touches(const Inode* directory) const { return to.get() == directory || from.get() == directory; }
    void apply() const;
  };
  struct Place {
    std::shared_ptr<Inode> directory;
    std::string name;
  };
  [[nodiscard]] Place place(const std::string& path) const;
  void crash_names();
  void crash_tree(Inode& inode);
  void forget(const Inode& inode);

  Kernel& kernel_;
  std::shared_ptr<Inode> root_;
  std::vector<NameChange> changes_;
  uint64_t used_bytes_ = 0;
};

}  // namespace samsa::io::sim
