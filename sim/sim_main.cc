// samsa-sim: runs seeds of a workload in the simulated world, one after the other, until one fails.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "base/log.h"
#include "sim/mutants.h"
#include "sim/nemesis.h"
#include "sim/run.h"
#include "sim/workload.h"

namespace {

using samsa::sim::RunOptions;

constexpr const char* kUsage = R"(samsa-sim --seed N --workload W [--seeds M] [--nodes N] [--time SECONDS] [--faults F] [--trace LINES] [--quiet]
  --seeds M     M seeds from N on; stops at the first that fails
  --faults F    none, all, default (a draw of the seed), or names with rates per minute: crash,power=20
  --time S      seconds of faults in virtual time (default: a draw of the seed)
  --trace L     how many of the latest events a failed run shows
  --watch T-P   every change of that partition goes into the trace (another digest, the same run)
  --twice       each seed two times, which must be the same run
  --debug       with the nodes' debug lines in the trace (another digest, the same run)
  --mutant M    samsa-sim-mutants only: with that defect
  --list        the workloads and the faults
Exit code: 0 all good, 1 a run failed, 2 wrong usage.
)";

struct Arguments {
  RunOptions options;
  uint64_t seeds = 1;
  bool quiet = false;
  bool list = false;
  bool debug = false;
  bool twice = false;
};

template <class N>
bool number(std::string_view text, N& into) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), into);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

bool parse(int count, char** words, Arguments& into) {
  for (int i = 1; i < count; ++i) {
    const std::string_view name = words[i];
    if (name == "--quiet" || name == "--list" || name == "--debug" || name == "--twice") {
      (name == "--quiet" ? into.quiet : name == "--list" ? into.list : name == "--debug" ? into.debug : into.twice) = true;
      continue;
    }
    if (i + 1 >= count) return false;
    const std::string_view value = words[++i];
    double seconds = 0;
    bool good = true;
    if (name == "--seed") {
      good = number(value, into.options.seed);
    } else if (name == "--seeds") {
      good = number(value, into.seeds);
    } else if (name == "--nodes") {
      good = number(value, into.options.nodes);
    } else if (name == "--trace") {
      good = number(value, into.options.trace_lines);
    } else if (name == "--time") {
      good = number(value, seconds);
      into.options.time = std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
    } else if (name == "--workload") {
      into.options.workload = value;
    } else if (name == "--faults") {
      into.options.faults = value;
    } else if (name == "--watch") {
      into.options.watch = value;
    } else if (name == "--mutant") {
      into.options.mutant = value;
    } else {
      return false;
    }
    if (!good) return false;
  }
  return true;
}

void list() {
  for (const auto& entry : samsa::sim::workloads()) fmt::print("workload {:12} {}\n", entry.name, entry.doc);
  for (const auto& rate : samsa::sim::kFaultRates) fmt::print("fault    {:12} {:g} per minute where a run has it{}\n", rate.name, rate.per_minute,
               rate.beyond ? " (only by name: more than Kafka's format can notice)" : "");
#ifdef SAMSA_MUTANTS
  for (const auto& mutant : samsa::sim::kMutants) {
    fmt::print("mutant   {} {} {} {} {}\n", mutant.name, mutant.seeds, mutant.workload, mutant.faults, mutant.doc);
  }
#endif
}

// Whether the defect can be switched on, and does so.
bool mutate(const std::string& name) {
  if (name.empty()) return true;
#ifdef SAMSA_MUTANTS
  if (samsa::sim::find_mutant(name) == nullptr) return false;
  samsa::sim::switch_mutant(name);
  return true;
#else
  return false;
#endif
}

void print(const RunOptions& options, const samsa::sim::RunReport& report) {
  fmt::print("seed {} workload {} digest {:016x}: {:.1f} s, {} sent, {} acknowledged, {} read, {} events{}\n", options.seed, options.workload,
             report.digest, report.virtual_seconds, report.sends, report.acknowledged, report.polled, report.events,
             report.violations.empty() ? "" : " FAILED");
}

void print_details(const RunOptions& options, const samsa::sim::RunReport& report) {
  fmt::print("  {}\n  faults:", report.setting);
  for (const auto& [name, count] : report.faults) fmt::print(" {} {}", count, name);
  fmt::print("\n");
  for (const auto& [kind, count] : report.allowed) fmt::print("  allowed by Kafka's model: {} {}\n", count, kind);
  if (report.violations.empty()) return;
  fmt::print("---- the latest events\n{}\n---- what is wrong\n", report.trace);
  for (const auto& text : report.violations) fmt::print("  {}\n", text);
  fmt::print("replay: {}\n", samsa::sim::replay_line(options));
}

// Runs the seed again. False, with the first line of the traces that differs, where it was not the same run.
bool same_again(const RunOptions& options, const samsa::sim::RunReport& first) {
  const auto second = samsa::sim::run(options);
  if (second.digest == first.digest) return true;
  std::istringstream a(first.trace);
  std::istringstream b(second.trace);
  std::string one;
  std::string other;
  while (std::getline(a, one) && std::getline(b, other) && one == other) {
  }
  fmt::print("seed {}: the second run differs, digest {:016x}\n  {}\n  {}\nreplay: {} --twice\n", options.seed, second.digest, one, other,
             samsa::sim::replay_line(options));
  return false;
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!parse(count, words, arguments)) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  if (arguments.list) {
    list();
    return 0;
  }
  RunOptions options = arguments.options;
  if (arguments.debug) samsa::set_log_level(samsa::LogLevel::kDebug);
  if (!mutate(options.mutant)) {
    fmt::print(stderr, "no such mutant here: {} (samsa-sim-mutants --list)\n", options.mutant);
    return 2;
  }
  const uint64_t first = options.seed;
  options.keep_trace = arguments.twice;
  if (arguments.twice) options.trace_lines = std::max<size_t>(options.trace_lines, 200'000);
  double hours = 0;
  for (; options.seed < first + arguments.seeds; ++options.seed) {
    const auto report = samsa::sim::run(options);
    if (!report.error.empty()) {
      fmt::print(stderr, "{}\n{}", report.error, kUsage);
      return 2;
    }
    hours += report.virtual_seconds / 3600;
    if (!arguments.quiet || !report.violations.empty()) print(options, report);
    if (!report.violations.empty() || (arguments.seeds == 1 && !arguments.quiet)) print_details(options, report);
    if (!report.violations.empty()) return 1;
    if (arguments.twice && !same_again(options, report)) return 1;
    std::fflush(stdout);
  }
  if (arguments.seeds > 1) fmt::print("{} seeds of {} are good, {:.2f} virtual hours\n", arguments.seeds, options.workload, hours);
  return 0;
}
