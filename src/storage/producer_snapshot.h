// Producer snapshots: "<offset>.snapshot", the producer state of a partition as it was before that offset. Version 1.
// Format: docs/formats/log.md. Pure.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace samsa::storage {

struct ProducerSnapshotEntry {
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t last_sequence = kNoSequence;
  Offset last_offset = -1;
  int32_t offset_delta = 0;  // last_offset - it is the first offset of the last batch.
  TimestampMs timestamp = kNoTimestamp;
  int32_t coordinator_epoch = -1;
  Offset transaction_first_offset = -1;  // -1: none open.
  bool operator==(const ProducerSnapshotEntry&) const = default;
};

Buffer encode_producer_snapshot(const std::vector<ProducerSnapshotEntry>& entries);
// CORRUPT_MESSAGE for another version, a wrong CRC or a size that does not fit the count.
Result<std::vector<ProducerSnapshotEntry>> decode_producer_snapshot(Bytes file);

}  // namespace samsa::storage
