// What the machine can do at all, measured when first asked for, and a report that puts it beside each micro benchmark: the time a
// benchmark took, the least that its work could take, and how many times that is.
//
// A benchmark says its least time with set_limit(). Single-threaded. Use SAMSA_MICRO_MAIN() in place of BENCHMARK_MAIN().
#pragma once

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

namespace samsa::micro {

// As wide as this CPU reads.
__attribute__((target_clones("avx512f", "avx2", "default"))) inline uint64_t sum(const uint64_t* words, size_t count) {
  uint64_t all[32] = {};
  for (size_t i = 0; i + 32 <= count; i += 32) {
    for (size_t j = 0; j < 32; ++j) all[j] += words[i + j];
  }
  uint64_t total = 0;
  for (const uint64_t part : all) total += part;
  return total;
}
// Eight additions that wait for nobody but their own kind.
inline void add_eight(uint64_t (&to)[4]) {
  asm volatile("add $1,%0\nadd $1,%1\nadd $1,%2\nadd $1,%3\nadd $1,%0\nadd $1,%1\nadd $1,%2\nadd $1,%3"
               : "+r"(to[0]), "+r"(to[1]), "+r"(to[2]), "+r"(to[3]));
}

// Nanoseconds of one work(): the least of several tries, so that what else the machine does meanwhile does not count.
template <class Work>
double least_ns(Work work) {
  double least = 1e18;
  for (int turn = 0; turn < 15; ++turn) {
    int64_t count = 0;
    const auto began = std::chrono::steady_clock::now();
    std::chrono::duration<double, std::nano> passed{};
    do {
      for (int i = 0; i < 8; ++i) work();
      count += 8;
      passed = std::chrono::steady_clock::now() - began;
    } while (passed < std::chrono::milliseconds(2));
    least = std::min(least, passed.count() / static_cast<double>(count));
  }
  return least;
}

// Nanoseconds of each.
struct Limits {
  double read_byte, copy_byte, instruction, allocation, short_read, look_up;
};

// Finding one of a thousand names in a hash table.
inline double look_up_ns() {
  std::unordered_map<std::string, int> table;
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("member-" + std::to_string(i));
  for (const auto& name : names) table[name] = 1;
  size_t next = 0;
  return least_ns([&] { benchmark::DoNotOptimize(table.find(names[next = (next + 1) % names.size()])); });
}

inline const Limits& limits() {
  static const Limits measured = [] {
    constexpr size_t kBytes = 65536;  // Of a size with the batches: in the second cache.
    alignas(64) static uint64_t from[kBytes / 8], to[kBytes / 8];
    std::ranges::fill(from, 1);
    Limits found{};
    found.read_byte = least_ns([&] { benchmark::DoNotOptimize(sum(from, kBytes / 8)); }) / kBytes;
    found.copy_byte = least_ns([&] {
                        std::memcpy(to, from, kBytes);
                        benchmark::DoNotOptimize(&to);
                        benchmark::ClobberMemory();
                      }) /
                      kBytes;
    uint64_t sums[4] = {};
    found.instruction = least_ns([&] {
                          for (int i = 0; i < 100; ++i) add_eight(sums);
                        }) /
                        800;
    found.allocation = least_ns([] {
      void* memory = std::malloc(64);
      benchmark::DoNotOptimize(memory);
      std::free(memory);
    });
    std::FILE* file = std::tmpfile();
    char bytes[8] = {};
    std::fwrite(bytes, 1, sizeof bytes, file);
    std::fflush(file);
    found.short_read = least_ns([&] { benchmark::DoNotOptimize(::pread(fileno(file), bytes, sizeof bytes, 0)); });
    std::fclose(file);
    found.look_up = look_up_ns();
    return found;
  }();
  return measured;
}

// One round of this benchmark cannot take less, because of `what`.
inline void set_limit(benchmark::State& state, double nanoseconds, const std::string& what) {
  state.counters["limit_ns"] = nanoseconds;
  state.SetLabel(what);
}

class Report : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    const Limits& each = limits();
    std::printf(
        "ns each: byte read %.4f (%.0f GB/s), byte copied %.4f (%.0f GB/s), instruction %.4f, allocation %.1f, system call %.0f, look-up "
        "%.0f\n",
        each.read_byte, 1 / each.read_byte, each.copy_byte, 1 / each.copy_byte, each.instruction, each.allocation, each.short_read,
        each.look_up);
    std::printf("%-58s %12s %9s %12s %7s  %s\n", "", "CPU ns", "GB/s", "limit ns", "times", "which is");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args);
      if (run.error_occurred) {
        std::printf("%-58s %s\n", name.c_str(), run.error_message.c_str());
        continue;
      }
      const double time = run.GetAdjustedCPUTime() * 1e9 / benchmark::GetTimeUnitMultiplier(run.time_unit);
      std::printf("%-58s %12.1f ", name.c_str(), time);
      const auto bytes = run.counters.find("bytes_per_second");
      bytes == run.counters.end() ? std::printf("%9s ", "") : std::printf("%9.2f ", bytes->second / 1e9);
      const auto limit = run.counters.find("limit_ns");
      if (limit != run.counters.end()) std::printf("%12.1f %7.1f  %s", limit->second.value, time / limit->second, run.report_label.c_str());
      std::printf("\n");
    }
    std::fflush(stdout);
  }
};

inline int run_all(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  Report report;
  benchmark::RunSpecifiedBenchmarks(&report);
  return 0;
}

}  // namespace samsa::micro

#define SAMSA_MICRO_MAIN() \
  int main(int argc, char** argv) { return samsa::micro::run_all(argc, argv); }
