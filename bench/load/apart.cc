// apart: how long a cache line takes between the first two processors that this process may use, there and back, in nanoseconds.
//
//   apart      prints one line of JSON: ns, the least of some stretches of a millisecond or more; 0 where it may use one only
//
// A host may let two virtual processors run on cores that share a cache, and a minute later on cores that do not: 100 ns become 500, and what goes
// through loopback, which one processor writes and the other reads, becomes up to twice as dear.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "processors.h"

namespace {

constexpr uint64_t kRounds = 10'000;

struct alignas(256) Line {
  std::atomic<uint64_t> count{0};
};

// Counts on whenever the other one did: from `mine`, 0 or 1.
void count(Line& line, int processor, uint64_t mine) {
  stay_on(processor);
  for (uint64_t next = mine; next < 2 * kRounds; next += 2) {
    while (line.count.load(std::memory_order_acquire) != next) {
    }
    line.count.store(next + 1, std::memory_order_release);
  }
}

int64_t round_trip(const std::vector<int>& used) {
  Line line;
  std::thread other([&] { count(line, used[1], 1); });
  const int64_t began = now_ns();
  std::thread one([&] { count(line, used[0], 0); });
  one.join();
  other.join();
  return (now_ns() - began) / static_cast<int64_t>(kRounds);
}

}  // namespace

int main(int argc, char**) {
  if (argc != 1) {
    std::fprintf(stderr, "usage: apart\n");
    return 1;
  }
  const std::vector<int> used = processors();
  std::array<int64_t, 5> found{};
  if (used.size() > 1) std::ranges::generate(found, [&] { return round_trip(used); });
  std::printf("{\"ns\": %lld}\n", static_cast<long long>(std::ranges::min(found)));  // Whatever else runs only adds to it.
}
