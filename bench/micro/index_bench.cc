// Searching a segment's offset index, on the real disk (page cache): entries as a segment of 1 GiB with an entry every 4 KiB has them.
// The limit beside it: as many system calls as it takes to find the page of 256 entries, and one to read that; at the end of the log a
// search in memory.
#include <bit>
#include <filesystem>

#include "io/real/world.h"
#include "micro/limits.h"
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
    if (!index.file().write_out()) return state.SkipWithError("cannot write");
    uint64_t random = 1;
    for (auto _ : state) {
      random = random * 6364136223846793005 + 1442695040888963407;
      benchmark::DoNotOptimize(index.lookup(static_cast<Offset>((random >> 33) % static_cast<uint64_t>(entries * 4))));
    }
    const int reads = std::bit_width(static_cast<uint64_t>((entries - 1) / 256)) + 1;
    micro::set_limit(state, reads * micro::limits().short_read, std::to_string(reads) + " reads from a file, the last of 256 entries");
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
    micro::set_limit(state, 12 * 5 * micro::limits().instruction, "12 steps of a search in memory, 5 instructions each");
  }
  ::unlink(path.c_str());
}
BENCHMARK(lookup)->Arg(1024)->Arg(262'144);
BENCHMARK(lookup_at_the_end);

}  // namespace
}  // namespace samsa::storage

SAMSA_MICRO_MAIN()
