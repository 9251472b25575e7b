// Which partition a record goes to: Kafka's murmur2 of the key, as Java's default partitioner has it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace samsa::client {

// MurmurHash2, 32 bits, seed 0x9747b28c.
uint32_t murmur2(Bytes key);
// (murmur2 & 0x7fffffff) mod partitions.
int32_t partition_for_key(Bytes key, int32_t partitions);

}  // namespace samsa::client
