#include "io/sim/disk.h"

namespace samsa::io::sim {
namespace {

constexpr const char* kIoError = "Input/output error";

std::unexpected<Error> missing(const char* operation, const std::string& path) {
  return fail(ErrorCode::kResourceNotFound, std::string("cannot ") + operation + " " + path + ": no such file or directory");
}
std::unexpected<Error> failed(const char* operation, const std::string& path, const char* words) {
  return fail(storage_error(operation, path, words));
}

class SimFile final : public File {
 public:
  SimFile(Kernel& kernel, FileSystem& files, SimLoop& loop, std::shared_ptr<Inode> inode, std::string path, bool writable)
      : kernel_(kernel), files_(files), loop_(loop), inode_(std::move(inode)), path_(std::move(path)), writable_(writable) {}

  Result<size_t> read_at(MutableBytes into, uint64_t offset) override {
    if (loop_.tearing_down()) return failed("read", path_, "the node is down");
    if (kernel_.chance(loop_.host().disk().read_error)) return injected("read");
    const Buffer& bytes = inode_->file.bytes();
    if (offset >= bytes.size() || into.empty()) return size_t{0};
    const size_t length = std::min<uint64_t>(into.size(), bytes.size() - offset);
    if (kernel_.chance(loop_.host().disk().bit_rot)) {
      const uint64_t at = offset + kernel_.random.below(length);
      inode_->file.flip_bit(at, static_cast<int>(kernel_.random.below(8)));
      note("bit-rot", at, 0);
    }
    std::copy_n(bytes.begin() + static_cast<int64_t>(offset), length, into.begin());
    return length;
  }

  Task<Result<size_t>> read_at_async(MutableBytes into, uint64_t offset) override {
    const Duration usual(kernel_.span(loop_.host().disk().read_time / 2, loop_.host().disk().read_time * 2));
    co_await sleep_for(loop_, usual + files_.slowness_of(path_));
    co_return read_at(into, offset);
  }

  using File::write_at;
  Result<void> write_at(std::span<const Bytes> pieces, uint64_t offset) override {
    if (loop_.tearing_down()) return failed("write", path_, "the node is down");
    if (!writable_) return failed("write", path_, "Bad file descriptor");
    if (kernel_.chance(loop_.host().disk().write_error)) {
      if (!pieces.empty() && kernel_.random.below(2) == 0) store(pieces.first(1), offset);
      return injected("write");
    }
    uint64_t size = 0;
    for (const auto& piece : pieces) size += piece.size();
    if (size == 0) return {};
    const uint64_t end = offset + size;
    const uint64_t old = inode_->file.bytes().size();
    if (end > old && files_.used_bytes() + (end - old) > files_.capacity_bytes) return failed("write", path_, kNoSpaceWords);
    if (old > 0 && kernel_.chance(loop_.host().disk().misdirected_write)) {
      const uint64_t wrong = kernel_.random.below(old / kSectorBytes + 1) * kSectorBytes + offset % kSectorBytes;
      note("misdirected-write", offset, wrong);
      offset = wrong;
    }
    store(pieces, offset);
    return {};
  }

  Task<Result<void>> write_at_async(Bytes bytes, uint64_t offset) override {
    co_await sleep_for(loop_, Duration(kernel_.span(Duration(std::chrono::microseconds(20)), loop_.host().disk().slow_sync_time / 20)));
    co_return write_at(bytes, offset);
  }
  Task<Result<void>> reserve_async(uint64_t size) override {
    co_await sleep_for(loop_, Duration(kernel_.span(Duration(std::chrono::microseconds(20)), loop_.host().disk().slow_sync_time / 20)));
    co_return reserve(size);
  }
  [[nodiscard]] bool writes_stand(size_t) const override { return kernel_.chance(loop_.host().disk().standing_write); }

  Result<void> truncate(uint64_t size) override {
    if (loop_.tearing_down()) return failed("truncate", path_, "the node is down");
    if (!writable_) return failed("truncate", path_, "Invalid argument");
    const uint64_t old = inode_->file.bytes().size();
    if (size > old && files_.used_bytes() + (size - old) > files_.capacity_bytes) return failed("truncate", path_, kNoSpaceWords);
    note("truncate", old, size);
    inode_->file.resize(size);
    changed(old);
    return {};
  }

  Result<uint64_t> size() override {
    if (loop_.tearing_down()) return failed("stat", path_, "the node is down");
    return inode_->file.bytes().size();
  }

  Task<Result<void>> sync() override {
    FileContent& content = inode_->file;
    while (content.syncing()) co_await content.sync_ended.wait(loop_);
    const Faults& faults = loop_.host().disk();  // May change while this waits.
    const bool slow = kernel_.chance(faults.slow_sync);
    const int64_t time =
        slow ? kernel_.span(faults.sync_time, faults.slow_sync_time) : kernel_.span(faults.sync_time / 2, faults.sync_time * 4);
    content.begin_sync();
    co_await sleep_for(loop_, Duration(time));
    note("sync", content.bytes().size(), static_cast<uint64_t>(time));
    if (kernel_.chance(loop_.host().disk().sync_error)) {
      content.fail_sync();
      co_return injected("sync");
    }
    content.end_sync();
    co_return {};
  }

  Result<void> sync_now() override {
    if (loop_.tearing_down()) return failed("sync", path_, "the node is down");
    note("sync-now", inode_->file.bytes().size(), 0);
    if (kernel_.chance(loop_.host().disk().sync_error)) {
      inode_->file.begin_sync();
      inode_->file.fail_sync();
      return injected("sync");
    }
    inode_->file.sync_now();
    return {};
  }

  [[nodiscard]] int native_handle() const override { return -1; }
  [[nodiscard]] const std::string& path() const override { return path_; }

 private:
  void note(const char* what, uint64_t a, uint64_t b) { kernel_.trace.event(kernel_.now_ns, loop_.host().name(), what, a, b, path_); }
  std::unexpected<Error> injected(const char* operation) {
    note("disk-error", 0, 0);
    return failed(operation, path_, kIoError);
  }
  void store(std::span<const Bytes> pieces, uint64_t offset) {
    const uint64_t old = inode_->file.bytes().size();
    inode_->file.write(pieces, offset);
    kernel_.trace.mix(as_bytes(path_));
    kernel_.trace.mix(offset);
    for (const auto& piece : pieces) kernel_.trace.mix(piece);
    changed(old);
  }
  void changed(uint64_t old_size) {
    files_.account(static_cast<int64_t>(inode_->file.bytes().size()) - static_cast<int64_t>(old_size));
    inode_->mtime_ms = loop_.wall_ms();
  }

  Kernel& kernel_;
  FileSystem& files_;
  SimLoop& loop_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const bool writable_;
};

class SimLock final : public FileLock {
 public:
  SimLock(const SimLoop& loop, std::shared_ptr<Inode> inode) : loop_(loop), inode_(std::move(inode)) {}
  ~SimLock() override {
    if (!loop_.tearing_down()) inode_->locked = false;  // A crash has freed it already; the next boot may hold it now.
  }

 private:
  const SimLoop& loop_;
  const std::shared_ptr<Inode> inode_;
};

}  // namespace

Result<void> SimDisk::begin(const char* operation, const std::string& path) {
  if (loop_.tearing_down()) return failed(operation, path, "the node is down");
  kernel_.trace.event(kernel_.now_ns, loop_.host().name(), operation, 0, 0, path);
  return {};
}

Result<std::shared_ptr<Inode>> SimDisk::must_find(const char* operation, const std::string& path) {
  auto inode = files_.find(path);
  if (!inode) return missing(operation, path);
  return inode;
}

Result<std::shared_ptr<File>> SimDisk::open(const std::string& path, OpenMode mode) {
  TRY(begin("open", path));
  auto inode = files_.find(path);
  if (inode && inode->directory) return failed("open", path, "Is a directory");
  if (inode && mode == OpenMode::kCreateNew) return failed("open", path, "File exists");
  if (!inode) {
    if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return missing("open", path);
    if (files_.used_bytes() >= files_.capacity_bytes) return failed("open", path, kNoSpaceWords);
    inode = files_.create(path, false);
    if (!inode) return missing("open", path);
    inode->mtime_ms = loop_.wall_ms();
  }
  const bool writable = mode != OpenMode::kRead;
  if (writable && inode->read_only) return failed("open", path, "Permission denied");
  auto file = std::make_shared<SimFile>(kernel_, files_, loop_, std::move(inode), path, writable);
  if (mode == OpenMode::kCreateTruncate) TRY(file->truncate(0));
  return file;
}

Result<FileInfo> SimDisk::stat(const std::string& path) {
  TRY_ASSIGN(const auto inode, must_find("stat", path));
  return FileInfo{inode->file.bytes().size(), inode->mtime_ms, inode->directory};
}

bool SimDisk::exists(const std::string& path) { return files_.find(path) != nullptr; }

Result<std::vector<DirectoryEntry>> SimDisk::list(const std::string& path) {
  TRY_ASSIGN(const auto inode, must_find("list", path));
  if (!inode->directory) return failed("list", path, "Not a directory");
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : inode->entries) entries.push_back({name, child->directory});
  return entries;
}

Result<void> SimDisk::create_directories(const std::string& path) {
  if (const auto inode = files_.find(path)) {
    if (inode->directory) return {};
    return failed("create directory", path, "File exists");
  }
  const std::string parent = parent_path(path);
  if (parent != path && parent != ".") TRY(create_directories(parent));
  TRY(begin("create directory", path));
  if (files_.used_bytes() >= files_.capacity_bytes) return failed("create directory", path, kNoSpaceWords);
  const auto inode = files_.create(path, true);
  if (!inode) return failed("create directory", path, "Not a directory");
  inode->mtime_ms = loop_.wall_ms();
  return {};
}

Result<void> SimDisk::rename(const std::string& from, const std::string& to) {
  TRY(begin("rename", from + " -> " + to));
  TRY_ASSIGN(const auto source, must_find("rename", from));
  const auto target = files_.find(to);
  if (source == target) return {};
  if (target && target->directory != source->directory) return failed("rename", from, "Is a directory");
  if (target && !target->entries.empty()) return failed("rename", from, "Directory not empty");
  if (!files_.rename(from, to)) return missing("rename to", to);
  return {};
}

Result<void> SimDisk::remove_file(const std::string& path) {
  TRY(begin("remove", path));
  TRY_ASSIGN(const auto inode, must_find("remove", path));
  if (inode->directory) return failed("remove", path, "Is a directory");
  files_.remove(path);
  return {};
}

Result<void> SimDisk::remove_tree(const std::string& path) {
  const auto inode = files_.find(path);
  if (!inode) return {};
  if (inode->directory) {
    TRY_ASSIGN(const auto entries, list(path));
    for (const auto& entry : entries) TRY(remove_tree(join_path(path, entry.name)));
  }
  TRY(begin("remove", path));
  files_.remove(path);
  return {};
}

Result<void> SimDisk::sync_directory(const std::string& path) {
  TRY(begin("sync directory", path));
  TRY_ASSIGN(const auto inode, must_find("sync", path));
  if (!inode->directory) return failed("sync", path, "Not a directory");
  if (kernel_.chance(loop_.host().disk().sync_error)) return failed("sync", path, kIoError);
  files_.sync_directory(inode);
  return {};
}

Result<void> SimDisk::set_mtime(const std::string& path, TimestampMs mtime_ms) {
  TRY(begin("set-mtime", path));
  TRY_ASSIGN(const auto inode, must_find("set the time of", path));
  inode->mtime_ms = mtime_ms;
  return {};
}

Result<void> SimDisk::set_read_only(const std::string& path) {
  TRY(begin("set-read-only", path));
  TRY_ASSIGN(const auto inode, must_find("make read-only", path));
  inode->read_only = true;
  return {};
}

Result<DiskSpace> SimDisk::space(const std::string& /*path*/) {
  const uint64_t used = std::min(files_.used_bytes(), files_.capacity_bytes);
  return DiskSpace{files_.capacity_bytes, files_.capacity_bytes - used};
}

Result<std::unique_ptr<FileLock>> SimDisk::lock(const std::string& path) {
  TRY_ASSIGN(const auto file, open(path, OpenMode::kCreate));
  auto inode = files_.find(path);
  if (inode->locked) return fail(ErrorCode::kOperationNotAttempted, "cannot lock " + path + ": another process or program part holds it");
  inode->locked = true;
  return std::make_unique<SimLock>(loop_, std::move(inode));
}

}  // namespace samsa::io::sim
