#include "storage/producer_snapshot.h"

#include "base/crc32c.h"

namespace samsa::storage {
namespace {

constexpr int16_t kVersion = 1;
constexpr size_t kCrcAt = 2;
constexpr size_t kCountAt = 6;  // The CRC covers everything from here.
constexpr size_t kEntriesAt = 10;
constexpr size_t kEntrySize = 46;

}  // namespace

Buffer encode_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries) {
  Buffer file;
  file.reserve(kEntriesAt + entries.size() * kEntrySize);
  append_be<int16_t>(file, kVersion);
  append_be<uint32_t>(file, 0);
  append_be<int32_t>(file, static_cast<int32_t>(entries.size()));
  for (const auto& entry : entries) {
    append_be<int64_t>(file, entry.producer_id);
    append_be<int16_t>(file, entry.producer_epoch);
    append_be<int32_t>(file, entry.last_sequence);
    append_be<int64_t>(file, entry.last_offset);
    append_be<int32_t>(file, entry.offset_delta);
    append_be<int64_t>(file, entry.timestamp);
    append_be<int32_t>(file, entry.coordinator_epoch);
    append_be<int64_t>(file, entry.transaction_first_offset);
  }
  store_be<uint32_t>(file.data() + kCrcAt, crc32c(Bytes(file).subspan(kCountAt)));
  return file;
}

Result<std::vector<ProducerSnapshotEntry>> decode_producer_snapshot(Bytes file) {
  if (file.size() < kEntriesAt) return fail(ErrorCode::kCorruptMessage, "producer snapshot: too short");
  if (load_be<int16_t>(file.data()) != kVersion) return fail(ErrorCode::kCorruptMessage, "producer snapshot: unknown version");
  if (load_be<uint32_t>(file.data() + kCrcAt) != crc32c(file.subspan(kCountAt))) {
    return fail(ErrorCode::kCorruptMessage, "producer snapshot: wrong CRC");
  }
  const int32_t count = load_be<int32_t>(file.data() + kCountAt);
  if (count < 0 || file.size() - kEntriesAt != static_cast<size_t>(count) * kEntrySize) {
    return fail(ErrorCode::kCorruptMessage, "producer snapshot: size does not fit the number of entries");
  }
  std::vector<ProducerSnapshotEntry> entries(static_cast<size_t>(count));
  const uint8_t* at = file.data() + kEntriesAt;
  for (auto& entry : entries) {
    entry.producer_id = load_be<int64_t>(at);
    entry.producer_epoch = load_be<int16_t>(at + 8);
    entry.last_sequence = load_be<int32_t>(at + 10);
    entry.last_offset = load_be<int64_t>(at + 14);
    entry.offset_delta = load_be<int32_t>(at + 22);
    entry.timestamp = load_be<int64_t>(at + 26);
    entry.coordinator_epoch = load_be<int32_t>(at + 34);
    entry.transaction_first_offset = load_be<int64_t>(at + 38);
    at += kEntrySize;
  }
  return entries;
}

}  // namespace samsa::storage
