// Searching a segment's offset index, on the real disk (page cache): entries as a segment of 1 GiB with an entry every 4 KiB has them.
// The limit beside it: log2(n) cache misses, or as many system calls where the index is read from its file.
#include <benchmark/benchmark.h>

#include <unistd.h>

#include <filesystem>

#include "io/real/world.h"
#include "storage/indexes.h"

namespace samsa::storage {
namespace {

std::string scratch_path() { return std::filesystem::temp_directory_path() / ("samsa-index-bench-" + std::to_string(::getpid())); }

void lookup(benchmark::State& state) {
  io::real::RealNode node({.shards = 1});
  FilePool pool(node.worlds()[0].disk, 16);
  const std::string path = scratch_path();
  {
    OffsetIndex index(pool, path, 0, 10 << 20);
    const int64_t entries = state.range(0);
    for (int64_t i = 0; i < entries; ++i) {
      if (!index.append(i * 4, static_cast<uint64_t>(i) * 4096)) return state.SkipWithError("cannot write");
    }
    uint64_t random = 1;
    for (auto _ : state) {
      random = random * 6364136223846793005 + 1442695040888963407;
      benchmark::DoNotOptimize(index.lookup(static_cast<Offset>((random >> 33) % static_cast<uint64_t>(entries * 4))));
    }
  }
  ::unlink(path.c_str());
}
// Where a consumer at the end reads: always the newest entries.
void lookup_at_the_end(benchmark::State& state) {
  io::real::RealNode node({.shards = 1});
  FilePool pool(node.worlds()[0].disk, 16);
  const std::string path = scratch_path();
  {
    OffsetIndex index(pool, path, 0, 10 << 20);
    for (int64_t i = 0; i < 262'144; ++i) {
      if (!index.append(i * 4, static_cast<uint64_t>(i) * 4096)) return state.SkipWithError("cannot write");
    }
    for (auto _ : state) benchmark::DoNotOptimize(index.lookup(262'143 * 4));
  }
  ::unlink(path.c_str());
}
BENCHMARK(lookup)->Arg(1000)->Arg(262'144);
BENCHMARK(lookup_at_the_end);

}  // namespace
}  // namespace samsa::storage

BENCHMARK_MAIN();
