// SimDisk: a shard's view of its machine's FileSystem, with errors and delays as the run's Faults say. Calls that may block on a real
// disk return at once; the awaitable ones take virtual time. After a crash of the node every call on it, and on its files, fails.
#pragma once

#include "io/file.h"
#include "io/sim/file_system.h"
#include "io/sim/loop.h"

namespace samsa::io::sim {

class SimDisk final : public Disk {
 public:
  SimDisk(Kernel& kernel, FileSystem& files, SimLoop& loop) : kernel_(kernel), files_(files), loop_(loop) {}

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<FileInfo> stat(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<void> create_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove_file(const std::string& path) override;
  Result<void> remove_tree(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<void> set_mtime(const std::string& path, TimestampMs mtime_ms) override;
  Result<void> set_read_only(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  // Notes the operation and fails when the node is down.
  Result<void> begin(const char* operation, const std::string& path);
  Result<std::shared_ptr<Inode>> must_find(const char* operation, const std::string& path);

  Kernel& kernel_;
  FileSystem& files_;
  SimLoop& loop_;
};

}  // namespace samsa::io::sim
