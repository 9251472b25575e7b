// LogManager at start-up: the logs of each directory are opened by a few tasks of its own, first all that have little to recover, then the
// others, while the node serves already what is open.
#include <algorithm>
#include <deque>

#include "base/log.h"
#include "storage/log_manager.h"

namespace samsa::storage {
namespace {

constexpr uint64_t kLittle = 64U << 20;  // Bytes to be scanned: a fraction of a second where the disk is well.

}  // namespace

struct LogManager::Loading {
  struct Directory {
    std::deque<FoundLog> quick, long_ones;
  };
  ConfigOf config_of;
  std::vector<Directory> directories;
  size_t quick_left = 0;
  size_t tasks = 0;
  bool announce = false;  // load() has resumed.
  io::Signal moved;
};

io::Task<Result<void>> LogManager::load(std::vector<FoundLog> found, ConfigOf config_of, std::optional<std::chrono::milliseconds> patience) {
  auto loading = std::make_shared<Loading>();
  loading->config_of = std::move(config_of);
  loading->directories.resize(directories_.size());
  loading->quick_left = found.size();
  logs_.reserve(found.size());
  for (auto& one : found) {
    (one.future ? pending_futures_ : pending_).emplace(one.partition, one);
    loading->directories[static_cast<size_t>(one.directory)].quick.push_back(std::move(one));
  }
  for (size_t i = 0; i < directories_.size(); ++i) {
    const size_t parallel = std::min(static_cast<size_t>(std::max(config_.recovery_threads, 1)), loading->directories[i].quick.size());
    loading->tasks += parallel;
    for (size_t j = 0; j < parallel; ++j) loaders_.spawn(load_some(loading, static_cast<int>(i)));
  }
  const io::MonoTime until = patience ? io::after(loop_.now(), *patience) : io::kNever;
  while (loading->tasks > 0 && (!patience || loading->quick_left > 0)) {
    if (!co_await loading->moved.wait_until(loop_, until)) break;
  }
  loading->announce = true;
  if (any_loading()) SAMSA_LOG_INFO("{} logs are still being recovered; the others are served", loading_count());
  check_space();
  const bool all_offline = !directories_.empty() && std::ranges::all_of(offline_, [](bool offline) { return offline; });
  if (all_offline) co_return fail(ErrorCode::kKafkaStorageError, "all log directories are offline");
  co_return Result<void>();
}

io::Task<> LogManager::load_some(std::shared_ptr<Loading> loading, int directory) {
  auto& mine = loading->directories[static_cast<size_t>(directory)];
  while (!context_.end_loading && !is_offline(directory) && !(mine.quick.empty() && mine.long_ones.empty())) {
    const bool quick = !mine.quick.empty();
    auto& from = quick ? mine.quick : mine.long_ones;
    FoundLog found = std::move(from.front());
    from.pop_front();
    if (!co_await load_one(*loading, found, !quick)) mine.long_ones.push_back(std::move(found));
    if (quick && --loading->quick_left == 0) loading->moved.notify_all();
    co_await io::yield(loop_, io::Priority::kBackground);
  }
  if (is_offline(directory)) loading->quick_left -= std::exchange(mine.quick, {}).size();
  if (--loading->tasks == 0) on_loaded_ = nullptr;  // It may hold much.
  loading->moved.notify_all();
}

// False where it has much to recover, and that was not to be done now.
io::Task<bool> LogManager::load_one(Loading& loading, const FoundLog& found, bool however_long) {
  OpenLog options;
  options.directory = found.path;
  options.partition = found.partition;
  options.stored_topic_id = found.topic_id;
  options.config = loading.config_of(found.partition.topic);
  options.recovery_point = found.recovery_point;
  options.log_start_offset = found.log_start_offset;
  options.high_watermark = found.high_watermark;
  options.first_dirty_offset = found.first_dirty_offset;
  options.clean = found.clean;
  if (!found.clean && options.config.durable) options.write_again_from = found.recovery_point;
  options.scan_at_most = however_long ? UINT64_MAX : kLittle;
  if (however_long) SAMSA_LOG_INFO("{}: recovering", found.path);
  auto log = co_await Log::open(context_, options);
  Found& pending = found.future ? pending_futures_ : pending_;
  if (!log && log.error().code == ErrorCode::kOperationNotAttempted) co_return context_.end_loading;
  if (!log && !(io::is_no_space(log.error()) && !found.future)) {
    take_offline(found.directory, log.error());
    co_return true;
  }
  if (is_offline(found.directory)) co_return true;
  if (!log) {
    SAMSA_LOG_ERROR("{}: cannot be opened until there is room: {}", found.path, log.error().text());
    options.scan_at_most = UINT64_MAX;
    postponed_[found.partition] = {std::move(options), found};
  } else {
    (*log)->set_first_dirty_offset(found.first_dirty_offset);
    (*log)->set_space(space_[static_cast<size_t>(found.directory)].get());
    (found.future ? futures_ : logs_)[found.partition] = {*std::move(log), found.directory};
    ++counts_[static_cast<size_t>(found.directory)];
  }
  pending.erase(found.partition);
  if (loading.announce && on_loaded_ && !context_.end_loading) on_loaded_(found.partition);
  co_return true;
}

size_t LogManager::loading_count() const {
  const auto online = [this](const auto& entry) { return !is_offline(entry.second.directory); };
  return static_cast<size_t>(std::ranges::count_if(pending_, online) + std::ranges::count_if(pending_futures_, online));
}

// A log that was not opened before its directory failed keeps its place: an empty one must not take it. Not so where the partition's topic was
// deleted meanwhile and another one has the name.
void LogManager::forget_lost(const TopicPartition& partition, Uuid topic_id) {
  const auto is_lost = [&](const FoundLog& found) {
    return is_offline(found.directory) && !topic_id.is_zero() && !found.topic_id.is_zero() && found.topic_id != topic_id;
  };
  if (const auto lost = pending_.find(partition); lost != pending_.end() && is_lost(lost->second)) pending_.erase(lost);
  if (const auto lost = postponed_.find(partition); lost != postponed_.end() && is_lost(lost->second.found)) postponed_.erase(lost);
}

bool LogManager::is_loading(const TopicPartition& partition) const {
  if (const auto found = pending_.find(partition); found != pending_.end()) return !is_offline(found->second.directory);
  const auto copy = pending_futures_.find(partition);
  return copy != pending_futures_.end() && !is_offline(copy->second.directory) && !logs_.contains(partition);
}

bool LogManager::is_future_loading(const TopicPartition& partition) const {
  const auto copy = pending_futures_.find(partition);
  return copy != pending_futures_.end() && !is_offline(copy->second.directory);
}

void LogManager::add_checkpoint(DirectoryCheckpoints& part, const FoundLog& found) {
  part.recovery_point[found.partition] = found.recovery_point;
  part.high_watermark[found.partition] = found.high_watermark;
  if (found.first_dirty_offset > 0) part.cleaner[found.partition] = found.first_dirty_offset;
  if (found.log_start_offset > 0) part.log_start[found.partition] = found.log_start_offset;
}

}  // namespace samsa::storage
