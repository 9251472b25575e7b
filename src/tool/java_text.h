// What Java's tools print without anybody having decided it: the order in which hash maps give their entries, the class names of
// exceptions, and Jackson's JSON. Scripts read this output, so ours is the same. Pure.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/ids.h"

namespace samsa::tool {

// String.hashCode of an ASCII text, TopicPartition.hashCode, TopicPartitionReplica.hashCode.
int32_t java_hash(std::string_view text);
int32_t java_hash(const TopicPartition& partition);
int32_t java_hash(const TopicPartition& partition, int32_t broker);

// Puts items into the order in which a Java HashMap or HashSet that they were put into, in the given order, is walked.
// `hash(item)` is its hashCode; `capacity` the initial capacity that the map was made with.
template <class Item, std::invocable<const Item&> Hash>
void in_java_hash_order(std::vector<Item>& items, Hash hash, size_t capacity = 16) {
  uint32_t buckets = 1;
  while (buckets < capacity) buckets *= 2;
  while (buckets * 3 / 4 < items.size()) buckets *= 2;
  std::vector<std::pair<uint32_t, size_t>> order;  // Bucket and place before.
  for (size_t i = 0; i < items.size(); ++i) {
    const auto code = static_cast<uint32_t>(hash(items[i]));
    order.emplace_back((code ^ code >> 16) & (buckets - 1), i);
  }
  std::sort(order.begin(), order.end());
  std::vector<Item> ordered;
  for (const auto& [bucket, at] : order) ordered.push_back(std::move(items[at]));
  items = std::move(ordered);
}
void in_java_hash_order(std::vector<int32_t>& ids, size_t capacity = 16);

// "org.apache.kafka.common.errors.UnknownTopicOrPartitionException": what Java's clients throw for the code.
std::string java_exception(ErrorCode code);
// "org.apache...Exception: text", as Throwable.toString() gives it.
std::string java_exception_text(const Error& error);

// As Jackson writes a text, with its quotes.
std::string json_text(std::string_view text);

}  // namespace samsa::tool
