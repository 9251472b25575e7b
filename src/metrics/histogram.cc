#include "metrics/histogram.h"

#include <algorithm>
#include <cmath>

namespace samsa::metrics {

namespace detail {

double bucket_middle(size_t bucket) {
  if (bucket < kSub) return static_cast<double>(bucket);
  const unsigned shift = static_cast<unsigned>(bucket / kSub) - 1;
  const uint64_t low = (kSub + bucket % kSub) << shift;
  return static_cast<double>(low) + static_cast<double>((uint64_t{1} << shift) - 1) / 2;
}

}  // namespace detail

void Distribution::merge(const Distribution& other) {
  count += other.count;
  sum += other.sum;
  max = std::max(max, other.max);
  within += other.within;
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
}

double Distribution::percentile(double fraction) const {
  if (within == 0) return 0;
  const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(within))));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen >= rank) return std::min(detail::bucket_middle(i), static_cast<double>(max));
  }
  return static_cast<double>(max);
}

void Histogram::add_to(Distribution& distribution) const {
  distribution.count += count_;
  distribution.sum += static_cast<double>(sum_);
  distribution.max = std::max({distribution.max, max_now_, max_before_});
  for (size_t i = 0; i < now_.size(); ++i) {
    const uint64_t here = uint64_t{now_[i]} + before_[i];
    distribution.buckets[i] += here;
    distribution.within += here;
  }
}

}  // namespace samsa::metrics
