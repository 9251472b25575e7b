// What the fuzzer and the unit tests do with arbitrary bytes that claim to be record batches: everything a client or a disk could make
// a broker do with them. Nothing may crash, read past the end, or use more memory than the limit.
#pragma once

#include "base/assert.h"
#include "protocol/batch_validation.h"
#include "protocol/control_batch.h"
#include "protocol/legacy_batch.h"

namespace samsa::protocol {

inline constexpr size_t kFuzzLimit = 1U << 20;  // Bytes that a batch may decompress to here.

inline void read_records(const BatchView& batch, Scratch& scratch) {
  auto reader = RecordReader::open(batch, scratch, kFuzzLimit);
  if (!reader) return;
  Record record;
  while (true) {
    const auto more = reader->next(record);
    if (!more || !*more) break;
    SAMSA_ASSERT(record.headers.size() <= kFuzzLimit);
  }
}

// The batch with the CRC that its bytes have, so that the fuzzer gets past that check.
inline Buffer with_right_crc(Bytes input) {
  Buffer fixed(input.begin(), input.end());
  if (BatchView::parse(fixed)) refresh_crc(fixed);
  return fixed;
}

inline void validate_and_rewrite(Bytes input, Scratch& scratch) {
  Buffer batch(input.begin(), input.end());
  for (const auto target : {std::optional<Codec>{}, std::optional(Codec::kNone), std::optional(Codec::kLz4)}) {
    const ProduceRules rules{.partition = "t-0", .now = 1000, .target_codec = target, .decompressed_limit = kFuzzLimit};
    const auto valid = validate_for_append(batch, rules, scratch);
    if (!valid) continue;
    if (!valid->rewrite) {
      Buffer own = batch;
      const auto again = validate_for_append(own, rules, scratch);
      SAMSA_ASSERT(again.has_value());
      prepare_in_place(own, *again, 77, 3);
      SAMSA_ASSERT(BatchView::parse(own)->crc_matches());
      continue;
    }
    Scratch other;
    const auto fresh = rewrite_batch(*valid, rules, 77, 3, other);
    SAMSA_ASSERT(fresh.has_value(), "what was validated can be written anew");
    SAMSA_ASSERT(BatchView::parse(*fresh)->record_count() == valid->record_count);
  }
}

// One run over `input`.
inline void fuzz_record_batch(Bytes input) {
  Scratch scratch;
  BatchIterator batches(input);
  while (true) {
    const auto batch = batches.next();
    if (!batch || !*batch) break;
    read_records(**batch, scratch);
    (void)read_transaction_marker(**batch);
  }
  validate_and_rewrite(with_right_crc(input), scratch);
  if (const auto summary = summarize_batch(input); summary && *summary) {
    SAMSA_ASSERT((*summary)->size <= input.size());
    (void)any_crc_matches(input.first((*summary)->size));
  }
  (void)up_convert(input, 1, kFuzzLimit);
  for (int bits = 1; bits <= 4; ++bits) (void)decompress(static_cast<Codec>(bits), input, scratch, kFuzzLimit, bits % 2 == 1);
}

}  // namespace samsa::protocol
