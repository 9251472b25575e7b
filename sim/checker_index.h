// Index: a history turned the way checkers ask: per partition what stands at which offset, per value where it was found.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "sim/history.h"

namespace samsa::sim {

struct ValuePlace {
  const Send* send = nullptr;
  std::set<std::pair<TopicPartition, Offset>> places;  // Acknowledged or seen at.
  bool seen = false;
  bool seen_finally = false;
};

struct Index {
  explicit Index(const History& history);

  // What stands at each offset, by acknowledgement or by sight.
  std::map<TopicPartition, std::map<Offset, std::set<Value>>> offsets;
  std::unordered_map<Value, ValuePlace> values;
  std::map<TopicPartition, Offset> highest_seen;        // By any poll.
  std::map<TopicPartition, Offset> highest_final;       // By final polls.

  [[nodiscard]] const Send* send_of(Value value) const {
    const auto found = values.find(value);
    return found == values.end() ? nullptr : found->second.send;
  }
  // Whether a reader that came by had to see this value (it was certainly there for readers, at the latest now).
  [[nodiscard]] bool must_be_visible(const History& history, Value value) const;
};

std::string place_text(const TopicPartition& partition, Offset offset);

}  // namespace samsa::sim
