// WriteWatch: notices that the large writes of a shard stand in the system, so that the next ones are better made on other threads.
//
// A write that took long stood only if its thread gave the processor up by itself; else it was set aside for another thread, and nothing is gained
// elsewhere. That costs a system call to know, so it is asked for only for some seconds after a long write: the second one tells.
#pragma once

#include <chrono>
#include <cstddef>

namespace samsa::io::real {

class WriteWatch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kSmallBytes = 4 << 10;  // Up to here a write is not looked at.
  static constexpr std::chrono::milliseconds kLong{2};
  static constexpr std::chrono::seconds kSuspicion{5};
  static constexpr std::chrono::seconds kStanding{2};  // So long after one that stood.

  // A write on the shard's thread, from here to the end of the block.
  class Look {
   public:
    Look(WriteWatch& watch, size_t bytes);
    Look(const Look&) = delete;
    ~Look();

   private:
    WriteWatch* const watch_;  // Null: too small.
    Clock::time_point began_{};
    long switches_ = -1;  // -1: not asked for.
  };

  // The same on another thread, whose finding comes to the shard's by note().
  class Elsewhere {
   public:
    explicit Elsewhere(bool& stood);
    Elsewhere(const Elsewhere&) = delete;
    ~Elsewhere();

   private:
    bool& stood_;
    Clock::time_point began_;
    long switches_;
  };
  void note(bool stood);

  [[nodiscard]] bool standing(size_t bytes) const {
    return bytes > kSmallBytes && standing_until_ != Clock::time_point() && Clock::now() < standing_until_;
  }

 private:
  Clock::time_point suspicious_until_{};
  Clock::time_point standing_until_{};
};

}  // namespace samsa::io::real
