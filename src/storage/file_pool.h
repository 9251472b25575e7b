// FilePool: a bounded number of open files for all the logs of a shard. A PooledFile is a file's name; get() opens it or answers the
// handle it already has; the one unused for longest is closed when there are too many, and so is what nobody has used for a while. Readers that
// still hold a handle (a slice being sent) keep it open.
//
// Owner: one shard. The pool outlives its files.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/file.h"
#include "io/loop.h"

namespace samsa::storage {

class FilePool;

class PooledFile {
 public:
  PooledFile() = default;
  PooledFile(FilePool& pool, std::string path) : pool_(&pool), path_(std::move(path)) {}
  PooledFile(const PooledFile&) = delete;
  PooledFile& operator=(const PooledFile&) = delete;
  ~PooledFile() { close(); }

  void assign(FilePool& pool, std::string path);
  // The open file; RESOURCE_NOT_FOUND where it does not exist (create: it is made).
  Result<std::shared_ptr<io::File>> get(bool create = false);
  void close();
  [[nodiscard]] const std::string& path() const { return path_; }
  // The file has (or gets) another name; an open handle stays good.
  void set_path(std::string path) { path_ = std::move(path); }
  [[nodiscard]] bool is_open() const { return file_ != nullptr; }
  // The open file without using it; null: it is not open.
  [[nodiscard]] const io::File* peek() const { return file_.get(); }
  // Whether it stays open while it is idle: something was written and not synced. The system may forget a write that fails while nobody has the
  // file open.
  void keep_open(bool keep) { kept_ = keep; }

 private:
  friend class FilePool;
  FilePool* pool_ = nullptr;
  std::string path_;
  std::shared_ptr<io::File> file_;
  bool kept_ = false;
  io::MonoTime used_{};
  PooledFile* newer_ = nullptr;
  PooledFile* older_ = nullptr;
};

class FilePool {
 public:
  FilePool(io::Disk& disk, size_t limit) : disk_(disk), limit_(limit) {}
  FilePool(const FilePool&) = delete;
  [[nodiscard]] size_t open_count() const { return count_; }
  [[nodiscard]] io::Disk& disk() { return disk_; }
  void set_limit(size_t limit);
  // Closes some of the files that were not used for kIdle. Call it every second or so.
  void close_idle(io::MonoTime now);
  static constexpr std::chrono::seconds kIdle{30};

 private:
  friend class PooledFile;
  void link_newest(PooledFile& file);
  void unlink(PooledFile& file);
  void evict();

  io::Disk& disk_;
  size_t limit_;
  size_t count_ = 0;
  io::MonoTime now_{};  // Of the last close_idle().
  PooledFile* newest_ = nullptr;
  PooledFile* oldest_ = nullptr;
};

}  // namespace samsa::storage
