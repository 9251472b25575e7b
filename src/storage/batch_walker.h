// BatchWalker: reads the batches of a segment's file from front to back in large pieces: for recovery, replay and compaction.
//
// while (true) { while (auto batch = walker.next()) {...}  if (!co_await walker.fill()) break; }
// Batches of any magic are given whole, unchecked but for a possible size. Owner: one coroutine.
#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "io/file.h"
#include "io/task.h"

namespace samsa::storage {

struct WalkedBatch {
  uint64_t position = 0;  // In the file.
  Bytes bytes;            // Valid until the next fill().
};

class BatchWalker {
 public:
  // Walks [from, end) of the file, `from` at the start of a batch.
  BatchWalker(std::shared_ptr<io::File> file, uint64_t from, uint64_t end, size_t read_bytes = 1 << 20)
      : file_(std::move(file)), position_(from), end_(end), read_bytes_(read_bytes) {}

  // The next whole batch in memory; nothing when more has to be read, at the end or at damage.
  std::optional<WalkedBatch> next();
  // Reads on; false at the end, or where there is no (whole) batch at position(): damaged() says which.
  io::Task<Result<bool>> fill();
  // Where the next batch would begin.
  [[nodiscard]] uint64_t position() const { return position_; }
  // Bytes read from the file so far.
  [[nodiscard]] uint64_t read() const { return read_; }
  // The bytes at position() are no batch or are cut off.
  [[nodiscard]] bool damaged() const { return damaged_; }

 private:
  std::shared_ptr<io::File> file_;
  uint64_t position_;
  uint64_t end_;
  size_t read_bytes_;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t capacity_ = 0;
  size_t filled_ = 0;  // Bytes in the buffer...
  size_t at_ = 0;      // ...of which these are consumed.
  uint64_t read_ = 0;
  bool damaged_ = false;
};

}  // namespace samsa::storage
