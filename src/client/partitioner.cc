#include "client/partitioner.h"

namespace samsa::client {

uint32_t murmur2(Bytes key) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  uint32_t hash = 0x9747b28cU ^ static_cast<uint32_t>(key.size());
  size_t at = 0;
  for (; at + 4 <= key.size(); at += 4) {
    uint32_t word;
    std::memcpy(&word, key.data() + at, 4);  // Little-endian, as the reference has it.
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  const size_t left = key.size() - at;
  if (left > 2) hash ^= static_cast<uint32_t>(key[at + 2]) << 16;
  if (left > 1) hash ^= static_cast<uint32_t>(key[at + 1]) << 8;
  if (left > 0) {
    hash ^= key[at];
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

int32_t partition_for_key(Bytes key, int32_t partitions) {
  return static_cast<int32_t>((murmur2(key) & 0x7fffffffU) % static_cast<uint32_t>(partitions));
}

}  // namespace samsa::client
