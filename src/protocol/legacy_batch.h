// Magic 0 and 1: message sets of Kafka before 0.11, which long-lived directories may still hold. Samsa reads them and writes them anew
// as magic 2; it never writes them, and Produce refuses them (Kafka 4, KIP-724).
//
// An entry is {offset i64, size i32, crc u32 (CRC-32 of what follows), magic i8, attributes i8, timestamp i64 (magic 1 only), key, value
// (i32 length, -1 null)}. A compressed entry's value holds a whole message set: in magic 0 its inner offsets are absolute, in magic 1
// relative with the entry's offset being that of the last inner one (KIP-31, KIP-32). Pure; any thread.
#pragma once

#include "protocol/record_batch.h"

namespace samsa::protocol {

inline constexpr size_t kLegacyOverheadV0 = 14;  // Bytes of an entry after offset and size, without key and value.
inline constexpr size_t kLegacyOverheadV1 = 22;

// What the log needs to know about a batch of any magic.
struct BatchSummary {
  Offset base_offset = 0;   // Legacy compressed entries: of the first inner record only if `exact`, else of the last.
  Offset last_offset = 0;
  TimestampMs max_timestamp = kNoTimestamp;
  int8_t magic = 0;
  size_t size = 0;          // Bytes, whole.
  bool exact = true;
};
// The batch of any magic at the front of `from`; nothing if it is cut short.
// Errors: CORRUPT_MESSAGE for an impossible size or magic.
Result<std::optional<BatchSummary>> summarize_batch(Bytes from);
// Whether the stated CRC (CRC-32 or CRC-32C, by magic) is right. `batch` is exactly one batch.
bool any_crc_matches(Bytes batch);

// Reads all records of one entry (uncompressed: one record; compressed: the inner set, absolute offsets). Views into `entry` or
// `scratch`. Appends to `into`.
// Errors: CORRUPT_MESSAGE (checksum, sizes, nested compression), MESSAGE_TOO_LARGE (beyond `limit` bytes decompressed).
Result<void> read_legacy_entry(Bytes entry, Scratch& scratch, std::vector<Record>& into, size_t limit = kDecompressLimit);

// Writes a message set of magic 0 or 1 (whole entries) anew as magic 2 batches with the same offsets: one batch per entry or run of
// entries of one codec. Magic 0 has no timestamps: kNoTimestamp.
Result<Buffer> up_convert(Bytes entries, LeaderEpoch leader_epoch, size_t limit = kDecompressLimit);

}  // namespace samsa::protocol
