#include "coordinator/partitioner.h"

namespace samsa::coordinator {
namespace {

// Reads one code point at `at` and moves `at` behind it.
uint32_t next_code_point(std::string_view text, size_t& at) {
  constexpr uint32_t kReplacement = 0xFFFD;
  const auto lead = static_cast<uint8_t>(text[at++]);
  if (lead < 0x80) return lead;
  int more = lead >= 0xF0 && lead < 0xF8 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  if (more == 0 || lead >= 0xF8) return kReplacement;
  uint32_t code = lead & (0x3Fu >> more);
  size_t end = at;
  for (; more > 0; --more, ++end) {
    if (end >= text.size() || (static_cast<uint8_t>(text[end]) & 0xC0) != 0x80) return kReplacement;
    code = code << 6 | (static_cast<uint8_t>(text[end]) & 0x3Fu);
  }
  at = end;
  return code;
}

}  // namespace

std::u16string utf16_units(std::string_view utf8) {
  std::u16string units;
  units.reserve(utf8.size());
  for (size_t at = 0; at < utf8.size();) {
    const uint32_t code = next_code_point(utf8, at);
    if (code < 0x10000) {
      units.push_back(static_cast<char16_t>(code));
    } else {
      units.push_back(static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10)));
      units.push_back(static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF)));
    }
  }
  return units;
}

int32_t java_string_hash(std::string_view utf8) {
  uint32_t hash = 0;
  for (const char16_t unit : utf16_units(utf8)) hash = 31 * hash + unit;
  return static_cast<int32_t>(hash);
}

PartitionIndex partition_of_key(std::string_view key, int32_t partitions) {
  const int32_t hash = java_string_hash(key);
  const int32_t positive = hash == INT32_MIN ? 0 : hash < 0 ? -hash : hash;
  return positive % partitions;
}

}  // namespace samsa::coordinator
