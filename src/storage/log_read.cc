// Log: reading and looking up.
//
// What is not in the page cache is read on the disk's threads, also where a place is looked up: in offset, time and transaction indexes and from
// header to header. A slow disk holds up its readers and not the shard. On the loop is only met what leaves the page cache between two reads of
// one call, the opening of a file that nobody used for a while, and of a transaction index what lies behind its first hundreds of entries.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "protocol/legacy_batch.h"
#include "storage/batch_walker.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log.h"
#include "storage/producer_state.h"
#include "storage/segment_list.h"

namespace samsa::storage {

namespace {

using Segments = std::vector<std::shared_ptr<Segment>>;

// Whether the segment that has the offset, or would have it, is this one or one before it.
bool is_before_next(const SegmentList& segments, const Segment& segment, Offset offset) {
  const size_t next = segments.index_of(segment.base_offset()) + 1;
  return next >= segments.size() || offset < segments.at(next)->base_offset();
}

Segments segments_from(const SegmentList& segments, size_t index) {
  const auto all = segments.all();
  return index < all.size() ? Segments(all.begin() + static_cast<std::ptrdiff_t>(index), all.end()) : Segments();
}

// Whether none of them was removed or compacted.
bool are_current(const SegmentList& segments, const Segments& some) {
  return std::ranges::all_of(some, [&](const auto& segment) { return segments.at(segments.index_of(segment->base_offset())) == segment; });
}

bool any_aborted(const SegmentList& segments, size_t from) {
  return std::ranges::any_of(segments.all().subspan(from), [](const auto& segment) { return segment->transactions().file().count() > 0; });
}

// For Log::collect_entries.
io::Task<Result<void>> warm_aborted(Segments segments, Offset from, Offset to) {
  std::vector<AbortedEntry> entries;
  for (const auto& segment : segments) {
    if (segment->transactions().file().count() == 0) continue;
    CO_TRY(co_await segment->transactions().warm(from));
    CO_TRY_ASSIGN(const bool complete, segment->transactions().collect(from, to, entries));
    if (complete) break;
  }
  co_return Result<void>();
}

}  // namespace

io::Task<Result<LogRead>> Log::read(ReadRequest request) {
  if (request.offset < log_start_offset_ || request.offset > log_end_offset_) {
    co_return fail(ErrorCode::kOffsetOutOfRange, fmt::format("Offset {} is out of range: {} has {} to {}", request.offset,
                                                             partition_.to_string(), log_start_offset_, log_end_offset_));
  }
  const Offset upper_bound = std::min(request.upper_bound, log_end_offset_);
  if (request.offset >= upper_bound) co_return LogRead{};
  Offset base = segments_->at(segments_->index_of(request.offset))->base_offset();
  for (;;) {
    const std::shared_ptr<Segment> segment = segments_->at(segments_->index_of(base));
    if (segment->base_offset() >= upper_bound) break;
    const uint64_t truncations = truncations_;
    const auto went = [&]() -> Result<void> {
      if (truncations == truncations_ && request.offset >= log_start_offset_) return {};
      return fail(ErrorCode::kOffsetOutOfRange, fmt::format("Offset {} of {} went while it was read", request.offset, partition_.to_string()));
    };
    const bool bound_here = upper_bound < log_end_offset_ && is_before_next(*segments_, *segment, upper_bound);
    const auto knows = [&] { return segment->remembers(request.offset) && (!bound_here || segment->remembers(upper_bound)); };
    for (int tries = 0; tries < 2 && !knows(); ++tries) {  // Twice, where one place took the other's.
      auto warmed = co_await segment->warm(request.offset);
      if (warmed && bound_here) warmed = co_await segment->warm(upper_bound);
      CO_TRY(went());
      if (!warmed) co_return fail(read_failed(std::move(warmed).error()));
    }
    auto read = read_segment(*segment, request, upper_bound);
    if (!read) co_return fail(read_failed(std::move(read).error()));
    if (read->first_batch_offset < 0) {
      // A segment whose tail was compacted away may end before the offset: the next one has what follows.
      const size_t following = segments_->index_of(segment->base_offset()) + 1;
      if (following >= segments_->size()) break;
      base = segments_->at(following)->base_offset();
      continue;
    }
    if (request.aborted_transactions && any_aborted(*segments_, segments_->index_of(segment->base_offset()))) {
      Segments later = segments_from(*segments_, segments_->index_of(segment->base_offset()));
      Offset to = upper_bound;
      const io::FileSlice& slice = read->slices.empty() ? io::FileSlice{} : read->slices.front();
      if (read->segment_end && later.size() > 1) {
        to = std::min(to, later[1]->base_offset());
      } else if (!read->segment_end && !read->slices.empty()) {
        const uint64_t end = slice.offset + slice.length;
        if (auto warmed = co_await segment->offsets().warm_position(end); !warmed) co_return fail(read_failed(std::move(warmed).error()));
        const auto behind = segment->offsets().offset_at_or_behind(end);
        if (!behind) co_return fail(read_failed(behind.error()));
        to = std::min(to, behind->value_or(to));
      }
      if (auto warmed = co_await warm_aborted(std::move(later), request.offset, to); !warmed) co_return fail(read_failed(std::move(warmed).error()));
      CO_TRY(went());
      // The list may have changed meanwhile.
      auto done = collect_aborted(segments_->index_of(segment->base_offset()), request.offset, to, read->aborted);
      if (!done) co_return fail(read_failed(std::move(done).error()));
    }
    co_return read;
  }
  co_return LogRead{};
}

// What the segment has from the offset on, below the bound. first_batch_offset -1: nothing at or behind the offset.
Result<LogRead> Log::read_segment(Segment& segment, const ReadRequest& request, Offset upper_bound) {
  LogRead read;
  TRY_ASSIGN(const auto first, segment.find(request.offset));
  if (!first) return read;
  read.first_batch_offset = first->base_offset;
  uint64_t end = segment.size();
  if (upper_bound < log_end_offset_ && is_before_next(*segments_, segment, upper_bound)) {
    TRY_ASSIGN(const auto bound, segment.find(upper_bound));
    if (bound) end = bound->position;
  }
  if (end <= first->position) return read;
  uint64_t length = std::min(request.max_bytes, end - first->position);
  if (length < first->size) {
    if (!request.min_one_batch) return read;
    length = first->size;
  }
  TRY_ASSIGN(auto file, segment.open_file());
  read.segment_end = first->position + length == segment.size() && &segment != &segments_->active();
  read.slices.push_back({std::move(file), first->position, length});
  return read;
}

io::Task<Result<Buffer>> Log::read_bytes(ReadRequest request) {
  CO_TRY_ASSIGN(const LogRead found, co_await read(request));
  Buffer bytes(found.size());
  size_t at = 0;
  for (const auto& slice : found.slices) {
    const auto got = co_await slice.file->read_at_async(MutableBytes(bytes).subspan(at, slice.length), slice.offset);
    if (!got) co_return fail(read_failed(got.error()));
    if (*got != slice.length) co_return fail(ErrorCode::kKafkaStorageError, slice.file->path() + ": shorter than it was");
    at += slice.length;
  }
  size_t whole = 0;
  while (bytes.size() - whole >= protocol::kBatchOverhead) {
    const int64_t size = protocol::BatchHeader(bytes.data() + whole).size();
    if (size <= 0 || static_cast<uint64_t>(size) > bytes.size() - whole) break;
    whole += static_cast<size_t>(size);
  }
  bytes.resize(whole);
  co_return bytes;
}

// ---- Aborted transactions ----

Result<std::vector<AbortedTransaction>> Log::aborted_transactions(Offset from, Offset to) {
  std::vector<AbortedTransaction> aborted;
  if (auto done = collect_aborted(segments_->index_of(from), from, to, aborted); !done) return fail(read_failed(std::move(done).error()));
  return aborted;
}

// The marker of a transaction may lie segments behind its data, so the walk goes on until an entry says that nothing can follow.
Result<void> Log::collect_entries(size_t segment_index, Offset from, Offset to, std::vector<AbortedEntry>& into) const {
  for (size_t i = segment_index; i < segments_->size(); ++i) {
    TransactionIndex& index = segments_->at(i)->transactions();
    if (index.file().count() == 0) continue;
    TRY_ASSIGN(const bool complete, index.collect(from, to, into));
    if (complete) break;
  }
  return {};
}

Result<void> Log::collect_aborted(size_t segment_index, Offset from, Offset to, std::vector<AbortedTransaction>& into) {
  std::vector<AbortedEntry> entries;
  TRY(collect_entries(segment_index, from, to, entries));
  for (const auto& entry : entries) into.push_back({entry.producer_id, entry.first_offset});
  return {};
}

// ---- Timestamps ----

// A look-up whose segments are cut, removed or compacted under it is made anew.
constexpr int kAttempts = 5;

io::Task<Result<std::optional<TimestampOffset>>> Log::offset_for_timestamp(TimestampMs timestamp) {
  for (int attempt = 1;; ++attempt) {
    const uint64_t truncations = truncations_;
    const Segments segments = segments_from(*segments_, segments_->index_of(log_start_offset_));
    auto found = co_await find_timestamp(timestamp);
    if (attempt < kAttempts && (truncations != truncations_ || !are_current(*segments_, segments))) continue;
    if (!found) co_return fail(read_failed(std::move(found).error()));
    co_return found;
  }
}

io::Task<Result<std::optional<TimestampOffset>>> Log::offset_of_max_timestamp() {
  for (int attempt = 1;; ++attempt) {
    const uint64_t truncations = truncations_;
    const Segments segments = segments_from(*segments_, segments_->index_of(log_start_offset_));
    auto found = co_await find_max_timestamp();
    if (attempt < kAttempts && (truncations != truncations_ || !are_current(*segments_, segments))) continue;
    if (!found) co_return fail(read_failed(std::move(found).error()));
    co_return found;
  }
}

io::Task<Result<std::optional<TimestampOffset>>> Log::find_timestamp(TimestampMs timestamp) {
  const Segments segments = segments_from(*segments_, segments_->index_of(log_start_offset_));
  for (const auto& segment : segments) {
    if (segment->size() == 0) continue;
    CO_TRY_ASSIGN(const TimestampEntry newest, co_await segment->learn_max_timestamp());
    if (newest.timestamp < timestamp) continue;
    CO_TRY_ASSIGN(const auto found, co_await first_record_at(segment, timestamp));
    if (found) co_return found;
  }
  co_return std::optional<TimestampOffset>();
}

// Segments state their greatest timestamp with records below the log start and with batches that compaction emptied. Where that is what it
// is, their records are looked at one by one.
io::Task<Result<std::optional<TimestampOffset>>> Log::find_max_timestamp() {
  std::vector<std::pair<TimestampMs, std::shared_ptr<Segment>>> holders;
  const Segments segments = segments_from(*segments_, segments_->index_of(log_start_offset_));
  for (const auto& segment : segments) {
    if (segment->size() == 0) continue;
    CO_TRY_ASSIGN(const TimestampEntry entry, co_await segment->learn_max_timestamp());
    if (entry.timestamp > kNoTimestamp) holders.emplace_back(entry.timestamp, segment);
  }
  std::ranges::stable_sort(holders, std::greater<>(), [](const auto& holder) { return holder.first; });
  std::optional<TimestampOffset> newest;
  for (const auto& [timestamp, segment] : holders) {
    if (newest && newest->timestamp >= timestamp) break;
    CO_TRY_ASSIGN(auto found, co_await first_record_at(segment, timestamp));
    if (!found) {
      CO_TRY_ASSIGN(found, co_await newest_record(segment));
    }
    if (found && (!newest || found->timestamp > newest->timestamp)) newest = found;
  }
  co_return newest;
}

namespace {

// The first record of the batch with at least this timestamp and at or above `from`.
Result<std::optional<TimestampOffset>> record_at(Bytes bytes, TimestampMs timestamp, Offset from, protocol::Scratch& scratch) {
  std::vector<protocol::Record> records;
  LeaderEpoch epoch = kNoLeaderEpoch;
  if (protocol::BatchHeader(bytes.data()).magic() < protocol::kMagicV2) {
    TRY(protocol::read_legacy_entry(bytes, scratch, records));
    for (const auto& record : records) {
      if (record.timestamp >= timestamp && record.offset >= from) return std::optional(TimestampOffset{record.timestamp, record.offset, epoch});
    }
    return std::optional<TimestampOffset>();
  }
  TRY_ASSIGN(const auto batch, protocol::BatchView::parse(bytes));
  epoch = batch.leader_epoch();
  if (batch.timestamp_type() == protocol::TimestampType::kLogAppendTime && batch.record_count() == batch.last_offset() - batch.base_offset() + 1) {
    return std::optional(TimestampOffset{batch.max_timestamp(), std::max(batch.base_offset(), from), epoch});
  }
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch));
  protocol::Record record;
  for (;;) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return std::optional<TimestampOffset>();
    if (record.timestamp >= timestamp && record.offset >= from) return std::optional(TimestampOffset{record.timestamp, record.offset, epoch});
  }
}

// The first record of the batch with its greatest timestamp of those at or above `from`.
Result<std::optional<TimestampOffset>> newest_at(Bytes bytes, Offset from, protocol::Scratch& scratch) {
  std::optional<TimestampOffset> newest;
  const auto take = [&](const protocol::Record& record, LeaderEpoch epoch) {
    if (record.offset < from || record.timestamp <= (newest ? newest->timestamp : kNoTimestamp)) return;
    newest = TimestampOffset{record.timestamp, record.offset, epoch};
  };
  if (protocol::BatchHeader(bytes.data()).magic() < protocol::kMagicV2) {
    std::vector<protocol::Record> records;
    TRY(protocol::read_legacy_entry(bytes, scratch, records));
    for (const auto& record : records) take(record, kNoLeaderEpoch);
    return newest;
  }
  TRY_ASSIGN(const auto batch, protocol::BatchView::parse(bytes));
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(batch, scratch));
  protocol::Record record;
  for (;;) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return newest;
    take(record, batch.leader_epoch());
  }
}

}  // namespace

io::Task<Result<std::optional<TimestampOffset>>> Log::first_record_at(std::shared_ptr<Segment> segment, TimestampMs timestamp) {
  const Offset from = log_start_offset_;
  CO_TRY_ASSIGN(auto place, co_await segment->find_timestamp(timestamp, from));
  while (place) {
    CO_TRY_ASSIGN(const Buffer bytes, co_await segment->read_bytes(place->position, place->size));
    auto found = record_at(bytes, timestamp, from, *scratch_);
    if (!found || *found) co_return found;
    CO_TRY_ASSIGN(place, co_await segment->batch_at_async(place->position + place->size));  // Only emptied batches get here.
  }
  co_return std::optional<TimestampOffset>();
}

// The same from the log start on, found by going through all of the segment's batches.
io::Task<Result<std::optional<TimestampOffset>>> Log::newest_record(std::shared_ptr<Segment> segment) {
  const Offset from = log_start_offset_;
  std::optional<TimestampOffset> newest;
  std::optional<uint64_t> position;  // Of a later batch that says to have something newer...
  uint64_t size = 0;
  TimestampMs greatest = kNoTimestamp;  // ...and this is what it says.
  CO_TRY(co_await segment->warm(from));
  CO_TRY_ASSIGN(const auto first, segment->find(from));
  if (!first) co_return newest;
  CO_TRY_ASSIGN(auto file, segment->open_file());
  BatchWalker walker(file, first->position, segment->size());
  io::BackgroundSlice slice(context_.loop);
  for (bool more = true; more;) {
    while (auto walked = walker.next()) {
      if (slice.is_over()) co_await slice.pause();
      const protocol::BatchHeader header(walked->bytes.data());
      if (header.magic() < protocol::kMagicV2 || header.base_offset() < from) {
        CO_TRY_ASSIGN(const auto found, newest_at(walked->bytes, from, *scratch_));
        if (!found || found->timestamp <= greatest) continue;
        newest = found;
        greatest = found->timestamp;
        position.reset();
      } else if (header.record_count() > 0 && header.max_timestamp() > greatest) {
        greatest = header.max_timestamp();
        position = walked->position;
        size = walked->bytes.size();
      }
    }
    CO_TRY_ASSIGN(more, co_await walker.fill());
  }
  if (!position) co_return newest;
  CO_TRY_ASSIGN(const Buffer bytes, co_await segment->read_bytes(*position, size));
  CO_TRY_ASSIGN(const auto last, newest_at(bytes, from, *scratch_));
  co_return last && (!newest || last->timestamp > newest->timestamp) ? last : newest;
}

// ---- Estimates ----

Offset Log::segment_base_of(Offset offset) const { return segments_->at(segments_->index_of(offset))->base_offset(); }

Offset Log::first_segment_offset() const { return segments_->first().base_offset(); }

uint64_t Log::bytes_between(Offset from, Offset to) const {
  to = std::min(to, log_end_offset_);
  if (from >= to) return 0;
  const size_t first = segments_->index_of(from);
  const size_t last = segments_->index_of(to - 1);
  const auto position_of = [&](size_t index, Offset offset) -> uint64_t {
    Segment& segment = *segments_->at(index);
    const Offset base = segment.base_offset();
    const Offset end = index + 1 < segments_->size() ? segments_->at(index + 1)->base_offset() : log_end_offset_;
    if (offset >= end) return segment.size();
    if (offset <= base) return 0;
    if (!segment.remembers(offset)) {  // Nobody waits here for a disk: records are taken to be of one size.
      return static_cast<uint64_t>(static_cast<double>(segment.size()) * static_cast<double>(offset - base) / static_cast<double>(end - base));
    }
    auto place = segment.find(offset);
    return place && *place ? (*place)->position : segment.size();
  };
  const uint64_t start = position_of(first, from);
  const uint64_t end = position_of(last, to);
  if (first == last) return end > start ? end - start : 0;
  uint64_t total = segments_->at(first)->size() - start + end;
  for (size_t i = first + 1; i < last; ++i) total += segments_->at(i)->size();
  return total;
}

}  // namespace samsa::storage
