#include "storage/segment.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "protocol/legacy_batch.h"
#include "storage/producer_state.h"

namespace samsa::storage {
namespace {

constexpr size_t kRecentMost = 512;   // Batches remembered at most; half are dropped when full.
constexpr size_t kScanBytes = 8192;   // Read at once when walking from header to header.
constexpr uint64_t kAheadMost = 64 << 20;  // Bytes kept ahead at most.
constexpr uint64_t kAheadShare = 64;       // Of the disk's room, no more than one part in so many.
constexpr uint64_t kLeftover = 1 << 20;    // Bytes of kept room that a full segment may leave.

constexpr std::string_view kSuffixes[] = {".log", ".index", ".timeindex", ".txnindex"};

std::string file_path(const std::string& directory, Offset base, std::string_view kind, std::string_view suffix) {
  return io::join_path(directory, offset_file_name(base, std::string(kind) + std::string(suffix)));
}

}  // namespace

Segment::Segment(FilePool& pool, const std::string& directory, Offset base, const LogConfig& config, TimestampMs now, std::string_view suffix)
    : pool_(pool),
      base_(base),
      log_(pool, file_path(directory, base, ".log", suffix)),
      offsets_(pool, file_path(directory, base, ".index", suffix), base, static_cast<size_t>(config.segment_index_bytes)),
      times_(pool, file_path(directory, base, ".timeindex", suffix), base, static_cast<size_t>(config.segment_index_bytes)),
      transactions_(pool, file_path(directory, base, ".txnindex", suffix)),
      preallocated_(config.preallocate),
      reserved_(config.preallocate ? static_cast<uint64_t>(config.segment_bytes) : 0),
      max_{kNoTimestamp, base},
      created_(now),
      directory_(directory) {}

Result<void> Segment::create(const LogConfig& config) {
  TRY_ASSIGN(auto file, pool_.disk().open(path(), io::OpenMode::kCreate));  // Not kept open: most partitions are idle.
  if (config.preallocate) {
    auto reserved = file->reserve(static_cast<uint64_t>(config.segment_bytes));
    if (!reserved && !io::is_no_space(reserved.error())) return reserved;
  }
  TRY(offsets_.file().create());
  TRY(times_.file().create());
  size_ = 0;
  dirty_ = true;
  max_known_ = true;
  return {};
}

Result<void> Segment::load(bool look) {
  TRY_ASSIGN(const io::FileInfo info, pool_.disk().stat(log_.path()));
  size_ = info.size;
  dirty_ = true;  // Unknown: what another process left in the page cache.
  max_known_ = false;
  first_timestamp_.reset();
  recent_.clear();
  // All three, whatever becomes of the first: one that cannot be believed says nothing of the others.
  const auto offsets = offsets_.file().load(), times = times_.file().load(), transactions = transactions_.file().load();
  for (const auto* loaded : {&offsets, &times, &transactions}) TRY(*loaded);
  if (!offsets_.file().exists()) return fail(ErrorCode::kCorruptMessage, offsets_.file().path() + ": missing");
  if (!times_.file().exists()) return fail(ErrorCode::kCorruptMessage, times_.file().path() + ": missing");
  if (!look) return {};
  TRY(offsets_.check());
  TRY(times_.check());
  TRY_ASSIGN(const auto last, offsets_.last());
  if (last && last->position >= size_ && size_ > 0) return fail(ErrorCode::kCorruptMessage, offsets_.file().path() + ": points behind the end");
  return {};
}

Result<Offset> Segment::read_next_offset() {
  TRY_ASSIGN(const auto last, offsets_.last());
  Offset next = base_;
  TRY(scan_from(last.value_or(OffsetPosition{base_, 0}), [&](const BatchPlace& place) {
    next = place.last_offset + 1;
    return false;
  }));
  return next;
}

// ---- Append ----

bool Segment::has_room(uint64_t bytes, Offset last_offset, const LogConfig& config) const {
  return size_ + bytes <= static_cast<uint64_t>(config.segment_bytes) && last_offset - base_ <= INT32_MAX && !offsets_.full() && !times_.full();
}

Result<void> Segment::append(Bytes batches, std::span<BatchPlace> places, const LogConfig& config) {
  TRY_ASSIGN(const auto file, begin_append());
  return end_append(*file, file->write_at(batches, size_), places, config);
}

bool Segment::appends_stand(size_t bytes) const {
  if (keeping_room_) return true;
  const io::File* file = log_.peek();
  return file != nullptr && file->writes_stand(bytes);
}

Result<std::shared_ptr<io::File>> Segment::begin_append() {
  TRY_ASSIGN(auto file, log_.get());
  if (size_ > 0) TRY(max_timestamp());
  set_dirty(true);
  finished_ = false;  // A roll had no room for the next segment: this one goes on.
  return file;
}

Result<void> Segment::end_append(io::File& file, Result<void> written, std::span<BatchPlace> places, const LogConfig& config) {
  const uint64_t start = size_;
  if (!written) {
    // What was written in part must not be found by a later start.
    if (auto cut = file.truncate(start); !cut) SAMSA_LOG_ERROR("{}: {}", path(), cut.error().text());
    reserved_ = reserve_next_ = 0;
    return written;
  }
  set_dirty(true);  // A sync may have begun and ended meanwhile.
  for (BatchPlace& place : places) {
    place.position += start;
    TRY(index_batch(place, config));
    remember(place);
  }
  appended_ += size_ - start;
  return {};
}

// A write into room that is there already does not wait for the write-back that allocates, which holds the file's map for milliseconds at times, and
// costs a fifth less CPU (docs/PERFORMANCE.md). Some file systems do the same by themselves.
std::optional<Segment::Room> Segment::room_wanted(const LogConfig& config) {
  if (appended_ < kAheadFrom || keeping_room_ || size_ < reserve_next_ || reserved_ == UINT64_MAX) return std::nullopt;
  const uint64_t from = std::max(size_, reserved_);
  const auto space = pool_.disk().space(directory_);
  const uint64_t step = std::min({appended_, kAheadMost, space ? space->usable_bytes / kAheadShare : 0});
  reserve_next_ = from + std::max(step, kAheadFrom) / 2;
  const uint64_t end = std::min(from + step, static_cast<uint64_t>(config.segment_bytes));
  if (step < kAheadFrom || end <= from) return std::nullopt;  // Without it all goes on as well.
  auto file = log_.get();
  if (!file) return std::nullopt;
  keeping_room_ = true;
  return Room{std::move(*file), end};
}

io::Task<> Segment::keep_room(Room room) {
  const auto kept = co_await room.file->reserve_async(room.end);
  keeping_room_ = false;
  if (!kept) co_return;
  reserved_ = std::max(reserved_, room.end);
  if (finished_ && reserved_ > size_ + kLeftover) (void)room.file->truncate(size_);
}

void Segment::give_back_room(bool at_once) {
  const bool idle = std::exchange(idle_since_, appended_) == appended_;
  if (preallocated_ || reserved_ <= size_ || keeping_room_ || (!idle && !at_once)) return;
  auto file = log_.get();
  if (!file || !(*file)->truncate(size_)) return;  // Whatever ails the file, its next write tells.
  reserved_ = reserve_next_ = 0;
}

Result<void> Segment::index_batch(const BatchPlace& place, const LogConfig& config) {
  if (place.position == 0) first_timestamp_ = place.max_timestamp;
  max_known_ = true;
  if (place.max_timestamp > max_.timestamp) max_ = {place.max_timestamp, place.last_offset};
  if (bytes_since_index_ > static_cast<uint64_t>(config.index_interval_bytes)) {
    TRY(offsets_.append(place.last_offset, place.position));
    if (max_.timestamp > kNoTimestamp) TRY(times_.append(max_.timestamp, max_.offset));
    bytes_since_index_ = 0;
  }
  bytes_since_index_ += place.size;
  size_ = place.position + place.size;
  return {};
}

void Segment::restart_indexing(uint64_t position) {
  size_ = position;
  recent_.clear();
  first_timestamp_.reset();
  max_ = {kNoTimestamp, base_};
  if (auto newest = times_.last(); newest && newest->offset >= base_) max_ = *newest;  // Else damage.
  max_known_ = true;
  // The batch at `position` had an entry of its own, which was cut: it gets it again.
  bytes_since_index_ = position > 0 ? UINT32_MAX : 0;
}

Result<void> Segment::finish() {
  finished_ = true;
  if (std::exchange(reserved_, 0) > size_ + (preallocated_ ? 0 : kLeftover)) {
    TRY_ASSIGN(auto file, log_.get());
    TRY(file->truncate(size_));
  }
  TRY_ASSIGN(const TimestampEntry newest, max_timestamp());
  if (newest.timestamp > kNoTimestamp) TRY(times_.append(newest.timestamp, newest.offset, true));
  TRY(offsets_.file().write_out());
  TRY(times_.file().write_out());
  return transactions_.file().write_out();
}

void Segment::remember(const BatchPlace& place) {
  if (recent_.size() >= kRecentMost) recent_.erase(recent_.begin(), recent_.begin() + kRecentMost / 2);
  recent_.push_back({place.base_offset, static_cast<int32_t>(place.last_offset - place.base_offset), static_cast<uint32_t>(place.position)});
}

// ---- Find ----

std::optional<BatchPlace> Segment::find_recent(Offset target) const {
  if (recent_.empty() || target < recent_.front().base) return std::nullopt;
  auto it = std::ranges::partition_point(recent_, [&](const Recent& r) { return r.base + r.last_delta < target; });
  if (it == recent_.end()) return std::nullopt;
  const uint64_t end = std::next(it) == recent_.end() ? size_ : std::next(it)->position;
  return BatchPlace{it->base, it->base + it->last_delta, it->position, end - it->position};
}

const BatchPlace* Segment::find_warmed(Offset target) const {
  if (!warmed_) return nullptr;
  for (const Warmed& warmed : *warmed_) {
    if (target >= warmed.from && target <= warmed.place.last_offset) return &warmed.place;
  }
  return nullptr;
}

Result<std::optional<BatchPlace>> Segment::find(Offset target) {
  if (!recent_.empty() && target > recent_.back().base + recent_.back().last_delta) return std::optional<BatchPlace>();
  if (auto recent = find_recent(target)) return recent;
  if (const BatchPlace* warmed = find_warmed(target)) return *warmed;
  TRY_ASSIGN(const OffsetPosition from, offsets_.lookup(target));
  // The entry's own batch ends at or before the target.
  return scan_from(from, [&](const BatchPlace& place) { return place.last_offset >= target; });
}

io::Task<Result<void>> Segment::warm(Offset target) {
  if (remembers(target)) co_return Result<void>();
  const uint32_t cuts = cuts_;
  CO_TRY_ASSIGN(const OffsetPosition from, co_await offsets_.lookup_async(target));
  CO_TRY_ASSIGN(const auto found, co_await scan_from_async(from, [target](const BatchPlace& place) { return place.last_offset >= target; }));
  if (!found || cuts != cuts_ || find_warmed(target)) co_return Result<void>();
  if (!warmed_) warmed_ = std::make_unique<std::array<Warmed, 2>>();
  *warmed_ = {Warmed{std::min(target, found->base_offset), *found}, warmed_->front()};
  co_return Result<void>();
}

Result<std::optional<BatchPlace>> Segment::batch_at(uint64_t position) {
  return scan(position, [](const BatchPlace&) { return true; });
}

io::Task<Result<std::optional<BatchPlace>>> Segment::batch_at_async(uint64_t position) {
  return scan_async(position, [](const BatchPlace&) { return true; });
}

io::Task<Result<std::optional<BatchPlace>>> Segment::find_timestamp(TimestampMs target, Offset from) {
  CO_TRY_ASSIGN(const TimestampEntry entry, co_await times_.lookup_async(target - 1));
  CO_TRY_ASSIGN(const OffsetPosition place, co_await offsets_.lookup_async(std::max(entry.offset, from)));
  co_return co_await scan_from_async(place, [target, from](const BatchPlace& batch) { return batch.max_timestamp >= target && batch.last_offset >= from; });
}

Result<std::optional<BatchPlace>> Segment::scan_from(const OffsetPosition& entry, const std::function<bool(const BatchPlace&)>& wanted) {
  if (entry.position > 0 && entry.position < size_) {
    bool true_entry = false;
    TRY_ASSIGN(auto found, scan(entry.position, [&](const BatchPlace& place) {
      // Kafka up to 3.x states the last offset of all batches of an append.
      if (place.position == entry.position) true_entry = place.last_offset >= base_ && place.last_offset <= entry.offset;
      return !true_entry || wanted(place);
    }));
    if (true_entry) return found;
  }
  return scan(0, wanted);
}

io::Task<Result<std::optional<BatchPlace>>> Segment::scan_from_async(OffsetPosition entry, Wanted wanted) {
  if (entry.position > 0 && entry.position < size_) {
    bool true_entry = false;
    const auto looks_at = [&](const BatchPlace& place) {
      if (place.position == entry.position) true_entry = place.last_offset >= base_ && place.last_offset <= entry.offset;
      return !true_entry || wanted(place);
    };
    CO_TRY_ASSIGN(auto found, co_await scan_async(entry.position, looks_at));
    if (true_entry) co_return found;
  }
  co_return co_await scan_async(0, std::move(wanted));
}

namespace {

// The batch that begins with these bytes, a header or what of it fits before the end of the segment; nothing where there is none.
std::optional<BatchPlace> place_of(const uint8_t* at, uint64_t position, uint64_t end) {
  const protocol::BatchHeader header(at);
  const int64_t size = header.size();
  if (size < static_cast<int64_t>(protocol::kBatchPrefixSize) || position + static_cast<uint64_t>(size) > end) return std::nullopt;
  BatchPlace place{header.base_offset(), 0, position, static_cast<uint64_t>(size), kNoTimestamp, header.magic()};
  if (header.magic() == protocol::kMagicV2) {
    if (size < static_cast<int64_t>(protocol::kBatchHeaderSize)) return std::nullopt;
    place.last_offset = header.last_offset();
    place.max_timestamp = header.max_timestamp();
  } else {
    // Old formats state the last offset; a compressed entry's first one is inside.
    place.last_offset = place.base_offset;
    if (header.magic() == 1 && size >= 26) place.max_timestamp = load_be<int64_t>(at + 18);
    if (header.magic() < 0 || header.magic() > 2) return std::nullopt;
  }
  return place;
}

}  // namespace

Result<std::optional<BatchPlace>> Segment::scan(uint64_t position, const std::function<bool(const BatchPlace&)>& wanted) {
  TRY_ASSIGN(auto file, log_.get());
  uint8_t block[kScanBytes];
  uint64_t block_start = 0;
  size_t block_size = 0;
  while (position + protocol::kBatchPrefixSize <= size_) {
    const uint64_t need = std::min<uint64_t>(protocol::kBatchHeaderSize, size_ - position);
    if (position < block_start || position + need > block_start + block_size) {
      block_start = position;
      TRY_ASSIGN(block_size, file->read_at(MutableBytes(block, std::min<uint64_t>(kScanBytes, size_ - position)), position));
      if (block_size < need) return std::optional<BatchPlace>();
    }
    const auto place = place_of(block + (position - block_start), position, size_);
    if (!place || wanted(*place)) return place;
    position += place->size;
  }
  return std::optional<BatchPlace>();
}

io::Task<Result<std::optional<BatchPlace>>> Segment::scan_async(uint64_t position, Wanted wanted) {
  CO_TRY_ASSIGN(auto file, log_.get());
  Buffer block(kScanBytes);
  uint64_t block_start = 0;
  size_t block_size = 0;
  while (position + protocol::kBatchPrefixSize <= size_) {
    const uint64_t need = std::min<uint64_t>(protocol::kBatchHeaderSize, size_ - position);
    if (position < block_start || position + need > block_start + block_size) {
      block_start = position;
      const auto wish = MutableBytes(block).first(std::min<uint64_t>(kScanBytes, size_ - position));
      CO_TRY_ASSIGN(block_size, co_await file->read_at_async(wish, position));
      if (block_size < need) co_return std::optional<BatchPlace>();
    }
    const auto place = place_of(block.data() + (position - block_start), position, size_);  // The size as it is now.
    if (!place || wanted(*place)) co_return place;
    position += place->size;
  }
  co_return std::optional<BatchPlace>();
}

io::Task<Result<Buffer>> Segment::read_bytes(uint64_t position, uint64_t size) {
  if (position + size > size_) co_return fail(ErrorCode::kCorruptMessage, path() + ": read behind the end");
  CO_TRY_ASSIGN(auto file, log_.get());
  Buffer bytes(size);
  CO_TRY_ASSIGN(const size_t got, co_await file->read_at_async(bytes, position));
  if (got != size) co_return fail(ErrorCode::kKafkaStorageError, path() + ": shorter than it was");
  co_return bytes;
}

// ---- Truncate ----

Result<uint64_t> Segment::truncate_to(Offset offset) {
  TRY_ASSIGN(const auto first, find(offset));
  uint64_t end = first ? first->position : 0;
  if (!first) {
    // Nothing at or behind the offset. What is no whole batch must not stand before what is written next (a damaged segment that nobody
    // had reason to look at before).
    Offset next = base_;
    TRY(scan(0, [&](const BatchPlace& place) {
      end = place.position + place.size;
      next = place.last_offset + 1;
      return false;
    }));
    offset = std::min(offset, next);
  }
  // Damage, too: no index entry may point at what is cut.
  TRY(offsets_.visit([&](const OffsetPosition& entry) {
    if (entry.position >= end) offset = std::min(offset, entry.offset);
    return entry.position < end;
  }));
  const uint64_t before = size_;
  TRY(offsets_.truncate_to(offset));
  TRY(times_.truncate_to(offset));
  TRY(transactions_.truncate_to(offset));
  TRY(truncate_bytes(end));
  return before - size_;
}

Result<void> Segment::truncate_bytes(uint64_t size) {
  TRY_ASSIGN(auto file, log_.get());
  set_dirty(true);
  TRY(file->truncate(size));
  size_ = size;
  ++cuts_;
  warmed_.reset();
  reserved_ = reserve_next_ = 0;
  finished_ = false;
  bytes_since_index_ = 0;
  max_known_ = false;
  first_timestamp_.reset();
  std::erase_if(recent_, [&](const Recent& r) { return r.position >= size; });
  return {};
}

Result<void> Segment::clear_indexes() {
  for (IndexFile* file : {&offsets_.file(), &times_.file(), &transactions_.file()}) TRY(file->clear());
  max_ = {kNoTimestamp, base_};
  max_known_ = false;
  bytes_since_index_ = 0;
  first_timestamp_.reset();
  TRY(offsets_.file().create());
  return times_.file().create();
}

// ---- Sync ----

io::Task<Result<void>> Segment::sync_data() {
  if (!dirty_) co_return Result<void>();
  CO_TRY_ASSIGN(auto file, log_.get());
  set_dirty(false);
  auto synced = co_await file->sync();
  if (!synced) set_dirty(true);
  co_return synced;
}

io::Task<Result<void>> Segment::write_again(io::Loop& loop, uint64_t position) {
  constexpr uint64_t kPage = 4096;
  CO_TRY_ASSIGN(auto file, log_.get());
  Buffer piece(1 << 18);
  io::BackgroundSlice slice(loop);
  for (uint64_t at = position / kPage * kPage; at < size_;) {
    const auto wanted = MutableBytes(piece).first(std::min<uint64_t>(piece.size(), size_ - at));
    CO_TRY_ASSIGN(const size_t got, co_await file->read_at_async(wanted, at));
    if (got == 0) break;
    CO_TRY(file->write_at(Bytes(piece).first(got), at));
    at += got;
    if (slice.is_over()) co_await slice.pause();  // Others are served meanwhile.
  }
  set_dirty(true);
  co_return Result<void>();
}

io::Task<Result<void>> Segment::sync() {
  CO_TRY(co_await sync_data());
  CO_TRY(co_await offsets_.file().sync());
  CO_TRY(co_await times_.file().sync());
  co_return co_await transactions_.file().sync();
}

bool Segment::take_fresh_files() {
  bool fresh = false;
  for (IndexFile* file : {&offsets_.file(), &times_.file(), &transactions_.file()}) fresh = file->take_fresh() || fresh;
  return fresh;
}

// ---- About ----

Result<TimestampEntry> Segment::max_timestamp() {
  if (max_known_) return max_;
  TRY_ASSIGN(max_, times_.last());
  // What lies before the last offset entry is covered by the time index; the tail behind it is looked at.
  TRY_ASSIGN(const auto last, offsets_.last());
  OffsetPosition from = last.value_or(OffsetPosition{base_, 0});
  if (max_.offset < base_) {  // Damage: then all of it is looked at.
    max_ = {kNoTimestamp, base_};
    from = {base_, 0};
  }
  TRY(scan_from(from, [&](const BatchPlace& place) {
    const bool here = place.last_offset >= base_ && place.last_offset - base_ <= INT32_MAX;  // Else damage: the CRC does not cover it.
    if (here && place.max_timestamp > max_.timestamp) max_ = {place.max_timestamp, place.last_offset};
    return false;
  }));
  max_known_ = true;
  return max_;
}

io::Task<Result<TimestampEntry>> Segment::learn_max_timestamp() {
  if (!max_known_) {
    CO_TRY(co_await times_.file().warm_last());
    CO_TRY(co_await offsets_.file().warm_last());
    CO_TRY_ASSIGN(const auto last, offsets_.last());
    CO_TRY_ASSIGN(const auto newest, times_.last());
    const OffsetPosition from = newest.offset < base_ ? OffsetPosition{base_, 0} : last.value_or(OffsetPosition{base_, 0});
    CO_TRY(co_await scan_from_async(from, [](const BatchPlace&) { return false; }));
  }
  co_return max_timestamp();
}

Result<TimestampMs> Segment::newest_time() {
  TRY_ASSIGN(const TimestampEntry newest, max_timestamp());
  if (newest.timestamp > kNoTimestamp) return newest.timestamp;
  TRY_ASSIGN(const io::FileInfo info, pool_.disk().stat(path()));
  return info.mtime_ms;
}

Result<std::optional<TimestampMs>> Segment::first_timestamp() {
  if (!first_timestamp_ && size_ > 0) {
    TRY_ASSIGN(const auto first, batch_at(0));
    if (first) first_timestamp_ = first->max_timestamp;
  }
  return first_timestamp_;
}

void Segment::set_directory(const std::string& directory) {
  directory_ = directory;
  const auto moved = [&](const std::string& path) { return io::join_path(directory, path.substr(path.rfind('/') + 1)); };
  log_.set_path(moved(log_.path()));
  for (IndexFile* file : {&offsets_.file(), &times_.file(), &transactions_.file()}) file->set_path(moved(file->path()));
}

std::vector<std::string> Segment::paths(std::string_view suffix) const {
  std::vector<std::string> all;
  for (const auto kind : kSuffixes) all.push_back(file_path(directory_, base_, kind, suffix));
  return all;
}

Result<std::vector<std::string>> Segment::rename_suffix(std::string_view suffix) {
  const std::vector<std::string> all = paths(suffix);
  std::vector<std::string> names;
  IndexFile* indexes[] = {&offsets_.file(), &times_.file(), &transactions_.file()};
  for (size_t i = 0; i < std::size(kSuffixes); ++i) {
    const std::string from = i == 0 ? log_.path() : indexes[i - 1]->path();
    const std::string& to = all[i];
    auto renamed = pool_.disk().rename(from, to);
    if (!renamed && (renamed.error().code != ErrorCode::kResourceNotFound || i == 0)) return fail(std::move(renamed).error());
    if (i == 0) {
      log_.set_path(to);
    } else {
      indexes[i - 1]->set_path(to);
    }
    if (renamed) names.push_back(to);
  }
  return names;
}

Result<void> Segment::remove_files() {
  close_files();
  for (const std::string& path : {log_.path(), offsets_.file().path(), times_.file().path(), transactions_.file().path()}) {
    auto removed = pool_.disk().remove_file(path);
    if (!removed && removed.error().code != ErrorCode::kResourceNotFound) return removed;
  }
  return {};
}

void Segment::close_files() {
  log_.close();
  for (IndexFile* file : {&offsets_.file(), &times_.file(), &transactions_.file()}) file->close_file();
}

}  // namespace samsa::storage
