// CRC-32C: every form that this CPU has, and with SAMSA_BENCH_ISAL isa-l's as the yardstick.
#include "base/crc32c.h"
#include "micro/limits.h"
#ifdef SAMSA_BENCH_ISAL
#include <isa-l/crc.h>
#endif

namespace samsa {
namespace {

void processed(benchmark::State& state, int64_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * bytes);
  micro::set_limit(state, static_cast<double>(bytes) * micro::limits().read_byte, "reading from cache");
}
void form(benchmark::State& state) {
  const Buffer bytes(static_cast<size_t>(state.range(1)), 0x5a);
  const auto which = static_cast<Crc32cForm>(state.range(0));
  if (!crc32c_by(which, bytes)) return state.SkipWithError("not on this CPU");
  for (auto _ : state) benchmark::DoNotOptimize(crc32c_by(which, bytes));
  processed(state, state.range(1));
}
void best(benchmark::State& state) {
  const Buffer bytes(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  processed(state, state.range(0));
}
BENCHMARK(form)->ArgsProduct({{0, 1, 2, 3}, {1024, 65536, 1 << 20}});
BENCHMARK(best)->Arg(40)->Arg(100)->Arg(250)->Arg(300)->Arg(500)->Arg(1024)->Arg(16384)->Arg(65536)->Arg(1 << 20);

#ifdef SAMSA_BENCH_ISAL
void isal(benchmark::State& state) {
  Buffer bytes(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(crc32_iscsi(bytes.data(), static_cast<int>(bytes.size()), ~0U));
  processed(state, state.range(0));
}
BENCHMARK(isal)->Arg(40)->Arg(100)->Arg(250)->Arg(300)->Arg(500)->Arg(1024)->Arg(16384)->Arg(65536)->Arg(1 << 20);
#endif

}  // namespace
}  // namespace samsa

SAMSA_MICRO_MAIN()
