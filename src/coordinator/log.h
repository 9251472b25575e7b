// CoordinatorLog: what a coordinator needs of the partition that carries its state (`__consumer_offsets-7`, say), as its leader.
//
// The replication room implements it over its partition; tests over memory. All calls come from the shard that owns the partition.
// Order: append() calls reach the log in the order in which they are started; the runtime starts the next one only after the
// previous one has returned.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "io/loop.h"
#include "io/task.h"

namespace samsa::coordinator {

// Offsets that one append was given.
struct Appended {
  Offset base_offset = 0;
  Offset last_offset = 0;
};

class CoordinatorLog {
 public:
  virtual ~CoordinatorLog() = default;

  // Appends one record batch (format v2, base offset 0, CRC set) to the leader's log; the log patches base offset and leader epoch.
  // It returns when the batch is in the local log, without waiting for followers. Errors, after which nothing of the batch is in the
  // log: NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR.
  virtual io::Task<Result<Appended>> append(Buffer batch) = 0;

  // Returns once the high watermark is above `last_offset`. Errors: NOT_LEADER_OR_FOLLOWER when the leadership ended before,
  // REQUEST_TIMED_OUT at the deadline (the records stay in the log and may still be committed).
  virtual io::Task<Result<void>> wait_committed(Offset last_offset, io::MonoTime deadline) = 0;

  // Whole record batches from the batch that holds `from` (or the first one after it) up to the log's end, not the high watermark.
  // About max_bytes, at least one batch; empty at the end of the log.
  virtual io::Task<Result<Buffer>> read(Offset from, size_t max_bytes) = 0;

  [[nodiscard]] virtual Offset start_offset() const = 0;
  [[nodiscard]] virtual Offset end_offset() const = 0;      // Of the next record.
  [[nodiscard]] virtual Offset high_watermark() const = 0;  // Records below it are committed.
};

}  // namespace samsa::coordinator
