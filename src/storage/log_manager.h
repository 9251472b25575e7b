// LogManager: the logs of one shard, over several log directories. LogDirectories (storage/log_directories.h) is the node's part:
// locks, identities, checkpoints files, which partition lies where.
//
// Start-up, on shard 0: LogDirectories::open; give every shard the FoundLogs that are its own; each shard: load().
// Timers of the server, on every shard: flush_due_logs, delete_old_segments (log.retention.check.interval.ms, first after 30 s),
// remove_deleted_files (every second or so), expire_producers (producer.id.expiration.check.interval.ms); on shard 0 the
// checkpoints: gather checkpoints() of every shard, then LogDirectories::write_checkpoints.
// Stop: close() on every shard, then LogDirectories::write_checkpoints(all) and mark_clean.
// Owner: one shard; all calls on its loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/task.h"
#include "storage/cleaner_options.h"
#include "storage/file_pool.h"
#include "storage/log.h"
#include "storage/log_directories.h"
#include "storage/space_left.h"

namespace samsa::storage {

struct Cleanable;

struct LogManagerConfig {
  LogConfig defaults;                // The broker's log.* settings.
  size_t open_files = 2000;          // Handles this shard keeps open (ours; Kafka keeps all).
  int recovery_threads = 2;          // num.recovery.threads.per.data.dir: logs loaded at the same time per directory.
  int64_t producer_id_expiration_ms = 86'400'000;
  bool verify_transactions = true;
  CleanerOptions cleaner;
  uint64_t reserve_bytes = 16U << 20;             // Clients' batches are refused when less is free, or 5 % of a small disk (ours); 0: off.
  size_t shards = 1;                              // That write to the directories at the same time.
};

class LogManager {
 public:
  // The topic's settings at load: returns the LogConfig for a topic (the broker's defaults where it has none of its own).
  using ConfigOf = std::function<LogConfig(const std::string& topic)>;

  LogManager(io::Loop& loop, io::Disk& disk, LogManagerConfig config);
  ~LogManager();

  // LogDirectories::paths(), before anything else; their indexes are used throughout.
  void set_directories(std::vector<std::string> paths);

  // Opens the logs found at start-up; recovers those whose directory was not shut down cleanly. A log that cannot be opened takes
  // its directory offline (KAFKA_STORAGE_ERROR) and the others go on; the error is returned only when no directory is left. One that
  // cannot be opened because the disk is full is left for get_or_create.
  // "-future" logs are kept apart (find_future).
  // Resumes when all are open. With a `patience`: when all are that have little to recover, and after that time in any case. The others come
  // later: on_loaded() says which. Until then they are not found, get_or_create fails, and their checkpoints stay as they were.
  io::Task<Result<void>> load(std::vector<FoundLog> found, ConfigOf config_of, std::optional<std::chrono::milliseconds> patience = {});
  // Called for each log that was opened (or is left for get_or_create) after load() had resumed. Given up when all are.
  void on_loaded(std::function<void(const TopicPartition&)> function) { on_loaded_ = std::move(function); }
  // Whether the partition has a log that is still to be opened: its own, or the "-future" one where that is all there is.
  [[nodiscard]] bool is_loading(const TopicPartition& partition) const;
  [[nodiscard]] bool is_future_loading(const TopicPartition& partition) const;
  [[nodiscard]] bool any_loading() const { return loading_count() > 0; }

  // The log of a partition, or null.
  [[nodiscard]] Log* find(const TopicPartition& partition) const;
  [[nodiscard]] Log* find_future(const TopicPartition& partition) const;
  // The same, created where it does not exist, in the directory (-1: the online one with the fewest logs). An existing log stays where
  // it is and gets the config. KAFKA_STORAGE_ERROR where the directory is offline, INCONSISTENT_TOPIC_ID for another id.
  io::Task<Result<Log*>> get_or_create(const TopicPartition& partition, Uuid topic_id, const LogConfig& config, int directory = -1);
  // Where the partition's log is to be made (AlterReplicaLogDirs before there is one); before any directory that get_or_create is asked for. Ends
  // when there is a log. Kept in memory only, and not for more than kMostPreferred partitions.
  void prefer_directory(const TopicPartition& partition, int directory);
  static constexpr size_t kMostPreferred = 100'000;
  // Renames the directory to "...-delete", forgets the log and removes the files after file.delete.delay.ms.
  io::Task<Result<void>> remove(const TopicPartition& partition);
  // A replica that the metadata does not assign to this node: renamed "...-stray" and kept aside.
  io::Task<Result<void>> set_aside_as_stray(const TopicPartition& partition);
  void update_config(const std::string& topic, const LogConfig& config);
  // Calls the function for every log (not future ones), in no order.
  void for_each(const std::function<void(Log&)>& function) const;
  // The same for future logs.
  void for_each_future(const std::function<void(Log&)>& function) const;
  [[nodiscard]] size_t size() const { return logs_.size(); }

  // ---- Moves between directories (AlterReplicaLogDirs) ----
  // The "-future" copy in another directory, made empty where there is none; the caller fills it with append_as_follower.
  io::Task<Result<Log*>> get_or_create_future(const TopicPartition& partition, int directory);
  // The future log has caught up: it takes the place of the current one, which goes as "-delete". Where there is no current one (a crash
  // came between the two renames) it becomes the partition's log.
  io::Task<Result<Log*>> promote_future(const TopicPartition& partition);
  io::Task<Result<void>> remove_future(const TopicPartition& partition);
  // The partitions that have a future log.
  [[nodiscard]] std::vector<TopicPartition> futures() const;

  // Which directory (index) the partition lies in; -1: none.
  [[nodiscard]] int directory_of(const TopicPartition& partition) const;
  [[nodiscard]] int future_directory_of(const TopicPartition& partition) const;
  [[nodiscard]] const std::vector<std::string>& directories() const { return directories_; }
  // Directories (by index) that get no new logs while another one may (cordoned.log.dirs).
  void set_cordoned(std::vector<bool> cordoned) { cordoned_ = std::move(cordoned); }
  [[nodiscard]] bool is_cordoned(int directory) const {
    return directory >= 0 && static_cast<size_t>(directory) < cordoned_.size() && cordoned_[static_cast<size_t>(directory)];
  }
  // "-delete" directories found at start, for this shard to remove.
  void add_doomed(int directory, std::vector<std::string> paths);

  // ---- Timers ----
  io::Task<> flush_due_logs();
  // Retention over all logs; returns the number of segments deleted. A log that is being compacted has its turn afterwards, so that rounds come
  // to their ends; where there is no room left it does not wait.
  io::Task<size_t> delete_old_segments();
  // Files and directories whose delay has passed, one after the other, beside the loop. One call at a time.
  io::Task<> remove_deleted_files();
  void expire_producers();
  // Looks at the room left in each directory against reserve_bytes; while it is short, appends of clients are refused. Every second; logs
  // look in between when they write much.
  void check_space();
  // Whether produce to this directory is to be refused (KAFKA_STORAGE_ERROR, retriable) because the disk is nearly full.
  [[nodiscard]] bool is_full(int directory) const { return space_[static_cast<size_t>(directory)]->full(); }
  // Compacts the log that needs it most (past max.compaction.lag.ms first, then the greatest dirty ratio above its
  // min.cleanable.dirty.ratio); whether there was one. Called every log.cleaner.backoff.ms, again at once while it says true. Each call is one
  // "cleaner thread" of this shard. A log whose round fails keeps its first dirty offset, since keys that no map has seen must not count as
  // clean: for want of room it is tried again after a while, a failing disk takes the directory offline, damage makes it uncleanable.
  io::Task<bool> clean_dirtiest();
  // The node stops: rounds under way come to their end, and no other begins.
  void end_cleaning();
  // Logs of the directory that are not compacted any more until the next start, because a round found damage in them.
  struct Uncleanable {
    size_t partitions = 0;
    uint64_t bytes = 0;  // That wait to be compacted.
  };
  [[nodiscard]] Uncleanable uncleanable(int directory) const;
  // log.cleaner.dedupe.buffer.size and ...io.buffer.size of one cleaning, from the next one on, and ...io.max.bytes.per.second, at once.
  void set_cleaner_limits(const CleanerOptions& limits) { config_.cleaner = limits; }
  // What the checkpoint files of each directory say of this shard's logs.
  [[nodiscard]] std::vector<DirectoryCheckpoints> checkpoints() const;

  // Clean close of all logs. After it checkpoints() still answers. Returns for each directory whether all its logs closed cleanly.
  io::Task<std::vector<bool>> close();

  // A directory failed (EIO): its logs are abandoned and not found any more. Idempotent.
  void take_offline(int directory, const Error& why);
  [[nodiscard]] bool is_offline(int directory) const { return directory >= 0 && offline_[static_cast<size_t>(directory)]; }
  [[nodiscard]] bool any_offline() const;
  // Called once for each directory that goes offline, in a later step of this loop, after its logs are gone from find() (the server
  // tells the controller and the other shards).
  void on_offline(std::function<void(int directory)> function) { on_offline_ = std::move(function); }

  [[nodiscard]] FilePool& files() { return files_; }
  [[nodiscard]] LogContext& context() { return context_; }

 private:
  // Why a log is not compacted now.
  struct Uncleaned {
    bool until_restart = false;     // Damage.
    io::MonoTime again;             // Not before.
    std::chrono::minutes pause{0};  // Before `again`; doubled each time.
  };
  struct Entry {
    std::unique_ptr<Log> log;
    int directory = 0;
    Uncleaned uncleaned = {};
  };
  struct Doomed {
    std::string path;
    io::MonoTime due;
    int directory = 0;
  };
  // A log that is out of service. It stays for a while: whoever was suspended in it resumes to its refusal.
  struct Retired {
    std::unique_ptr<Log> log;
    io::MonoTime due;
  };
  struct Loading;
  using Found = std::unordered_map<TopicPartition, FoundLog>;
  // Found at start, but not opened for want of room.
  struct Postponed {
    OpenLog options;
    FoundLog found;
  };
  using Logs = std::unordered_map<TopicPartition, Entry>;

  io::Task<> load_some(std::shared_ptr<Loading> loading, int directory);
  io::Task<bool> load_one(Loading& loading, const FoundLog& found, bool however_long);
  [[nodiscard]] size_t loading_count() const;
  void forget_lost(const TopicPartition& partition, Uuid topic_id);
  static void add_checkpoint(DirectoryCheckpoints& part, const FoundLog& found);
  [[nodiscard]] int least_loaded() const;
  io::Task<Result<void>> rename_away(Logs& from, TopicPartition partition, std::string_view suffix);
  io::Task<> close_some(std::vector<Log*>& logs, size_t& next, std::vector<bool>& clean, bool together);
  // Which directory (index) the partition directory lies in.
  [[nodiscard]] int index_of_path(const std::string& path) const;
  [[nodiscard]] size_t index_of_directory(const Log& log) const;
  void sync_file_systems(std::vector<bool>& clean);
  [[nodiscard]] uint64_t bytes_above_reserve(size_t directory, uint64_t needed);
  void note_failure(Log& log, const Error& error);
  std::optional<TopicPartition> dirtiest(Cleanable& range);
  void note_not_cleaned(const TopicPartition& partition, const Error& error);
  io::Task<> drop_offline(int directory);

  io::Loop& loop_;
  io::Disk& disk_;
  LogManagerConfig config_;
  FilePool files_;
  LogContext context_;
  std::vector<std::string> directories_;
  std::vector<bool> offline_;
  std::vector<std::unique_ptr<SpaceLeft>> space_;  // Per directory.
  std::vector<bool> full_;                         // As was last said in the log.
  std::vector<size_t> counts_;  // Logs in each directory, future ones too.
  Logs logs_;
  Logs futures_;
  std::vector<Doomed> doomed_;
  std::vector<Retired> retired_;
  std::unordered_map<TopicPartition, Postponed> postponed_;  // get_or_create tries again.
  Found pending_, pending_futures_;                          // Found at start and not opened yet, or never where the directory failed.
  std::function<void(const TopicPartition&)> on_loaded_;
  std::vector<bool> cordoned_;
  std::set<TopicPartition> cleaning_;
  bool cleaning_ended_ = false;
  std::unordered_map<TopicPartition, int> preferred_;  // Directories of logs that are not there yet.
  std::vector<DirectoryCheckpoints> final_checkpoints_;
  std::function<void(int)> on_offline_;
  io::TaskGroup loaders_;
  io::TaskGroup background_;
};

}  // namespace samsa::storage
