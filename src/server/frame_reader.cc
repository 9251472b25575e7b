#include "server/frame_reader.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "io/work.h"

namespace samsa::server {

bool FrameReader::has_frame() const {
  if (end_ - begin_ < 4) return false;
  const auto size = load_be<int32_t>(head_.data() + begin_);
  return size >= 0 && end_ - begin_ - 4 >= static_cast<size_t>(size);
}

Buffer FrameReader::take_rest() {
  if (at_boundary()) return {};
  Buffer rest(head_.data() + begin_, head_.data() + end_);
  begin_ = end_;
  return rest;
}

void FrameReader::begin_with(Bytes rest) {
  if (rest.empty()) return;
  SAMSA_ASSERT(at_boundary() && rest.size() <= kHeadBytes);
  head_ = pool_.take(kHeadBytes);
  std::ranges::copy(rest, head_.data());
  end_ = static_cast<uint32_t>(rest.size());
}

void FrameReader::drop_head() {
  head_ = {};
  begin_ = end_ = 0;
}

io::Task<Result<void>> FrameReader::fill_head() {
  if (!stream_.may_read()) {
    if (at_boundary()) drop_head();
    co_await stream_.readable();
  }
  const uint32_t have = end_ - begin_;
  if (have == 0 && !head_.shared()) begin_ = end_ = 0;
  if (!head_ || head_.capacity() - end_ < kLowRoom) {
    if (head_ && !head_.shared()) {
      std::memmove(head_.data(), head_.data() + begin_, have);
      io::this_work.copied_bytes += have;
    } else {
      Block fresh = pool_.take(kHeadBytes);
      if (have > 0) std::memcpy(fresh.data(), head_.data() + begin_, have);
      io::this_work.copied_bytes += have;
      head_ = std::move(fresh);
    }
    begin_ = 0;
    end_ = have;
  }
  const size_t room = after_large_ && have < kLengthBytes ? kLengthBytes - have : head_.capacity() - end_;
  CO_TRY_ASSIGN(const size_t read, co_await stream_.read_some({head_.data() + end_, room}));
  if (read == 0) co_return fail(ErrorCode::kNetworkException, "the peer closed the connection");
  end_ += static_cast<uint32_t>(read);
  received_ += read;
  co_return Result<void>{};
}

io::Task<Result<Frame>> FrameReader::read_large(size_t size) {
  Block block = co_await pool_.acquire(size + kLengthBytes);
  const size_t have = end_ - begin_;
  std::memcpy(block.data(), head_.data() + begin_, have);
  io::this_work.copied_bytes += have;
  begin_ = end_;
  size_t filled = have;
  // Room for the next frame's length is offered too: a read that does not fill it has emptied the socket, and nobody has to ask again.
  while (filled < size) {
    CO_TRY_ASSIGN(const size_t read, co_await stream_.read_some({block.data() + filled, size + kLengthBytes - filled}));
    if (read == 0) co_return fail(ErrorCode::kNetworkException, fmt::format("the peer closed within a frame of {} bytes", size));
    filled += read;
    received_ += read;
  }
  after_large_ = true;
  if (filled > size) {
    if (head_.shared() || !head_) head_ = pool_.take(kHeadBytes);
    std::memcpy(head_.data(), block.data() + size, filled - size);
    begin_ = 0;
    end_ = static_cast<uint32_t>(filled - size);
  }
  MutableBytes content(block.data(), size);
  co_return Frame{std::move(block), content};
}

io::Task<Result<Frame>> FrameReader::next() {
  while (end_ - begin_ < 4) CO_TRY(co_await fill_head());
  const auto announced = load_be<int32_t>(head_.data() + begin_);
  if (announced < 0 || announced > max_) {
    co_return fail(ErrorCode::kInvalidRequest, fmt::format("frame of {} bytes, the maximum is {}", announced, max_));
  }
  const auto size = static_cast<size_t>(announced);
  if (size + 4 > kHeadBytes) {
    begin_ += 4;
    co_return co_await read_large(size);
  }
  after_large_ = false;
  while (end_ - begin_ < size + 4) CO_TRY(co_await fill_head());
  MutableBytes content(head_.data() + begin_ + 4, size);
  begin_ += static_cast<uint32_t>(size + 4);
  co_return Frame{head_, content};
}

}  // namespace samsa::server
