#include "storage/log_directories.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "storage/log_loader.h"

namespace samsa::storage {
namespace {

constexpr const char* kLockFile = ".lock";
constexpr const char* kCleanFile = ".kafka_cleanshutdown";
constexpr const char* kRecoveryFile = "recovery-point-offset-checkpoint";
constexpr const char* kLogStartFile = "log-start-offset-checkpoint";
constexpr const char* kHighWatermarkFile = "replication-offset-checkpoint";
constexpr const char* kCleanerFile = "cleaner-offset-checkpoint";
constexpr size_t kLongestName = 255;
constexpr size_t kUniqueSize = 32;  // Hex digits.

enum class Kind { kLog, kFuture, kDelete, kStray, kOther };

// "-delete" of "name-3.<32 hex>-delete"; the name without the marker in `bare`.
Kind kind_of(std::string_view name, std::string_view& bare) {
  constexpr std::pair<std::string_view, Kind> kSuffixes[] = {{"-delete", Kind::kDelete}, {"-future", Kind::kFuture}, {"-stray", Kind::kStray}};
  bare = name;
  for (const auto& [suffix, kind] : kSuffixes) {
    if (!name.ends_with(suffix)) continue;
    const std::string_view rest = name.substr(0, name.size() - suffix.size());
    const size_t dot = rest.rfind('.');
    if (dot == std::string_view::npos || rest.size() - dot - 1 != kUniqueSize) continue;
    if (rest.substr(dot + 1).find_first_not_of("0123456789abcdef") != std::string_view::npos) continue;
    bare = rest.substr(0, dot);
    return kind;
  }
  return Kind::kLog;
}

// The broker epoch of the clean-shutdown file's JSON; -1 where it cannot be read.
int64_t broker_epoch_of(std::string_view json) {
  constexpr std::string_view kKey = "\"brokerEpoch\"";
  const size_t key = json.find(kKey);
  if (key == std::string_view::npos) return -1;
  size_t at = key + kKey.size();
  while (at < json.size() && (json[at] == ' ' || json[at] == ':')) ++at;
  int64_t epoch = -1;
  const auto [end, error] = std::from_chars(json.data() + at, json.data() + json.size(), epoch);
  return error == std::errc() ? epoch : -1;
}

OffsetMap checkpoint_or_empty(io::Disk& disk, const std::string& path) {
  auto entries = read_offset_checkpoint(disk, path);
  if (entries) return *std::move(entries);
  SAMSA_LOG_WARN("{}: {}; taken as empty", path, entries.error().text());
  return {};
}

Offset entry_or_zero(const OffsetMap& map, const TopicPartition& partition) {
  const auto found = map.find(partition);
  return found == map.end() ? 0 : found->second;
}

// Online, and it has a meta.properties: only such a one is locked.
bool is_formatted(const LogDirectory& directory) { return !directory.offline && directory.lock != nullptr; }

Result<void> check_formatted(const std::string& directory, const MetaProperties* meta) {
  if (meta == nullptr) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("No `meta.properties` found in {} (have you run `kafka-storage.sh` to format the directory?)", directory));
  }
  if (!meta->node_id) return fail(ErrorCode::kInvalidConfig, fmt::format("Error: node ID not found in {}", directory));
  if (!meta->cluster_id) return fail(ErrorCode::kInvalidConfig, fmt::format("Error: cluster ID not found in {}", directory));
  return {};
}

// The mark of a clean stop, which goes, and the checkpoints.
Result<void> read_state(io::Disk& disk, LogDirectory& directory) {
  const std::string clean_path = io::join_path(directory.path, kCleanFile);
  auto clean = io::read_file(disk, clean_path);
  if (clean) {
    directory.clean = true;
    directory.previous_broker_epoch = broker_epoch_of(as_text(*clean));
    TRY(disk.remove_file(clean_path));
  } else if (clean.error().code != ErrorCode::kResourceNotFound) {
    return fail(std::move(clean).error());
  }
  directory.checkpoints.recovery_point = checkpoint_or_empty(disk, io::join_path(directory.path, kRecoveryFile));
  directory.checkpoints.log_start = checkpoint_or_empty(disk, io::join_path(directory.path, kLogStartFile));
  directory.checkpoints.high_watermark = checkpoint_or_empty(disk, io::join_path(directory.path, kHighWatermarkFile));
  directory.checkpoints.cleaner = checkpoint_or_empty(disk, io::join_path(directory.path, kCleanerFile));
  return {};
}

}  // namespace

std::optional<TopicPartition> parse_partition_directory(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0 || dash + 1 == name.size()) return std::nullopt;
  PartitionIndex partition = -1;
  const std::string_view digits = name.substr(dash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), partition);
  if (error != std::errc() || end != digits.data() + digits.size() || partition < 0) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), partition};
}

std::string renamed_directory(const TopicPartition& partition, Uuid unique, std::string_view suffix) {
  const std::string tail = fmt::format("-{}.{}{}", partition.partition, unique.to_hex(), suffix);
  std::string topic = partition.topic;
  if (suffix != "-future" && topic.size() + tail.size() > kLongestName) topic.resize(kLongestName - tail.size());
  return topic + tail;
}

LogDirectories::~LogDirectories() = default;

Result<std::unique_ptr<LogDirectories>> LogDirectories::open(io::Disk& disk, std::vector<std::string> paths, NodeId node_id,
                                                             std::optional<std::string> cluster_id, io::Random* random) {
  std::unique_ptr<LogDirectories> opened(new LogDirectories(disk));
  std::optional<Error> first_error;
  for (auto& path : paths) {
    LogDirectory directory;
    directory.path = std::move(path);
    auto ready = opened->open_directory(directory);
    if (!ready) {
      // In use, or a meta.properties that says nonsense: the operator's mistake. Anything else: the directory is broken and the node goes on
      // without it.
      if (ready.error().code == ErrorCode::kInvalidConfig) return fail(std::move(ready).error());
      SAMSA_LOG_ERROR("log directory {}: {}; it is offline", directory.path, ready.error().text());
      if (!first_error) first_error = ready.error();
      directory.offline = std::move(ready).error();
    }
    opened->directories_.push_back(std::move(directory));
  }
  const bool any = std::ranges::any_of(opened->directories_, [](const auto& d) { return !d.offline; });
  if (!any) return fail(first_error.value_or(Error{ErrorCode::kInvalidConfig, "log.dirs names no directory"}));
  TRY(opened->check_identities(node_id, cluster_id, random));
  for (size_t i = 0; i < opened->directories_.size(); ++i) {  // A start that is refused has changed nothing.
    if (opened->directories_[i].offline) continue;
    if (auto read = read_state(disk, opened->directories_[i]); !read) opened->take_offline(i, std::move(read).error());
  }
  return opened;
}

// Reads meta.properties, and locks the directory where there is one: nothing is made in a directory that is not formatted.
Result<void> LogDirectories::open_directory(LogDirectory& directory) {
  auto meta = read_meta_properties(disk_, directory.path);
  if (!meta && meta.error().code == ErrorCode::kResourceNotFound) return {};
  if (!meta) return fail(std::move(meta).error());
  directory.meta = std::move(*meta);
  auto lock = disk_.lock(io::join_path(directory.path, kLockFile));
  if (!lock && lock.error().code == ErrorCode::kOperationNotAttempted) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("log.dirs: {} is in use by another process ({})", directory.path, lock.error().text()));
  }
  if (!lock) return fail(std::move(lock).error());  // A disk that was mounted read-only after an error, say.
  directory.lock = std::move(*lock);
  return {};
}

Result<void> LogDirectories::check_identities(NodeId node_id, const std::optional<std::string>& cluster_id, io::Random* random) {
  std::optional<std::string> cluster = cluster_id;
  bool any_formatted = false;
  std::set<Uuid> ids;
  for (const auto& directory : directories_) {
    if (!is_formatted(directory)) continue;
    any_formatted = true;
    if (!cluster) cluster = directory.meta.cluster_id;
    if (directory.meta.cluster_id && *directory.meta.cluster_id != *cluster) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("{}/meta.properties: cluster.id is {}, it must be {}: the directory belongs to another cluster",
                                                         directory.path, *directory.meta.cluster_id, *cluster));
    }
    if (directory.meta.node_id && *directory.meta.node_id != node_id) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("{}/meta.properties: node.id is {}, the configured node.id is {}", directory.path,
                                                         directory.meta.node_id->value, node_id.value));
    }
    if (directory.meta.directory_id && !ids.insert(*directory.meta.directory_id).second) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("{}/meta.properties: directory.id {} is that of another log directory too",
                                                         directory.path, directory.meta.directory_id->to_string()));
    }
  }
  if (!any_formatted && !cluster_id) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("No readable meta.properties files found: {} is not formatted (kafka-storage.sh format)",
                                                       directories_.front().path));
  }
  for (auto& directory : directories_) {
    if (directory.offline) continue;
    TRY(check_formatted(directory.path, is_formatted(directory) ? &directory.meta : nullptr));
    if (directory.meta.directory_id) continue;
    directory.meta.version = 1;
    if (random == nullptr) return fail(ErrorCode::kInvalidConfig, fmt::format("{}/meta.properties: no directory.id", directory.path));
    directory.meta.directory_id = random->uuid();
    TRY(write_meta_properties(disk_, directory.path, directory.meta));
  }
  cluster_id_ = *cluster;
  return {};
}

std::vector<std::string> LogDirectories::paths() const {
  std::vector<std::string> paths;
  for (const auto& directory : directories_) paths.push_back(directory.path);
  return paths;
}

int LogDirectories::index_of(Uuid directory_id) const {
  for (size_t i = 0; i < directories_.size(); ++i) {
    if (directories_[i].meta.directory_id == directory_id) return static_cast<int>(i);
  }
  return -1;
}

int64_t LogDirectories::previous_broker_epoch() const {
  std::optional<int64_t> epoch;
  for (const auto& directory : directories_) {
    if (directory.offline) continue;
    if (!directory.clean || (epoch && *epoch != directory.previous_broker_epoch)) return -1;
    epoch = directory.previous_broker_epoch;
  }
  return epoch.value_or(-1);
}

Result<std::vector<FoundLog>> LogDirectories::find_logs() {
  std::vector<FoundLog> found;
  std::map<TopicPartition, size_t> seen;
  std::set<TopicPartition> copied;
  for (size_t i = 0; i < directories_.size(); ++i) {
    LogDirectory& directory = directories_[i];
    if (directory.offline) continue;
    auto entries = disk_.list(directory.path);
    if (!entries) {
      take_offline(i, std::move(entries).error());
      continue;
    }
    for (const auto& entry : *entries) {
      if (!entry.directory || entry.name == "__cluster_metadata-0" || entry.name == "remote-log-index-cache") continue;
      const std::string path = io::join_path(directory.path, entry.name);
      std::string_view bare;
      const Kind kind = kind_of(entry.name, bare);
      if (kind == Kind::kDelete) directory.doomed.push_back(path);
      if (kind == Kind::kDelete || kind == Kind::kStray) continue;
      const auto partition = parse_partition_directory(bare);
      if (!partition) {
        return fail(ErrorCode::kKafkaStorageError, fmt::format("{}: not the directory of a partition; log.dirs may hold nothing else", path));
      }
      FoundLog log{.directory = static_cast<int>(i), .path = path, .partition = *partition};
      log.future = kind == Kind::kFuture;
      if (!log.future && !seen.emplace(*partition, i).second) {
        return fail(ErrorCode::kKafkaStorageError, fmt::format("{}: the partition is in {} too", path, directories_[seen[*partition]].path));
      }
      if (log.future && !copied.insert(*partition).second) {
        SAMSA_LOG_WARN("{}: there is another copy of the partition; this one is removed", path);
        directory.doomed.push_back(path);
        continue;
      }
      log.clean = directory.clean;
      if (auto id = read_partition_metadata(disk_, path)) log.topic_id = *id;
      log.recovery_point = entry_or_zero(directory.checkpoints.recovery_point, *partition);
      log.log_start_offset = entry_or_zero(directory.checkpoints.log_start, *partition);
      log.high_watermark = entry_or_zero(directory.checkpoints.high_watermark, *partition);
      log.first_dirty_offset = entry_or_zero(directory.checkpoints.cleaner, *partition);
      found.push_back(std::move(log));
    }
    for (const OffsetMap* map : {&directory.checkpoints.recovery_point, &directory.checkpoints.log_start, &directory.checkpoints.high_watermark,
                                 &directory.checkpoints.cleaner}) {
      for (const auto& [partition, offset] : *map) stale_entries_ = stale_entries_ || !seen.contains(partition) || seen[partition] != i;
    }
  }
  return found;
}

namespace {

OffsetMap merged(const std::vector<std::vector<DirectoryCheckpoints>>& parts, size_t index, OffsetMap DirectoryCheckpoints::* field) {
  OffsetMap all;
  for (const auto& shard : parts) {
    if (index < shard.size()) all.insert((shard[index].*field).begin(), (shard[index].*field).end());
  }
  return all;
}

}  // namespace

io::Task<Result<void>> LogDirectories::write_one(const std::string& directory, const char* name, const OffsetMap& offsets) {
  const std::string path = io::join_path(directory, name);
  std::string text = format_offset_checkpoint(offsets);
  if (written_[path] == text) co_return Result<void>();  // An idle node writes nothing.
  written_[path].clear();
  CO_TRY(co_await io::write_file_atomically_async(disk_, path, text));
  written_[path] = std::move(text);
  co_return Result<void>();
}

io::Task<Result<void>> LogDirectories::write_some(std::vector<std::vector<DirectoryCheckpoints>> parts, bool only_high_watermarks) {
  const std::pair<const char*, OffsetMap DirectoryCheckpoints::*> files[] = {{kHighWatermarkFile, &DirectoryCheckpoints::high_watermark},
                                                                           {kRecoveryFile, &DirectoryCheckpoints::recovery_point},
                                                                           {kLogStartFile, &DirectoryCheckpoints::log_start},
                                                                           {kCleanerFile, &DirectoryCheckpoints::cleaner}};
  std::optional<Error> first_error;
  for (size_t i = 0; i < directories_.size(); ++i) {
    if (directories_[i].offline) continue;
    Result<void> written;
    for (const auto& [name, field] : std::span(files).first(only_high_watermarks ? 1 : 4)) {
      if (written) written = co_await write_one(directories_[i].path, name, merged(parts, i, field));
    }
    if (written) continue;
    if (!first_error) first_error = written.error();
    // A full disk is no broken one: the next round writes it.
    if (!io::is_no_space(written.error())) take_offline(i, std::move(written).error());
  }
  if (first_error) co_return fail(*first_error);
  co_return Result<void>();
}

io::Task<Result<void>> LogDirectories::write_checkpoints(std::vector<std::vector<DirectoryCheckpoints>> parts) {
  return write_some(std::move(parts), false);
}
io::Task<Result<void>> LogDirectories::write_high_watermarks(std::vector<std::vector<DirectoryCheckpoints>> parts) {
  return write_some(std::move(parts), true);
}

Result<void> LogDirectories::mark_clean(size_t index, int64_t broker_epoch) {
  const LogDirectory& directory = directories_[index];
  if (directory.offline) return fail(*directory.offline);
  const std::string json = fmt::format("{{\"version\":0,\"brokerEpoch\":{}}}", broker_epoch);
  return io::write_file_atomically(disk_, io::join_path(directory.path, kCleanFile), as_bytes(json));
}

void LogDirectories::take_offline(size_t index, Error why) {
  LogDirectory& directory = directories_[index];
  if (directory.offline) return;
  SAMSA_LOG_ERROR("log directory {} is offline: {}", directory.path, why.text());
  directory.offline = std::move(why);
}

void LogDirectories::release() {
  for (auto& directory : directories_) directory.lock.reset();
}

}  // namespace samsa::storage
