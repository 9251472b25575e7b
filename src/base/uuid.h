// Uuid: 128 bits as Kafka writes them, most significant long first; text is base64url without padding, 22 characters.
// Reserved values: all zero is "none"; low value 1 is the __cluster_metadata topic id and directory UNASSIGNED, 2 is LOST.
#pragma once

#include <array>
#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace samsa {

struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const Uuid&) const = default;
  [[nodiscard]] bool is_zero() const { return (high | low) == 0; }
  // 22 characters of base64url.
  [[nodiscard]] std::string to_string() const;
  // 32 hex digits, as -delete, -future and -stray directory names carry.
  [[nodiscard]] std::string to_hex() const;
  // 8-4-4-4-12 hex digits, as generated member ids carry.
  [[nodiscard]] std::string to_dashed() const;
  // INVALID_REQUEST where the text is not 22 characters of base64url.
  static Result<Uuid> parse(std::string_view text);
};

inline constexpr Uuid kZeroUuid{};
inline constexpr Uuid kMetadataTopicId{0, 1};
inline constexpr Uuid kUnassignedDirectory{0, 1};
inline constexpr Uuid kLostDirectory{0, 2};

}  // namespace samsa

template <>
struct std::hash<samsa::Uuid> {
  size_t operator()(const samsa::Uuid& id) const noexcept { return id.high * 0x9e3779b97f4a7c15ULL ^ id.low; }
};
