// Histogram: how values (microseconds, bytes) are distributed. Fixed buckets, sixteen to each power of two, so a percentile is right
// within 3 %; recording allocates nothing. Count and sum are of all time; percentiles and the maximum are of the last one to two
// windows, so that they show what is, as the percentiles of Kafka's histograms weigh the last five minutes.
//
// One writer, its own shard; the owner calls rotate() every kWindow. Distribution is the copy that leaves the shard.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace samsa::metrics {

namespace detail {
inline constexpr unsigned kSubBits = 4;
inline constexpr uint64_t kSub = 1U << kSubBits;
inline constexpr unsigned kMaxBits = 40;  // Values from 2^40 on (12 days in microseconds) share the last bucket.
inline constexpr size_t kBuckets = kSub * (kMaxBits - kSubBits + 1);

inline size_t bucket_of(uint64_t value) {
  if (value < kSub) return static_cast<size_t>(value);
  const auto bits = static_cast<unsigned>(std::bit_width(value));
  if (bits > kMaxBits) return kBuckets - 1;
  const unsigned shift = bits - 1 - kSubBits;
  return static_cast<size_t>(kSub * (shift + 1) + ((value >> shift) & (kSub - 1)));
}
// The middle of what falls into the bucket.
double bucket_middle(size_t bucket);
}  // namespace detail

// What several histograms know together.
struct Distribution {
  uint64_t count = 0;
  double sum = 0;
  uint64_t max = 0;     // Of the window, as the percentiles.
  uint64_t within = 0;  // Values in the window.
  std::array<uint64_t, detail::kBuckets> buckets{};

  void merge(const Distribution& other);
  // 0 < fraction < 1; 0 where there is nothing.
  [[nodiscard]] double percentile(double fraction) const;
};

class Histogram {
 public:
  static constexpr std::chrono::seconds kWindow{150};

  void record(uint64_t value) {
    ++now_[detail::bucket_of(value)];
    ++count_;
    sum_ += value;
    if (value > max_now_) max_now_ = value;
  }
  // The same for 0, which is what most requests waited for others.
  void record_zero() {
    ++now_[0];
    ++count_;
  }
  void rotate() {
    before_ = now_;
    now_.fill(0);
    max_before_ = max_now_;
    max_now_ = 0;
  }
  [[nodiscard]] uint64_t count() const { return count_; }
  void add_to(Distribution& distribution) const;

 private:
  std::array<uint32_t, detail::kBuckets> now_{};
  std::array<uint32_t, detail::kBuckets> before_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_now_ = 0;
  uint64_t max_before_ = 0;
};

}  // namespace samsa::metrics
