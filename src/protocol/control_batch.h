// Control batches: transaction markers and the records that the quorum writes between the metadata (docs/formats/record_batch.md).
//
// A control record's key is version i16 and type i16; readers skip types they do not know. Values of the quorum's records are the
// generated messages of protocol/record/; here they are bytes. Pure; any thread.
#pragma once

#include "protocol/record_batch.h"

namespace samsa::protocol {

enum class ControlType : int16_t {
  kUnknown = -1,
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,
  kSnapshotHeader = 3,
  kSnapshotFooter = 4,
  kKraftVersion = 5,
  kKraftVoters = 6,
};

// The type of a control record's key; kUnknown for a type that is not in the list.
// Errors: INVALID_RECORD for a null or short key or a version below 0.
Result<ControlType> control_type(const std::optional<Bytes>& key);
Buffer control_key(ControlType type);

struct TransactionMarker {
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  bool commit = false;
  int32_t coordinator_epoch = 0;
};
// The 78 bytes of a marker as WriteTxnMarkers appends it. `offset` of the marker, `timestamp` in ms.
Buffer transaction_marker_batch(const TransactionMarker& marker, Offset offset, LeaderEpoch leader_epoch, TimestampMs timestamp);
// Reads a marker's batch: a transactional control batch whose first record is ABORT or COMMIT.
// Errors: INVALID_RECORD for anything else.
Result<TransactionMarker> read_transaction_marker(const BatchView& batch);

struct ControlRecord {
  ControlType type = ControlType::kUnknown;
  Bytes value;  // The generated message's version-led or bare bytes, as it stands in the record.
};
// A quorum's control batch (not transactional) of these records at base_offset, base_offset+1...
Buffer control_batch(std::span<const ControlRecord> records, Offset base_offset, LeaderEpoch leader_epoch, TimestampMs timestamp);

}  // namespace samsa::protocol
