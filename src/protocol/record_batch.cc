#include "protocol/record_batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/varint.h"

namespace samsa::protocol {
namespace {

constexpr int32_t kSmallestLength = 14;  // Of any magic: a magic 0 entry without key and value.

// Reads the fields of records. Every read says whether it fitted; after a failure the cursor is of no use.
class Cursor {
 public:
  explicit Cursor(Bytes from) : at_(from.data()), end_(from.data() + from.size()) {}

  bool varint(int32_t& into) {
    uint64_t raw = 0;
    if (!groups(raw, kMaxVarint32Bytes) || raw > UINT32_MAX) return false;
    into = unzigzag32(static_cast<uint32_t>(raw));
    return true;
  }
  bool varlong(int64_t& into) {
    uint64_t raw = 0;
    if (!groups(raw, kMaxVarint64Bytes)) return false;
    into = unzigzag64(raw);
    return true;
  }
  bool byte(int8_t& into) {
    if (at_ == end_) return false;
    into = static_cast<int8_t>(*at_++);
    return true;
  }
  bool bytes(int32_t size, Bytes& into) {
    if (size < 0 || size > end_ - at_) return false;
    into = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  bool skip(int32_t size) {
    if (size > end_ - at_) return false;
    if (size > 0) at_ += size;
    return true;
  }
  // Length (any negative one: null) and bytes.
  bool nullable(std::optional<Bytes>& into) {
    int32_t size = 0;
    if (!varint(size)) return false;
    if (size < 0) {
      into.reset();
      return true;
    }
    return bytes(size, into.emplace());
  }
  // Ends what may be read `size` bytes from here.
  bool narrow(int32_t size) {
    if (size < 0 || size > end_ - at_) return false;
    end_ = at_ + size;
    return true;
  }
  [[nodiscard]] const uint8_t* at() const { return at_; }
  [[nodiscard]] bool done() const { return at_ == end_; }
  [[nodiscard]] std::ptrdiff_t left() const { return end_ - at_; }

 private:
  // Seven bits a byte, lowest first. One and two bytes, nearly all there are, go without the loop.
  [[gnu::always_inline]] bool groups(uint64_t& into, unsigned most) {
    if (end_ - at_ >= 2) [[likely]] {
      const uint64_t first = at_[0];
      if (first < 0x80) {
        into = first;
        ++at_;
        return true;
      }
      const uint64_t second = at_[1];
      if (second < 0x80) {
        into = (first & 0x7f) | second << 7;
        at_ += 2;
        return true;
      }
    }
    return more_groups(into, most);
  }
  bool more_groups(uint64_t& into, unsigned most) {
    const auto read = read_uvarint_raw({at_, end_}, most);
    into = read.value;
    at_ += read.size;
    return read.size != 0;
  }

  const uint8_t* at_;
  const uint8_t* end_;
};

bool skip_headers(Cursor& cursor) {
  int32_t count = 0;
  if (!cursor.varint(count) || count < 0 || count > cursor.left()) return false;
  for (int32_t i = 0; i < count; ++i) {
    int32_t size = 0;
    if (!cursor.varint(size) || size < 0 || !cursor.skip(size)) return false;
    if (!cursor.varint(size) || !cursor.skip(size)) return false;
  }
  return true;
}

bool read_headers(Cursor& cursor, std::vector<HeaderView>& into) {
  into.clear();
  int32_t count = 0;
  if (!cursor.varint(count) || count < 0 || count > cursor.left()) return false;
  for (int32_t i = 0; i < count; ++i) {
    int32_t size = 0;
    Bytes key;
    auto& header = into.emplace_back();
    if (!cursor.varint(size) || !cursor.bytes(size, key) || !cursor.nullable(header.value)) return false;
    header.key = as_text(key);
  }
  return true;
}

size_t nullable_size(const std::optional<Bytes>& bytes) {
  return bytes ? varint_size(static_cast<int64_t>(bytes->size())) + bytes->size() : 1;
}

uint8_t* put_varint(uint8_t* to, int64_t value) { return to + write_uvarint(to, zigzag64(value)); }
uint8_t* put_bytes(uint8_t* to, Bytes bytes) {
  to = put_varint(to, static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}
uint8_t* put_nullable(uint8_t* to, const std::optional<Bytes>& bytes) { return bytes ? put_bytes(to, *bytes) : put_varint(to, -1); }

void set_attributes_bit(MutableBytes batch, int16_t bit, bool on) {
  auto attributes = load_be<int16_t>(batch.data() + kCrcStart);
  attributes = static_cast<int16_t>(on ? attributes | bit : attributes & ~bit);
  store_be(batch.data() + kCrcStart, attributes);
}

}  // namespace

std::string_view timestamp_type_name(TimestampType type) { return type == TimestampType::kCreateTime ? "CreateTime" : "LogAppendTime"; }

int32_t BatchHeader::last_sequence() const {
  const int32_t base = base_sequence();
  if (base < 0) return kNoSequence;
  return static_cast<int32_t>((static_cast<uint32_t>(base) + static_cast<uint32_t>(last_offset_delta())) & INT32_MAX);
}

Result<BatchView> BatchView::parse(Bytes from) {
  if (from.size() < kBatchHeaderSize) return fail(ErrorCode::kCorruptMessage, "record batch is shorter than its header");
  const BatchView view(from.data());
  if (view.magic() != kMagicV2) return fail(ErrorCode::kCorruptMessage, fmt::format("record batch has magic {}", view.magic()));
  if (view.size() < static_cast<int64_t>(kBatchHeaderSize) || view.size() > static_cast<int64_t>(from.size())) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("record batch states {} bytes, {} are there", view.size(), from.size()));
  }
  return view;
}

uint32_t BatchView::computed_crc() const { return crc32c(bytes().subspan(kCrcStart)); }

Result<std::optional<BatchView>> BatchIterator::next() {
  const auto end_here = [this]() -> std::optional<BatchView> {
    truncated_ = !rest_.empty();
    return std::nullopt;
  };
  const auto corrupt = [this](std::string_view what, int64_t value) {
    return fail(ErrorCode::kCorruptMessage, fmt::format("at byte {}: no record batch begins here ({} {})", position_, what, value));
  };
  if (rest_.size() < kBatchOverhead) return end_here();
  const BatchHeader header(rest_.data());
  if (header.length() < kSmallestLength) return corrupt("length", header.length());
  if (rest_.size() < kBatchPrefixSize) return end_here();
  const int8_t magic = header.magic();
  if (magic < 0 || magic > kMagicV2) return corrupt("magic", magic);
  if (magic == kMagicV2 && header.size() < static_cast<int64_t>(kBatchHeaderSize)) return corrupt("length", header.length());
  if (header.size() > static_cast<int64_t>(rest_.size())) return end_here();
  if (magic != kMagicV2) {
    return fail(ErrorCode::kUnsupportedForMessageFormat, fmt::format("at byte {}: message of magic {}", position_, magic));
  }
  const BatchView view(rest_.data());
  const auto size = static_cast<size_t>(header.size());
  rest_ = rest_.subspan(size);
  position_ += size;
  return view;
}

Result<RecordReader> RecordReader::open(const BatchView& batch, Scratch& scratch, size_t limit) {
  const auto codec = batch.codec();
  if (!codec) {
    return fail(ErrorCode::kCorruptMessage,
                fmt::format("record batch names unknown compression {}", batch.attributes() & attribute::kCodecMask));
  }
  if (*codec == Codec::kNone) return RecordReader(batch, batch.payload());
  if (batch.payload().empty()) return RecordReader(batch, {});
  TRY_ASSIGN(const Bytes records, decompress(*codec, batch.payload(), scratch, limit));
  return RecordReader(batch, records);
}

Result<bool> RecordReader::next(Record& into) {
  if (done_ >= batch_.record_count()) {
    if (batch_.record_count() < 0) return fail(ErrorCode::kInvalidRecord, "record batch has a negative record count");
    if (!rest_.empty()) return fail(ErrorCode::kInvalidRecord, "record batch has bytes left after its last record");
    return false;
  }
  Cursor cursor(rest_);
  int32_t size = 0;
  int8_t attributes = 0;
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  const bool fits = cursor.varint(size) && cursor.narrow(size) && cursor.byte(attributes) && cursor.varlong(timestamp_delta) &&
                    cursor.varint(offset_delta) && cursor.nullable(into.key) && cursor.nullable(into.value) &&
                    read_headers(cursor, into.headers) && cursor.done();
  if (!fits) return fail(ErrorCode::kInvalidRecord, fmt::format("record {} of the batch does not fit its length", done_));
  into.size = static_cast<size_t>(cursor.at() - rest_.data());
  into.offset = static_cast<int64_t>(static_cast<uint64_t>(batch_.base_offset()) + static_cast<uint64_t>(int64_t{offset_delta}));
  into.timestamp = batch_.timestamp_type() == TimestampType::kLogAppendTime
                       ? batch_.max_timestamp()
                       : static_cast<int64_t>(static_cast<uint64_t>(batch_.base_timestamp()) + static_cast<uint64_t>(timestamp_delta));
  rest_ = rest_.subspan(into.size);
  ++done_;
  return true;
}

namespace {

// A number of one or two bytes; false: it has more.
[[gnu::always_inline]] inline bool read_short(const uint8_t*& at, uint32_t& into) {
  const uint32_t first = *at++;
  into = first;
  if (first < 0x80) return true;
  const uint32_t second = *at++;
  into = (first & 0x7f) | second << 7;
  return second < 0x80;
}

// Nearly every record: its numbers have one or two bytes each, and it has no headers. So few looks for the end are enough, as what is read between two
// of them is short, and at the last one everything must have ended where the record does. Gives 0 for any other record, and for a broken one.
size_t sketch_plain_record(Bytes from, RecordSketch& into) {
  constexpr size_t kShort = 2;
  constexpr size_t kBeforeKey = 4 * kShort + 1;  // Length, attributes, time, offset, the key's length.
  constexpr size_t kAfterKey = kShort + 1;       // The value's length and, behind the value, the number of headers.
  const uint8_t* at = from.data();
  if (from.size() < kBeforeKey + kAfterKey) return 0;
  uint32_t size = 0, time = 0, offset = 0, length = 0;
  if (!read_short(at, size)) return 0;
  const uint8_t* const body = at;
  ++at;  // Attributes: none are defined.
  if (!read_short(at, time) || !read_short(at, offset) || !read_short(at, length)) return 0;
  const int32_t key = unzigzag32(length);
  if (key > 0) {
    if (from.data() + from.size() - at < static_cast<std::ptrdiff_t>(key + kAfterKey)) return 0;
    at += key;
  }
  if (!read_short(at, length)) return 0;
  const int32_t value = unzigzag32(length);
  const int32_t left = unzigzag32(size) - static_cast<int32_t>(at - body);  // For value and headers.
  if (left != std::max(value, 0) + 1 || left > from.data() + from.size() - at || at[left - 1] != 0) return 0;
  into.timestamp_delta = unzigzag32(time);
  into.offset_delta = unzigzag32(offset);
  into.has_key = key >= 0;
  into.size = static_cast<size_t>(at + left - from.data());
  return into.size;
}

}  // namespace

size_t sketch_record(Bytes from, RecordSketch& into) {
  if (const size_t plain = sketch_plain_record(from, into); plain != 0) [[likely]] return plain;
  Cursor cursor(from);
  int32_t size = 0;
  int8_t attributes = 0;
  int32_t offset_delta = 0;
  int32_t length = 0;
  if (!cursor.varint(size) || !cursor.narrow(size) || !cursor.byte(attributes) || !cursor.varlong(into.timestamp_delta) ||
      !cursor.varint(offset_delta) || !cursor.varint(length) || !cursor.skip(length)) {
    return 0;
  }
  into.has_key = length >= 0;
  if (!cursor.varint(length) || !cursor.skip(length) || !skip_headers(cursor) || !cursor.done()) return 0;
  into.offset_delta = offset_delta;
  into.size = static_cast<size_t>(cursor.at() - from.data());
  return into.size;
}

RecordBatchBuilder::RecordBatchBuilder(BatchOptions options) : options_(options) { clear(); }

void RecordBatchBuilder::clear() {
  buffer_.assign(kBatchHeaderSize, 0);
  count_ = 0;
  last_delta_ = -1;
  first_timestamp_ = options_.delete_horizon;
  max_timestamp_ = kNoTimestamp;
}

void RecordBatchBuilder::append(TimestampMs timestamp, std::optional<Bytes> key, std::optional<Bytes> value,
                                std::span<const HeaderView> headers) {
  append_at(options_.base_offset + last_delta_ + 1, timestamp, key, value, headers);
}

void RecordBatchBuilder::append_at(Offset offset, TimestampMs timestamp, std::optional<Bytes> key, std::optional<Bytes> value,
                                   std::span<const HeaderView> headers) {
  const int64_t delta = offset - options_.base_offset;
  SAMSA_ASSERT(delta > last_delta_ && delta <= INT32_MAX, "offsets of a batch ascend and span 32 bits");
  if (!first_timestamp_) first_timestamp_ = timestamp;
  const auto timestamp_delta = static_cast<int64_t>(static_cast<uint64_t>(timestamp) - static_cast<uint64_t>(*first_timestamp_));

  size_t body = 1 + varint_size(timestamp_delta) + varint_size(delta) + nullable_size(key) + nullable_size(value) +
                varint_size(static_cast<int64_t>(headers.size()));
  for (const auto& header : headers) body += nullable_size(as_bytes(header.key)) + nullable_size(header.value);
  const size_t at = buffer_.size();
  buffer_.resize(at + varint_size(static_cast<int64_t>(body)) + body);

  uint8_t* to = put_varint(buffer_.data() + at, static_cast<int64_t>(body));
  *to++ = 0;  // Attributes of a record: none are defined.
  to = put_varint(to, timestamp_delta);
  to = put_varint(to, delta);
  to = put_nullable(to, key);
  to = put_nullable(to, value);
  to = put_varint(to, static_cast<int64_t>(headers.size()));
  for (const auto& header : headers) {
    to = put_bytes(to, as_bytes(header.key));
    to = put_nullable(to, header.value);
  }
  SAMSA_ASSERT(to == buffer_.data() + buffer_.size());
  last_delta_ = delta;
  ++count_;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
}

void RecordBatchBuilder::set_last_offset(Offset offset) {
  const int64_t delta = offset - options_.base_offset;
  SAMSA_ASSERT(delta >= last_delta_ && delta <= INT32_MAX, "the last offset is not before the records");
  last_delta_ = delta;
}

Result<Buffer> RecordBatchBuilder::build() {
  // An empty batch says that it is not compressed, as there is nothing to read.
  const Codec codec = count_ == 0 ? Codec::kNone : options_.codec;
  Buffer batch;
  if (codec == Codec::kNone) {
    batch = std::move(buffer_);
  } else {
    batch.resize(kBatchHeaderSize);
    TRY(compress(codec, options_.level, Bytes(buffer_).subspan(kBatchHeaderSize), batch));
  }
  SAMSA_ASSERT(batch.size() <= INT32_MAX, "a batch's length has 32 bits");
  int attributes = static_cast<int>(codec);
  if (options_.log_append_time) attributes |= attribute::kLogAppendTime;
  if (options_.transactional) attributes |= attribute::kTransactional;
  if (options_.control) attributes |= attribute::kControl;
  if (options_.delete_horizon) attributes |= attribute::kDeleteHorizon;

  uint8_t* at = batch.data();
  store_be<int64_t>(at, options_.base_offset);
  store_be<int32_t>(at + 8, static_cast<int32_t>(batch.size() - kBatchOverhead));
  store_be<int32_t>(at + 12, options_.leader_epoch);
  store_be<int8_t>(at + 16, kMagicV2);
  store_be<int16_t>(at + 21, static_cast<int16_t>(attributes));
  store_be<int32_t>(at + 23, static_cast<int32_t>(std::max<int64_t>(last_delta_, 0)));
  store_be<int64_t>(at + 27, first_timestamp_.value_or(kNoTimestamp));
  store_be<int64_t>(at + 35, options_.log_append_time.value_or(max_timestamp_));
  store_be<int64_t>(at + 43, options_.producer_id);
  store_be<int16_t>(at + 51, options_.producer_epoch);
  store_be<int32_t>(at + 53, options_.base_sequence);
  store_be<int32_t>(at + 57, count_);
  refresh_crc(batch);
  clear();
  return batch;
}

Result<Buffer> single_record_batch(const BatchOptions& options, TimestampMs timestamp, std::optional<Bytes> key,
                                   std::optional<Bytes> value) {
  RecordBatchBuilder builder(options);
  builder.append(timestamp, key, value);
  return builder.build();
}

void set_base_offset(MutableBytes batch, Offset base_offset) { store_be<int64_t>(batch.data(), base_offset); }
void set_leader_epoch(MutableBytes batch, LeaderEpoch epoch) { store_be<int32_t>(batch.data() + 12, epoch); }

void set_max_timestamp(MutableBytes batch, TimestampType type, TimestampMs max_timestamp) {
  const BatchHeader header(batch.data());
  if (header.timestamp_type() == type && header.max_timestamp() == max_timestamp) return;
  set_attributes_bit(batch, attribute::kLogAppendTime, type == TimestampType::kLogAppendTime);
  store_be<int64_t>(batch.data() + 35, max_timestamp);
  refresh_crc(batch);
}

void set_producer(MutableBytes batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence, bool transactional) {
  set_attributes_bit(batch, attribute::kTransactional, transactional);
  store_be<int64_t>(batch.data() + 43, producer_id);
  store_be<int16_t>(batch.data() + 51, producer_epoch);
  store_be<int32_t>(batch.data() + 53, base_sequence);
  refresh_crc(batch);
}

void refresh_crc(MutableBytes batch) {
  const auto size = static_cast<size_t>(BatchHeader(batch.data()).size());
  SAMSA_ASSERT(size >= kBatchHeaderSize && size <= batch.size());
  store_be<uint32_t>(batch.data() + 17, crc32c(Bytes(batch).subspan(kCrcStart, size - kCrcStart)));
}

}  // namespace samsa::protocol
