// Bytes: views of memory, big-endian loads and stores, and growing buffers. Everything on the wire and on disk is big-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace samsa {

using Bytes = std::span<const uint8_t>;      // A view; the owner is elsewhere.
using MutableBytes = std::span<uint8_t>;     // A writable view.
using Buffer = std::vector<uint8_t>;         // Owned bytes.

inline Bytes as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }
inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

template <class T>
  requires std::is_integral_v<T>
T load_be(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (sizeof(T) > 1) value = std::byteswap(value);
  return value;
}

template <class T>
  requires std::is_integral_v<T>
void store_be(uint8_t* to, T value) {
  if constexpr (sizeof(T) > 1) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof(T));
}

template <class T>
  requires std::is_integral_v<T>
void append_be(Buffer& to, T value) {
  const size_t at = to.size();
  to.resize(at + sizeof(T));
  store_be(to.data() + at, value);
}

inline void append(Buffer& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

static_assert(std::endian::native == std::endian::little, "loads and stores above swap bytes");

}  // namespace samsa
