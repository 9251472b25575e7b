// What the machine can do at all: the physical limits that the other micro benchmarks stand beside. Reading memory (summing it), copying
// it, and additions that do not wait for each other (instruction throughput).
#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace {

void read_memory(benchmark::State& state) {
  const std::vector<uint64_t> words(static_cast<size_t>(state.range(0)) / 8, 1);
  for (auto _ : state) benchmark::DoNotOptimize(std::accumulate(words.begin(), words.end(), uint64_t{0}));
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
// Items are instructions.
void independent_instructions(benchmark::State& state) {
  uint64_t a = 1, b = 1, c = 1, d = 1;
  for (auto _ : state) {
    asm volatile("add $1,%0\nadd $1,%1\nadd $1,%2\nadd $1,%3\nadd $1,%0\nadd $1,%1\nadd $1,%2\nadd $1,%3"
                 : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
  }
  state.SetItemsProcessed(state.iterations() * 8);
}

BENCHMARK(read_memory)->Arg(65536)->Arg(1 << 20)->Arg(256 << 20);
BENCHMARK(copy_memory)->Arg(65536)->Arg(1 << 20)->Arg(256 << 20);
BENCHMARK(independent_instructions);

}  // namespace

BENCHMARK_MAIN();
