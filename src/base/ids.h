// Ids and offsets as strong types, so that a partition is never passed for a broker. `.value` is the wire number.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace samsa {

template <class Tag, class Rep>
struct StrongId {
  Rep value{};
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  auto operator<=>(const StrongId&) const = default;
};

using NodeId = StrongId<struct NodeIdTag, int32_t>;  // Broker or controller; -1: none.
using ProducerId = StrongId<struct ProducerIdTag, int64_t>;

using Offset = int64_t;          // Record offset within a partition. Arithmetic is common, so it stays a number.
using LeaderEpoch = int32_t;     // -1: none.
using PartitionIndex = int32_t;  // Index of a partition within its topic.
using TimestampMs = int64_t;     // Milliseconds since 1970, as Kafka's timestamps; -1: none.

inline constexpr NodeId kNoNode{-1};
inline constexpr int64_t kNoProducerId = -1;
inline constexpr int16_t kNoProducerEpoch = -1;
inline constexpr int32_t kNoSequence = -1;
inline constexpr TimestampMs kNoTimestamp = -1;
inline constexpr LeaderEpoch kNoLeaderEpoch = -1;

// A topic's name and a partition's index: what a directory, a fetch session and a group key partitions by.
struct TopicPartition {
  std::string topic;
  PartitionIndex partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
  [[nodiscard]] std::string to_string() const { return topic + "-" + std::to_string(partition); }
};

}  // namespace samsa

template <class Tag, class Rep>
struct std::hash<samsa::StrongId<Tag, Rep>> {
  size_t operator()(const samsa::StrongId<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value); }
};
template <>
struct std::hash<samsa::TopicPartition> {
  size_t operator()(const samsa::TopicPartition& tp) const noexcept {
    return std::hash<std::string_view>{}(tp.topic) * 31 + static_cast<uint32_t>(tp.partition);
  }
};
