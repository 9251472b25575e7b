// LogLimiter: keeps what strangers send from flooding the log. A few lines a second are written; the others are counted, and the count
// is told by a line of its own, so that nothing happens unsaid.
//
// Owner: one shard. Its periodic work takes the count.
#pragma once

#include <cstdint>
#include <utility>

#include "io/loop.h"

namespace samsa::server {

class LogLimiter {
 public:
  static constexpr int kLinesPerSecond = 5;

  // Whether a line may be written at this time; if not, it is counted.
  bool admit(io::MonoTime now) {
    constexpr int64_t kSecond = 1'000'000'000;
    if (now.ns - window_.ns >= kSecond) {
      window_ = now;
      written_ = 0;
    }
    if (written_ < kLinesPerSecond) {
      ++written_;
      return true;
    }
    ++left_out_;
    return false;
  }
  // How many lines were left out since the last call.
  uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  io::MonoTime window_{};
  int written_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace samsa::server
