// History: what clients did to a cluster and what they saw, in the order of virtual (or real) time. A workload writes it, the checkers
// (checker.h) read it; nothing here knows a cluster, so that a history may also come from real processes or be planted by a test.
//
// Every value is written once, so a value names its write. Times are nanoseconds of one clock, shared by all clients.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace samsa::sim {

using Value = int64_t;
inline constexpr int kNoTransaction = -1;
inline constexpr int64_t kNotEnded = INT64_MAX;

// kUnknown: no answer, or one that leaves open whether it happened. kFailed: it certainly did not happen and never will.
enum class Outcome : uint8_t { kUnknown, kOk, kFailed };

struct Send {
  int client = 0;
  TopicPartition partition;
  Value value = 0;
  int64_t began = 0;
  int64_t ended = kNotEnded;
  Outcome outcome = Outcome::kUnknown;
  Offset offset = -1;  // Where it was acknowledged.
  int transaction = kNoTransaction;
  std::string key;         // Compacted topics only.
  bool tombstone = false;  // The record deletes the key.
  bool ordered = true;     // The client promises the order of its sends (idempotent, or one at a time).
  bool once = true;        // The client promises that retries make no duplicates.
};

struct Seen {
  TopicPartition partition;
  Offset offset = -1;
  Value value = 0;
  std::string key;
  bool tombstone = false;
};

struct Poll {
  int client = 0;
  int session = 0;  // Positions go on within a session; a seek or a new assignment begins another.
  int64_t began = 0;
  int64_t ended = 0;
  int transaction = kNoTransaction;
  bool final = false;  // One of the reads at the end, from the start of each log to its end.
  std::vector<Seen> seen;
};

struct Transaction {
  int client = 0;
  int64_t began = 0;
  int64_t commit_began = kNotEnded;  // When commit was asked for; kNotEnded: never.
  int64_t ended = kNotEnded;
  Outcome outcome = Outcome::kUnknown;  // kOk: committed; kFailed: aborted.
};

// A member of a group holds partitions from here on, in that generation.
struct Assignment {
  std::string group;
  int generation = 0;
  std::string member;
  int64_t at = 0;
  std::vector<TopicPartition> partitions;
};

struct Commit {
  std::string group;
  TopicPartition partition;
  Offset offset = -1;
  int64_t began = 0;
  int64_t ended = kNotEnded;
  Outcome outcome = Outcome::kUnknown;
};

// What a group's committed offset was found to be.
struct CommittedRead {
  std::string group;
  TopicPartition partition;
  Offset offset = -1;  // -1: none.
  int64_t began = 0;
  int64_t ended = 0;
};

struct History {
  std::vector<Send> sends;
  std::vector<Poll> polls;
  std::vector<Transaction> transactions;
  std::vector<Assignment> assignments;
  std::vector<Commit> commits;
  std::vector<CommittedRead> committed_reads;

  [[nodiscard]] size_t acknowledged() const {
    size_t count = 0;
    for (const auto& send : sends) count += send.outcome == Outcome::kOk ? 1 : 0;
    return count;
  }
};

}  // namespace samsa::sim
