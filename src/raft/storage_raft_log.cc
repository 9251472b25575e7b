#include "raft/storage_raft_log.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "raft/snapshot.h"

namespace samsa::raft {

namespace {
constexpr uint64_t kNoteEvery = 16 * 1024;  // Bytes of log.

// "<offset> <its CRC-32C>": a torn note is none.
constexpr const char* kNoteFile = "synced";
std::string format_note(Offset offset) {
  const std::string text = std::to_string(offset);
  return fmt::format("{} {:08x}\n", text, crc32c(as_bytes(text)));
}

storage::LogConfig log_config(const RaftConfig& config) {
  storage::LogConfig to;
  to.segment_bytes = static_cast<int32_t>(std::min<int64_t>(config.segment_bytes, INT32_MAX));
  to.segment_ms = config.segment_ms;
  to.retention_ms = -1;
  to.retention_bytes = -1;
  to.cleanup_delete = false;
  to.max_message_bytes = INT32_MAX;
  to.timestamp_after_max_ms = INT64_MAX;
  return to;
}
}  // namespace

StorageRaftLog::StorageRaftLog(io::World world, const RaftConfig& config)
    : world_(world),
      config_(config),
      directory_(io::join_path(config.metadata_dir, "__cluster_metadata-0")),
      files_(world.disk, 64),
      context_{.loop = world.loop, .disk = world.disk, .files = files_} {}

io::Task<Result<std::unique_ptr<StorageRaftLog>>> StorageRaftLog::open(io::World world, const RaftConfig& config) {
  std::unique_ptr<StorageRaftLog> log(new StorageRaftLog(world, config));
  CO_TRY(world.disk.create_directories(log->directory_));
  CO_TRY(world.disk.sync_directory(config.metadata_dir));
  CO_TRY_ASSIGN(log->snapshots_, scan_snapshots(world.disk, log->directory_));
  if (!log->snapshots_.empty() && log->snapshots_.front() == kBootstrapId) {
    log->bootstrap_snapshot_ = true;
    log->snapshots_.erase(log->snapshots_.begin());
  }
  storage::OpenLog options;
  options.directory = log->directory_;
  options.partition = {"__cluster_metadata", 0};
  options.topic_id = kMetadataTopicId;
  options.config = log_config(config);
  options.write_again_from = log->noted_offset();
  CO_TRY_ASSIGN(log->log_, co_await storage::Log::open(log->context_, std::move(options)));
  CO_TRY(log->log_->assign_topic_id(kMetadataTopicId));
  log->noted_ = std::min(*options.write_again_from, log->end_offset());
  if (!log->snapshots_.empty()) {
    const OffsetAndEpoch newest = log->snapshots_.back();
    const bool beyond = newest.offset > log->end_offset() || newest.epoch > log->last_epoch();
    const bool anew = log->start_offset() == newest.offset && log->end_offset() == newest.offset;
    if (beyond && !anew) {
      SAMSA_LOG_WARN("metadata log ends at {}, without the last record of its snapshot {}: it starts anew there", log->end_offset(), snapshot_name(newest));
      CO_TRY(co_await log->restart_at(newest));
    }
  }
  if (log->start_offset() > 0 && (log->snapshots_.empty() || log->snapshots_.back().offset < log->start_offset())) {
    co_return fail(ErrorCode::kKafkaStorageError,
                   fmt::format("{}: the log begins at offset {} but there is no snapshot at or after it", log->directory_, log->start_offset()));
  }
  CO_TRY(co_await log->sync());
  (void)log->note_synced(log->durable_);  // It may have said more than what is left of the log.
  co_return log;
}

std::optional<OffsetAndEpoch> StorageRaftLog::latest_snapshot() const {
  if (snapshots_.empty()) return std::nullopt;
  return snapshots_.back();
}
std::optional<OffsetAndEpoch> StorageRaftLog::earliest_snapshot() const {
  if (snapshots_.empty()) return std::nullopt;
  return snapshots_.front();
}

LeaderEpoch StorageRaftLog::last_epoch() const {
  const LeaderEpoch epoch = log_->latest_epoch();
  if (epoch >= 0) return epoch;
  return snapshots_.empty() ? 0 : snapshots_.back().epoch;
}

OffsetAndEpoch StorageRaftLog::end_of_epoch(LeaderEpoch epoch) const {
  const auto found = log_->end_offset_for_epoch(epoch);
  if (found.epoch >= 0 && found.end_offset >= 0) return {found.end_offset, found.epoch};
  // Every epoch of the log is larger, or it is empty: what stands before it is the snapshot it starts after.
  const LeaderEpoch before = snapshots_.empty() ? 0 : snapshots_.front().epoch;
  if (log_->latest_epoch() < 0 && !snapshots_.empty()) return {log_->log_end_offset(), snapshots_.back().epoch};
  return {log_->log_start_offset(), before};
}

Result<void> StorageRaftLog::append(Buffer batch, LeaderEpoch epoch) {
  since_note_ += batch.size();
  TRY(log_->append_as_leader(batch, {.leader_epoch = epoch, .origin = storage::AppendOrigin::kRaft}));
  return {};
}

Result<void> StorageRaftLog::append_as_follower(Bytes batches, LeaderEpoch epoch) {
  // Batches of a later epoch are not of this leader; nothing after them is either.
  protocol::BatchIterator iterator(batches);
  size_t usable = 0;
  while (true) {
    TRY_ASSIGN(const auto next, iterator.next());
    if (!next || next->leader_epoch() > epoch) break;
    usable += next->bytes().size();
  }
  if (usable == 0) return {};
  since_note_ += usable;
  TRY(log_->append_as_follower(batches.first(usable), epoch));
  return {};
}

io::Task<Result<Buffer>> StorageRaftLog::read(Offset from, Offset until, uint64_t max_bytes) {
  if (from >= until) co_return Buffer{};
  co_return co_await log_->read_bytes({.offset = from, .max_bytes = max_bytes, .upper_bound = until, .min_one_batch = true});
}

io::Task<Result<void>> StorageRaftLog::sync() {
  const Offset end = log_->log_end_offset();
  const auto synced = co_await log_->wait_durable(end);
  // Cut meanwhile, as a follower of another leader does it: what is left may need a sync of its own, which the caller sees.
  const bool was_cut = !synced && synced.error().code == ErrorCode::kOffsetOutOfRange;
  if (!synced && !was_cut) co_return fail(synced.error());
  if (!was_cut && end > durable_ && end <= log_->log_end_offset()) durable_ = end;
  if (!was_cut && since_note_ >= kNoteEvery) (void)note_synced(durable_);  // Without it a start writes more.
  co_return Result<void>{};
}

io::Task<Result<void>> StorageRaftLog::truncate(Offset offset) {
  if (offset < noted_) CO_TRY(forget_note());
  durable_ = std::min(durable_, offset);  // First: a sync that is under way looks at it.
  CO_TRY(co_await log_->truncate_to(offset));
  std::erase_if(snapshots_, [&](const OffsetAndEpoch& id) { return id.offset > offset; });
  co_return Result<void>{};
}

io::Task<Result<void>> StorageRaftLog::restart_at(OffsetAndEpoch snapshot) {
  CO_TRY(forget_note());
  durable_ = std::min(durable_, snapshot.offset);
  CO_TRY(co_await log_->truncate_fully_and_start_at(snapshot.offset));
  durable_ = snapshot.offset;
  co_return Result<void>{};
}

std::string StorageRaftLog::snapshot_path(OffsetAndEpoch id) const { return io::join_path(directory_, snapshot_name(id)); }

bool StorageRaftLog::has_snapshot(OffsetAndEpoch id) const { return std::find(snapshots_.begin(), snapshots_.end(), id) != snapshots_.end(); }

void StorageRaftLog::add_snapshot(OffsetAndEpoch id) {
  if (has_snapshot(id)) return;
  snapshots_.insert(std::upper_bound(snapshots_.begin(), snapshots_.end(), id), id);
}

Result<void> StorageRaftLog::clean(Offset high_watermark, TimestampMs now_ms) {
  while (snapshots_.size() > 1) {
    const OffsetAndEpoch oldest = snapshots_.front();
    TRY_ASSIGN(const auto info, world_.disk.stat(snapshot_path(oldest)));
    uint64_t total = log_->size_bytes();
    for (const auto& id : snapshots_) {
      if (auto s = world_.disk.stat(snapshot_path(id))) total += s->size;
    }
    const bool old = config_.max_retention_ms >= 0 && now_ms - info.mtime_ms > config_.max_retention_ms;
    const bool large = config_.max_retention_bytes >= 0 && total > static_cast<uint64_t>(config_.max_retention_bytes);
    if (!old && !large) break;
    TRY(world_.disk.remove_file(snapshot_path(oldest)));
    snapshots_.erase(snapshots_.begin());
  }
  if (snapshots_.empty() || snapshots_.front().offset > high_watermark) return {};
  log_->set_high_watermark(high_watermark);
  TRY(log_->advance_log_start(snapshots_.front().offset));
  TRY(log_->delete_old_segments());
  log_->remove_deleted_files();
  return {};
}

// To the page cache alone: it matters only as long as that lives.
Result<void> StorageRaftLog::note_synced(Offset offset) {
  since_note_ = 0;  // Where it fails, not with every sync again.
  const std::string path = io::join_path(directory_, kNoteFile);
  TRY_ASSIGN(auto file, world_.disk.open(path + ".tmp", io::OpenMode::kCreateTruncate));
  TRY(file->write_at(as_bytes(format_note(offset)), 0));
  TRY(world_.disk.rename(path + ".tmp", path));
  noted_ = offset;
  return {};
}

// What is cut was synced, what comes in its place is not yet.
Result<void> StorageRaftLog::forget_note() {
  noted_ = 0;
  const std::string path = io::join_path(directory_, kNoteFile);
  if (!world_.disk.exists(path)) return {};
  return world_.disk.remove_file(path);
}

Offset StorageRaftLog::noted_offset() const {
  const auto content = io::read_file(world_.disk, io::join_path(directory_, kNoteFile));
  Offset offset = 0;
  if (!content) return 0;
  const auto text = as_text(*content);
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
  return parsed.ec == std::errc{} && offset >= 0 && format_note(offset) == text ? offset : 0;
}

io::Task<Result<void>> StorageRaftLog::close() {
  CO_TRY(co_await log_->close());
  (void)note_synced(log_->log_end_offset());
  co_return Result<void>{};
}

}  // namespace samsa::raft
