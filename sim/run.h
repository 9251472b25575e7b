// A run: one seed, one workload, one cluster; faults for a while, then none, then the judgement. The same options give the same digest.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/checker.h"

namespace samsa::sim {

struct RunOptions {
  uint64_t seed = 1;
  std::string workload = "log";
  int nodes = 0;                        // 0: the seed draws.
  std::chrono::milliseconds time{0};    // Of faults, virtual. 0: the seed draws, 10 to 40 s.
  std::string faults = "default";       // nemesis.h, parse_faults.
  std::string mutant;                   // Builds with mutants only: the defect to switch on.
  size_t trace_lines = 150;
  bool keep_trace = false;              // Of good runs, too.
  std::string watch;                    // "topic-0": each change of that partition goes into the trace (and the digest).
};

struct RunReport {
  uint64_t digest = 0;
  std::vector<std::string> violations;       // Empty: the run is good.
  std::map<std::string, int> allowed;        // Anomalies that Kafka's model allows, by kind.
  std::map<std::string, int> faults;         // How often each struck.
  std::string setting;                       // What the seed drew, in a line.
  double virtual_seconds = 0;
  size_t sends = 0;
  size_t acknowledged = 0;
  size_t polled = 0;
  uint64_t events = 0;
  std::string trace;  // Of failed runs: the latest events.
  std::string error;  // The options are wrong; nothing was run.
};

RunReport run(const RunOptions& options);
// The command that repeats it.
std::string replay_line(const RunOptions& options);

}  // namespace samsa::sim
