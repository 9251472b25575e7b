// Replay: one metadata record into an image. The only code that changes images; pure (record in, image changed, nothing else).
//
// A record of an unknown type or version, or one that contradicts the image (a partition of an unknown topic), is an error that the
// node cannot survive: it would not know what the others know.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/image.h"

namespace samsa::metadata {

// Takes in one framed record. UNSUPPORTED_VERSION: unknown type or version; CORRUPT_MESSAGE: it does not decode; INVALID_RECORD:
// it does not fit the image. Text names the record. Transaction marks are not for this function (TransactionReplay).
Result<void> replay_record(MetadataImage& image, Bytes framed);

// Replays batches with their metadata transactions: between BeginTransaction and EndTransaction nothing shows in image(); an
// AbortTransaction drops what came since the begin (KIP-868).
class TransactionReplay {
 public:
  // Starts over from an image, outside of any transaction.
  void reset(MetadataImage image);
  // All records of one batch.
  Result<void> replay_batch(std::span<const Bytes> values, Offset last_offset, LeaderEpoch epoch, TimestampMs append_ms);
  // What is complete: as of the last batch outside a transaction.
  [[nodiscard]] const MetadataImage& image() const { return committed_; }
  [[nodiscard]] bool in_transaction() const { return open_; }

 private:
  Result<void> replay_one(Bytes value);
  MetadataImage committed_;
  MetadataImage pending_;  // Of the open transaction.
  bool open_ = false;
};


// Every record of a snapshot of the image, framed, in the order in which they can be replayed. `emit` gets batches of records.
Result<void> image_to_records(const MetadataImage& image, const std::function<Result<void>(std::span<const Buffer>)>& emit);

}  // namespace samsa::metadata
