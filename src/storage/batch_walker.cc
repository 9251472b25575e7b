#include "storage/batch_walker.h"

#include <algorithm>

#include "protocol/record_batch.h"

namespace samsa::storage {

std::optional<WalkedBatch> BatchWalker::next() {
  if (damaged_ || filled_ - at_ < protocol::kBatchPrefixSize) return std::nullopt;
  const protocol::BatchHeader header(buffer_.get() + at_);
  const int64_t size = header.size();
  const int64_t least = header.magic() == protocol::kMagicV2 ? protocol::kBatchHeaderSize : protocol::kBatchPrefixSize + 9;
  if (header.magic() < 0 || header.magic() > protocol::kMagicV2 || size < least || static_cast<uint64_t>(size) > end_ - position_) {
    damaged_ = true;
    return std::nullopt;
  }
  if (filled_ - at_ < static_cast<uint64_t>(size)) return std::nullopt;
  const WalkedBatch batch{position_, Bytes(buffer_.get() + at_, static_cast<size_t>(size))};
  at_ += static_cast<size_t>(size);
  position_ += static_cast<uint64_t>(size);
  return batch;
}

io::Task<Result<bool>> BatchWalker::fill() {
  if (damaged_ || position_ >= end_) co_return false;
  const size_t kept = filled_ - at_;
  size_t want = read_bytes_;
  if (kept >= protocol::kBatchPrefixSize) {  // A batch larger than the buffer: its size is known and possible.
    want = std::max(want, static_cast<size_t>(protocol::BatchHeader(buffer_.get() + at_).size()));
  }
  want = static_cast<size_t>(std::min<uint64_t>(want, end_ - position_));
  if (kept == want) {  // All there is up to the end, and it is no whole batch.
    damaged_ = true;
    co_return false;
  }
  if (want > capacity_) {
    auto larger = std::make_unique_for_overwrite<uint8_t[]>(want);
    if (kept > 0) std::memcpy(larger.get(), buffer_.get() + at_, kept);
    buffer_ = std::move(larger);
    capacity_ = want;
  } else if (kept > 0) {
    std::memmove(buffer_.get(), buffer_.get() + at_, kept);
  }
  at_ = 0;
  filled_ = kept;
  CO_TRY_ASSIGN(const size_t got, co_await file_->read_at_async(MutableBytes(buffer_.get() + kept, want - kept), position_ + kept));
  filled_ += got;
  read_ += got;
  if (got < want - kept) end_ = position_ + filled_;  // The file is shorter than stated.
  if (got == 0) {
    damaged_ = kept > 0;
    co_return false;
  }
  co_return true;
}

}  // namespace samsa::storage
