// Record batches, magic 2: the unit of the log, of Produce and of Fetch (docs/formats/record_batch.md).
//
// BatchHeader is a read-only view of the 61 bytes before the records; BatchView has the records too. BatchIterator walks the batches
// of a buffer, RecordReader the records of one batch, RecordBatchBuilder makes a batch. Nothing here owns the bytes it views, and
// nothing believes a length or a count: whatever a client or a disk says is bounded by the bytes that are there.
// The CRC covers the bytes from `attributes` on, so base offset and leader epoch can be patched without it.
// Produce's checks are in protocol/batch_validation.h, magic 0 and 1 in protocol/legacy_batch.h. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "protocol/compression.h"

namespace samsa::protocol {

inline constexpr size_t kBatchHeaderSize = 61;     // Bytes before the records, magic 2.
inline constexpr size_t kBatchOverhead = 12;       // Base offset and length: not counted by the length field. All magics.
inline constexpr size_t kBatchPrefixSize = 17;     // Enough to know offset, size and magic of any batch. All magics.
inline constexpr int8_t kMagicV2 = 2;
inline constexpr size_t kCrcStart = 21;            // First byte that the CRC covers.

enum class TimestampType : uint8_t { kCreateTime = 0, kLogAppendTime = 1 };
// "CreateTime", "LogAppendTime".
std::string_view timestamp_type_name(TimestampType type);

namespace attribute {
inline constexpr int16_t kCodecMask = 0x07;
inline constexpr int16_t kLogAppendTime = 0x08;
inline constexpr int16_t kTransactional = 0x10;
inline constexpr int16_t kControl = 0x20;
inline constexpr int16_t kDeleteHorizon = 0x40;
}  // namespace attribute

// Offsets out of a damaged header may not fit together: then they wrap around instead of being undefined.
constexpr Offset wrapped_sum(Offset a, Offset b) { return static_cast<Offset>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }

// The fixed fields at the front of every batch. The caller promises kBatchHeaderSize bytes (kBatchPrefixSize are enough for the first
// five). Cheap to copy.
class BatchHeader {
 public:
  BatchHeader() = default;
  explicit BatchHeader(const uint8_t* at) : at_(at) {}

  [[nodiscard]] Offset base_offset() const { return load_be<int64_t>(at_); }
  [[nodiscard]] int32_t length() const { return load_be<int32_t>(at_ + 8); }  // Bytes after this field, as stated.
  [[nodiscard]] int64_t size() const { return int64_t{length()} + static_cast<int64_t>(kBatchOverhead); }  // The whole batch, as stated.
  [[nodiscard]] LeaderEpoch leader_epoch() const { return load_be<int32_t>(at_ + 12); }
  [[nodiscard]] int8_t magic() const { return load_be<int8_t>(at_ + 16); }  // Same place in magic 0 and 1.

  [[nodiscard]] uint32_t crc() const { return load_be<uint32_t>(at_ + 17); }
  [[nodiscard]] int16_t attributes() const { return load_be<int16_t>(at_ + 21); }
  [[nodiscard]] int32_t last_offset_delta() const { return load_be<int32_t>(at_ + 23); }
  [[nodiscard]] Offset last_offset() const { return wrapped_sum(base_offset(), last_offset_delta()); }
  [[nodiscard]] Offset next_offset() const { return wrapped_sum(last_offset(), 1); }
  [[nodiscard]] TimestampMs base_timestamp() const { return load_be<int64_t>(at_ + 27); }
  [[nodiscard]] TimestampMs max_timestamp() const { return load_be<int64_t>(at_ + 35); }
  [[nodiscard]] int64_t producer_id() const { return load_be<int64_t>(at_ + 43); }
  [[nodiscard]] int16_t producer_epoch() const { return load_be<int16_t>(at_ + 51); }
  [[nodiscard]] int32_t base_sequence() const { return load_be<int32_t>(at_ + 53); }
  [[nodiscard]] int32_t record_count() const { return load_be<int32_t>(at_ + 57); }

  // base_sequence + last_offset_delta, wrapped into 0..2^31-1; kNoSequence without a base sequence.
  [[nodiscard]] int32_t last_sequence() const;
  [[nodiscard]] std::optional<Codec> codec() const { return codec_from_bits(attributes() & attribute::kCodecMask); }
  [[nodiscard]] bool is_compressed() const { return (attributes() & attribute::kCodecMask) != 0; }
  [[nodiscard]] TimestampType timestamp_type() const {
    return (attributes() & attribute::kLogAppendTime) != 0 ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  [[nodiscard]] bool is_transactional() const { return (attributes() & attribute::kTransactional) != 0; }
  [[nodiscard]] bool is_control() const { return (attributes() & attribute::kControl) != 0; }
  [[nodiscard]] bool has_producer_id() const { return producer_id() > kNoProducerId; }
  // The time from which a tombstone or marker may go, where compaction has set one.
  [[nodiscard]] std::optional<TimestampMs> delete_horizon() const {
    if ((attributes() & attribute::kDeleteHorizon) == 0) return std::nullopt;
    return base_timestamp();
  }

 protected:
  const uint8_t* at_ = nullptr;
};

// One whole batch of magic 2. Made by BatchView::parse or a BatchIterator, which guarantee that bytes() is exactly size() long and
// that the header is inside.
class BatchView : public BatchHeader {
 public:
  BatchView() = default;
  // The batch at the front of `from` (more may follow).
  // Errors: CORRUPT_MESSAGE for a length too small, cut short, or another magic. The CRC is not looked at.
  static Result<BatchView> parse(Bytes from);

  [[nodiscard]] Bytes bytes() const { return {at_, static_cast<size_t>(size())}; }
  [[nodiscard]] Bytes payload() const { return bytes().subspan(kBatchHeaderSize); }  // The records, compressed as they are.
  [[nodiscard]] uint32_t computed_crc() const;
  [[nodiscard]] bool crc_matches() const { return computed_crc() == crc(); }

 private:
  explicit BatchView(const uint8_t* at) : BatchHeader(at) {}
  friend class BatchIterator;
};

// Walks batches that stand one behind the other. A batch cut off at the end of the buffer is normal (a fetch may end so) and ends the
// walk; `remaining()` says how many bytes were left. Does not check CRCs.
class BatchIterator {
 public:
  explicit BatchIterator(Bytes from) : rest_(from) {}
  // The next whole batch; nothing at the end. Errors: CORRUPT_MESSAGE (length below the header's, magic above 2);
  // UNSUPPORTED_FOR_MESSAGE_FORMAT for magic 0 and 1, which legacy_batch.h reads.
  Result<std::optional<BatchView>> next();
  [[nodiscard]] size_t position() const { return position_; }           // Bytes before the batch that next() would give.
  [[nodiscard]] size_t remaining() const { return rest_.size(); }
  [[nodiscard]] bool truncated() const { return truncated_; }           // Ended within a batch.

 private:
  Bytes rest_;
  size_t position_ = 0;
  bool truncated_ = false;
};

struct HeaderView {
  std::string_view key;
  std::optional<Bytes> value;
};

// A record as views into its (decompressed) batch.
struct Record {
  Offset offset = 0;
  TimestampMs timestamp = kNoTimestamp;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::vector<HeaderView> headers;
  size_t size = 0;  // Bytes of the record as encoded, with its length field.
};

// Reads the records of one batch in order. Compressed batches are decompressed into `scratch` first.
class RecordReader {
 public:
  // `batch` and `scratch` must outlive the reader and the records it gives.
  // Errors: CORRUPT_MESSAGE (unknown codec, broken compression), MESSAGE_TOO_LARGE (beyond `limit` bytes).
  static Result<RecordReader> open(const BatchView& batch, Scratch& scratch, size_t limit = kDecompressLimit);
  // Fills `into` (its headers' memory is used again) and says true, or false after the last record.
  // Errors: INVALID_RECORD when a record does not fit its length, the count is wrong or bytes are left over.
  Result<bool> next(Record& into);
  [[nodiscard]] int32_t read_count() const { return done_; }

 private:
  RecordReader(const BatchView& batch, Bytes records) : batch_(batch), rest_(records) {}
  BatchView batch_;
  Bytes rest_;
  int32_t done_ = 0;
};

// What the skipping walk sees of a record: enough for Produce's checks, for the log's time index and for counting.
struct RecordSketch {
  int64_t offset_delta = 0;
  int64_t timestamp_delta = 0;
  bool has_key = false;
  size_t size = 0;  // Bytes, with the length field.
};
// Reads one record of `from` without building anything. Keys, values and headers are checked to lie within the record.
// Gives the bytes consumed; 0 when the record is broken.
size_t sketch_record(Bytes from, RecordSketch& into);

// Fields of a batch to be made.
struct BatchOptions {
  Offset base_offset = 0;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Codec codec = Codec::kNone;
  int level = kStandardLevel;
  // Set: the batch has LogAppendTime, with this time. Not set: CreateTime.
  std::optional<TimestampMs> log_append_time;
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  std::optional<TimestampMs> delete_horizon;  // Compaction only.
};

// Makes one batch. Records are encoded straight into the batch's own memory; build() fills in the header.
class RecordBatchBuilder {
 public:
  explicit RecordBatchBuilder(BatchOptions options = {});

  // Adds a record at the next offset. `timestamp` in ms, kNoTimestamp for none.
  void append(TimestampMs timestamp, std::optional<Bytes> key, std::optional<Bytes> value, std::span<const HeaderView> headers = {});
  // The same at a given offset, which must be above the last one and at most 2^31-1 above the base offset.
  void append_at(Offset offset, TimestampMs timestamp, std::optional<Bytes> key, std::optional<Bytes> value,
                 std::span<const HeaderView> headers = {});
  // Keeps the original's last offset although its last records are gone (compaction). At least the last appended one.
  void set_last_offset(Offset offset);

  [[nodiscard]] int32_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] size_t size() const { return buffer_.size(); }  // Bytes so far, before compression, with the header.
  // Bytes that the batch would have with one more record of these sizes, before compression.
  [[nodiscard]] size_t size_with(size_t key_size, size_t value_size) const { return buffer_.size() + 21 + key_size + value_size; }
  [[nodiscard]] TimestampMs max_timestamp() const { return max_timestamp_; }

  // The finished batch; the builder is empty afterwards and starts over with the same options (base offset and sequence as given).
  // A batch of no records is legal (61 bytes). Errors: those of compress().
  Result<Buffer> build();

  BatchOptions& options() { return options_; }

 private:
  void clear();

  BatchOptions options_;
  Buffer buffer_;
  int32_t count_ = 0;
  int64_t last_delta_ = -1;
  std::optional<TimestampMs> first_timestamp_;
  TimestampMs max_timestamp_ = kNoTimestamp;
};

// One batch of one record, the shape of most small writes.
Result<Buffer> single_record_batch(const BatchOptions& options, TimestampMs timestamp, std::optional<Bytes> key, std::optional<Bytes> value);

// Patches, in place, on the bytes of a parsed batch. The first two leave the CRC alone.
void set_base_offset(MutableBytes batch, Offset base_offset);
void set_leader_epoch(MutableBytes batch, LeaderEpoch epoch);
// Sets timestamp type and max timestamp; computes the CRC again, unless both were so already.
void set_max_timestamp(MutableBytes batch, TimestampType type, TimestampMs max_timestamp);
// Sets producer fields; computes the CRC again. For producers and tests.
void set_producer(MutableBytes batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence, bool transactional);
void refresh_crc(MutableBytes batch);

}  // namespace samsa::protocol
