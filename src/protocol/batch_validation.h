// What a leader checks and changes before records enter its log: Produce's rules (docs/formats/record_batch.md, "Produce").
//
// One pass over the batch, no copies: an uncompressed batch is walked where it lies, a compressed one is decompressed into the
// caller's scratch and skipped through. The result says what to patch in place, or that the batch has to be written anew
// (`rewrite`: another codec is wanted or the offsets inside are not 0, 1, 2...). Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "protocol/record_batch.h"

namespace samsa::protocol {

// Who appends. Clients are trusted with nothing; coordinators write control batches and offsets of their own.
enum class Origin { kClient, kCoordinator, kRaftLeader };

struct ProduceRules {
  Origin origin = Origin::kClient;
  // Produce's version; below 7 zstd is refused.
  int16_t produce_version = INT16_MAX;
  std::string_view partition;               // "topic-3", for messages.
  bool compacted = false;                   // Every record needs a key.
  TimestampType timestamp_type = TimestampType::kCreateTime;
  TimestampMs now = 0;                      // ms; LogAppendTime's value and the middle of the permitted timestamps.
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = INT64_MAX;
  int32_t max_batch_size = INT32_MAX;       // Bytes (max.message.bytes).
  std::optional<Codec> target_codec;        // Not set: compression.type=producer.
  int target_level = kStandardLevel;
  size_t decompressed_limit = kDecompressLimit;  // Bytes.
};

// One entry of a Produce response's record_errors.
struct RecordFault {
  int32_t batch_index = 0;  // Index of the record within the batch.
  std::string message;
};

struct ProduceFault {
  Error error;
  std::vector<RecordFault> records;
};

struct ValidBatch {
  BatchView batch;
  int32_t record_count = 0;
  TimestampMs max_timestamp = kNoTimestamp;  // What the batch must state: now for LogAppendTime.
  TimestampType timestamp_type = TimestampType::kCreateTime;
  bool rewrite = false;
};

// Checks the `records` field of one partition of a Produce request: exactly one batch, magic 2, and all below it. The CRC is checked.
// Errors: INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE, INVALID_TIMESTAMP; those about single
// records list them.
std::expected<ValidBatch, ProduceFault> validate_for_append(Bytes records, const ProduceRules& rules, Scratch& scratch);

// Makes a validated batch ready for the log where it lies: offsets, leader epoch, time.
// `bytes` are the same bytes that were validated. Must not be called when `rewrite` is set.
void prepare_in_place(MutableBytes bytes, const ValidBatch& valid, Offset base_offset, LeaderEpoch epoch);

// Writes a validated batch anew: records renumbered from `base_offset`, in the target codec.
// Errors: those of compress() and, if the batch was not validated before, of RecordReader.
Result<Buffer> rewrite_batch(const ValidBatch& valid, const ProduceRules& rules, Offset base_offset, LeaderEpoch epoch, Scratch& scratch);

}  // namespace samsa::protocol
