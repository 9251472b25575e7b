#include "io/real/disk.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/real/patience.h"
#include "io/work.h"

namespace samsa::io::real {
namespace {

Error system_error(const char* operation, const std::string& path, int error) {
  if (error == ENOENT)
    return {ErrorCode::kResourceNotFound, std::string("cannot ") + operation + " " + path + ": no such file or directory"};
  const bool full = error == ENOSPC || error == EDQUOT;
  return storage_error(operation, path, full ? kNoSpaceWords : std::strerror(error));
}
std::unexpected<Error> system_failure(const char* operation, const std::string& path, int error = errno) {
  return fail(system_error(operation, path, error));
}

class RealFile final : public File {
 public:
  RealFile(int fd, std::string path, Loop& loop, DiskPools pools, WriteWatch& writes)
      : fd_(fd), path_(std::move(path)), loop_(loop), pools_(pools), writes_(writes) {}
  ~RealFile() override { ::close(fd_); }

  Result<size_t> read_at(MutableBytes into, uint64_t offset) override {
    size_t done = 0;
    while (done < into.size()) {
      this_work.count(SystemCall::kRead);
      const ssize_t n = ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_failure("read", path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Task<Result<size_t>> read_at_async(MutableBytes into, uint64_t offset) override {
    size_t done = 0;
    while (done < into.size()) {
      const iovec piece{into.data() + done, into.size() - done};
      this_work.count(SystemCall::kRead);
      const ssize_t n = ::preadv2(fd_, &piece, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
      if (n == 0) co_return done;
      if (n < 0) break;
      done += static_cast<size_t>(n);
    }
    if (done == into.size()) co_return done;
    const auto rest = into.subspan(done);
    CO_TRY_ASSIGN(const size_t more, co_await pools_.reads.run(loop_, [this, rest, at = offset + done] { return read_at(rest, at); }));
    co_return done + more;
  }

  using File::write_at;
  Result<void> write_at(std::span<const Bytes> pieces, uint64_t offset) override {
    constexpr size_t kBatch = 64;
    iovec batch[kBatch];
    while (!pieces.empty()) {
      const size_t count = std::min(pieces.size(), kBatch);
      size_t bytes = 0;
      for (size_t i = 0; i < count; ++i) {
        batch[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
        bytes += pieces[i].size();
      }
      const WriteWatch::Look look(writes_, bytes);
      TRY(write_batch({batch, count}, bytes, offset));
      offset += bytes;
      pieces = pieces.subspan(count);
    }
    return {};
  }

  Task<Result<void>> write_at_async(Bytes bytes, uint64_t offset) override {
    bool stood = false;
    auto written = co_await pools_.writes.run(loop_, [this, bytes, offset, &stood]() -> Result<void> {
      const WriteWatch::Elsewhere look(stood);
      iovec whole{const_cast<uint8_t*>(bytes.data()), bytes.size()};
      return write_batch({&whole, 1}, bytes.size(), offset);
    });
    writes_.note(stood);
    co_return written;
  }
  [[nodiscard]] bool writes_stand(size_t bytes) const override { return writes_.standing(bytes) && loop_.has_company(); }

  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) < 0) return system_failure("truncate", path_);
    return {};
  }
  Result<void> reserve(uint64_t size) override {
    while (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) < 0) {
      if (errno == EINTR) continue;
      // Anything else means that it cannot be done here, not that the file is no good.
      if (errno == EIO || errno == ENOSPC || errno == EDQUOT) return system_failure("reserve", path_);
      break;
    }
    return {};
  }
  Task<Result<void>> reserve_async(uint64_t size) override {
    co_return co_await pools_.writes.run(loop_, [this, size] { return reserve(size); });
  }
  Result<uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_, &info) < 0) return system_failure("stat", path_);
    return static_cast<uint64_t>(info.st_size);
  }
  Task<Result<void>> sync() override {
    co_return co_await pools_.syncs.run(loop_, [this] { return sync_now(); });
  }
  Result<void> sync_now() override {
    if (::fdatasync(fd_) == 0) return {};
    // What could not be written back is lost, whatever the reason: not a full disk that one may wait for.
    const int error = errno;
    return system_failure("sync", path_, error == ENOSPC || error == EDQUOT ? EIO : error);
  }
  [[nodiscard]] int native_handle() const override { return fd_; }
  [[nodiscard]] const std::string& path() const override { return path_; }

 private:
  Result<void> write_batch(std::span<iovec> batch, size_t bytes, uint64_t offset) {
    while (bytes > 0) {
      this_work.count(SystemCall::kWrite);
      const ssize_t n = ::pwritev(fd_, batch.data(), static_cast<int>(batch.size()), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_failure("write", path_);
      auto written = static_cast<size_t>(n);
      bytes -= written;
      offset += written;
      while (!batch.empty() && written >= batch[0].iov_len) {
        written -= batch[0].iov_len;
        batch = batch.subspan(1);
      }
      if (!batch.empty()) batch[0] = {static_cast<uint8_t*>(batch[0].iov_base) + written, batch[0].iov_len - written};
    }
    return {};
  }

  const int fd_;
  const std::string path_;
  Loop& loop_;
  const DiskPools pools_;
  WriteWatch& writes_;
};

// An open file description lock: excludes Java's fcntl locks of other processes and second locks of this one, and closing another
// descriptor of the file does not lose it.
class RealLock final : public FileLock {
 public:
  explicit RealLock(int fd) : fd_(fd) {}
  ~RealLock() override { ::close(fd_); }

 private:
  const int fd_;
};

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kCreateTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

}  // namespace

Cached is_cached(int fd, uint64_t offset) {
  char byte;
  const iovec piece{&byte, 1};
  this_work.count(SystemCall::kRead);
  const ssize_t n = ::preadv2(fd, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (n == 1) return Cached::kYes;
  return n < 0 && errno == EAGAIN ? Cached::kNo : Cached::kUnknown;
}

bool are_cached(int fd, uint64_t offset, uint64_t length) {
  constexpr long kCachestat = 451;  // Of x86-64 and arm64; the headers of Debian 12 do not name it.
  struct Range {
    uint64_t offset, length;
  } const range{offset, length};
  struct Pages {
    uint64_t cached, dirty, in_write_back, evicted, recently_evicted;
  } pages{};
  static const auto page_size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  static std::atomic<bool> known = true;
  if (length == 0 || !known.load(std::memory_order_relaxed)) return false;
  this_work.count(SystemCall::kRead);
  if (::syscall(kCachestat, fd, &range, &pages, 0) != 0) {
    if (errno == ENOSYS) known.store(false, std::memory_order_relaxed);
    return false;
  }
  return pages.cached == (offset + length - 1) / page_size - offset / page_size + 1;
}

Result<std::shared_ptr<File>> RealDisk::open(const std::string& path, OpenMode mode) {
  const int fd = ::open(path.c_str(), open_flags(mode) | O_CLOEXEC, 0644);
  if (fd < 0) return system_failure("open", path);
  return std::make_shared<RealFile>(fd, path, loop_, pools_, writes_);
}

Result<FileInfo> RealDisk::stat(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) < 0) return system_failure("stat", path);
  return FileInfo{static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec * 1000LL + info.st_mtim.tv_nsec / 1'000'000,
                  S_ISDIR(info.st_mode)};
}

bool RealDisk::exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<std::vector<DirectoryEntry>> RealDisk::list(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (!directory) return system_failure("list", path);
  std::vector<DirectoryEntry> entries;
  while (const dirent* entry = ::readdir(directory)) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
      struct stat info{};
      is_directory = ::stat(join_path(path, name).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
    }
    entries.push_back({std::move(name), is_directory});
  }
  ::closedir(directory);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Result<void> RealDisk::create_directories(const std::string& path) {
  if (path.empty() || path == "." || path == "/") return {};
  if (::mkdir(path.c_str(), 0755) == 0) return {};
  if (errno == ENOENT) {
    TRY(create_directories(parent_path(path)));
    if (::mkdir(path.c_str(), 0755) == 0) return {};
  }
  const int error = errno;
  struct stat info{};
  if (error == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return fail(storage_error("create directory", path, std::strerror(error)));
}

Result<void> RealDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) return system_failure(("rename to " + to + " the file").c_str(), from);
  return {};
}

Result<void> RealDisk::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0) return system_failure("remove", path);
  return {};
}

Result<void> RealDisk::remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return system_failure("remove", path, error.value());
  return {};
}

Result<void> RealDisk::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failure("open", path);
  const int outcome = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems cannot sync a directory; Kafka lets that pass, too.
  if (outcome < 0 && error != EINVAL) return system_failure("sync", path, error);
  return {};
}

Task<Result<void>> RealDisk::rename_async(std::string from, std::string to) {
  co_return co_await pools_.syncs.run(loop_, [this, &from, &to] { return rename(from, to); });
}

Task<Result<void>> RealDisk::remove_file_async(std::string path) {
  co_return co_await pools_.syncs.run(loop_, [this, &path] { return remove_file(path); });
}

Task<Result<void>> RealDisk::remove_tree_async(std::string path) {
  co_return co_await pools_.syncs.run(loop_, [this, &path] { return remove_tree(path); });
}

Task<Result<void>> RealDisk::sync_directory_async(std::string path) {
  co_return co_await pools_.syncs.run(loop_, [this, &path] { return sync_directory(path); });
}

Result<void> RealDisk::sync_file_system(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failure("open", path);
  const int outcome = ::syncfs(fd);
  const int error = errno;
  ::close(fd);
  if (outcome < 0) return system_failure("sync the file system of", path, error);
  return {};
}

Result<void> RealDisk::set_mtime(const std::string& path, TimestampMs mtime_ms) {
  const timespec times[2] = {{0, UTIME_OMIT}, {mtime_ms / 1000, mtime_ms % 1000 * 1'000'000}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) < 0) return system_failure("set the time of", path);
  return {};
}

Result<void> RealDisk::set_read_only(const std::string& path) {
  if (::chmod(path.c_str(), 0444) < 0) return system_failure("make read-only", path);
  return {};
}

Result<DiskSpace> RealDisk::space(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) < 0) return system_failure("ask for the space of", path);
  return DiskSpace{info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize};
}

Result<std::unique_ptr<FileLock>> RealDisk::lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return system_failure("open", path);
  auto held = std::make_unique<RealLock>(fd);
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  int error = 0;
  const auto taken = [&] {
    error = ::fcntl(fd, F_OFD_SETLK, &whole) < 0 ? errno : 0;
    return error != EAGAIN && error != EACCES;  // Else somebody holds it.
  };
  if (!succeeds_soon(taken) || error != 0) {
    errno = error;
    if (errno == EAGAIN || errno == EACCES) return fail(ErrorCode::kOperationNotAttempted, "cannot lock " + path + ": another process or program part holds it");
    return system_failure("lock", path);
  }
  return held;
}

}  // namespace samsa::io::real
