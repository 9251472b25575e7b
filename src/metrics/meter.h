// Counter and Meter: what grows. A Meter also knows its one-minute rate, as Kafka's meters do.
//
// One writer, its own shard: no atomics. add() is one plain addition; the rate is brought forward by tick(), which the owner calls
// every kTick. Another shard sees the values only through a Samples that the owner filled.
#pragma once

#include <chrono>
#include <cstdint>

namespace samsa::metrics {

class Counter {
 public:
  void add(uint64_t n = 1) { value_ += n; }
  [[nodiscard]] uint64_t value() const { return value_; }

 protected:
  uint64_t value_ = 0;
};

class Meter : public Counter {
 public:
  static constexpr std::chrono::seconds kTick{5};

  // For a count that somebody else keeps: it never falls.
  void set(uint64_t value) { value_ = value; }
  // kTick has passed since the last call. The rate is a moving average over one minute; it starts at the first tick's.
  void tick() {
    constexpr double kSeconds = static_cast<double>(kTick.count());
    constexpr double kWeight = 0.07995558537067671;  // 1 - exp(-kTick / one minute)
    const double now = static_cast<double>(value_ - ticked_) / kSeconds;
    rate_ = started_ ? rate_ + kWeight * (now - rate_) : now;
    ticked_ = value_;
    started_ = true;
  }
  // Per second.
  [[nodiscard]] double rate() const { return rate_; }

 private:
  uint64_t ticked_ = 0;
  double rate_ = 0;
  bool started_ = false;
};

}  // namespace samsa::metrics
