// For tests of the storage room: a loop with a clock set by hand and a disk in memory that can crash, fail and fill up.
//
// The disk's model of a crash is harsher than most file systems: of the writes and truncations of a file since its last sync each may
// be there, torn at a sector, or lost, in any combination; of the changes of a directory (files made, renamed, removed) since its last
// sync a prefix is there.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/file.h"
#include "io/loop.h"
#include "io/random.h"
#include "io/sync.h"
#include "protocol/record_batch.h"
#include "storage/file_pool.h"
#include "storage/log.h"

namespace samsa::storage {

class TestLoop final : public io::Loop {
 public:
  explicit TestLoop(uint64_t seed = 1) : random_(seed) {}
  ~TestLoop() override { tear_down(); }

  void post(std::coroutine_handle<> handle) override {
    if (!tearing_down()) ready_.push_back(handle);
  }
  using io::Loop::post_remote;
  void post_remote(io::RemoteItem& item) override { item.run(item, tearing_down()); }
  void add_timer(io::Timer& timer) override {
    timer.heap_index = 0;
    timers_.emplace(std::pair(timer.deadline, ++sequence_), &timer);
  }
  void cancel_timer(io::Timer& timer) override {
    std::erase_if(timers_, [&](const auto& entry) { return entry.second == &timer; });
    timer.heap_index = SIZE_MAX;
  }
  [[nodiscard]] io::MonoTime now() const override { return now_; }
  [[nodiscard]] TimestampMs wall_ms() const override { return wall_; }
  [[nodiscard]] io::MonoTime now_precise() const override { return now_; }
  io::Random& random() override { return random_; }
  [[nodiscard]] int shard() const override { return 0; }

  void advance(int64_t ms) {
    now_ = now_ + std::chrono::milliseconds(ms);
    wall_ += ms;
    run_ready();
    while (!timers_.empty() && timers_.begin()->first.first <= now_) {
      io::Timer& timer = *timers_.begin()->second;
      cancel_timer(timer);
      timer.fire(timer);
      run_ready();
    }
  }
  void run_ready() {
    while (!ready_.empty()) {
      auto handle = ready_.front();
      ready_.pop_front();
      handle.resume();
    }
  }
  // What is suspended is destroyed: the process ends here.
  void tear_down() {
    ready_.clear();
    begin_teardown();
    destroy_roots();
  }
  // Runs the task to its end.
  template <class T>
  T run(io::Task<T> task) {
    if constexpr (std::is_void_v<T>) {
      bool done = false;
      spawn(*this, finish(std::move(task), done));
      run_ready();
      SAMSA_ASSERT(done, "the task waits for something that nobody does");
    } else {
      std::optional<T> result;
      spawn(*this, keep(std::move(task), result));
      run_ready();
      SAMSA_ASSERT(result.has_value(), "the task waits for something that nobody does");
      return *std::move(result);
    }
  }

 private:
  static io::Task<> finish(io::Task<> task, bool& done) {
    co_await std::move(task);
    done = true;
  }
  template <class T>
  static io::Task<> keep(io::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
  }

  std::deque<std::coroutine_handle<>> ready_;
  std::map<std::pair<io::MonoTime, uint64_t>, io::Timer*> timers_;
  uint64_t sequence_ = 0;
  io::MonoTime now_{1'000'000'000};
  TimestampMs wall_ = 1'700'000'000'000;
  io::Random random_;
};

class TestDisk final : public io::Disk {
 public:
  struct Change {
    uint64_t offset = 0;
    Buffer bytes;
    std::optional<uint64_t> truncate;
  };
  struct Node {
    Buffer bytes;
    Buffer synced;
    std::vector<Change> changes;  // Since the last sync.
    std::set<uint64_t> cached;    // Pages that the page cache has.
    TimestampMs mtime = 0;
    uint64_t reserved = 0;
  };

  class TestFile final : public io::File {
   public:
    TestFile(TestDisk& disk, std::shared_ptr<Node> node, std::string path) : disk_(disk), node_(std::move(node)), path_(std::move(path)) {
      ++disk_.open_files;
    }
    ~TestFile() override { --disk_.open_files; }
    Result<size_t> read_at(MutableBytes into, uint64_t offset) override {
      ++disk_.reads;
      if (touch(offset, into.size())) disk_.cold_reads.push_back(path_);
      TRY(disk_.may_fail("read", path_));
      if (offset >= node_->bytes.size()) return size_t{0};
      const size_t size = std::min<size_t>(into.size(), node_->bytes.size() - offset);
      std::memcpy(into.data(), node_->bytes.data() + offset, size);
      return size;
    }
    io::Task<Result<size_t>> read_at_async(MutableBytes into, uint64_t offset) override {
      if (!disk_.slow_reads.empty() && path_.find(disk_.slow_reads) != std::string::npos) co_await io::sleep_for(*disk_.loop, std::chrono::seconds(10));
      touch(offset, into.size());
      co_return read_at(into, offset);
    }
    Result<void> write_at(std::span<const Bytes> pieces, uint64_t offset) override {
      for (const Bytes piece : pieces) {
        TRY(disk_.step());
        TRY(disk_.may_fail("write", path_));
        size_t size = piece.size();
        const bool full = disk_.used() + size > disk_.capacity;
        if (full) size = disk_.capacity > disk_.used() ? disk_.capacity - disk_.used() : 0;
        apply({offset, Buffer(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(size)), {}});
        if (full) return fail(io::storage_error("write", path_, io::kNoSpaceWords));
        offset += size;
      }
      return {};
    }
    io::Task<Result<void>> write_at_async(Bytes bytes, uint64_t offset) override {
      while (disk_.hold_writes) co_await disk_.writes_go.wait(*disk_.loop);
      co_return write_at({&bytes, 1}, offset);
    }
    [[nodiscard]] bool writes_stand(size_t) const override { return disk_.hold_writes; }
    Result<void> truncate(uint64_t size) override {
      TRY(disk_.step());
      TRY(disk_.may_fail("truncate", path_));
      node_->reserved = 0;
      disk_.cut += (size + 4095) / 4096 < (node_->bytes.size() + 4095) / 4096 ? 1 : 0;
      apply({0, {}, size});
      return {};
    }
    Result<void> reserve(uint64_t size) override {
      node_->reserved = std::max(node_->reserved, size);
      return {};
    }
    io::Task<Result<void>> reserve_async(uint64_t size) override {
      while (disk_.hold_reserves) co_await disk_.writes_go.wait(*disk_.loop);
      co_return reserve(size);
    }
    Result<uint64_t> size() override { return node_->bytes.size(); }
    io::Task<Result<void>> sync() override {
      co_await io::yield(*disk_.loop);
      co_return sync_now();
    }
    Result<void> sync_now() override {
      TRY(disk_.step());
      TRY(disk_.may_fail("sync", path_));
      ++disk_.syncs;
      node_->synced = node_->bytes;
      node_->changes.clear();
      return {};
    }
    [[nodiscard]] int native_handle() const override { return -1; }
    [[nodiscard]] const std::string& path() const override { return path_; }

   private:
    // The pages come into the cache; whether one had not been there.
    bool touch(uint64_t offset, uint64_t size) {
      bool cold = false;
      const uint64_t end = std::min<uint64_t>(offset + size, node_->bytes.size());
      for (uint64_t page = offset / 4096; page * 4096 < end; ++page) cold = node_->cached.insert(page).second || cold;
      return cold;
    }
    void apply(Change change) {
      TestDisk::apply(node_->bytes, change);
      node_->mtime = disk_.loop->wall_ms();
      if (disk_.crashes) node_->changes.push_back(std::move(change));
    }
    TestDisk& disk_;
    std::shared_ptr<Node> node_;
    std::string path_;
  };

  explicit TestDisk(TestLoop& on) : loop(&on) { directories_.insert({".", "/"}); }

  Result<std::shared_ptr<io::File>> open(const std::string& path, io::OpenMode mode) override {
    TRY(may_fail("open", path));
    auto found = files_.find(path);
    const bool make = mode != io::OpenMode::kRead && mode != io::OpenMode::kReadWrite;
    if (found == files_.end()) {
      if (!make) return fail(ErrorCode::kResourceNotFound, path);
      if (!directories_.contains(io::parent_path(path))) return fail(io::storage_error("open", path, "no such directory"));
      TRY(step());
      link(path, std::make_shared<Node>());
      found = files_.find(path);
      found->second->mtime = loop->wall_ms();
    } else if (mode == io::OpenMode::kCreateNew) {
      return fail(io::storage_error("open", path, "it exists"));
    }
    auto file = std::make_shared<TestFile>(*this, found->second, path);
    if (mode == io::OpenMode::kCreateTruncate && !found->second->bytes.empty()) TRY(file->truncate(0));
    return file;
  }
  Result<io::FileInfo> stat(const std::string& path) override {
    if (directories_.contains(path)) return io::FileInfo{0, 0, true};
    const auto found = files_.find(path);
    if (found == files_.end()) return fail(ErrorCode::kResourceNotFound, path);
    return io::FileInfo{found->second->bytes.size(), found->second->mtime, false};
  }
  bool exists(const std::string& path) override { return files_.contains(path) || directories_.contains(path); }
  Result<std::vector<io::DirectoryEntry>> list(const std::string& path) override {
    TRY(may_fail("list", path));
    if (!directories_.contains(path)) return fail(ErrorCode::kResourceNotFound, path);
    std::vector<io::DirectoryEntry> entries;
    const std::string prefix = path == "/" ? path : path + "/";
    for (auto it = directories_.upper_bound(prefix); it != directories_.end() && it->starts_with(prefix); ++it) {
      if (it->find('/', prefix.size()) == std::string::npos) entries.push_back({it->substr(prefix.size()), true});
    }
    for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix); ++it) {
      if (it->first.find('/', prefix.size()) == std::string::npos) entries.push_back({it->first.substr(prefix.size()), false});
    }
    std::ranges::sort(entries, {}, &io::DirectoryEntry::name);
    return entries;
  }
  // Directories are durable at once: no test here is about losing them.
  Result<void> create_directories(const std::string& path) override {
    for (std::string at = path; directories_.insert(at).second;) at = io::parent_path(at);
    return {};
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(step());
    TRY(may_fail("rename", from));
    if (directories_.contains(from)) {
      move_tree(directories_, files_, from, to);
      move_tree(directories_, synced_files_, from, to);
      for (auto& change : links_) {
        if (io::parent_path(change.path) == from) change.path = to + change.path.substr(from.size());
      }
      return {};
    }
    const auto found = files_.find(from);
    if (found == files_.end()) return fail(ErrorCode::kResourceNotFound, from);
    auto node = found->second;
    if (crashes) links_.push_back({from, nullptr, to, node});
    files_.erase(found);
    files_[to] = node;
    return {};
  }
  Result<void> remove_file(const std::string& path) override {
    TRY(step());
    TRY(may_fail("remove", path));
    if (!files_.contains(path)) return fail(ErrorCode::kResourceNotFound, path);
    ++removed;
    link(path, nullptr);
    return {};
  }
  Result<void> remove_tree(const std::string& path) override {
    const std::string prefix = path + "/";
    std::erase_if(files_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
    std::erase_if(synced_files_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
    std::erase_if(directories_, [&](const auto& name) { return name == path || name.starts_with(prefix); });
    return {};
  }
  Result<void> sync_directory(const std::string& path) override {
    ++blocking_syncs;
    return sync_names(path);
  }
  io::Task<Result<void>> sync_directory_async(std::string path) override {
    if (during_directory_sync) during_directory_sync();
    for (int turns = directory_sync_turns; turns > 0; --turns) co_await io::yield(*loop);
    co_return sync_names(path);
  }
  Result<void> sync_names(const std::string& path) {
    TRY(step());
    TRY(may_fail("sync", path));
    std::vector<Link> rest;
    for (auto& change : links_) {
      if (io::parent_path(change.path) == path) {
        apply_link(change);
      } else {
        rest.push_back(std::move(change));
      }
    }
    links_ = std::move(rest);
    return {};
  }
  Result<void> sync_file_system(const std::string&) override {
    TRY(step());
    TRY(may_fail("sync", "the file system"));
    for (auto& change : links_) apply_link(change);
    links_.clear();
    for (auto& [path, node] : files_) {
      node->synced = node->bytes;
      node->changes.clear();
    }
    return {};
  }
  Result<void> set_mtime(const std::string& path, TimestampMs mtime_ms) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return fail(ErrorCode::kResourceNotFound, path);
    found->second->mtime = mtime_ms;
    return {};
  }
  Result<void> set_read_only(const std::string&) override { return {}; }
  Result<io::DiskSpace> space(const std::string&) override { return io::DiskSpace{capacity, capacity > used() ? capacity - used() : 0}; }
  Result<std::unique_ptr<io::FileLock>> lock(const std::string& path) override {
    TRY(may_fail("lock", path));
    if (!locks_.insert(path).second) return fail(ErrorCode::kOperationNotAttempted, path + " is held by another process");
    struct Lock : io::FileLock {
      Lock(std::set<std::string>& all, std::string p) : locks(all), path(std::move(p)) {}
      ~Lock() override { locks.erase(path); }
      std::set<std::string>& locks;
      std::string path;
    };
    return std::make_unique<Lock>(locks_, path);
  }

  // The machine lost power: what was synced is there, of the rest whatever the seed says.
  void crash(io::Random& random) {
    std::map<std::string, size_t> kept;
    std::map<std::string, size_t> total;
    for (const auto& change : links_) ++total[io::parent_path(change.path)];
    for (auto& [directory, count] : total) kept[directory] = random.below(count + 1);
    for (auto& change : links_) {
      size_t& left = kept[io::parent_path(change.path)];
      if (left == 0) continue;
      --left;
      apply_link(change);
    }
    links_.clear();
    std::set<Node*> done;
    for (auto& [path, node] : synced_files_) {
      if (done.insert(node.get()).second) crash_file(*node, random);
    }
    files_ = synced_files_;
    fail_at.reset();
    fault = nullptr;
    failing = false;
    dead = false;
    capacity = UINT64_MAX;
    locks_.clear();
  }
  // The process was killed: the page cache stays.
  void kill() {
    fail_at.reset();
    fault = nullptr;
    failing = false;
    dead = false;
    locks_.clear();
  }

  [[nodiscard]] Buffer content(const std::string& path) const {
    const auto found = files_.find(path);
    return found == files_.end() ? Buffer{} : found->second->bytes;
  }
  // What a power cut leaves of the file for certain.
  [[nodiscard]] Buffer synced(const std::string& path) const { return files_.at(path)->synced; }
  // Where the room that is kept for a file ends.
  [[nodiscard]] uint64_t reserved(const std::string& path) const { return files_.at(path)->reserved; }
  void put(const std::string& path, Buffer bytes) {
    (void)create_directories(io::parent_path(path));
    auto node = std::make_shared<Node>();
    node->bytes = node->synced = std::move(bytes);
    node->mtime = loop->wall_ms();
    files_[path] = synced_files_[path] = node;
  }
  [[nodiscard]] std::vector<std::string> names(const std::string& directory) {
    std::vector<std::string> result;
    auto entries = list(directory);
    if (entries) {
      for (auto& entry : *entries) result.push_back(entry.name);
    }
    return result;
  }
  [[nodiscard]] uint64_t used() const {
    if (capacity == UINT64_MAX) return 0;
    uint64_t total = 0;
    for (const auto& [path, node] : files_) total += node->bytes.size();
    return total;
  }

  TestLoop* loop;
  bool crashes = true;              // Keep what is needed for crash(); off for large tests.
  std::optional<uint64_t> fail_at;  // The change to the disk at which the machine dies: it and all later ones fail.
  uint64_t steps = 0;               // Changes so far.
  bool dead = false;
  bool failing = false;             // Every operation gives EIO.
  std::string failing_under;        // The same below this path.
  // The words with which the operation ("read", "write", "sync", "open", ...) fails this time; null: it does not.
  std::function<const char*(std::string_view operation, const std::string& path)> fault;
  uint64_t capacity = UINT64_MAX;   // Bytes.
  size_t open_files = 0;
  bool hold_writes = false;    // write_at_async() waits until it is false and writes_go is notified.
  bool hold_reserves = false;  // The same for reserve_async().
  io::Signal writes_go;
  std::string slow_reads;  // Awaitable reads of files with this in their path take ten seconds each.
  void drop_caches() {
    for (const auto& [path, node] : files_) node->cached.clear();
    cold_reads.clear();
  }
  std::vector<std::string> cold_reads;  // Reads on the loop of what was not in the page cache.
  size_t reads = 0;
  size_t syncs = 0;
  size_t cut = 0;      // Truncations that gave a block back.
  size_t removed = 0;
  size_t blocking_syncs = 0;      // Of directories.
  int directory_sync_turns = 10;  // Of the loop, while one is synced without stopping it.
  std::function<void()> during_directory_sync;  // What others do meanwhile.

 private:
  struct Link {
    std::string path;
    std::shared_ptr<Node> node;  // Null: removed.
    std::string to;              // A rename: the second name, with its node.
    std::shared_ptr<Node> to_node;
  };

  static void apply(Buffer& bytes, const Change& change) {
    if (change.truncate) {
      bytes.resize(*change.truncate);
      return;
    }
    if (bytes.size() < change.offset + change.bytes.size()) bytes.resize(change.offset + change.bytes.size());
    std::ranges::copy(change.bytes, bytes.begin() + static_cast<ptrdiff_t>(change.offset));
  }
  static void crash_file(Node& node, io::Random& random) {
    constexpr uint64_t kSector = 512;
    Buffer bytes = node.synced;
    const bool keep_most = random.one_in(2);
    for (auto& change : node.changes) {
      if (keep_most ? random.one_in(10) : random.one_in(2)) continue;
      if (!change.truncate && random.one_in(4)) {
        const uint64_t keep = random.below(change.bytes.size() + 1) / kSector * kSector;
        change.bytes.resize(keep);
      }
      apply(bytes, change);
    }
    node.bytes = node.synced = std::move(bytes);
    node.changes.clear();
  }
  void link(const std::string& path, std::shared_ptr<Node> node) {
    if (crashes) links_.push_back({path, node, {}, nullptr});
    if (node) {
      files_[path] = std::move(node);
    } else {
      files_.erase(path);
    }
  }
  void apply_link(const Link& change) {
    if (change.node) {
      synced_files_[change.path] = change.node;
    } else {
      synced_files_.erase(change.path);
    }
    if (change.to_node) synced_files_[change.to] = change.to_node;
  }
  static void move_tree(std::set<std::string>& directories, std::map<std::string, std::shared_ptr<Node>>& files, const std::string& from,
                        const std::string& to) {
    directories.erase(from);
    directories.insert(to);
    std::map<std::string, std::shared_ptr<Node>> moved;
    for (auto it = files.begin(); it != files.end();) {
      if (it->first.starts_with(from + "/")) {
        moved[to + it->first.substr(from.size())] = it->second;
        it = files.erase(it);
      } else {
        ++it;
      }
    }
    files.merge(moved);
  }
  Result<void> step() {
    if (fail_at && steps >= *fail_at) dead = true;
    ++steps;
    if (dead) return fail(io::storage_error("write", "disk", "the machine is off"));
    return {};
  }
  [[nodiscard]] Result<void> may_fail(const char* operation, const std::string& path) const {
    if (dead || failing || (!failing_under.empty() && path.starts_with(failing_under))) return fail(io::storage_error(operation, path, "Input/output error"));
    if (const char* words = fault ? fault(operation, path) : nullptr) return fail(io::storage_error(operation, path, words));
    return {};
  }

  std::map<std::string, std::shared_ptr<Node>> files_;
  std::map<std::string, std::shared_ptr<Node>> synced_files_;
  std::set<std::string> directories_;
  std::vector<Link> links_;
  std::set<std::string> locks_;
};

// A loop, a disk and what logs need of them.
struct TestWorld {
  explicit TestWorld(uint64_t seed = 1) : loop(seed), disk(loop), pool(disk, 64), context{loop, disk, pool} { context.verify_transactions = false; }
  TestLoop loop;
  TestDisk disk;
  FilePool pool;
  LogContext context;
};

// A client's batch of `count` records "k<i>" / "v<i>...", timestamps from `timestamp` on.
struct BatchSpec {
  int count = 1;
  TimestampMs timestamp = 1'700'000'000'000;
  size_t value_size = 10;
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool transactional = false;
  protocol::Codec codec = protocol::Codec::kNone;
};
inline Buffer make_batch(const BatchSpec& spec) {
  protocol::BatchOptions options;
  options.codec = spec.codec;
  options.producer_id = spec.producer_id;
  options.producer_epoch = spec.producer_epoch;
  options.base_sequence = spec.base_sequence;
  options.transactional = spec.transactional;
  protocol::RecordBatchBuilder builder(options);
  for (int i = 0; i < spec.count; ++i) {
    const std::string key = "k" + std::to_string(i);
    const std::string value(spec.value_size, static_cast<char>('a' + i % 26));
    builder.append(spec.timestamp + i, as_bytes(key), as_bytes(value));
  }
  return builder.build().value();
}

}  // namespace samsa::storage
