#include "tool/dump_log_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "protocol/legacy_batch.h"
#include "storage/producer_snapshot.h"

namespace samsa::tool {
namespace {

constexpr uint64_t kWindow = 1U << 20;
constexpr int32_t kLeastBatch = 14;  // As Kafka bounds it: the overhead of an entry of magic 0.
constexpr size_t kOffsetEntry = 8, kTimeEntry = 12, kAbortedEntry = 34;

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string beside(const std::string& path, std::string_view suffix) {
  const std::string name = file_name(path);
  return path.substr(0, path.size() - name.size()) + name.substr(0, name.find('.')) + std::string(suffix);
}

struct OffsetEntry {
  Offset offset;
  uint64_t position;
};
OffsetEntry offset_entry(const Buffer& index, size_t at, Offset base) {
  return {base + load_be<int32_t>(index.data() + at * kOffsetEntry), static_cast<uint32_t>(load_be<int32_t>(index.data() + at * kOffsetEntry + 4))};
}
struct TimeEntry {
  TimestampMs timestamp;
  Offset offset;
};
TimeEntry time_entry(const Buffer& index, size_t at, Offset base) {
  return {load_be<int64_t>(index.data() + at * kTimeEntry), base + load_be<int32_t>(index.data() + at * kTimeEntry + 8)};
}

std::unexpected<Error> odd_size(const std::string& path, size_t size, size_t entry) {
  return fail(ErrorCode::kCorruptMessage, fmt::format("Index file {} is corrupt, found {} bytes which is neither positive nor a multiple of {}", path, size, entry));
}

// Where reading for `target` begins: the position of the greatest entry at or below it. The zeros of an index that was not closed count as
// no entries.
uint64_t lookup(const Buffer& index, Offset base, Offset target) {
  uint64_t position = 0;
  for (size_t i = 0; i < index.size() / kOffsetEntry; ++i) {
    const auto entry = offset_entry(index, i, base);
    if ((i > 0 && entry.offset == base) || entry.offset > target) break;
    position = entry.position;
  }
  return position;
}

Result<TimestampMs> max_timestamp(LogFile& log, const FiledBatch& batch) {
  protocol::Scratch scratch;
  TRY_ASSIGN(const Bytes bytes, log.bytes(batch));
  TRY_ASSIGN(const auto records, records_of(bytes, scratch));
  TimestampMs most = kNoTimestamp;
  for (const auto& record : records) most = std::max(most, record.timestamp);
  return most;
}

Result<void> check_time_sanity(const std::string& path, const Buffer& index, Offset base) {
  if (index.size() / kTimeEntry > 0) {
    const auto first = time_entry(index, 0, base), last = time_entry(index, index.size() / kTimeEntry - 1, base);
    if (last.timestamp < first.timestamp) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Corrupt time index found, time index file ({}) has non-zero size but the last timestamp is {} which is less "
                                                          "than the first timestamp {}", path, last.timestamp, first.timestamp));
    }
    if (last.offset < base) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Corrupt time index found, time index file ({}) has non-zero size but the last offset is {} which is less "
                                                          "than the first offset {}", path, last.offset, base));
    }
  }
  if (index.size() % kTimeEntry != 0) return odd_size(path, index.size(), kTimeEntry);
  return {};
}

// Holds one entry of the time index against the log.
Result<void> check_time_entry(LogFile& log, const std::string& path, const TimeEntry& entry, uint64_t from, TimestampMs previous, IndexProblems& problems) {
  uint64_t position = from;
  for (;;) {
    TRY_ASSIGN(const auto batch, log.batch_at(position, log.size()));
    if (!batch || batch->last_offset > entry.offset) {
      IndexProblems::note(problems.not_found, path, entry.offset, batch ? batch->last_offset : -1);
      return {};
    }
    position += batch->size;
    if (batch->last_offset < entry.offset) continue;
    TRY_ASSIGN(const TimestampMs most, max_timestamp(log, *batch));
    if (most != entry.timestamp) IndexProblems::note(problems.time_mismatches, path, entry.timestamp, most);
    if (previous >= entry.timestamp) IndexProblems::note(problems.out_of_order, path, entry.timestamp, previous);
    return {};
  }
}

}  // namespace

// ---- The log ----

Result<LogFile> LogFile::open(io::Disk& disk, const std::string& path, uint64_t limit) {
  TRY_ASSIGN(auto file, disk.open(path, io::OpenMode::kRead));
  TRY_ASSIGN(const uint64_t size, file->size());
  return LogFile(std::move(file), std::min(size, limit));
}

Result<Bytes> LogFile::view(uint64_t position, uint64_t size) {
  if (position < window_at_ || position + size > window_at_ + window_.size()) {
    window_.resize(std::min(std::max(size, kWindow), size_ - position));
    window_at_ = position;
    TRY_ASSIGN(const size_t read, file_->read_at(window_, position));
    window_.resize(read);
    if (read < size) return fail(ErrorCode::kKafkaStorageError, "the file became shorter while it was read");
  }
  return Bytes(window_.data() + (position - window_at_), size);
}

Result<std::optional<FiledBatch>> LogFile::batch_at(uint64_t position, uint64_t end) {
  end = std::min(end, size_);
  if (position + protocol::kBatchPrefixSize >= end) return std::nullopt;
  TRY_ASSIGN(const Bytes head, view(position, std::min<uint64_t>(protocol::kBatchHeaderSize, end - position)));
  const protocol::BatchHeader header(head.data());
  if (header.length() < kLeastBatch) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("Found record size {} smaller than minimum record overhead ({}) in file {}.", header.length(), kLeastBatch, file_->path()));
  }
  FiledBatch batch{position, static_cast<uint64_t>(header.size()), header.magic(), header.base_offset()};
  if (position + batch.size > end) return std::nullopt;
  if (batch.magic >= protocol::kMagicV2) {
    if (batch.size < protocol::kBatchHeaderSize) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Found a batch of {} bytes at position {} in file {}, shorter than its header.", batch.size, position, file_->path()));
    }
    batch.last_offset = header.last_offset();
  }
  return batch;
}

Result<std::vector<protocol::Record>> records_of(Bytes batch, protocol::Scratch& scratch) {
  std::vector<protocol::Record> records;
  if (protocol::BatchHeader(batch.data()).magic() < protocol::kMagicV2) {
    TRY(protocol::read_legacy_entry(batch, scratch, records));
    return records;
  }
  TRY_ASSIGN(const auto view, protocol::BatchView::parse(batch));
  TRY_ASSIGN(auto reader, protocol::RecordReader::open(view, scratch));
  for (;;) {
    protocol::Record record;
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) return records;
    records.push_back(std::move(record));
  }
}

// ---- What is wrong ----

void IndexProblems::note(PerFile& in, const std::string& file, int64_t first, int64_t second) {
  auto found = std::ranges::find(in, file, &PerFile::value_type::first);
  if (found == in.end()) found = in.insert(in.end(), {file, {}});
  found->second.push_back({first, second});
}

std::string IndexProblems::text() const {
  std::string text;
  const auto add = [&text](const PerFile& files, const char* title, bool name, const char* line) {
    for (const auto& [file, pairs] : files) {
      text += fmt::format("{}{}\n", title, name ? file : "");
      for (const auto& pair : pairs) text += fmt::format(fmt::runtime(line), pair.first, pair.second) + "\n";
    }
  };
  add(index_mismatches, "Mismatches in :", true, "  Index offset: {}, log offset: {}");
  add(time_mismatches, "Found timestamp mismatch in :", true, "  Index timestamp: {}, log timestamp: {}");
  add(out_of_order, "Found out of order timestamp in :", true, "  Index timestamp: {}, Previously indexed timestamp: {}");
  add(not_found, "The following indexed offsets are not found in the log.", false, "Indexed offset: {}, found log offset: {}");
  add(gaps, "Non-consecutive offsets in ", true, "  {} is followed by {}");
  return text;
}

// ---- Indexes ----

Result<Offset> base_offset_of(const std::string& path) {
  const std::string name = file_name(path);
  const std::string digits = name.substr(0, name.find('.'));
  Offset offset = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), offset);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("For input string: \"{}\"", digits));
  }
  return offset;
}

Result<void> dump_offset_index(ToolContext& context, const std::string& path, const IndexMode& mode, IndexProblems& problems) {
  TRY_ASSIGN(const Offset base, base_offset_of(path));
  TRY_ASSIGN(auto log, LogFile::open(context.world.disk, beside(path, ".log")));
  TRY_ASSIGN(const Buffer index, io::read_file(context.world.disk, path));
  const size_t count = index.size() / kOffsetEntry;
  if (count == 0) {
    context.console.write(fmt::format("{} is empty.\n", path));
    return {};
  }
  if (mode.sanity_only) {
    if (const Offset last = offset_entry(index, count - 1, base).offset; last < base) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Corrupt index found, index file ({}) has non-zero size but the last offset is {} which is less than the base "
                                                          "offset {}", path, last, base));
    }
    if (index.size() % kOffsetEntry != 0) return odd_size(path, index.size(), kOffsetEntry);
    context.console.write(fmt::format("{} passed sanity check.\n", path));
    return {};
  }
  for (size_t i = 0; i < count; ++i) {
    const auto entry = offset_entry(index, i, base);
    if (entry.offset == base && i > 0) break;  // The zeros of an index that was not closed.
    if (entry.position > log.size()) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Slice from position {} exceeds end position of {}", entry.position, beside(path, ".log")));
    }
    TRY_ASSIGN(const auto batch, log.batch_at(entry.position, entry.position + mode.max_message_size));
    if (!batch) return fail(ErrorCode::kCorruptMessage, fmt::format("no whole batch of at most {} bytes at position {} of {}", mode.max_message_size, entry.position, beside(path, ".log")));
    if (batch->last_offset != entry.offset) IndexProblems::note(problems.index_mismatches, path, entry.offset, batch->last_offset);
    if (!mode.verify_only) context.console.write(fmt::format("offset: {} position: {}\n", entry.offset, entry.position));
  }
  return {};
}

Result<void> dump_time_index(ToolContext& context, const std::string& path, const IndexMode& mode, IndexProblems& problems) {
  TRY_ASSIGN(const Offset base, base_offset_of(path));
  TRY_ASSIGN(auto log, LogFile::open(context.world.disk, beside(path, ".log")));
  TRY_ASSIGN(const Buffer offsets, io::read_file(context.world.disk, beside(path, ".index")));
  TRY_ASSIGN(const Buffer index, io::read_file(context.world.disk, path));
  if (mode.sanity_only) {
    TRY(check_time_sanity(path, index, base));
    context.console.write(fmt::format("{} passed sanity check.\n", path));
    return {};
  }
  TimestampMs previous = kNoTimestamp;
  for (size_t i = 0; i < index.size() / kTimeEntry; ++i) {
    const auto entry = time_entry(index, i, base);
    if (entry.offset == base && i > 0) break;
    TRY(check_time_entry(log, path, entry, lookup(offsets, base, entry.offset), previous, problems));
    if (!mode.verify_only) context.console.write(fmt::format("timestamp: {} offset: {}\n", entry.timestamp, entry.offset));
    previous = entry.timestamp;
  }
  return {};
}

Result<void> dump_transaction_index(ToolContext& context, const std::string& path) {
  TRY(base_offset_of(path));
  auto read = io::read_file(context.world.disk, path);
  if (!read && read.error().code == ErrorCode::kResourceNotFound) return {};  // No transaction was aborted.
  TRY_ASSIGN(const Buffer index, std::move(read));
  for (size_t at = 0; at + kAbortedEntry <= index.size(); at += kAbortedEntry) {
    const uint8_t* entry = index.data() + at;
    const auto version = load_be<int16_t>(entry);
    if (version > 0) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Unexpected aborted transaction version {} in transaction index {}, current version is 0", version, path));
    }
    context.console.write(fmt::format("version: {} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}\n", version, load_be<int64_t>(entry + 2),
                                      load_be<int64_t>(entry + 10), load_be<int64_t>(entry + 18), load_be<int64_t>(entry + 26)));
  }
  return {};
}

Result<void> dump_producer_snapshot(ToolContext& context, const std::string& path) {
  TRY_ASSIGN(const Buffer file, io::read_file(context.world.disk, path));
  const auto entries = storage::decode_producer_snapshot(file);
  if (!entries) {
    context.console.write_error(fmt::format("{}\n", entries.error().text()));
    return {};
  }
  for (const auto& entry : *entries) {
    std::string line = fmt::format("producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}", entry.producer_id, entry.producer_epoch,
                                   entry.coordinator_epoch, entry.transaction_first_offset >= 0 ? fmt::format("OptionalLong[{}]", entry.transaction_first_offset) : "OptionalLong.empty",
                                   entry.timestamp);
    if (entry.last_offset >= 0) {
      int64_t first = int64_t{entry.last_sequence} - entry.offset_delta;
      if (first < 0) first += int64_t{INT32_MAX} + 1;
      line += fmt::format(" firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}", first, entry.last_sequence, entry.last_offset, entry.offset_delta,
                          entry.timestamp);
    }
    context.console.write(line + "\n");
  }
  return {};
}

}  // namespace samsa::tool
