// Turn: how much a connection was served without a pause, in one round of its loop. Who had as much as one may goes on behind the others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/loop.h"

namespace samsa::server {

class Turn {
 public:
  static constexpr size_t kRequests = 32;
  static constexpr size_t kBytes = 256 << 10;

  // A request was read in the round of `now`. One that was waited for begins a new turn: the others had theirs meanwhile.
  void count(io::MonoTime now, size_t bytes) {
    if (now != round_) *this = Turn(now);
    ++requests_;
    bytes_ += static_cast<uint32_t>(bytes);
  }
  // Whether it is over; then the next one begins.
  [[nodiscard]] bool take_over() {
    const bool over = requests_ >= kRequests || bytes_ >= kBytes;
    if (over) *this = Turn(round_);
    return over;
  }

  Turn() = default;

 private:
  explicit Turn(io::MonoTime round) : round_(round) {}
  io::MonoTime round_;
  uint32_t requests_ = 0;
  uint32_t bytes_ = 0;  // A frame has less than 2^31.
};

}  // namespace samsa::server
