// RealDisk: the system's files. Writes are pwritev to the page cache on the calling thread; asynchronous reads try the page cache
// first (RWF_NOWAIT) and go to a pool when the bytes are not there; syncs, and writes that would stand, run on pools of their own, so that none
// holds up another, though directories on several devices share them. One RealDisk per shard: the awaitable calls of a file resume on the loop of the disk that opened it.
#pragma once

#include "io/file.h"
#include "io/loop.h"
#include "io/real/blocking_pool.h"
#include "io/real/write_watch.h"

namespace samsa::io::real {

// The threads that disks share.
struct DiskPools {
  BlockingPool& reads;
  BlockingPool& writes;
  BlockingPool& syncs;  // And what else of the file system may wait for the device.
};

class RealDisk final : public Disk {
 public:
  RealDisk(Loop& loop, DiskPools pools) : loop_(loop), pools_(pools) {}

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<FileInfo> stat(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<void> create_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove_file(const std::string& path) override;
  Result<void> remove_tree(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Task<Result<void>> rename_async(std::string from, std::string to) override;
  Task<Result<void>> remove_file_async(std::string path) override;
  Task<Result<void>> remove_tree_async(std::string path) override;
  Task<Result<void>> sync_directory_async(std::string path) override;
  Result<void> sync_file_system(const std::string& path) override;
  Result<void> set_mtime(const std::string& path, TimestampMs mtime_ms) override;
  Result<void> set_read_only(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  Loop& loop_;
  DiskPools pools_;
  WriteWatch writes_;
};

// What pread says of bytes that may not be in memory.
enum class Cached { kYes, kNo, kUnknown };
// Whether the byte at `offset` is in the page cache; kUnknown where the file system cannot tell, and at the end of the file.
Cached is_cached(int fd, uint64_t offset);
// Whether all of the bytes have their pages in the page cache, though some may still be on their way from the disk. False also where the system
// cannot say it (cachestat, Linux 6.5).
bool are_cached(int fd, uint64_t offset, uint64_t length);

}  // namespace samsa::io::real
