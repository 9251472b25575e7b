// File and Disk: all that Samsa does with storage. Real: io/real/disk.h. Simulated: io/sim/disk.h, which loses what was not
// synced, tears sectors, fails and fills up.
//
// Writes go to the page cache at once, on the loop's thread, unless the system lets such writes stand (File::writes_stand); sync and cold reads
// have awaitable forms that run on a small pool of threads. The synchronous reads may block and are for start, recovery, indexes and small warm
// reads.
// Errors: KAFKA_STORAGE_ERROR with path, operation and the system's words; a full disk carries ErrorCode::kKafkaStorageError too and
// `is_no_space` answers for it; a missing file is RESOURCE_NOT_FOUND.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/task.h"

namespace samsa::io {

class File {
 public:
  virtual ~File() = default;

  // Reads up to into.size() bytes at `offset`; fewer only at the end of the file.
  virtual Result<size_t> read_at(MutableBytes into, uint64_t offset) = 0;
  virtual Task<Result<size_t>> read_at_async(MutableBytes into, uint64_t offset) = 0;
  // Writes all the pieces one after the other from `offset`, to the page cache.
  virtual Result<void> write_at(std::span<const Bytes> pieces, uint64_t offset) = 0;
  Result<void> write_at(Bytes bytes, uint64_t offset) { return write_at(std::span<const Bytes>(&bytes, 1), offset); }
  // The same on the disk's threads. Until it resumes, `bytes` must stay and nobody else may change the file.
  virtual Task<Result<void>> write_at_async(Bytes bytes, uint64_t offset) { co_return write_at(bytes, offset); }
  // Whether a write of so many bytes is better not made on the loop: large ones stood in the system for milliseconds a moment ago (write-back
  // holds the file's map, too much is dirty, the device is slow), and there is somebody who would wait beside them (Loop::has_company).
  [[nodiscard]] virtual bool writes_stand(size_t /*bytes*/) const { return false; }
  virtual Result<void> truncate(uint64_t size) = 0;
  // Keeps room on the disk up to `size` bytes from the file's start, for what will be written; its size stays. truncate() gives back what lies
  // behind the end. Where the file system cannot, nothing happens.
  virtual Result<void> reserve(uint64_t /*size*/) { return {}; }
  // The same on the disk's threads. Writes to the file, and truncations, may stand meanwhile.
  virtual Task<Result<void>> reserve_async(uint64_t size) { co_return reserve(size); }
  virtual Result<uint64_t> size() = 0;
  // Makes what was written durable (fdatasync). After an error nothing may be assumed of what was written since the last sync.
  virtual Task<Result<void>> sync() = 0;
  virtual Result<void> sync_now() = 0;
  // The descriptor for sendfile; -1 where there is none (simulation).
  [[nodiscard]] virtual int native_handle() const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
};

// A range of a file, kept open by the slice. What fetch answers with.
struct FileSlice {
  std::shared_ptr<File> file;
  uint64_t offset = 0;  // Bytes from the start of the file.
  uint64_t length = 0;  // Bytes.
};

enum class OpenMode {
  kRead,            // Must exist.
  kReadWrite,       // Must exist.
  kCreate,          // Read and write; made if missing, kept if there.
  kCreateNew,       // Read and write; must not exist.
  kCreateTruncate,  // Read and write; emptied if there.
};

struct FileInfo {
  uint64_t size = 0;         // Bytes.
  TimestampMs mtime_ms = 0;  // Last change.
  bool directory = false;
};

struct DirectoryEntry {
  std::string name;
  bool directory = false;
};

struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t usable_bytes = 0;
};

// Held while it lives. The lock file itself stays, as Kafka leaves it.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Disk {
 public:
  virtual ~Disk() = default;

  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<FileInfo> stat(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  // Names in the directory, sorted, without "." and "..".
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  virtual Result<void> create_directories(const std::string& path) = 0;
  // Atomic within a file system. Durable only after sync_directory of the parent.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove_file(const std::string& path) = 0;
  virtual Result<void> remove_tree(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  // The same without stopping the loop meanwhile: to remove a large file takes as long as the system needs for its cached pages, up to
  // half a second for 1 GiB; a small one too may have to wait for the device (mounted with `discard`).
  virtual Task<Result<void>> rename_async(std::string from, std::string to) { co_return rename(from, to); }
  virtual Task<Result<void>> remove_file_async(std::string path) { co_return remove_file(path); }
  virtual Task<Result<void>> remove_tree_async(std::string path) { co_return remove_tree(path); }
  virtual Task<Result<void>> sync_directory_async(std::string path) { co_return sync_directory(path); }
  // Makes everything written to the file system that holds `path` durable, in one go: for many files at a time. Blocks.
  // UNSUPPORTED_VERSION where the disk cannot; then files are synced one by one.
  virtual Result<void> sync_file_system(const std::string& /*path*/) { return fail(ErrorCode::kUnsupportedVersion); }
  virtual Result<void> set_mtime(const std::string& path, TimestampMs mtime_ms) = 0;
  virtual Result<void> set_read_only(const std::string& path) = 0;
  virtual Result<DiskSpace> space(const std::string& path) = 0;
  // Exclusive lock as Java's FileChannel.tryLock takes it (fcntl). OPERATION_NOT_ATTEMPTED when another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

// The KAFKA_STORAGE_ERROR of a failed operation: "cannot <operation> <path>: <words>". For implementations of Disk.
Error storage_error(const std::string& operation, const std::string& path, const std::string& words);
// The words with which a full disk is reported.
inline constexpr const char* kNoSpaceWords = "No space left on device";
// Whether the error says that the disk is full.
bool is_no_space(const Error& error);
// Whether an operation did not work for want of room, quota, memory or handles: it may work later with nothing mended.
bool is_shortage(const Error& error);
// Whether the error says that the device or its file system fails: an operation did not work, and for no such want.
bool is_device_error(const Error& error);

// The whole file as bytes. RESOURCE_NOT_FOUND when missing.
Result<Buffer> read_file(Disk& disk, const std::string& path);
// Replaces the file as Kafka does it: write "<path>.tmp", sync, rename, sync the directory.
Result<void> write_file_atomically(Disk& disk, const std::string& path, Bytes content);
// The same without stopping the loop for the syncs. One at a time for a path.
Task<Result<void>> write_file_atomically_async(Disk& disk, std::string path, std::string content);

// "a/b" of "a/b/c"; "." of "c".
std::string parent_path(const std::string& path);
std::string join_path(const std::string& directory, const std::string& name);

}  // namespace samsa::io
