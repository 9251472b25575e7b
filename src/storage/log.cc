#include "storage/log.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/mutant.h"
#include "protocol/record_batch.h"
#include "storage/file_pool.h"
#include "storage/log_loader.h"

namespace samsa::storage {
namespace {

// Of a log whose appends are synced: so much behind the recovery point moves it.
constexpr uint64_t kDurableFlushBytes = 16 << 20;

protocol::Scratch& thread_scratch() {
  thread_local protocol::Scratch scratch;
  return scratch;
}

}  // namespace

io::Task<Result<std::unique_ptr<Log>>> Log::open(LogContext& context, OpenLog options) {
  CO_TRY_ASSIGN(LoadedLog loaded, co_await load_log(context, options));
  std::unique_ptr<Log> log(new Log(context, std::move(options), std::move(loaded)));
  if (!log->topic_id_stored_ && !log->topic_id_.is_zero()) CO_TRY(log->store_topic_id());
  co_return std::move(log);
}

Log::Log(LogContext& context, OpenLog options, LoadedLog loaded)
    : context_(context),
      partition_(std::move(options.partition)),
      name_(partition_.to_string()),
      directory_(std::move(options.directory)),
      topic_id_(loaded.topic_id),
      config_(options.config),
      segments_(std::move(loaded.segments)),
      producers_(std::move(loaded.producers)),
      epochs_(std::move(loaded.epochs)),
      log_start_offset_(loaded.log_start_offset),
      log_end_offset_(loaded.log_end_offset),
      recovery_point_(loaded.recovery_point),
      durable_offset_(loaded.recovery_point),
      last_flush_ms_(context.loop.wall_ms()),
      topic_id_stored_(loaded.topic_id_stored),
      background_(context.loop),
      scratch_(&thread_scratch()) {
  for (auto& path : loaded.useless_files) doomed_.push_back({std::move(path), context.loop.now()});
  high_watermark_ = log_start_offset_;
  set_high_watermark(options.high_watermark);
  if (recovery_point_ >= log_end_offset_) return;
  for (size_t i = segments_->index_of(recovery_point_); i < segments_->size(); ++i) unflushed_bytes_ += segments_->at(i)->size();
}

Log::~Log() = default;

// ---- Offsets ----

bool Log::set_high_watermark(Offset offset) {
  offset = std::clamp(offset, log_start_offset_, log_end_offset_);
  if (offset == high_watermark_) return false;
  high_watermark_ = offset;
  producers_->replicated_to(offset);
  return true;
}

Offset Log::last_stable_offset() const {
  const auto unstable = producers_->first_unstable_offset();
  return unstable ? std::min(std::max(*unstable, log_start_offset_), high_watermark_) : high_watermark_;
}

// ---- Leader epochs ----

LeaderEpoch Log::latest_epoch() const { return epochs_->latest(); }
LeaderEpoch Log::earliest_epoch() const { return epochs_->earliest(); }
LeaderEpoch Log::epoch_of(Offset offset) const { return epochs_->epoch_of(offset); }

EpochEndOffset Log::end_offset_for_epoch(LeaderEpoch epoch) const {
  const auto [found, end] = epochs_->end_offset_for(epoch, log_end_offset_);
  return {found, end};
}

Result<void> Log::begin_epoch(LeaderEpoch epoch) {
  epochs_->assign(epoch, log_end_offset_);
  return {};
}

// ---- Flush ----

bool Log::flush_due() const {
  if (recovery_point_ >= log_end_offset_ || failure_) return false;
  if (unflushed_records_ >= static_cast<uint64_t>(config_.flush_messages)) return true;
  // Its records are synced already, and what a start has to write once more begins at the recovery point: it comes along now and then.
  if (config_.durable && unflushed_bytes_ >= kDurableFlushBytes) return true;
  return config_.flush_ms != INT64_MAX && context_.loop.wall_ms() - last_flush_ms_ >= config_.flush_ms;
}

// Syncs the segments that hold records from `from` on: data, or data and indexes.
io::Task<Result<void>> Log::sync_range(Offset from, bool indexes) {
  std::vector<std::shared_ptr<Segment>> segments;
  for (size_t i = segments_->index_of(from); i < segments_->size(); ++i) segments.push_back(segments_->at(i));
  for (auto& segment : segments) {
    if (indexes) {
      CO_TRY(co_await segment->sync());
      // A transaction index is made with its first entry.
      directory_dirty_ = segment->take_fresh_files() || directory_dirty_;
    } else {
      CO_TRY(co_await segment->sync_data());
    }
  }
  if (!name_durable_) {
    CO_TRY(co_await context_.disk.sync_directory_async(io::parent_path(directory_)));
    name_durable_ = true;
  }
  if (directory_dirty_) {
    directory_dirty_ = false;
    if (auto synced = co_await context_.disk.sync_directory_async(directory_); !synced) {
      directory_dirty_ = true;
      co_return synced;
    }
  }
  co_return Result<void>();
}

io::Task<Result<void>> Log::flush() {
  auto held = co_await flushing_.lock(context_.loop);
  if (failure_) co_return fail(*failure_);
  const Offset target = log_end_offset_;
  const uint64_t truncations = truncations_;
  unflushed_records_ = unflushed_bytes_ = 0;
  last_flush_ms_ = context_.loop.wall_ms();
  auto synced = co_await producers_->sync_snapshots();
  if (synced) synced = co_await sync_range(recovery_point_, true);
  if (synced) synced = co_await epochs_->write();
  if (!synced) co_return fail(failed(std::move(synced).error()));
  if (truncations == truncations_) {
    recovery_point_ = std::max(recovery_point_, target);
    durable_offset_ = std::max(durable_offset_, target);
    segments_->unsynced_cut.reset();
  }
  co_return Result<void>();
}

io::Task<> Log::flush_in_background() {
  auto flushed = co_await flush();
  flush_running_ = false;
  if (!flushed && !closed_) SAMSA_LOG_ERROR("{}: {}", directory_, flushed.error().text());
}

io::Task<Result<void>> Log::wait_durable(Offset offset) {
  while (durable_offset_ < offset) {
    if (failure_) co_return fail(*failure_);
    if (offset > log_end_offset_) co_return fail(ErrorCode::kOffsetOutOfRange, "the record was truncated before it was synced");
    if (SAMSA_MUTANT("skip-fsync")) {
      durable_offset_ = offset;
      break;
    }
    if (!sync_running_) {
      sync_running_ = true;
      background_.spawn(run_group_sync());
    }
    co_await synced_.wait(context_.loop);
  }
  co_return Result<void>();
}

// One sync for all that waited before it began; those that come meanwhile start the next one.
io::Task<> Log::run_group_sync() {
  auto held = co_await flushing_.lock(context_.loop);
  const Offset target = log_end_offset_;
  const uint64_t truncations = truncations_;
  auto synced = co_await sync_range(durable_offset_, false);
  if (!synced) {
    failed(std::move(synced).error());
  } else if (truncations == truncations_) {
    durable_offset_ = std::max(durable_offset_, target);
  }
  sync_running_ = false;
  synced_.notify_all();
}

// ---- Close ----

io::Task<Result<void>> Log::close() {
  if (closed_) co_return Result<void>();
  CO_TRY(co_await begin_close());
  directory_dirty_ = true;  // flush() writes the epochs itself.
  CO_TRY(co_await flush());
  end_close_synced();
  co_return Result<void>();
}

io::Task<Result<void>> Log::begin_close() {
  closed_ = true;
  end_cleaning();
  auto held = co_await cleaning_.lock(context_.loop);
  while (writing_) co_await wrote_.wait(context_.loop);
  co_await background_.join();
  if (failure_) co_return fail(*failure_);
  CO_TRY(segments_->active().finish());
  // Of a log without records the next start would remove it.
  if (log_end_offset_ > log_start_offset_) CO_TRY(producers_->write_snapshot(false));
  CO_TRY(epochs_->prepare_write());
  co_return Result<void>();
}

Result<void> Log::continue_close() { return epochs_->finish_write(); }

void Log::end_close_synced() {
  recovery_point_ = durable_offset_ = log_end_offset_;
  for (const auto& segment : segments_->all()) segment->close_files();
  for (const auto& doomed : doomed_) (void)context_.disk.remove_file(doomed.path);
  doomed_.clear();
}

io::Task<> Log::abandon() {
  if (!failure_) failure_ = Error{ErrorCode::kKafkaStorageError, directory_ + ": the log is closed"};
  closed_ = true;
  end_cleaning();
  synced_.notify_all();
  auto held = co_await cleaning_.lock(context_.loop);
  while (writing_) co_await wrote_.wait(context_.loop);
  co_await background_.join();
  for (const auto& segment : segments_->all()) segment->close_files();
}

void Log::end_cleaning() {
  ++cleanings_ended_;
  cleaning_ends_.notify_all();
}

std::vector<std::string> Log::take_deleted_files() {
  std::vector<std::string> due;
  std::erase_if(doomed_, [&](Doomed& doomed) {
    if (doomed.due > context_.loop.now()) return false;
    due.push_back(std::move(doomed.path));
    return true;
  });
  return due;
}

void Log::remove_deleted_files() {
  for (const auto& path : take_deleted_files()) {
    const auto removed = context_.disk.remove_file(path);
    if (!removed && removed.error().code != ErrorCode::kResourceNotFound) SAMSA_LOG_WARN("{}", removed.error().text());
  }
}

// ---- About ----

Result<void> Log::assign_topic_id(Uuid id) {
  if (topic_id_stored_ && topic_id_ == id) return {};
  if (topic_id_stored_ || (!topic_id_.is_zero() && topic_id_ != id)) {
    return fail(ErrorCode::kInconsistentTopicId,
                fmt::format("{}: topic id is {}, not {}", directory_, topic_id_.to_string(), id.to_string()));
  }
  topic_id_ = id;
  return store_topic_id();
}

// To the page cache only: the next sync of the log makes it durable, and a start without it takes the id from the metadata.
Result<void> Log::store_topic_id() {
  const std::string path = io::join_path(directory_, "partition.metadata");
  const std::string content = format_partition_metadata(topic_id_);
  TRY_ASSIGN(auto file, context_.disk.open(path + ".tmp", io::OpenMode::kCreateTruncate));
  TRY(file->write_at(as_bytes(content), 0));
  TRY(context_.disk.rename(path + ".tmp", path));
  topic_id_stored_ = true;
  directory_dirty_ = true;
  return {};
}

void Log::update_config(const LogConfig& config) { config_ = config; }
uint64_t Log::size_bytes() const { return segments_->bytes(); }
size_t Log::segment_count() const { return segments_->size(); }
size_t Log::producer_count() const { return producers_->entries().size(); }
void Log::expire_producers() { producers_->expire(context_.loop.wall_ms()); }

std::vector<ActiveProducer> Log::active_producers() const {
  std::vector<ActiveProducer> active;
  active.reserve(producers_->entries().size());
  for (const auto& [id, entry] : producers_->entries()) {
    active.push_back({id, entry.producer_epoch, entry.last_sequence(), entry.last_timestamp, entry.coordinator_epoch,
                      entry.transaction_first_offset});
  }
  std::ranges::sort(active, {}, &ActiveProducer::producer_id);
  return active;
}

Result<void> Log::rename_directory(const std::string& to) {
  TRY(context_.disk.rename(directory_, to));
  directory_ = to;
  name_durable_ = false;
  for (const auto& segment : segments_->all()) segment->set_directory(to);
  producers_->set_directory(to);
  epochs_->set_directory(to);
  for (auto& doomed : doomed_) doomed.path = io::join_path(to, doomed.path.substr(doomed.path.rfind('/') + 1));
  return {};
}

// Notes that the disk failed under this log: from here on nothing is written. A full disk is no failure.
Error Log::failed(Error error) {
  if (io::is_no_space(error) || failure_) return error;
  failure_ = error;
  end_cleaning();
  SAMSA_LOG_ERROR("{}: {}", directory_, error.text());
  if (context_.on_failure) context_.on_failure(*this, error);
  return error;
}

}  // namespace samsa::storage
