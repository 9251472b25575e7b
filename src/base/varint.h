// Varints as Kafka has them: base-128, least significant group first. Signed ones (inside records) are zig-zag coded, unsigned
// ones (compact lengths, tagged fields) are plain.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace samsa {

inline constexpr size_t kMaxVarint32Bytes = 5;
inline constexpr size_t kMaxVarint64Bytes = 10;

struct VarintRead64 {
  uint64_t value;
  size_t size;  // Bytes consumed; 0 means truncated or longer than the type allows.
};

// Reads at most max_bytes groups from the front of `from`.
inline VarintRead64 read_uvarint_raw(Bytes from, size_t max_bytes) {
  uint64_t value = 0;
  const size_t limit = from.size() < max_bytes ? from.size() : max_bytes;
  for (size_t i = 0; i < limit; ++i) {
    const uint64_t group = from[i];
    value |= (group & 0x7f) << (7 * i);
    if (group < 0x80) return {value, i + 1};
  }
  return {0, 0};
}
inline VarintRead64 read_uvarint32(Bytes from) {
  auto read = read_uvarint_raw(from, kMaxVarint32Bytes);
  if (read.value > UINT32_MAX) return {0, 0};
  return read;
}
inline VarintRead64 read_uvarint64(Bytes from) { return read_uvarint_raw(from, kMaxVarint64Bytes); }

constexpr uint32_t zigzag32(int32_t v) { return (static_cast<uint32_t>(v) << 1) ^ static_cast<uint32_t>(v >> 31); }
constexpr int32_t unzigzag32(uint32_t v) { return static_cast<int32_t>((v >> 1) ^ (~(v & 1) + 1)); }
constexpr uint64_t zigzag64(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }
constexpr int64_t unzigzag64(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }

// Writes to `to` (room for 10 bytes) and returns the size used.
inline size_t write_uvarint(uint8_t* to, uint64_t value) {
  size_t n = 0;
  while (value >= 0x80) {
    to[n++] = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  to[n++] = static_cast<uint8_t>(value);
  return n;
}
inline void append_uvarint(Buffer& to, uint64_t value) {
  uint8_t scratch[kMaxVarint64Bytes];
  const size_t n = write_uvarint(scratch, value);
  to.insert(to.end(), scratch, scratch + n);
}
inline void append_varint(Buffer& to, int64_t value) { append_uvarint(to, zigzag64(value)); }

constexpr size_t uvarint_size(uint64_t value) {
  size_t n = 1;
  while (value >= 0x80) value >>= 7, ++n;
  return n;
}
constexpr size_t varint_size(int64_t value) { return uvarint_size(zigzag64(value)); }

}  // namespace samsa
