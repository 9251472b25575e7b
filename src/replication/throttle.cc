#include "replication/throttle.h"

#include <algorithm>
#include <string>

namespace samsa::replication {

void Throttle::set_rate(int64_t rate, io::MonoTime now) {
  if (rate == INT64_MAX) rate = -1;
  if (rate == rate_) return;
  rate_ = rate;
  tokens_ = 0;
  filled_ = now;
}

void Throttle::fill(io::MonoTime now) {
  const double seconds = std::chrono::duration<double>(now - filled_).count();
  tokens_ = std::min(tokens_ + seconds * static_cast<double>(rate_), static_cast<double>(rate_));
  filled_ = now;
}

bool Throttle::open(io::MonoTime now) {
  if (rate_ < 0) return true;
  fill(now);
  return tokens_ > 0;
}

io::MonoTime Throttle::opens_at(io::MonoTime now) {
  if (open(now)) return now;
  if (rate_ == 0) return now + std::chrono::seconds(1);
  const auto nanos = static_cast<int64_t>((1 - tokens_) / static_cast<double>(rate_) * 1e9);
  return now + io::Duration(std::clamp<int64_t>(nanos, 1'000'000, 1'000'000'000));
}

void Throttle::moved(uint64_t bytes, io::MonoTime now) {
  if (rate_ < 0) return;
  fill(now);
  tokens_ -= static_cast<double>(bytes);
}

bool names_replica(std::string_view list, int32_t partition, int32_t broker) {
  if (list == "*") return true;
  const std::string wanted = std::to_string(partition) + ":" + std::to_string(broker);
  for (size_t from = 0; from < list.size();) {
    const size_t end = std::min(list.find(',', from), list.size());
    std::string_view entry = list.substr(from, end - from);
    while (!entry.empty() && entry.front() == ' ') entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ') entry.remove_suffix(1);
    if (entry == wanted) return true;
    from = end + 1;
  }
  return false;
}

}  // namespace samsa::replication
