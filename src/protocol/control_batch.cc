#include "protocol/control_batch.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace samsa::protocol {
namespace {

constexpr size_t kKeySize = 4;          // Version i16, type i16.
constexpr size_t kMarkerValueSize = 6;  // Version i16, coordinator epoch i32.

Buffer built(RecordBatchBuilder& builder) {
  auto batch = builder.build();
  SAMSA_ASSERT(batch.has_value(), "an uncompressed batch can always be built");
  return std::move(*batch);
}

}  // namespace

Result<ControlType> control_type(const std::optional<Bytes>& key) {
  if (!key || key->size() < kKeySize) return fail(ErrorCode::kInvalidRecord, "a control record's key needs version and type");
  const auto version = load_be<int16_t>(key->data());
  if (version < 0) return fail(ErrorCode::kInvalidRecord, fmt::format("a control record's key has version {}", version));
  const auto type = load_be<int16_t>(key->data() + 2);
  if (type < 0 || type > static_cast<int16_t>(ControlType::kKraftVoters)) return ControlType::kUnknown;
  return static_cast<ControlType>(type);
}

Buffer control_key(ControlType type) {
  Buffer key(kKeySize);
  store_be<int16_t>(key.data() + 2, static_cast<int16_t>(type));
  return key;
}

Buffer transaction_marker_batch(const TransactionMarker& marker, Offset offset, LeaderEpoch leader_epoch, TimestampMs timestamp) {
  BatchOptions options;
  options.base_offset = offset;
  options.leader_epoch = leader_epoch;
  options.producer_id = marker.producer_id;
  options.producer_epoch = marker.producer_epoch;
  options.transactional = true;
  options.control = true;
  Buffer value(kMarkerValueSize);
  store_be<int32_t>(value.data() + 2, marker.coordinator_epoch);
  RecordBatchBuilder builder(options);
  builder.append(timestamp, control_key(marker.commit ? ControlType::kCommit : ControlType::kAbort), value);
  return built(builder);
}

Result<TransactionMarker> read_transaction_marker(const BatchView& batch) {
  if (!batch.is_control() || !batch.is_transactional()) return fail(ErrorCode::kInvalidRecord, "not a transaction marker's batch");
  Scratch scratch;
  TRY_ASSIGN(auto reader, RecordReader::open(batch, scratch));
  Record record;
  TRY_ASSIGN(const bool any, reader.next(record));
  if (!any) return fail(ErrorCode::kInvalidRecord, "a transaction marker's batch without a record");
  TRY_ASSIGN(const auto type, control_type(record.key));
  if (type != ControlType::kAbort && type != ControlType::kCommit) {
    return fail(ErrorCode::kInvalidRecord, "the control record is no transaction marker");
  }
  if (!record.value || record.value->size() < kMarkerValueSize || load_be<int16_t>(record.value->data()) < 0) {
    return fail(ErrorCode::kInvalidRecord, "a transaction marker's value needs version and coordinator epoch");
  }
  return TransactionMarker{batch.producer_id(), batch.producer_epoch(), type == ControlType::kCommit,
                           load_be<int32_t>(record.value->data() + 2)};
}

Buffer control_batch(std::span<const ControlRecord> records, Offset base_offset, LeaderEpoch leader_epoch, TimestampMs timestamp) {
  BatchOptions options;
  options.base_offset = base_offset;
  options.leader_epoch = leader_epoch;
  options.control = true;
  RecordBatchBuilder builder(options);
  for (const auto& record : records) builder.append(timestamp, control_key(record.type), record.value);
  return built(builder);
}

}  // namespace samsa::protocol
