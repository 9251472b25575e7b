// FrameReader: cuts the byte stream of one connection into request frames (int32 length, then header and body).
//
// Small frames are views of a 4 KiB block that several frames may share; a larger frame gets a block of its own and is received
// straight into it. After a large frame only the length of the next one is read ahead, with the frame itself where it is there already, so
// that of large frames nothing is copied but the start of the first one. A slow half frame holds no more than its own block, and a reader that
// waits between two frames holds none.
// Owned by the connection, on its shard.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "io/network.h"
#include "io/task.h"
#include "server/block_pool.h"

namespace samsa::server {

struct Frame {
  Block block;         // Keeps `content` alive.
  MutableBytes content;  // Header and body, without the length.
};

class FrameReader {
 public:
  FrameReader(io::Stream& stream, BlockPool& pool, int32_t max_frame_bytes) : stream_(stream), pool_(pool), max_(max_frame_bytes) {}

  // The next whole frame. INVALID_REQUEST for a length that is negative or above the maximum, NETWORK_EXCEPTION when the stream
  // ends or fails; `at_boundary()` tells whether it ended between two frames.
  io::Task<Result<Frame>> next();
  // Between two frames: co_await until bytes of the next one have come, or the stream has ended. Meanwhile no memory is held, nor any frame of a
  // coroutine but the caller's own.
  [[nodiscard]] auto arrival() {
    if (!stream_.may_read()) drop_head();
    return stream_.readable();
  }
  [[nodiscard]] bool at_boundary() const { return begin_ == end_; }
  // Whether a whole frame has been received already, so that next() will not suspend for it.
  [[nodiscard]] bool has_frame() const;
  [[nodiscard]] uint64_t received() const { return received_; }  // Bytes, since the beginning.
  // For a connection that moves, between two frames: what has been received of the next ones, and a reader that begins with it.
  [[nodiscard]] Buffer take_rest();
  void begin_with(Bytes rest);
  void set_max_frame_bytes(int32_t max) { max_ = max; }

 private:
  static constexpr size_t kHeadBytes = 4096;
  static constexpr size_t kLowRoom = 512;  // With less room a read is not worth its system call.
  static constexpr size_t kLengthBytes = 4;
  void drop_head();
  io::Task<Result<void>> fill_head();
  io::Task<Result<Frame>> read_large(size_t size);

  io::Stream& stream_;
  BlockPool& pool_;
  Block head_;
  uint64_t received_ = 0;
  int32_t max_;
  uint32_t begin_ = 0;  // What is received and not handed out: [begin_, end_) of head_.
  uint32_t end_ = 0;
  bool after_large_ = false;  // The frame before was a large one.
};

}  // namespace samsa::server
