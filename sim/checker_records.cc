// What became of each record: lost, unseen, twice, in two shapes; and the last value of each key.
#include <fmt/format.h>

#include <algorithm>

#include "sim/checker.h"
#include "sim/checker_index.h"

namespace samsa::sim {

std::string place_text(const TopicPartition& partition, Offset offset) { return fmt::format("{}@{}", partition.to_string(), offset); }

Index::Index(const History& history) {
  for (const auto& send : history.sends) {
    auto& value = values[send.value];
    value.send = &send;
    if (send.outcome != Outcome::kOk || send.offset < 0) continue;
    value.places.insert({send.partition, send.offset});
    offsets[send.partition][send.offset].insert(send.value);
  }
  for (const auto& poll : history.polls) {
    for (const auto& seen : poll.seen) {
      auto& highest = highest_seen.try_emplace(seen.partition, -1).first->second;
      highest = std::max(highest, seen.offset);
      if (poll.final) {
        auto& final = highest_final.try_emplace(seen.partition, -1).first->second;
        final = std::max(final, seen.offset);
      }
      if (seen.tombstone) continue;
      auto& value = values[seen.value];
      value.seen = true;
      value.seen_finally = value.seen_finally || poll.final;
      value.places.insert({seen.partition, seen.offset});
      offsets[seen.partition][seen.offset].insert(seen.value);
    }
  }
}

bool Index::must_be_visible(const History& history, Value value) const {
  const auto found = values.find(value);
  if (found == values.end()) return false;
  const Send* send = found->second.send;
  if (send == nullptr) return found->second.seen;
  if (send->outcome == Outcome::kFailed) return false;
  if (send->transaction == kNoTransaction) return send->outcome == Outcome::kOk || found->second.seen;
  return history.transactions[static_cast<size_t>(send->transaction)].outcome == Outcome::kOk;
}

namespace {

void check_presence(const History& history, const Model& model, const Index& index, std::vector<Anomaly>& found) {
  for (const auto& [value, where] : index.values) {
    if (!index.must_be_visible(history, value)) continue;
    if (where.send != nullptr && where.send->tombstone) continue;
    if (model.final_reads ? where.seen_finally : where.seen) continue;
    for (const auto& [partition, offset] : where.places) {
      const auto& highest = model.final_reads ? index.highest_final : index.highest_seen;
      const auto last = highest.find(partition);
      const bool passed = last != highest.end() && last->second > offset;
      found.push_back({passed ? "lost-write" : "unseen",
                       fmt::format("value {} at {} was {}{}, and is not read in the end (the last offset read is {})", value,
                                   place_text(partition, offset), where.seen ? "read" : "acknowledged",
                                   where.send == nullptr ? "" : fmt::format(" to client {} at {:.6f} s", where.send->client,
                                                                            static_cast<double>(where.send->ended) / 1e9),
                                   last == highest.end() ? -1 : last->second)});
    }
  }
}

void check_places(const Index& index, std::vector<Anomaly>& found) {
  for (const auto& [value, where] : index.values) {
    if (where.places.size() < 2) continue;
    std::string places;
    for (const auto& [partition, offset] : where.places) places += " " + place_text(partition, offset);
    const bool allowed = where.send != nullptr && !where.send->once;
    found.push_back({"duplicate", fmt::format("value {} stands at{}", value, places), allowed});
  }
  for (const auto& [partition, offsets] : index.offsets) {
    for (const auto& [offset, values] : offsets) {
      if (values.size() > 1) {
        found.push_back({"inconsistent-offsets", fmt::format("{} held the values {}", place_text(partition, offset), fmt::join(values, ", "))});
      }
    }
  }
}

void check_aborted(const History& history, const Model& model, const Index& index, std::vector<Anomaly>& found) {
  for (const auto& poll : history.polls) {
    for (const auto& seen : poll.seen) {
      if (seen.tombstone) continue;
      const Send* send = index.send_of(seen.value);
      if (send == nullptr) {
        found.push_back({"G1a", fmt::format("value {} at {} was never written", seen.value, place_text(seen.partition, seen.offset))});
        continue;
      }
      const bool aborted = send->transaction != kNoTransaction &&
                           history.transactions[static_cast<size_t>(send->transaction)].outcome == Outcome::kFailed;
      if (send->outcome != Outcome::kFailed && !aborted) continue;
      found.push_back({"G1a", fmt::format("value {} at {} was read, its {}", seen.value, place_text(seen.partition, seen.offset),
                                          aborted ? "transaction was aborted" : "write failed"),
                       aborted && !model.read_committed});
    }
  }
}

}  // namespace

void check_records(const History& history, const Model& model, std::vector<Anomaly>& found) {
  const Index index(history);
  if (!model.compacted) check_presence(history, model, index, found);
  check_places(index, found);
  check_aborted(history, model, index, found);
}

// Per key: the final reads end with the record of the greatest offset that was acknowledged, or with one behind it.
void check_compaction(const History& history, std::vector<Anomaly>& found) {
  struct Last {
    Offset offset = -1;
    Value value = 0;
    bool tombstone = false;
  };
  using Key = std::pair<TopicPartition, std::string>;
  std::map<Key, Last> written;
  std::map<Key, Last> read;
  std::set<Key> maybe_deleted;  // A deletion was sent and nobody knows what became of it.
  for (const auto& send : history.sends) {
    if (send.tombstone && send.outcome == Outcome::kUnknown) maybe_deleted.insert({send.partition, send.key});
    if (send.outcome != Outcome::kOk || send.key.empty()) continue;
    auto& last = written[{send.partition, send.key}];
    if (send.offset > last.offset) last = {send.offset, send.value, send.tombstone};
  }
  for (const auto& poll : history.polls) {
    if (!poll.final) continue;
    for (const auto& seen : poll.seen) {
      auto& last = read[{seen.partition, seen.key}];
      if (seen.offset > last.offset) last = {seen.offset, seen.value, seen.tombstone};
    }
  }
  for (const auto& [key, last] : written) {
    const auto there = read.find(key);
    if (there == read.end()) {
      if (last.tombstone || maybe_deleted.contains(key)) continue;  // Deleted, and the tombstone itself may go.
      found.push_back({"compaction-lost-value", fmt::format("key {} of {}: {} at {} was acknowledged, the key is gone", key.second,
                                                            key.first.to_string(), last.value, last.offset)});
    } else if (there->second.offset < last.offset) {
      // A tombstone may be cleaned away only together with everything before it.
      found.push_back({"compaction-lost-value", fmt::format("key {} of {}: {} at {} was acknowledged, the last one read is {} at {}", key.second,
                                                            key.first.to_string(), last.tombstone ? "its deletion" : std::to_string(last.value),
                                                            last.offset, there->second.value, there->second.offset)});
    }
  }
}

std::vector<Anomaly> check(const History& history, const Model& model) {
  std::vector<Anomaly> found;
  check_records(history, model, found);
  if (model.compacted) check_compaction(history, found);
  check_sessions(history, model, found);
  check_groups(history, found);
  check_transactions(history, model, found);
  // The order of a hash table must not show.
  std::sort(found.begin(), found.end(), [](const Anomaly& a, const Anomaly& b) {
    return std::tie(a.allowed, a.kind, a.text) < std::tie(b.allowed, b.kind, b.text);
  });
  return found;
}

}  // namespace samsa::sim
