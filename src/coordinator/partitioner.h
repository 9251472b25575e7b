// Which partition of an internal topic a group, transactional id or share key belongs to: Java's string hash, non-negative, modulo
// the partition count that the topic was created with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace samsa::coordinator {

// Java's String.hashCode of the UTF-8 text: h = 31 * h + unit over UTF-16 code units. Broken UTF-8 counts as U+FFFD per byte.
int32_t java_string_hash(std::string_view utf8);

// The UTF-16 code units of the text, as a Java String has them.
std::u16string utf16_units(std::string_view utf8);

// partitions > 0.
PartitionIndex partition_of_key(std::string_view key, int32_t partitions);

}  // namespace samsa::coordinator
