// Checkers: what a history says that a log must not do, in the words of Jepsen's Kafka workload. Pure functions of a History.
//
//   lost-write               acknowledged (or seen), records behind it were read, it never is again
//   unseen                   acknowledged, and behind all that the final reads saw
//   duplicate                one value at two offsets of one partition, or in two partitions
//   inconsistent-offsets     one offset held two values
//   G1a                      a value was read whose write failed or whose transaction aborted
//   precommitted-read        a value was read before the commit of its transaction was asked for
//   G1c                      transactions that read each other's writes in a circle
//   torn-transaction         some values of a transaction are there in the end, others are not
//   poll-skip                two successive records of a session leave out one that was there to be read
//   nonmonotonic-poll        a session's offsets go back
//   nonmonotonic-send        a client's successive sends got falling offsets
//   int-...                  the last three within one poll or one transaction
//   two-owners               two members held a partition in one generation
//   nonmonotonic-commit      a group's committed offset went back
//   lost-commit              a committed offset was acknowledged, a later read found a smaller one, and so does the last read
//   compaction-lost-value    the last acknowledged value of a key is not what is read in the end
//
// Allowed by Kafka's own model, and named so that nobody takes their absence for a promise: G0 and G1c-ww (circles over the order of
// writes: transactions do not own what they write to), poll-skip across sessions, stale-commit-read (a coordinator that was replaced and does
// not know it yet answers with the offsets it knew; later reads find the newer ones), and the classes that Model::read_committed turns on.
#pragma once

#include <string>
#include <vector>

#include "sim/history.h"

namespace samsa::sim {

// What the clients of the history were promised.
struct Model {
  bool read_committed = true;     // Readers of transactions asked for committed records only.
  bool compacted = false;         // Records may go while a later one of their key stays.
  bool final_reads = true;        // The history ends with reads of everything.
};

struct Anomaly {
  std::string kind;  // A word of the list above.
  std::string text;  // Who, where, which values.
  bool allowed = false;  // Kafka's model allows it.
};

// All of the checks below; those that are not allowed first.
std::vector<Anomaly> check(const History& history, const Model& model = {});

// checker_records.cc
void check_records(const History& history, const Model& model, std::vector<Anomaly>& found);
void check_compaction(const History& history, std::vector<Anomaly>& found);
// checker_sessions.cc
void check_sessions(const History& history, const Model& model, std::vector<Anomaly>& found);
void check_groups(const History& history, std::vector<Anomaly>& found);
// checker_transactions.cc
void check_transactions(const History& history, const Model& model, std::vector<Anomaly>& found);

}  // namespace samsa::sim
