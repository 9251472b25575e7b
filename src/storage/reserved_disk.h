// ReservedDisk: a disk on which some bytes are kept back for one user, in a file that is given up piece by piece when the disk is full.
//
// The metadata log of a node goes through one. When any other writer has filled the file system, a write, a new file or a rename that
// finds no room cuts a piece off the reserve and is done again. The reserve is filled up again when there is plenty of room. The file's
// content is zeros; Apache Kafka passes over it. With the reserve used up, errors come through as they are.
// Owner: one shard; all calls on its loop. Files may outlive the disk object.
#pragma once

#include <memory>
#include <string>

#include "io/file.h"
#include "io/loop.h"

namespace samsa::storage {

class ReservedDisk final : public io::Disk {
 public:
  static constexpr const char* kFileName = ".samsa-reserve";
  // Keeps up to `bytes`, on small disks at most 2 % of them, in `directory`; 0: nothing.
  ReservedDisk(io::Loop& loop, io::Disk& disk, const std::string& directory, uint64_t bytes);
  ~ReservedDisk() override;

  // Bytes that are kept now.
  [[nodiscard]] uint64_t kept() const;

  Result<std::shared_ptr<io::File>> open(const std::string& path, io::OpenMode mode) override;
  Result<io::FileInfo> stat(const std::string& path) override { return disk_.stat(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }
  Result<std::vector<io::DirectoryEntry>> list(const std::string& path) override { return disk_.list(path); }
  Result<void> create_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove_file(const std::string& path) override { return disk_.remove_file(path); }
  Result<void> remove_tree(const std::string& path) override { return disk_.remove_tree(path); }
  Result<void> sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  io::Task<Result<void>> remove_file_async(std::string path) override { return disk_.remove_file_async(std::move(path)); }
  io::Task<Result<void>> remove_tree_async(std::string path) override { return disk_.remove_tree_async(std::move(path)); }
  io::Task<Result<void>> sync_directory_async(std::string path) override { return disk_.sync_directory_async(std::move(path)); }
  Result<void> sync_file_system(const std::string& path) override { return disk_.sync_file_system(path); }
  Result<void> set_mtime(const std::string& path, TimestampMs mtime_ms) override { return disk_.set_mtime(path, mtime_ms); }
  Result<void> set_read_only(const std::string& path) override { return disk_.set_read_only(path); }
  Result<io::DiskSpace> space(const std::string& path) override { return disk_.space(path); }
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override { return disk_.lock(path); }

 private:
  class Reserve;
  class ReservedFile;
  io::Disk& disk_;
  std::shared_ptr<Reserve> reserve_;
};

}  // namespace samsa::storage
