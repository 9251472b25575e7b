// Mutants: defects of a node that the simulation must find, each within a stated number of seeds of one workload. They stand in the
// node's code as SAMSA_MUTANT("name") (base/mutant.h) and exist only in samsa-sim-mutants.
#pragma once

#include <string>
#include <string_view>

namespace samsa::sim {

struct Mutant {
  std::string_view name;
  int seeds;  // Found within so many.
  std::string_view workload;
  std::string_view faults;
  std::string_view doc;
};
inline constexpr Mutant kMutants[] = {
    {"skip-fsync", 20, "log", "power=20,crash", "a sync says that it is done, and nothing was synced"},
    {"ack-early", 20, "log", "isolate=20,crash", "acks=all is answered before the high watermark has passed"},
    {"hw-ignores-isr", 20, "log", "crash=20,isolate", "the leader's own log end is its high watermark"},
    {"forget-truncate", 20, "log", "isolate=20,split", "a leader does not look where a follower's log parts from its own"},
    {"forget-sequence", 20, "log", "reset=60,flaky=30", "a batch that a producer sends again is appended again"},
    {"elect-anyone", 20, "log", "isolate=20,pause", "a replica outside of the ISR may become leader"},
    {"vote-twice", 60, "log", "delay=30,isolate=30", "a voter gives its vote of one epoch to everyone who asks"},
    {"same-epoch", 20, "log", "isolate=20,crash", "a new leader leads in the epoch of the one before it"},
    {"hw-falls", 40, "log", "delay=20,isolate=20,crash", "a follower takes the high watermark of its leader although its own is higher"},
    {"forget-generation", 120, "group", "split=60,pause=20", "commits of an earlier generation are taken"},
    {"forget-fence", 40, "log", "pause=20,isolate=20", "a controller follows the leader of an earlier epoch when that one says so late"},
    {"compact-too-much", 20, "compact", "crash", "the cleaner drops the last value of a key now and then"},
};

const Mutant* find_mutant(std::string_view name);
// Which one is on from now on; empty: none. Only samsa-sim-mutants has any effect of it.
void switch_mutant(std::string name);

}  // namespace samsa::sim
