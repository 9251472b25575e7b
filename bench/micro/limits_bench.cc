// What the machine can do at all, at several sizes: the physical limits that the other micro benchmarks stand beside. Reading memory
// (summing it), copying it, and additions that do not wait for each other (instruction throughput).
#include "micro/limits.h"

namespace samsa::micro {
namespace {

void read_memory(benchmark::State& state) {
  const std::vector<uint64_t> words(static_cast<size_t>(state.range(0)) / 8, 1);
  for (auto _ : state) benchmark::DoNotOptimize(sum(words.data(), words.size()));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
void copy_memory(benchmark::State& state) {
  std::vector<char> from(static_cast<size_t>(state.range(0)), 1), to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
void eight_instructions(benchmark::State& state) {
  uint64_t sums[4] = {};
  for (auto _ : state) add_eight(sums);
}

BENCHMARK(read_memory)->Arg(16384)->Arg(65536)->Arg(1 << 20)->Arg(256 << 20);
BENCHMARK(copy_memory)->Arg(16384)->Arg(65536)->Arg(1 << 20)->Arg(256 << 20);
BENCHMARK(eight_instructions);

}  // namespace
}  // namespace samsa::micro

SAMSA_MICRO_MAIN()
