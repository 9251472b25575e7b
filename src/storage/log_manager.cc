#include "storage/log_manager.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "storage/cleaner.h"

namespace samsa::storage {
namespace {

constexpr int kClosingAtOnce = 16;   // Syncs under way at a time while closing.
constexpr size_t kSyncedSingly = 64;
constexpr std::chrono::minutes kMostUncleaned(16);  // Between two tries to compact a log for which there was no room.
constexpr std::chrono::minutes kRetired(2);  // Longer than any call stays suspended in a log.

}  // namespace

LogManager::LogManager(io::Loop& loop, io::Disk& disk, LogManagerConfig config)
    : loop_(loop),
      disk_(disk),
      config_(std::move(config)),
      files_(disk, config_.open_files),
      context_{loop, disk, files_, config_.producer_id_expiration_ms, config_.verify_transactions},
      loaders_(loop),
      background_(loop) {
  context_.on_failure = [this](Log& log, const Error& error) { note_failure(log, error); };
}

LogManager::~LogManager() = default;

void LogManager::set_directories(std::vector<std::string> paths) {
  directories_ = std::move(paths);
  offline_.assign(directories_.size(), false);
  full_.assign(directories_.size(), false);
  space_.clear();
  for (size_t i = 0; i < directories_.size(); ++i) {
    space_.push_back(std::make_unique<SpaceLeft>([this, i](uint64_t needed) { return bytes_above_reserve(i, needed); }, config_.shards));
  }
  counts_.assign(directories_.size(), 0);
}

// ---- Logs ----

Log* LogManager::find(const TopicPartition& partition) const {
  const auto found = logs_.find(partition);
  return found == logs_.end() || is_offline(found->second.directory) ? nullptr : found->second.log.get();
}

Log* LogManager::find_future(const TopicPartition& partition) const {
  const auto found = futures_.find(partition);
  return found == futures_.end() || is_offline(found->second.directory) ? nullptr : found->second.log.get();
}

int LogManager::directory_of(const TopicPartition& partition) const {
  const auto found = logs_.find(partition);
  return found == logs_.end() ? -1 : found->second.directory;
}

int LogManager::future_directory_of(const TopicPartition& partition) const {
  const auto found = futures_.find(partition);
  return found == futures_.end() ? -1 : found->second.directory;
}

int LogManager::least_loaded() const {
  int best = -1;
  for (const bool even_cordoned : {false, true}) {
    for (size_t i = 0; i < directories_.size(); ++i) {
      if (offline_[i] || (!even_cordoned && is_cordoned(static_cast<int>(i)))) continue;
      if (best < 0 || counts_[i] < counts_[static_cast<size_t>(best)]) best = static_cast<int>(i);
    }
    if (best >= 0) break;
  }
  return best;
}

void LogManager::prefer_directory(const TopicPartition& partition, int directory) {
  if (logs_.contains(partition) || directory < 0 || static_cast<size_t>(directory) >= directories_.size()) return;
  if (preferred_.contains(partition) || preferred_.size() < kMostPreferred) preferred_[partition] = directory;
}

io::Task<Result<Log*>> LogManager::get_or_create(const TopicPartition& partition, Uuid topic_id, const LogConfig& config, int directory) {
  const TopicPartition key = partition;
  if (const auto found = logs_.find(key); found != logs_.end()) {
    preferred_.erase(key);
    if (is_offline(found->second.directory)) co_return fail(ErrorCode::kKafkaStorageError, "the partition's log directory is offline");
    Log& log = *found->second.log;
    if (!topic_id.is_zero()) CO_TRY(log.assign_topic_id(topic_id));
    log.update_config(config);
    co_return &log;
  }
  if (is_loading(key)) co_return fail(ErrorCode::kKafkaStorageError, "the partition's log is still being recovered");
  forget_lost(key, topic_id);
  if (pending_.contains(key)) co_return fail(ErrorCode::kKafkaStorageError, "the partition's log directory is offline");
  OpenLog options;
  Offset first_dirty = 0;
  auto postponed = postponed_.find(key);
  if (postponed != postponed_.end() && !topic_id.is_zero() && !postponed->second.found.topic_id.is_zero() &&
      postponed->second.found.topic_id != topic_id) {
    CO_TRY(co_await remove(key));  // Its topic was deleted while there was no room, and this one has the name.
    postponed = postponed_.end();
  }
  if (postponed != postponed_.end()) {
    options = postponed->second.options;
    first_dirty = postponed->second.found.first_dirty_offset;
    directory = index_of_path(options.directory);
  }
  const auto preferred = preferred_.find(key);
  if (postponed == postponed_.end() && preferred != preferred_.end() && !is_offline(preferred->second)) directory = preferred->second;
  if (directory < 0) directory = least_loaded();
  if (directory < 0 || is_offline(directory)) co_return fail(ErrorCode::kKafkaStorageError, "the log directory is offline");
  if (const auto copy = futures_.find(key); copy != futures_.end() && copy->second.directory == directory && copy->second.log->topic_id() == topic_id) {
    co_return co_await promote_future(key);  // The last step of its move failed; an empty log is not to take its place.
  }
  if (postponed == postponed_.end()) options.directory = io::join_path(directories_[static_cast<size_t>(directory)], key.to_string());
  options.partition = key;
  options.topic_id = topic_id;
  options.config = config;
  auto log = co_await Log::open(context_, std::move(options));
  if (!log) {
    if (log.error().code == ErrorCode::kKafkaStorageError && !io::is_no_space(log.error())) take_offline(directory, log.error());
    co_return fail(std::move(log).error());
  }
  postponed_.erase(key);
  preferred_.erase(key);
  Log* made = log->get();
  made->set_first_dirty_offset(first_dirty);
  made->set_space(space_[static_cast<size_t>(directory)].get());
  logs_[key] = {*std::move(log), directory};
  ++counts_[static_cast<size_t>(directory)];
  co_return made;
}

// Takes the log out of service under another directory name. "-delete" ones go after the delay.
io::Task<Result<void>> LogManager::rename_away(Logs& from, TopicPartition partition, std::string_view suffix) {
  const auto found = from.find(partition);
  if (const auto postponed = postponed_.find(partition); found == from.end() && &from == &logs_ && postponed != postponed_.end()) {
    const auto [options, was] = postponed->second;
    if (is_offline(was.directory)) co_return fail(ErrorCode::kKafkaStorageError, "the log directory is offline");
    const std::string path = io::join_path(directories_[static_cast<size_t>(was.directory)], renamed_directory(partition, loop_.random().uuid(), suffix));
    auto renamed = disk_.rename(was.path, path);
    if (!renamed && io::is_no_space(renamed.error()) && suffix == "-delete") {
      renamed = disk_.remove_tree(was.path);
    } else if (renamed && suffix == "-delete") {
      doomed_.push_back({path, loop_.now() + std::chrono::milliseconds(options.config.file_delete_delay_ms), was.directory});
    }
    if (renamed) postponed_.erase(partition);
    co_return renamed;
  }
  if (found == from.end()) co_return fail(ErrorCode::kUnknownTopicOrPartition, partition.to_string() + " has no log here");
  const int at = found->second.directory;
  Log& log = *found->second.log;
  retired_.push_back({std::move(found->second.log), loop_.now() + std::chrono::hours(24)});
  from.erase(found);
  --counts_[static_cast<size_t>(at)];
  co_await log.abandon();
  for (auto& retired : retired_) {
    if (retired.log.get() == &log) retired.due = loop_.now() + kRetired;
  }
  if (is_offline(at)) co_return Result<void>();
  const std::string& directory = directories_[static_cast<size_t>(at)];
  const std::string path = io::join_path(directory, renamed_directory(partition, loop_.random().uuid(), suffix));
  if (auto renamed = log.rename_directory(path); !renamed) {
    if (io::is_no_space(renamed.error()) && suffix == "-delete") {
      // Not even room for a longer name: what is deleted goes at once.
      co_return disk_.remove_tree(log.directory());
    }
    if (!io::is_no_space(renamed.error())) take_offline(at, renamed.error());
    co_return renamed;
  }
  if (suffix == "-delete") {
    doomed_.push_back({path, loop_.now() + std::chrono::milliseconds(log.config().file_delete_delay_ms), at});
  }
  co_return Result<void>();
}

io::Task<Result<void>> LogManager::remove(const TopicPartition& partition) { return rename_away(logs_, partition, "-delete"); }
io::Task<Result<void>> LogManager::remove_future(const TopicPartition& partition) { return rename_away(futures_, partition, "-delete"); }
io::Task<Result<void>> LogManager::set_aside_as_stray(const TopicPartition& partition) { return rename_away(logs_, partition, "-stray"); }

void LogManager::update_config(const std::string& topic, const LogConfig& config) {
  for (auto* logs : {&logs_, &futures_}) {
    for (auto& [partition, entry] : *logs) {
      if (partition.topic == topic) entry.log->update_config(config);
    }
  }
}

void LogManager::for_each(const std::function<void(Log&)>& function) const {
  for (const auto& [partition, entry] : logs_) {
    if (!is_offline(entry.directory)) function(*entry.log);
  }
}

void LogManager::for_each_future(const std::function<void(Log&)>& function) const {
  for (const auto& [partition, entry] : futures_) {
    if (!is_offline(entry.directory)) function(*entry.log);
  }
}

bool LogManager::any_offline() const {
  return std::ranges::any_of(offline_, [](bool offline) { return offline; });
}

// ---- Moves between directories ----

std::vector<TopicPartition> LogManager::futures() const {
  std::vector<TopicPartition> found;
  for (const auto& [partition, entry] : futures_) found.push_back(partition);
  return found;
}

io::Task<Result<Log*>> LogManager::get_or_create_future(const TopicPartition& partition, int directory) {
  const TopicPartition key = partition;
  const auto current = logs_.find(key);
  if (current == logs_.end()) co_return fail(ErrorCode::kReplicaNotAvailable, key.to_string() + " has no log here");
  if (is_offline(directory)) co_return fail(ErrorCode::kKafkaStorageError, "the log directory is offline");
  if (const auto found = futures_.find(key); found != futures_.end()) {
    if (found->second.directory == directory) co_return found->second.log.get();
    CO_TRY(co_await rename_away(futures_, key, "-delete"));
  }
  Log& source = *current->second.log;
  OpenLog options;
  options.directory = io::join_path(directories_[static_cast<size_t>(directory)], renamed_directory(key, loop_.random().uuid(), "-future"));
  options.partition = key;
  options.topic_id = source.topic_id();
  options.config = source.config();
  options.log_start_offset = source.log_start_offset();
  CO_TRY_ASSIGN(auto log, co_await Log::open(context_, std::move(options)));
  Log* made = log.get();
  made->set_space(space_[static_cast<size_t>(directory)].get());
  futures_[key] = {std::move(log), directory};
  if (Log* moving = find(key)) moving->end_cleaning();  // It is not compacted until the move is over.
  ++counts_[static_cast<size_t>(directory)];
  co_return made;
}

io::Task<Result<Log*>> LogManager::promote_future(const TopicPartition& partition) {
  const TopicPartition key = partition;
  if (!futures_.contains(key)) co_return fail(ErrorCode::kReplicaNotAvailable, key.to_string() + " has no future log");
  CO_TRY(co_await futures_[key].log->flush());
  std::optional<Offset> high_watermark;
  Offset first_dirty = 0;
  if (const auto current = logs_.find(key); current != logs_.end()) {
    high_watermark = current->second.log->high_watermark();
    first_dirty = current->second.log->first_dirty_offset();
    // The old one goes first, and for good: two directories of one name would stop the next start.
    const std::string parent = directories_[static_cast<size_t>(current->second.directory)];
    CO_TRY(co_await rename_away(logs_, key, "-delete"));
    CO_TRY(co_await disk_.sync_directory_async(parent));
  }
  const auto future = futures_.find(key);
  if (future == futures_.end()) co_return fail(ErrorCode::kReplicaNotAvailable, key.to_string() + " has no future log");
  // Where that fails the copy stays what it is, and get_or_create tries again: it is all that is left.
  CO_TRY(future->second.log->rename_directory(io::join_path(directories_[static_cast<size_t>(future->second.directory)], key.to_string())));
  Entry entry = std::move(future->second);
  futures_.erase(future);
  if (high_watermark) entry.log->set_high_watermark(*high_watermark);
  entry.log->set_first_dirty_offset(std::min(first_dirty, entry.log->log_end_offset()));
  Log* promoted = entry.log.get();
  logs_[key] = std::move(entry);
  co_return promoted;
}

// ---- Timers ----

io::Task<> LogManager::flush_due_logs() {
  for (const bool future : {false, true}) {
    std::vector<TopicPartition> due;
    for (const auto& [partition, entry] : future ? futures_ : logs_) {
      if (!is_offline(entry.directory) && entry.log->flush_due()) due.push_back(partition);
    }
    for (const auto& partition : due) {
      if (Log* log = future ? find_future(partition) : find(partition)) (void)co_await log->flush();  // A failure was noted by the log.
    }
  }
}

io::Task<size_t> LogManager::delete_old_segments() {
  std::vector<TopicPartition> all;
  for (const auto& [partition, entry] : logs_) all.push_back(partition);
  size_t deleted = 0;
  for (const auto& partition : all) {
    if (cleaning_.contains(partition) && !is_full(directory_of(partition))) continue;
    if (Log* log = find(partition)) {
      auto count = log->delete_old_segments();
      if (count) {
        deleted += *count;
      } else {
        SAMSA_LOG_WARN("{}: {}", partition.to_string(), count.error().text());
      }
    }
    co_await io::yield(loop_, io::Priority::kBackground);
  }
  co_return deleted;
}

void LogManager::add_doomed(int directory, std::vector<std::string> paths) {
  for (auto& path : paths) doomed_.push_back({std::move(path), loop_.now() + std::chrono::milliseconds(config_.defaults.file_delete_delay_ms), directory});
}

io::Task<> LogManager::remove_deleted_files() {
  const io::MonoTime now = loop_.now();
  std::erase_if(retired_, [&](const Retired& retired) { return retired.due <= now; });
  std::vector<std::string> files;
  for (const auto* logs : {&logs_, &futures_}) {
    for (const auto& [partition, entry] : *logs) std::ranges::move(entry.log->take_deleted_files(), std::back_inserter(files));
  }
  std::vector<std::string> trees;
  std::erase_if(doomed_, [&](Doomed& doomed) {
    if (doomed.due > now) return false;
    if (!is_offline(doomed.directory)) trees.push_back(std::move(doomed.path));
    return true;
  });
  auto tell = [](const Result<void>& removed) {
    if (!removed && removed.error().code != ErrorCode::kResourceNotFound) SAMSA_LOG_WARN("{}", removed.error().text());
  };
  for (auto& path : files) tell(co_await disk_.remove_file_async(std::move(path)));
  for (auto& path : trees) tell(co_await disk_.remove_tree_async(std::move(path)));
}

void LogManager::expire_producers() {
  for (const auto* logs : {&logs_, &futures_}) {
    for (const auto& [partition, entry] : *logs) entry.log->expire_producers();
  }
}

// The log that needs compaction most, and what of it.
std::optional<TopicPartition> LogManager::dirtiest(Cleanable& range) {
  std::optional<TopicPartition> chosen;
  const io::MonoTime now = loop_.now();
  for (const auto& [partition, entry] : logs_) {
    const Log& log = *entry.log;
    if (!log.config().cleanup_compact || is_offline(entry.directory) || cleaning_.contains(partition)) continue;
    if (futures_.contains(partition) || pending_futures_.contains(partition)) continue;  // The copy is to be the same.
    if (entry.uncleaned.until_restart || now < entry.uncleaned.again) continue;
    const auto found = LogCleaner::cleanable(*entry.log, log.first_dirty_offset());
    if (!found) {
      note_not_cleaned(partition, found.error());
      continue;
    }
    if (found->cleanable_bytes == 0 || found->first_dirty >= found->first_uncleanable) continue;
    if (!found->due && found->dirty_ratio() <= log.config().min_cleanable_dirty_ratio) continue;
    if (!chosen || std::pair(found->due, found->dirty_ratio()) > std::pair(range.due, range.dirty_ratio())) {
      chosen = partition;
      range = *found;
    }
  }
  return chosen;
}

io::Task<bool> LogManager::clean_dirtiest() {
  Cleanable range;
  if (cleaning_ended_) co_return false;
  const auto chosen = dirtiest(range);
  if (!chosen) co_return false;
  cleaning_.insert(*chosen);
  const io::MonoTime start = loop_.now_precise();
  Log* const log = find(*chosen);
  auto cleaned = co_await LogCleaner(*log, config_.cleaner, &config_.cleaner).clean(range);
  cleaning_.erase(*chosen);
  const auto found = logs_.find(*chosen);
  const bool same = found != logs_.end() && found->second.log.get() == log;  // It may be gone, and another one have its name.
  if (!cleaned) {
    if (cleaned.error().code == ErrorCode::kOperationNotAttempted) co_return false;
    if (same) note_not_cleaned(*chosen, cleaned.error());
    co_return true;  // The others wait.
  }
  if (same) {
    log->set_first_dirty_offset(cleaned->clean_to);
    found->second.uncleaned = {};
  }
  SAMSA_LOG_INFO("{}: compacted to offset {}: {} of {} records kept, {} bytes of {}, {} ms", chosen->to_string(), cleaned->clean_to,
                 cleaned->records_kept, cleaned->records_read, cleaned->bytes_written, cleaned->bytes_read,
                 (loop_.now_precise() - start).count() / 1'000'000);
  co_return true;
}

void LogManager::end_cleaning() {
  cleaning_ended_ = true;
  for (const auto& [partition, entry] : logs_) entry.log->end_cleaning();
}

// The first dirty offset stays: what no map has seen is not clean.
void LogManager::note_not_cleaned(const TopicPartition& partition, const Error& error) {
  const auto found = logs_.find(partition);
  if (found == logs_.end() || is_offline(found->second.directory)) return;  // A failing device is said elsewhere.
  Uncleaned& why = found->second.uncleaned;
  if (io::is_shortage(error)) {
    why.pause = std::clamp(2 * why.pause, std::chrono::minutes(1), kMostUncleaned);
    why.again = loop_.now() + why.pause;
    SAMSA_LOG_WARN("{}: not compacted, tried again in {} min: {}", partition.to_string(), why.pause.count(), error.text());
  } else {
    why.until_restart = true;
    SAMSA_LOG_ERROR("{}: not compacted any more: {}", partition.to_string(), error.text());
  }
}

LogManager::Uncleanable LogManager::uncleanable(int directory) const {
  Uncleanable all;
  for (const auto& [partition, entry] : logs_) {
    if (!entry.uncleaned.until_restart || entry.directory != directory || is_offline(directory)) continue;
    ++all.partitions;
    if (const auto range = LogCleaner::cleanable(*entry.log, entry.log->first_dirty_offset())) all.bytes += range->cleanable_bytes;
  }
  return all;
}

uint64_t LogManager::bytes_above_reserve(size_t directory, uint64_t needed) {
  if (config_.reserve_bytes == 0 || offline_[directory]) return UINT64_MAX;
  const auto space = disk_.space(directories_[directory]);
  if (!space) return UINT64_MAX;
  const uint64_t reserve = std::min(config_.reserve_bytes, space->total_bytes / 20);
  const bool full = space->usable_bytes <= reserve + needed;
  if (full != full_[directory]) {
    full_[directory] = full;
    if (full) {
      SAMSA_LOG_WARN("log directory {}: {} bytes left, the reserve is {}: produce is refused, followers here pause", directories_[directory], space->usable_bytes, reserve);
    } else {
      SAMSA_LOG_INFO("log directory {}: there is room again", directories_[directory]);
    }
  }
  return full ? 0 : space->usable_bytes - reserve;
}

void LogManager::check_space() {
  for (auto& space : space_) space->look();
}

std::vector<DirectoryCheckpoints> LogManager::checkpoints() const {
  if (!final_checkpoints_.empty()) return final_checkpoints_;
  std::vector<DirectoryCheckpoints> parts(directories_.size());
  for (const auto& [partition, entry] : logs_) {
    const Log& log = *entry.log;
    DirectoryCheckpoints& part = parts[static_cast<size_t>(entry.directory)];
    part.recovery_point[partition] = log.recovery_point();
    part.high_watermark[partition] = log.high_watermark();
    // Also where it is compacted no more: a recovery must know that what lies below has gaps.
    if (log.first_dirty_offset() > 0) part.cleaner[partition] = log.first_dirty_offset();
    if (log.log_start_offset() > log.first_segment_offset()) part.log_start[partition] = log.log_start_offset();
  }
  // What is not open keeps what it had.
  for (const auto& [partition, found] : pending_) add_checkpoint(parts[static_cast<size_t>(found.directory)], found);
  for (const auto& [partition, postponed] : postponed_) add_checkpoint(parts[static_cast<size_t>(postponed.found.directory)], postponed.found);
  return parts;
}

// ---- Close, offline ----

io::Task<> LogManager::close_some(std::vector<Log*>& logs, size_t& next, std::vector<bool>& clean, bool together) {
  while (next < logs.size()) {
    Log* log = logs[next++];
    auto closed = together ? co_await log->begin_close() : co_await log->close();
    if (closed) continue;
    SAMSA_LOG_ERROR("{}: {}", log->directory(), closed.error().text());
    clean[index_of_directory(*log)] = false;
  }
}

int LogManager::index_of_path(const std::string& path) const {
  // By way of a child's name, since log.dirs may end in a slash.
  const std::string parent = io::parent_path(path);
  const auto found = std::ranges::find_if(directories_, [&](const auto& directory) { return io::parent_path(io::join_path(directory, "x")) == parent; });
  SAMSA_ASSERT(found != directories_.end());
  return static_cast<int>(found - directories_.begin());
}

size_t LogManager::index_of_directory(const Log& log) const { return static_cast<size_t>(index_of_path(log.directory())); }

// Directories where that fails are clean no more.
void LogManager::sync_file_systems(std::vector<bool>& clean) {
  for (size_t i = 0; i < directories_.size(); ++i) {
    if (!clean[i]) continue;
    if (auto synced = disk_.sync_file_system(directories_[i]); !synced) {
      SAMSA_LOG_ERROR("{}", synced.error().text());
      clean[i] = false;
    }
  }
}

io::Task<std::vector<bool>> LogManager::close() {
  context_.end_loading = true;
  co_await loaders_.join();
  std::vector<bool> clean(directories_.size());
  for (size_t i = 0; i < clean.size(); ++i) clean[i] = !offline_[i];
  // What still has to be recovered is so at the next start.
  const auto not_open = [&](const FoundLog& found) {
    if (!found.clean) clean[static_cast<size_t>(found.directory)] = false;
  };
  for (const auto& [partition, found] : pending_) not_open(found);
  for (const auto& [partition, found] : pending_futures_) not_open(found);
  for (const auto& [partition, postponed] : postponed_) not_open(postponed.found);
  std::vector<Log*> logs;
  for (auto* map : {&logs_, &futures_}) {
    for (auto& [partition, entry] : *map) {
      if (!is_offline(entry.directory)) logs.push_back(entry.log.get());
    }
  }
  co_await background_.join();
  // Few logs are synced one by one; for many one sync of each file system is far less.
  bool together = logs.size() > kSyncedSingly;
  for (size_t i = 0; together && i < directories_.size(); ++i) together = offline_[i] || disk_.sync_file_system(directories_[i]).has_value();
  size_t next = 0;
  io::TaskGroup closers(loop_);
  for (int i = 0; i < kClosingAtOnce; ++i) closers.spawn(close_some(logs, next, clean, together));
  co_await closers.join();
  if (together) {
    sync_file_systems(clean);
    for (Log* log : logs) {
      const size_t directory = index_of_directory(*log);
      if (!clean[directory]) continue;
      if (auto placed = log->continue_close(); !placed) {
        SAMSA_LOG_ERROR("{}: {}", log->directory(), placed.error().text());
        clean[directory] = false;
      }
    }
    sync_file_systems(clean);
    for (Log* log : logs) {
      if (clean[index_of_directory(*log)]) log->end_close_synced();
    }
  }
  co_await background_.join();
  final_checkpoints_ = checkpoints();
  co_return clean;
}

// Called from within a log's operation: the log must not go away under it.
void LogManager::note_failure(Log& log, const Error& error) {
  take_offline(static_cast<int>(index_of_directory(log)), error);
}

void LogManager::take_offline(int directory, const Error& why) {
  if (is_offline(directory)) return;
  offline_[static_cast<size_t>(directory)] = true;
  SAMSA_LOG_ERROR("log directory {} is offline: {}", directories_[static_cast<size_t>(directory)], why.text());
  background_.spawn(drop_offline(directory));
}

io::Task<> LogManager::drop_offline(int directory) {
  // The logs stay allocated: callers may hold them across an await. They refuse everything.
  for (auto* logs : {&logs_, &futures_}) {
    std::vector<Log*> affected;
    for (auto& [partition, entry] : *logs) {
      if (entry.directory == directory) affected.push_back(entry.log.get());
    }
    for (Log* log : affected) co_await log->abandon();
  }
  if (on_offline_) on_offline_(directory);
}

}  // namespace samsa::storage
