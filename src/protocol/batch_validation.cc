#include "protocol/batch_validation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace samsa::protocol {
namespace {

constexpr size_t kFaultsInMessage = 3;
constexpr size_t kFaultsListed = 1000;  // Enough for any client to act on; keeps a hostile batch from making a huge answer.

std::unexpected<ProduceFault> refuse(ErrorCode code, std::string message) {
  return std::unexpected(ProduceFault{Error{code, std::move(message)}, {}});
}
std::unexpected<ProduceFault> refuse(Error error) { return std::unexpected(ProduceFault{std::move(error), {}}); }

// The one batch of the request, and what a Produce request of this version may hold.
std::expected<BatchView, ProduceFault> only_batch(Bytes records, const ProduceRules& rules) {
  BatchIterator batches(records);
  auto first = batches.next();
  if (!first) {
    if (first.error().code == ErrorCode::kUnsupportedForMessageFormat) {
      return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: only record batches of magic 2 may be produced", rules.partition));
    }
    return refuse(std::move(first).error());
  }
  if (!*first) return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: the request holds no whole record batch", rules.partition));
  const BatchView batch = **first;
  if (batch.codec() == Codec::kZstd && rules.produce_version < 7) {
    return refuse(ErrorCode::kUnsupportedCompressionType,
                  fmt::format("{}: zstd needs Produce version 7, the request has {}", rules.partition, rules.produce_version));
  }
  auto second = batches.next();
  if (!second && second.error().code != ErrorCode::kUnsupportedForMessageFormat) return refuse(std::move(second).error());
  if (!second || second->has_value()) {
    return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: a request may hold one record batch per partition", rules.partition));
  }
  return batch;
}

std::expected<void, ProduceFault> check_size_and_crc(const BatchView& batch, const ProduceRules& rules) {
  if (rules.origin == Origin::kClient && batch.base_offset() != 0) {
    return refuse(ErrorCode::kInvalidRecord,
                  fmt::format("{}: the base offset of a produced batch must be 0, it is {}", rules.partition, batch.base_offset()));
  }
  if (batch.size() > rules.max_batch_size) {
    return refuse(ErrorCode::kMessageTooLarge, fmt::format("{}: the record batch has {} bytes, the configured most is {}", rules.partition,
                                                           batch.size(), rules.max_batch_size));
  }
  if (const uint32_t computed = batch.computed_crc(); computed != batch.crc()) {
    return refuse(ErrorCode::kCorruptMessage,
                  fmt::format("{}: the record batch states CRC {:08x}, its bytes have {:08x}", rules.partition, batch.crc(), computed));
  }
  return {};
}

std::expected<void, ProduceFault> check_header(const BatchView& batch, const ProduceRules& rules) {
  const auto codec = batch.codec();
  if (!codec) {
    return refuse(ErrorCode::kInvalidRecord,
                  fmt::format("{}: unknown compression type {}", rules.partition, batch.attributes() & attribute::kCodecMask));
  }
  if (rules.origin != Origin::kClient) return {};
  const int64_t span = int64_t{batch.last_offset_delta()} + 1;
  if (span <= 0 || batch.record_count() <= 0 || span != batch.record_count()) {
    return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: the record batch has {} records, its offsets are 0 to {}", rules.partition,
                                                         batch.record_count(), batch.last_offset_delta()));
  }
  if (batch.is_control()) {
    return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: clients may not write control records", rules.partition));
  }
  if (batch.has_producer_id() && batch.base_sequence() < 0) {
    return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: sequence number {} in a batch of producer id {}", rules.partition,
                                                         batch.base_sequence(), batch.producer_id()));
  }
  return {};
}

// Collects what is wrong with single records.
class Faults {
 public:
  void add(ErrorCode code, int32_t index, std::string message) {
    ++count_;
    if (code == ErrorCode::kInvalidTimestamp) any_timestamp_ = true;
    if (list_.size() < kFaultsListed) list_.push_back({index, std::move(message)});
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  ProduceFault take() {
    std::string text = any_timestamp_ ? "One or more records have been rejected due to invalid timestamp"
                                      : fmt::format("One or more records have been rejected: {} in total", count_);
    for (size_t i = 0; i < std::min(list_.size(), kFaultsInMessage); ++i) {
      text += fmt::format("{}record {}: {}", i == 0 ? "; " : ", ", list_[i].batch_index, list_[i].message);
    }
    return {Error{any_timestamp_ ? ErrorCode::kInvalidTimestamp : ErrorCode::kInvalidRecord, std::move(text)}, std::move(list_)};
  }

 private:
  std::vector<RecordFault> list_;
  size_t count_ = 0;
  bool any_timestamp_ = false;
};

class RecordWalk {
 public:
  RecordWalk(const BatchView& batch, const ProduceRules& rules)
      : batch_(batch),
        rules_(rules),
        stamped_(batch.timestamp_type() == TimestampType::kLogAppendTime),
        check_time_(rules.timestamp_type == TimestampType::kCreateTime),
        // Differences that do not fit in 64 bits wrap, as in Java; the limits are then not reached either.
        base_timestamp_(static_cast<uint64_t>(batch.base_timestamp())) {}

  // Goes over all records. Says what is wrong with the batch as a whole.
  std::expected<void, ProduceFault> run(Bytes records) {
    const int32_t count = batch_.record_count();
    if (count < 0) return refuse(ErrorCode::kInvalidRecord, fmt::format("{}: negative record count", rules_.partition));
    for (int32_t index = 0; index < count; ++index) {
      RecordSketch record;
      const size_t size = sketch_record(records, record);
      if (size == 0) {
        return refuse(ErrorCode::kInvalidRecord,
                      fmt::format("{}: record {} of {} does not fit the batch", rules_.partition, index, count));
      }
      records = records.subspan(size);
      visit(index, record);
    }
    if (!records.empty()) {
      return refuse(ErrorCode::kInvalidRecord,
                    fmt::format("{}: {} bytes are left after the {} records of the batch", rules_.partition, records.size(), count));
    }
    if (!faults_.empty()) return std::unexpected(faults_.take());
    return {};
  }
  [[nodiscard]] bool consecutive() const { return consecutive_; }
  [[nodiscard]] TimestampMs max_timestamp() const { return max_timestamp_; }

 private:
  void visit(int32_t index, const RecordSketch& record) {
    const TimestampMs timestamp = stamped_ ? batch_.max_timestamp()
                                           : static_cast<int64_t>(base_timestamp_ + static_cast<uint64_t>(record.timestamp_delta));
    max_timestamp_ = std::max(max_timestamp_, timestamp);
    consecutive_ = consecutive_ && record.offset_delta == index;
    if (rules_.compacted && !record.has_key) [[unlikely]] {
      faults_.add(ErrorCode::kInvalidRecord, index,
                  fmt::format("Compacted topic cannot accept message without key in topic partition {}.", rules_.partition));
      return;
    }
    if (check_time_ && timestamp != kNoTimestamp) {
      const auto age = static_cast<int64_t>(static_cast<uint64_t>(rules_.now) - static_cast<uint64_t>(timestamp));
      if (age > rules_.timestamp_before_max_ms || -age > rules_.timestamp_after_max_ms) [[unlikely]] {
        faults_.add(ErrorCode::kInvalidTimestamp, index,
                    fmt::format("Timestamp {} of message with offset {} is out of range: it may be {} ms before and {} ms after {}", timestamp,
                                record.offset_delta, rules_.timestamp_before_max_ms, rules_.timestamp_after_max_ms, rules_.now));
      }
    } else if (stamped_) [[unlikely]] {
      faults_.add(ErrorCode::kInvalidTimestamp, index, "Producer should not set timestamp type to LogAppendTime.");
    }
  }

  const BatchView& batch_;
  const ProduceRules& rules_;
  const bool stamped_;
  const bool check_time_;
  const uint64_t base_timestamp_;
  bool consecutive_ = true;
  TimestampMs max_timestamp_ = kNoTimestamp;
  Faults faults_;
};

// The codec that the log wants for this batch.
Codec wanted_codec(const BatchView& batch, const ProduceRules& rules) {
  const Codec own = batch.codec().value_or(Codec::kNone);
  if (!rules.target_codec || (batch.is_control() && own == Codec::kNone)) return own;
  return *rules.target_codec;
}

}  // namespace

std::expected<ValidBatch, ProduceFault> validate_for_append(Bytes records, const ProduceRules& rules, Scratch& scratch) {
  auto found = only_batch(records, rules);
  if (!found) return std::unexpected(std::move(found).error());
  const BatchView batch = *found;
  if (auto checked = check_size_and_crc(batch, rules); !checked) return std::unexpected(std::move(checked).error());
  if (auto checked = check_header(batch, rules); !checked) return std::unexpected(std::move(checked).error());

  auto plain = decompress(*batch.codec(), batch.payload(), scratch, rules.decompressed_limit);
  if (!plain) {
    // Trying again would not help, so not CORRUPT_MESSAGE: the CRC was right.
    const auto code = plain.error().code == ErrorCode::kCorruptMessage ? ErrorCode::kInvalidRecord : plain.error().code;
    return refuse(code, fmt::format("{}: {}", rules.partition, plain.error().message));
  }
  RecordWalk walk(batch, rules);
  if (auto walked = walk.run(*plain); !walked) return std::unexpected(std::move(walked).error());

  ValidBatch valid;
  valid.batch = batch;
  valid.record_count = batch.record_count();
  valid.timestamp_type = rules.timestamp_type;
  valid.max_timestamp = rules.timestamp_type == TimestampType::kLogAppendTime ? rules.now : walk.max_timestamp();
  valid.rewrite = !walk.consecutive() || wanted_codec(batch, rules) != *batch.codec();
  return valid;
}

void prepare_in_place(MutableBytes bytes, const ValidBatch& valid, Offset base_offset, LeaderEpoch epoch) {
  SAMSA_ASSERT(!valid.rewrite && bytes.data() == valid.batch.bytes().data(), "only the validated bytes may be patched");
  set_base_offset(bytes, base_offset);
  set_leader_epoch(bytes, epoch);
  set_max_timestamp(bytes, valid.timestamp_type, valid.max_timestamp);
}

Result<Buffer> rewrite_batch(const ValidBatch& valid, const ProduceRules& rules, Offset base_offset, LeaderEpoch epoch, Scratch& scratch) {
  const BatchView& batch = valid.batch;
  BatchOptions options;
  options.base_offset = base_offset;
  options.leader_epoch = epoch;
  options.codec = wanted_codec(batch, rules);
  options.level = rules.target_level;
  if (valid.timestamp_type == TimestampType::kLogAppendTime) options.log_append_time = valid.max_timestamp;
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.transactional = batch.is_transactional();
  options.control = batch.is_control();
  RecordBatchBuilder builder(options);
  TRY_ASSIGN(auto reader, RecordReader::open(batch, scratch, rules.decompressed_limit));
  Record record;
  while (true) {
    TRY_ASSIGN(const bool more, reader.next(record));
    if (!more) break;
    builder.append(record.timestamp, record.key, record.value, record.headers);
  }
  return builder.build();
}

}  // namespace samsa::protocol
