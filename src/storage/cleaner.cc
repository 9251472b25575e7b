#include "storage/cleaner.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/mutant.h"
#include "protocol/control_batch.h"
#include "protocol/legacy_batch.h"
#include "storage/batch_walker.h"
#include "storage/space_left.h"

namespace samsa::storage {
namespace {

constexpr size_t kLeastPiece = 4096;  // Read or written at once.
constexpr double kLeastPause = 0.05;  // Seconds; less is not worth a timer.
constexpr double kLongestPause = 1;   // The rate is looked up again after it.

// The batch as it is, or as batches of the current format in `converted`.
Result<Bytes> in_current_format(Bytes batch, Buffer& converted) {
  if (protocol::BatchHeader(batch.data()).magic() >= protocol::kMagicV2) return batch;
  TRY_ASSIGN(converted, protocol::up_convert(batch, kNoLeaderEpoch));
  return Bytes(converted);
}

uint64_t index_bytes(Segment& segment) {
  return segment.offsets().file().count() * OffsetIndex::kEntrySize + segment.times().file().count() * TimeIndex::kEntrySize;
}

}  // namespace

// The copy being made of a group.
struct LogCleaner::Output {
  std::shared_ptr<Segment> segment;  // Null: it is only measured.
  bool in_place = false;             // It is a segment of the log.
  uint64_t length = 0;               // What went into it.
  Buffer bytes;
  std::vector<BatchPlace> places;

  void add(Bytes batch) {
    const protocol::BatchHeader header(batch.data());
    places.push_back({header.base_offset(), header.last_offset(), bytes.size(), batch.size(), header.max_timestamp()});
    append(bytes, batch);
  }
};

LogCleaner::LogCleaner(Log& log, CleanerOptions options, const CleanerOptions* limits)
    : log_(log),
      options_(options),
      limits_(limits),
      map_(options.dedupe_bytes, {log.context_.loop.random().next(), log.context_.loop.random().next()}),
      now_(log.context_.loop.wall_ms()),
      cleanings_ended_(log.cleanings_ended_),
      throttled_at_(log.context_.loop.now()) {
  options_.io_bytes = std::max(options_.io_bytes, 2 * kLeastPiece);
}

Result<Cleanable> LogCleaner::cleanable(Log& log, Offset first_dirty) {
  auto range = look(log, first_dirty);
  if (!range) return fail(log.read_failed(std::move(range).error()));
  return range;
}

Result<Cleanable> LogCleaner::look(const Log& log, Offset first_dirty) {
  Cleanable range;
  const SegmentList& segments = *log.segments_;
  const TimestampMs now = log.context_.loop.wall_ms();
  range.first_dirty = std::max(first_dirty, log.log_start_offset_);
  if (first_dirty > log.log_end_offset_) range.first_dirty = log.log_start_offset_;
  range.first_uncleanable = std::min(segments.active().base_offset(), log.last_stable_offset());
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    Segment& segment = *segments.at(i);
    const Offset next = segments.at(i + 1)->base_offset();
    if (next <= range.first_dirty) {
      range.clean_bytes += segment.size();
      continue;
    }
    if (segment.base_offset() >= range.first_uncleanable) break;
    if (log.config_.min_compaction_lag_ms > 0) {
      TRY_ASSIGN(const TimestampMs newest, segment.newest_time());
      if (newest > now - log.config_.min_compaction_lag_ms) {
        range.first_uncleanable = std::min(range.first_uncleanable, segment.base_offset());
        break;
      }
    }
    if (!range.due && log.config_.max_compaction_lag_ms != INT64_MAX) {
      TRY_ASSIGN(const auto first, segment.first_timestamp());
      range.due = first && *first > 0 && now - *first > log.config_.max_compaction_lag_ms;
    }
    range.cleanable_bytes += segment.size();
  }
  range.first_uncleanable = std::max(range.first_uncleanable, range.first_dirty);
  return range;
}

io::Task<Result<CleanStats>> LogCleaner::clean(Cleanable range) {
  auto held = co_await log_.cleaning_.lock(log_.context_.loop);
  auto cleaned = co_await clean_round(range);
  if (cleaned) co_return cleaned;
  Error error = log_.read_failed(std::move(cleaned).error());
  // What fails because its source was taken away is no fault of the log.
  if (interrupted() && !half_exchanged_ && !io::is_device_error(error)) co_return fail(ended());
  co_return fail(std::move(error));
}

io::Task<Result<CleanStats>> LogCleaner::clean_round(Cleanable range) {
  if (interrupted() || range.first_dirty >= range.first_uncleanable) co_return fail(ErrorCode::kOperationNotAttempted, "nothing to clean");
  CO_TRY(co_await build_map(range));
  if (map_.end_offset < range.first_dirty) co_return fail(ErrorCode::kOperationNotAttempted, "nothing to clean");
  stats_.clean_to = map_.end_offset + 1;
  if (interrupted()) co_return fail(ended());
  // Segments are copied whole: the transactions up to the end of the last one count, also those behind what the map has.
  auto all_groups = groups();
  if (all_groups.empty()) co_return fail(ended());
  const Offset end = log_.segments_->at(log_.segments_->index_of(all_groups.back().back()->base_offset()) + 1)->base_offset();
  std::vector<AbortedEntry> aborted;
  CO_TRY(log_.collect_entries(0, log_.segments_->first().base_offset(), end, aborted));
  Transactions transactions(std::move(aborted));
  for (auto& group : all_groups) {
    while (!group.empty()) {
      CO_TRY_ASSIGN(const size_t count, co_await fitting(group, transactions));
      const auto behind = group.begin() + static_cast<std::ptrdiff_t>(count);
      Sources sources(group.begin(), behind);
      group.erase(group.begin(), behind);
      CO_TRY(co_await clean_group(std::move(sources), transactions));
      if (interrupted()) co_return fail(ended());  // What is written from now on may lie below clean_to.
    }
  }
  co_return stats_;
}

// ---- Transactions ----

LogCleaner::Transactions::Transactions(std::vector<AbortedEntry> aborted) : aborted_(std::move(aborted)) {
  std::ranges::sort(aborted_, {}, &AbortedEntry::first_offset);
}

void LogCleaner::Transactions::begin_up_to(Offset offset) {
  while (next_ < aborted_.size() && aborted_[next_].first_offset <= offset) {
    open_aborted_[aborted_[next_].producer_id] = {aborted_[next_]};
    ++next_;
  }
}

bool LogCleaner::Transactions::on_data(const protocol::BatchView& batch) {
  begin_up_to(batch.last_offset());
  if (!batch.is_transactional()) return false;
  const auto found = open_aborted_.find(batch.producer_id());
  if (found != open_aborted_.end()) {
    found->second.has_data = true;
    return true;
  }
  open_committed_.insert(batch.producer_id());
  return false;
}

bool LogCleaner::Transactions::on_marker(const protocol::BatchView& batch, std::optional<AbortedEntry>& keep) {
  begin_up_to(batch.last_offset());
  const auto marker = protocol::read_transaction_marker(batch);
  if (!marker) return true;  // Emptied before.
  if (marker->commit) return open_committed_.erase(batch.producer_id()) == 0;
  const auto found = open_aborted_.find(batch.producer_id());
  if (found == open_aborted_.end()) return true;
  const Open open = found->second;
  open_aborted_.erase(found);
  if (!open.has_data) return true;
  keep = open.entry;
  return false;
}

// ---- Map ----

io::Task<Result<void>> LogCleaner::build_map(const Cleanable& range) {
  std::vector<AbortedEntry> aborted;
  CO_TRY(log_.collect_entries(log_.segments_->index_of(range.first_dirty), range.first_dirty, range.first_uncleanable, aborted));
  Transactions transactions(std::move(aborted));
  std::vector<std::shared_ptr<Segment>> dirty;
  for (const auto& segment : log_.segments_->all()) dirty.push_back(segment);
  dirty.pop_back();
  io::BackgroundSlice slice(log_.context_.loop);
  for (size_t i = 0; i < dirty.size(); ++i) {
    Segment& segment = *dirty[i];
    const Offset next_base = i + 1 < dirty.size() ? dirty[i + 1]->base_offset() : log_.segments_->active().base_offset();
    if (next_base <= range.first_dirty) continue;
    if (segment.base_offset() >= range.first_uncleanable) co_return Result<void>();
    CO_TRY_ASSIGN(const auto first, segment.find(std::max(range.first_dirty, segment.base_offset())));
    if (!first) continue;
    CO_TRY_ASSIGN(auto file, segment.open_file());
    BatchWalker walker(file, first->position, segment.size(), options_.io_bytes / 2);
    for (bool more = true; more;) {
      while (auto walked = walker.next()) {
        if (slice.is_over()) co_await slice.pause();
        const protocol::BatchHeader header(walked->bytes.data());
        if (header.base_offset() >= range.first_uncleanable) co_return Result<void>();
        Buffer converted;
        CO_TRY_ASSIGN(const Bytes bytes, in_current_format(walked->bytes, converted));
        protocol::BatchIterator batches(bytes);
        for (;;) {
          CO_TRY_ASSIGN(const auto batch, batches.next());
          if (!batch) break;
          CO_TRY_ASSIGN(const bool room, map_batch(*batch, transactions, range.first_dirty));
          if (!room) co_return Result<void>();
          map_.end_offset = batch->last_offset();
        }
      }
      if (interrupted()) co_return fail(ended());
      CO_TRY_ASSIGN(more, co_await fill(walker));
    }
    if (interrupted()) co_return fail(ended());
    if (walker.damaged()) co_return fail(ErrorCode::kCorruptMessage, fmt::format("{}: no batch at byte {}", segment.path(), walker.position()));
  }
  co_return Result<void>();
}

// False where the map is full.
Result<bool> LogCleaner::map_batch(const protocol::BatchView& batch, Transactions& transactions, Offset from) {
  if (batch.is_control()) {
    std::optional<AbortedEntry> unused;
    transactions.on_marker(batch, unused);
    return true;
  }
  if (transactions.on_data(batch)) return true;
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch_));
  protocol::Record record;
  for (;;) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return true;
    if (record.key && record.offset >= from && !map_.put(*record.key, record.offset)) return false;
  }
}

// ---- Copy ----

// Runs of adjacent segments whose copies fit into one.
std::vector<LogCleaner::Sources> LogCleaner::groups() const {
  std::vector<Sources> all;
  const SegmentList& segments = *log_.segments_;
  uint64_t bytes = 0;
  uint64_t index_entries = 0;
  for (size_t i = 0; i + 1 < segments.size() && segments.at(i)->base_offset() < stats_.clean_to; ++i) {
    const auto& segment = segments.at(i);
    const Offset last = segments.at(i + 1)->base_offset() - 1;
    const uint64_t entries = std::max(segment->offsets().file().count(), segment->times().file().count());
    const uint64_t most_entries = static_cast<uint64_t>(log_.config_.segment_index_bytes) / TimeIndex::kEntrySize;
    const bool fits = !all.empty() && bytes + segment->size() <= static_cast<uint64_t>(log_.config_.segment_bytes) &&
                      index_entries + entries < most_entries && last - all.back().front()->base_offset() <= INT32_MAX;
    if (!fits) {
      all.emplace_back();
      bytes = index_entries = 0;
    }
    all.back().push_back(segment);
    bytes += segment->size();
    index_entries += entries;
  }
  return all;
}

// How many of the group's segments are copied together: as many as there is room for above the reserve. Where their sizes do not say
// that it suffices, what of them would stay is measured before, so that no copy is begun in vain.
io::Task<Result<size_t>> LogCleaner::fitting(const Sources& group, const Transactions& transactions) {
  uint64_t bytes = 0;
  for (const auto& source : group) bytes += source->size() + index_bytes(*source);
  if (bytes <= room()) co_return group.size();
  co_await free_spent();
  const uint64_t most = room();
  if (bytes <= most) co_return group.size();
  const CleanStats before = stats_;
  Transactions passed = transactions;
  Output measured;
  uint64_t indexes = 0;
  size_t count = 0;
  for (const auto& source : group) {
    CO_TRY(co_await copy_segment(*source, passed, measured));
    CO_TRY(flush_output(measured));
    indexes += index_bytes(*source);
    if (measured.length + indexes > most) break;
    ++count;
  }
  stats_ = before;
  if (count == 0) co_return fail(no_room(measured.length + indexes));
  co_return count;
}

io::Task<Result<void>> LogCleaner::clean_group(Sources sources, Transactions& transactions) {
  Output output;
  CO_TRY_ASSIGN(const io::FileInfo info, log_.context_.disk.stat(sources.back()->path()));
  LogConfig config = log_.config_;
  config.preallocate = false;  // It is written at once, and to its end.
  output.segment = std::make_shared<Segment>(log_.context_.files, log_.directory_, sources.front()->base_offset(), config, now_, ".cleaned");
  CO_TRY(output.segment->remove_files());  // Of a round that was interrupted.
  auto copied = output.segment->create(config);
  for (size_t i = 0; copied && i < sources.size(); ++i) copied = co_await copy_segment(*sources[i], transactions, output);
  if (copied) copied = flush_output(output);
  if (copied) copied = output.segment->finish();
  if (copied) copied = co_await output.segment->sync();
  if (copied) copied = log_.context_.disk.set_mtime(output.segment->path(), info.mtime_ms);
  if (copied) copied = co_await exchange(sources, output);
  if (!copied && !output.in_place) (void)output.segment->remove_files();
  if (copied) spent_.insert(spent_.end(), sources.begin(), sources.end());
  co_return copied;
}

io::Task<Result<void>> LogCleaner::copy_segment(Segment& source, Transactions& transactions, Output& output) {
  io::BackgroundSlice slice(log_.context_.loop);
  CO_TRY_ASSIGN(auto file, source.open_file());
  BatchWalker walker(file, 0, source.size(), options_.io_bytes / 2);
  for (bool more = true; more;) {
    while (auto walked = walker.next()) {
      if (slice.is_over()) co_await slice.pause();
      stats_.bytes_read += walked->bytes.size();
      Buffer converted;
      CO_TRY_ASSIGN(const Bytes bytes, in_current_format(walked->bytes, converted));
      protocol::BatchIterator batches(bytes);
      for (;;) {
        CO_TRY_ASSIGN(const auto batch, batches.next());
        if (!batch) break;
        CO_TRY(filter(*batch, transactions, output));
      }
      if (output.bytes.size() >= options_.io_bytes / 2) {
        const uint64_t written = output.segment ? output.bytes.size() : 0;
        CO_TRY(flush_output(output));
        co_await throttle(written);
      }
    }
    if (interrupted()) co_return fail(ended());
    CO_TRY_ASSIGN(more, co_await fill(walker));
  }
  // Bytes that are no batch are never dropped silently: the round ends and the segment stays as it is.
  if (walker.damaged()) co_return fail(ErrorCode::kCorruptMessage, fmt::format("{}: no batch at byte {}", source.path(), walker.position()));
  co_return Result<void>();
}

uint64_t LogCleaner::room() const { return log_.space_ == nullptr ? UINT64_MAX : log_.space_->room(); }

Error LogCleaner::no_room(uint64_t bytes) const {
  return io::storage_error(fmt::format("copy {} bytes without touching the reserve in", bytes), log_.directory_, io::kNoSpaceWords);
}

// What copies have replaced goes at once, without file.delete.delay.ms, where nobody reads it any more.
io::Task<> LogCleaner::free_spent() {
  Sources held;
  for (auto& segment : std::exchange(spent_, {})) {
    if (segment.use_count() > 1) {
      held.push_back(std::move(segment));
      continue;
    }
    segment->close_files();
    (void)co_await log_.context_.disk.remove_file_async(segment->path());  // The large one.
    (void)segment->remove_files();
  }
  spent_ = std::move(held);
}

Result<void> LogCleaner::flush_output(Output& output) {
  if (output.bytes.empty()) return {};
  output.length += output.bytes.size();
  if (output.segment) {
    // Others write meanwhile, so that each piece asks again.
    const uint64_t needed = output.bytes.size() + index_bytes(*output.segment);
    if (needed > room()) return fail(no_room(needed));
    stats_.bytes_written += output.bytes.size();
    TRY(output.segment->append(output.bytes, output.places, log_.config_));
    if (log_.space_ != nullptr) log_.space_->wrote(output.bytes.size());
  }
  output.bytes.clear();
  output.places.clear();
  return {};
}

// Decides what of the batch stays and puts it into the output.
Result<void> LogCleaner::filter(const protocol::BatchView& batch, Transactions& transactions, Output& output) {
  if (!batch.crc_matches()) return fail(ErrorCode::kCorruptMessage, fmt::format("{}: wrong CRC at offset {}", log_.directory_, batch.base_offset()));
  std::optional<AbortedEntry> keep_entry;
  const bool spent = batch.is_control() ? transactions.on_marker(batch, keep_entry) : transactions.on_data(batch);
  if (keep_entry && output.segment) TRY(output.segment->transactions().append(*keep_entry));
  const bool past_horizon = batch.delete_horizon() && *batch.delete_horizon() <= now_;
  const bool discard = batch.is_control() ? spent && past_horizon : spent;
  const bool keep_empty = is_last_of_producer(batch) || batch.next_offset() == stats_.clean_to;
  stats_.records_read += batch.record_count();

  std::vector<protocol::Record> kept;
  bool tombstones = false;
  if (!discard) {
    TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch_));
    for (;;) {
      protocol::Record record;
      TRY_ASSIGN(const bool more, reader.next(record));
      if (!more) break;
      if (!batch.is_control() && !keeps(batch, record)) continue;
      tombstones = tombstones || (!batch.is_control() && !record.value);
      kept.push_back(std::move(record));
    }
  }
  stats_.records_kept += static_cast<int64_t>(kept.size());
  if (kept.empty()) {
    if (keep_empty) TRY(rewrite(batch, kept, false, output));
    return {};
  }
  const bool set_horizon = !batch.delete_horizon() && (tombstones || (batch.is_control() && spent));
  if (static_cast<int64_t>(kept.size()) == batch.record_count() && !set_horizon) {
    output.add(batch.bytes());
    return {};
  }
  return rewrite(batch, kept, set_horizon, output);
}

bool LogCleaner::keeps(const protocol::BatchView& batch, const protocol::Record& record) const {
  if (record.offset > map_.end_offset) return true;
  if (!record.key) return false;
  if (SAMSA_MUTANT("compact-too-much") && record.offset % 17 == 0) return false;
  if (map_.get(*record.key) > record.offset) return false;
  return record.value.has_value() || !batch.delete_horizon() || now_ < *batch.delete_horizon();
}

// The batch that tells the last sequence (or, of a producer that only wrote markers, the epoch) of a producer still known.
bool LogCleaner::is_last_of_producer(const protocol::BatchView& batch) const {
  if (!batch.has_producer_id()) return false;
  const auto found = log_.producers_->entries().find(batch.producer_id());
  if (found == log_.producers_->entries().end()) return false;
  const ProducerEntry& entry = found->second;
  if (entry.batch_count > 0) return batch.last_offset() == entry.batches[entry.batch_count - 1].last_offset;
  return batch.is_control() && batch.producer_epoch() == entry.producer_epoch;
}

// Writes the batch anew with the records that stay; offsets, sequence, epoch and last offset are the old ones.
Result<void> LogCleaner::rewrite(const protocol::BatchView& batch, const std::vector<protocol::Record>& kept, bool set_horizon, Output& output) {
  protocol::BatchOptions options;
  options.base_offset = batch.base_offset();
  options.leader_epoch = batch.leader_epoch();
  options.codec = kept.empty() ? protocol::Codec::kNone : batch.codec().value_or(protocol::Codec::kNone);
  if (batch.timestamp_type() == protocol::TimestampType::kLogAppendTime) options.log_append_time = batch.max_timestamp();
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.transactional = batch.is_transactional();
  options.control = batch.is_control();
  if (!kept.empty()) {
    options.delete_horizon = batch.delete_horizon();
    if (set_horizon) options.delete_horizon = now_ + log_.config_.delete_retention_ms;
  }
  protocol::RecordBatchBuilder builder(options);
  for (const auto& record : kept) builder.append_at(record.offset, record.timestamp, record.key, record.value, record.headers);
  builder.set_last_offset(batch.last_offset());
  TRY_ASSIGN(Buffer bytes, builder.build());
  // An empty batch keeps its time: whoever rebuilds producers from it must know how long ago this one wrote.
  if (kept.empty()) protocol::set_max_timestamp(bytes, batch.timestamp_type(), batch.max_timestamp());
  output.add(bytes);
  return {};
}

// ---- Exchange ----

// The copy's files become ".swap" (from then on a start completes the exchange), the sources go, the copy gets its name.
io::Task<Result<void>> LogCleaner::exchange(const Sources& sources, Output& output) {
  io::Disk& disk = log_.context_.disk;
  CO_TRY(co_await disk.sync_directory_async(log_.directory_));
  auto exchanged = co_await replace(sources, output);
  if (exchanged) exchanged = co_await disk.sync_directory_async(log_.directory_);
  output.segment->forget_recent();
  if (exchanged || !output.in_place) co_return exchanged;
  if (!io::is_shortage(exchanged.error())) co_return fail(log_.failed(exchanged.error()));
  // It serves as it is, and a start completes the exchange. Another round would take its names from it.
  half_exchanged_ = true;
  SAMSA_LOG_WARN("{}", exchanged.error().text());
  co_return fail(ErrorCode::kKafkaStorageError, output.segment->path() + ": its exchange was not completed");
}

// A truncation returns only when it has had the lock and synced the directory after that: it never stands on a disk that has ".swap" files
// with what it took away.
io::Task<Result<void>> LogCleaner::replace(const Sources& sources, Output& output) {
  co_await log_.make_way_for_deleted(sources);
  auto held = co_await log_.flushing_.lock(log_.context_.loop);
  const auto replaced = co_await [](LogCleaner& self, const Sources& old, Output& copy) -> io::Task<Result<void>> {
    CO_TRY(self.place_of(old));
    CO_TRY(copy.segment->rename_suffix(".swap"));
    CO_TRY(co_await self.log_.context_.disk.sync_directory_async(self.log_.directory_));
    CO_TRY_ASSIGN(const size_t first, self.place_of(old));
    co_return self.take_place(old, first, copy);
  }(*this, sources, output);
  if (!replaced && !output.in_place) (void)output.segment->remove_files();
  co_return replaced;
}

// Where the sources stand in the log, if they still do.
Result<size_t> LogCleaner::place_of(const Sources& sources) const {
  const SegmentList& segments = *log_.segments_;
  const size_t first = segments.index_of(sources.front()->base_offset());
  bool there = !interrupted() && first + sources.size() < segments.size();
  for (size_t i = 0; there && i < sources.size(); ++i) there = segments.at(first + i) == sources[i];
  if (!there) return fail(ended());
  return first;
}

Result<void> LogCleaner::take_place(const Sources& sources, size_t first, Output& output) {
  log_.segments_->replace(first, first + sources.size(), output.segment);
  output.in_place = true;
  // The first source's producer snapshot is that of the copy.
  TRY(log_.remove_segments({sources.front()}, false));
  TRY(log_.remove_segments({sources.begin() + 1, sources.end()}, true));
  TRY(output.segment->rename_suffix(""));
  return {};
}

io::Task<Result<bool>> LogCleaner::fill(BatchWalker& walker) {
  const uint64_t before = walker.read();
  CO_TRY_ASSIGN(const bool more, co_await walker.fill());
  co_await throttle(walker.read() - before);
  co_return more;
}

// Waits until the bytes are paid for at the rate of the moment, or the round is to end.
io::Task<> LogCleaner::throttle(uint64_t bytes) {
  io::Loop& loop = log_.context_.loop;
  throttle_debt_ += static_cast<double>(bytes);
  bool slept = false;
  while (!interrupted()) {
    const double rate = std::max((limits_ == nullptr ? options_ : *limits_).max_bytes_per_second, 1.0);
    const double passed = static_cast<double>((loop.now() - std::exchange(throttled_at_, loop.now())).count()) / 1e9;
    throttle_debt_ = std::max(throttle_debt_ - passed * rate, 0.0);
    const double seconds = throttle_debt_ / rate;
    if (seconds <= kLeastPause) break;
    const io::Duration pause = std::chrono::microseconds(static_cast<int64_t>(std::min(seconds, kLongestPause) * 1e6));
    (void)co_await log_.cleaning_ends_.wait_until(loop, loop.now() + pause);
    slept = true;
  }
  if (!slept) co_await io::yield(loop, io::Priority::kBackground);
}

}  // namespace samsa::storage
