#include "storage/indexes.h"

#include "base/assert.h"

namespace samsa::storage {

// ---- Offset index ----

Result<OffsetPosition> OffsetIndex::lookup(Offset target) {
  TRY_ASSIGN(const size_t above, file_.partition_point([&](const uint8_t* entry) { return parse(entry).offset <= target; }));
  if (above == 0) return OffsetPosition{base_, 0};
  uint8_t entry[kEntrySize];
  TRY(file_.read(above - 1, entry));
  return parse(entry);
}

io::Task<Result<OffsetPosition>> OffsetIndex::lookup_async(Offset target) {
  CO_TRY_ASSIGN(const auto entry, co_await file_.last_below([this, target](const uint8_t* e) { return parse(e).offset <= target; }));
  co_return entry ? parse(entry->data()) : OffsetPosition{base_, 0};
}

io::Task<Result<void>> OffsetIndex::warm_position(uint64_t position) {
  CO_TRY(co_await file_.last_below([this, position](const uint8_t* e) { return parse(e).position < position; }));
  co_return Result<void>();
}

Result<std::optional<OffsetPosition>> OffsetIndex::last() {
  TRY_ASSIGN(auto entry, file_.last());
  if (!entry) return std::optional<OffsetPosition>();
  return std::optional(parse(entry->data()));
}

Result<std::optional<Offset>> OffsetIndex::offset_at_or_behind(uint64_t position) {
  TRY_ASSIGN(const size_t at, file_.partition_point([&](const uint8_t* entry) { return parse(entry).position < position; }));
  if (at == file_.count()) return std::optional<Offset>();
  uint8_t entry[kEntrySize];
  TRY(file_.read(at, entry));
  return std::optional(parse(entry).offset);
}

Result<void> OffsetIndex::append(Offset offset, uint64_t position) {
  SAMSA_ASSERT(offset >= base_ && offset - base_ <= INT32_MAX && position <= INT32_MAX);
  TRY_ASSIGN(auto newest, last());
  if (full() || (newest && newest->offset >= offset)) return {};
  uint8_t entry[kEntrySize];
  store_be<int32_t>(entry, static_cast<int32_t>(offset - base_));
  store_be<int32_t>(entry + 4, static_cast<int32_t>(position));
  return file_.append(Bytes(entry, kEntrySize));
}

Result<void> OffsetIndex::truncate_to(Offset offset) {
  TRY_ASSIGN(const size_t keep, file_.partition_point([&](const uint8_t* entry) { return parse(entry).offset < offset; }));
  return file_.truncate(keep);
}

Result<void> OffsetIndex::visit(const std::function<bool(const OffsetPosition&)>& take) {
  return file_.visit([&](const uint8_t* entry) { return take(parse(entry)); });
}

Result<void> OffsetIndex::check() {
  TRY_ASSIGN(auto newest, last());
  if (newest && newest->offset <= base_ && file_.count() > 1) return fail(ErrorCode::kCorruptMessage, file_.path() + ": ends in empty entries");
  if (newest && newest->offset < base_) return fail(ErrorCode::kCorruptMessage, file_.path() + ": entry below the base offset");
  return {};
}

// ---- Time index ----

Result<TimestampEntry> TimeIndex::lookup(TimestampMs target) {
  TRY_ASSIGN(const size_t above, file_.partition_point([&](const uint8_t* entry) { return parse(entry).timestamp <= target; }));
  if (above == 0) return TimestampEntry{kNoTimestamp, base_};
  uint8_t entry[kEntrySize];
  TRY(file_.read(above - 1, entry));
  return parse(entry);
}

io::Task<Result<TimestampEntry>> TimeIndex::lookup_async(TimestampMs target) {
  CO_TRY_ASSIGN(const auto entry, co_await file_.last_below([this, target](const uint8_t* e) { return parse(e).timestamp <= target; }));
  co_return entry ? parse(entry->data()) : TimestampEntry{kNoTimestamp, base_};
}

Result<TimestampEntry> TimeIndex::last() {
  TRY_ASSIGN(auto entry, file_.last());
  if (!entry) return TimestampEntry{kNoTimestamp, base_};
  return parse(entry->data());
}

Result<void> TimeIndex::append(TimestampMs timestamp, Offset offset, bool even_full) {
  SAMSA_ASSERT(offset >= base_ && offset - base_ <= INT32_MAX);
  if (full() && !even_full) return {};
  TRY_ASSIGN(const TimestampEntry newest, last());
  if (timestamp <= newest.timestamp || offset < newest.offset) return {};
  uint8_t entry[kEntrySize];
  store_be<int64_t>(entry, timestamp);
  store_be<int32_t>(entry + 8, static_cast<int32_t>(offset - base_));
  return file_.append(Bytes(entry, kEntrySize));
}

Result<void> TimeIndex::truncate_to(Offset offset) {
  TRY_ASSIGN(const size_t keep, file_.partition_point([&](const uint8_t* entry) { return parse(entry).offset < offset; }));
  return file_.truncate(keep);
}

Result<void> TimeIndex::visit(const std::function<bool(const TimestampEntry&)>& take) {
  return file_.visit([&](const uint8_t* entry) { return take(parse(entry)); });
}

Result<void> TimeIndex::check() {
  if (file_.count() == 0) return {};
  TRY_ASSIGN(const TimestampEntry newest, last());
  uint8_t entry[kEntrySize];
  TRY(file_.read(0, entry));
  if (newest.timestamp < parse(entry).timestamp) return fail(ErrorCode::kCorruptMessage, file_.path() + ": timestamps go back");
  if (newest.offset < base_) return fail(ErrorCode::kCorruptMessage, file_.path() + ": entry below the base offset");
  if (file_.count() > 1 && newest.timestamp == 0 && newest.offset == base_) {
    return fail(ErrorCode::kCorruptMessage, file_.path() + ": ends in empty entries");
  }
  return {};
}

// ---- Transaction index ----

namespace {

AbortedEntry parse_aborted(const uint8_t* entry) {
  return {load_be<int64_t>(entry + 2), load_be<int64_t>(entry + 10), load_be<int64_t>(entry + 18), load_be<int64_t>(entry + 26)};
}

}  // namespace

Result<void> TransactionIndex::append(const AbortedEntry& entry) {
  uint8_t bytes[kEntrySize];
  store_be<int16_t>(bytes, 0);
  store_be<int64_t>(bytes + 2, entry.producer_id);
  store_be<int64_t>(bytes + 10, entry.first_offset);
  store_be<int64_t>(bytes + 18, entry.last_offset);
  store_be<int64_t>(bytes + 26, entry.last_stable_offset);
  return file_.append(Bytes(bytes, kEntrySize));
}

Result<AbortedEntry> TransactionIndex::at(size_t index) {
  uint8_t bytes[kEntrySize];
  TRY(file_.read(index, bytes));
  if (load_be<int16_t>(bytes) != 0) return fail(ErrorCode::kCorruptMessage, file_.path() + ": unknown version of an entry");
  return parse_aborted(bytes);
}

io::Task<Result<void>> TransactionIndex::warm(Offset from) {
  CO_TRY(co_await file_.last_below([from](const uint8_t* e) { return parse_aborted(e).last_offset < from; }));
  co_return Result<void>();
}

Result<bool> TransactionIndex::collect(Offset from, Offset to, std::vector<AbortedEntry>& into) {
  TRY_ASSIGN(size_t index, file_.partition_point([&](const uint8_t* entry) { return parse_aborted(entry).last_offset < from; }));
  for (; index < file_.count(); ++index) {
    TRY_ASSIGN(const AbortedEntry entry, at(index));
    if (entry.first_offset < to) into.push_back(entry);
    if (entry.last_stable_offset >= to) return true;
  }
  return false;
}

Result<void> TransactionIndex::truncate_to(Offset offset) {
  TRY_ASSIGN(const size_t keep, file_.partition_point([&](const uint8_t* entry) { return parse_aborted(entry).last_offset < offset; }));
  return file_.truncate(keep);
}

Result<void> TransactionIndex::check(Offset base) {
  Offset previous = base;
  for (size_t i = 0; i < file_.count(); ++i) {
    TRY_ASSIGN(const AbortedEntry entry, at(i));
    if (entry.last_offset < previous || entry.last_offset < entry.first_offset) {
      return fail(ErrorCode::kCorruptMessage, file_.path() + ": entries are out of order");
    }
    previous = entry.last_offset;
  }
  return {};
}

}  // namespace samsa::storage
