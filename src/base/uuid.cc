#include "base/uuid.h"

namespace samsa {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char kHexDigits[] = "0123456789abcdef";

int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

std::array<uint8_t, 16> bytes_of(const Uuid& id) {
  std::array<uint8_t, 16> bytes;
  store_be(bytes.data(), id.high);
  store_be(bytes.data() + 8, id.low);
  return bytes;
}

}  // namespace

std::string Uuid::to_string() const {
  const auto bytes = bytes_of(*this);
  std::string text;
  text.reserve(22);
  for (size_t i = 0; i < 16; i += 3) {
    const size_t left = 16 - i < 3 ? 16 - i : 3;
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < left ? bytes[i + k] : 0u);
    for (size_t k = 0; k <= left; ++k) text += kAlphabet[group >> (18 - 6 * k) & 63];
  }
  return text;
}

std::string Uuid::to_hex() const {
  std::string text;
  for (const uint8_t b : bytes_of(*this)) {
    text += kHexDigits[b >> 4];
    text += kHexDigits[b & 15];
  }
  return text;
}

std::string Uuid::to_dashed() const {
  std::string text = to_hex();
  for (const size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
  return text;
}

Result<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 22) return fail(ErrorCode::kInvalidRequest, "'" + std::string(text) + "' is not an id: it must have 22 characters");
  std::array<uint8_t, 18> bytes{};
  size_t at = 0;
  uint32_t group = 0;
  for (size_t i = 0; i < 24; ++i) {
    const int digit = i < 22 ? digit_of(text[i]) : 0;
    if (digit < 0) return fail(ErrorCode::kInvalidRequest, "'" + std::string(text) + "' is not an id: it must be base64url");
    group = group << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 3) {
      bytes[at++] = static_cast<uint8_t>(group >> 16);
      bytes[at++] = static_cast<uint8_t>(group >> 8);
      bytes[at++] = static_cast<uint8_t>(group);
      group = 0;
    }
  }
  return Uuid{load_be<uint64_t>(bytes.data()), load_be<uint64_t>(bytes.data() + 8)};
}

}  // namespace samsa
