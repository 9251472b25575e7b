#include "protocol/legacy_batch.h"

#include <fmt/format.h>
#include <libdeflate.h>

#include <algorithm>

namespace samsa::protocol {
namespace {

constexpr size_t kCrcAt = 12;
constexpr size_t kCrcFrom = 16;             // The CRC covers from the magic on.
constexpr size_t kAttributesAt = 17;
constexpr size_t kTimestampAt = 18;
constexpr size_t kRunLimit = 64U << 10;     // Bytes of uncompressed entries that one new batch takes.

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorruptMessage, std::move(message)); }

// One entry, parsed where it lies.
struct Entry {
  Offset offset = 0;
  int8_t magic = 0;
  int8_t attributes = 0;
  TimestampMs timestamp = kNoTimestamp;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  size_t size = 0;  // Bytes, whole.

  [[nodiscard]] std::optional<Codec> codec() const { return codec_from_bits(attributes & attribute::kCodecMask); }
  [[nodiscard]] bool stamped() const { return magic == 1 && (attributes & attribute::kLogAppendTime) != 0; }
};

// i32 length (negative: null) and bytes.
bool read_nullable(Bytes& from, std::optional<Bytes>& into) {
  if (from.size() < 4) return false;
  const auto size = load_be<int32_t>(from.data());
  from = from.subspan(4);
  if (size < 0) {
    into.reset();
    return true;
  }
  if (static_cast<size_t>(size) > from.size()) return false;
  into = from.first(static_cast<size_t>(size));
  from = from.subspan(static_cast<size_t>(size));
  return true;
}

// The whole size of the entry at the front; 0 if it is cut short.
Result<size_t> entry_size(Bytes from) {
  if (from.size() < kBatchPrefixSize) return size_t{0};
  const auto length = load_be<int32_t>(from.data() + 8);
  const auto magic = load_be<int8_t>(from.data() + 16);
  const int32_t least = magic == kMagicV2 ? static_cast<int32_t>(kBatchHeaderSize - kBatchOverhead)
                                          : static_cast<int32_t>(magic == 1 ? kLegacyOverheadV1 : kLegacyOverheadV0);
  if (magic < 0 || magic > kMagicV2 || length < least) return corrupt(fmt::format("length {} with magic {}", length, magic));
  const size_t size = kBatchOverhead + static_cast<size_t>(length);
  return size <= from.size() ? size : 0;
}

uint32_t legacy_crc(Bytes entry) { return libdeflate_crc32(0, entry.data() + kCrcFrom, entry.size() - kCrcFrom); }

Result<Entry> parse_entry(Bytes from) {
  TRY_ASSIGN(const size_t size, entry_size(from));
  if (size == 0) return corrupt("message cut short");
  Entry entry;
  entry.size = size;
  entry.offset = load_be<int64_t>(from.data());
  entry.magic = load_be<int8_t>(from.data() + 16);
  if (entry.magic > 1) return corrupt(fmt::format("magic {} within an old message set", entry.magic));
  entry.attributes = load_be<int8_t>(from.data() + kAttributesAt);
  if (entry.magic == 1) entry.timestamp = load_be<int64_t>(from.data() + kTimestampAt);
  Bytes rest = from.first(size).subspan(entry.magic == 1 ? kTimestampAt + 8 : kTimestampAt);
  if (!read_nullable(rest, entry.key) || !read_nullable(rest, entry.value) || !rest.empty()) {
    return corrupt(fmt::format("message at offset {}: key and value do not fit its length", entry.offset));
  }
  if (legacy_crc(from.first(size)) != load_be<uint32_t>(from.data() + kCrcAt)) {
    return corrupt(fmt::format("message at offset {}: wrong CRC", entry.offset));
  }
  return entry;
}

void add_record(const Entry& entry, Offset offset, TimestampMs timestamp, std::vector<Record>& into) {
  auto& record = into.emplace_back();
  record.offset = offset;
  record.timestamp = timestamp;
  record.key = entry.key;
  record.value = entry.value;
  record.size = entry.size;
}

Result<void> read_inner_set(const Entry& outer, Bytes set, std::vector<Record>& into) {
  const size_t first = into.size();
  while (!set.empty()) {
    TRY_ASSIGN(const auto inner, parse_entry(set));
    if (inner.magic != outer.magic) return corrupt(fmt::format("magic {} within a message of magic {}", inner.magic, outer.magic));
    if (inner.codec() != Codec::kNone) return corrupt("a compressed message within a compressed message");
    add_record(inner, inner.offset, outer.stamped() ? outer.timestamp : inner.timestamp, into);
    set = set.subspan(inner.size);
  }
  if (into.size() == first) return corrupt("a compressed message without messages inside");
  if (outer.magic == 0) return {};
  // Magic 1: the outer offset is that of the last inner message, the inner ones are relative.
  const auto shift = static_cast<uint64_t>(outer.offset) - static_cast<uint64_t>(into.back().offset);
  for (size_t i = first; i < into.size(); ++i) into[i].offset = static_cast<Offset>(static_cast<uint64_t>(into[i].offset) + shift);
  return {};
}

Result<void> read_entry(const Entry& entry, Scratch& scratch, std::vector<Record>& into, size_t limit) {
  const auto codec = entry.codec();
  if (!codec || *codec == Codec::kZstd) return corrupt(fmt::format("old message with compression {}", entry.attributes & 7));
  if (*codec == Codec::kNone) {
    add_record(entry, entry.offset, entry.timestamp, into);
    return {};
  }
  if (!entry.value) return corrupt("a compressed message with a null value");
  TRY_ASSIGN(const Bytes set, decompress(*codec, *entry.value, scratch, limit, entry.magic == 0));
  return read_inner_set(entry, set, into);
}

// Collects records of one kind and writes them as one batch.
class Converter {
 public:
  Converter(LeaderEpoch leader_epoch, Buffer& to) : leader_epoch_(leader_epoch), to_(to) {}

  Result<void> add(const Entry& entry, const std::vector<Record>& records) {
    const Codec codec = *entry.codec();
    const auto stamp = entry.stamped() ? std::optional(entry.timestamp) : std::nullopt;
    bool joins = joinable(codec, stamp);
    for (const auto& record : records) {
      if (record.offset <= last_) return corrupt(fmt::format("offset {} follows {}", record.offset, last_));
      if (!joins || record.offset - builder_->options().base_offset > INT32_MAX) {
        TRY(flush());
        start(codec, stamp, record.offset);
        joins = true;
      }
      builder_->append_at(record.offset, record.timestamp, record.key, record.value);
      last_ = record.offset;
    }
    return {};
  }
  Result<void> flush() {
    if (!builder_) return {};
    TRY_ASSIGN(const auto batch, builder_->build());
    append(to_, batch);
    builder_.reset();
    return {};
  }

 private:
  // Whether an entry goes into the batch under way: only uncompressed ones of one kind of timestamp do.
  [[nodiscard]] bool joinable(Codec codec, std::optional<TimestampMs> stamp) {
    return builder_ && codec == Codec::kNone && builder_->options().codec == Codec::kNone &&
           builder_->options().log_append_time == stamp && builder_->size() < kRunLimit;
  }
  void start(Codec codec, std::optional<TimestampMs> stamp, Offset base) {
    BatchOptions options;
    options.base_offset = base;
    options.leader_epoch = leader_epoch_;
    options.codec = codec;
    options.log_append_time = stamp;
    builder_.emplace(options);
  }

  LeaderEpoch leader_epoch_;
  Buffer& to_;
  std::optional<RecordBatchBuilder> builder_;
  Offset last_ = -1;
};

}  // namespace

Result<std::optional<BatchSummary>> summarize_batch(Bytes from) {
  TRY_ASSIGN(const size_t size, entry_size(from));
  if (size == 0) return std::nullopt;
  BatchSummary summary;
  summary.size = size;
  const BatchHeader header(from.data());
  summary.magic = header.magic();
  summary.base_offset = header.base_offset();
  if (summary.magic == kMagicV2) {
    summary.last_offset = header.last_offset();
    summary.max_timestamp = header.max_timestamp();
    return summary;
  }
  summary.last_offset = summary.base_offset;
  if (summary.magic == 1) summary.max_timestamp = load_be<int64_t>(from.data() + kTimestampAt);
  summary.exact = (load_be<int8_t>(from.data() + kAttributesAt) & attribute::kCodecMask) == 0;
  return summary;
}

bool any_crc_matches(Bytes batch) {
  const auto size = entry_size(batch);
  if (!size || *size != batch.size()) return false;
  if (load_be<int8_t>(batch.data() + 16) == kMagicV2) {
    const auto view = BatchView::parse(batch);
    return view && view->crc_matches();
  }
  return legacy_crc(batch) == load_be<uint32_t>(batch.data() + kCrcAt);
}

Result<void> read_legacy_entry(Bytes entry, Scratch& scratch, std::vector<Record>& into, size_t limit) {
  TRY_ASSIGN(const auto parsed, parse_entry(entry));
  return read_entry(parsed, scratch, into, limit);
}

Result<Buffer> up_convert(Bytes entries, LeaderEpoch leader_epoch, size_t limit) {
  Buffer to;
  Converter converter(leader_epoch, to);
  Scratch scratch;
  std::vector<Record> records;
  while (!entries.empty()) {
    TRY_ASSIGN(const auto entry, parse_entry(entries));
    records.clear();
    TRY(read_entry(entry, scratch, records, limit));
    TRY(converter.add(entry, records));
    entries = entries.subspan(entry.size);
  }
  TRY(converter.flush());
  return to;
}

}  // namespace samsa::protocol
