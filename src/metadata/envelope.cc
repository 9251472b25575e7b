#include "metadata/envelope.h"

#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/varint.h"

namespace samsa::metadata {

namespace {

void append_text(Buffer& to, std::string_view text) {
  append_uvarint(to, text.size() + 1);
  to.insert(to.end(), text.begin(), text.end());
}

bool read_text(Bytes& from, std::string& into) {
  const auto length = read_uvarint32(from);
  if (length.size == 0 || length.value == 0 || from.size() - length.size < length.value - 1) return false;
  into = as_text(from.subspan(length.size, length.value - 1));
  from = from.subspan(length.size + length.value - 1);
  return true;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t from = 0;; ) {
    const size_t end = text.find(at, from);
    parts.push_back(text.substr(from, end == std::string_view::npos ? end : end - from));
    if (end == std::string_view::npos) return parts;
    from = end + 1;
  }
}

std::optional<Buffer> ipv4(std::string_view host) {
  const auto parts = split(host, '.');
  if (parts.size() != 4) return std::nullopt;
  Buffer bytes;
  for (const auto part : parts) {
    const auto value = number<uint8_t>(part, 10);
    if (!value) return std::nullopt;
    bytes.push_back(*value);
  }
  return bytes;
}

// Groups on one side of "::".
bool ipv6_groups(std::string_view text, Buffer& into) {
  if (text.empty()) return true;
  for (const auto part : split(text, ':')) {
    if (const auto last = ipv4(part)) {
      into.insert(into.end(), last->begin(), last->end());
      continue;
    }
    const auto value = number<uint16_t>(part, 16);
    if (!value) return false;
    into.push_back(static_cast<uint8_t>(*value >> 8));
    into.push_back(static_cast<uint8_t>(*value));
  }
  return true;
}

std::optional<Buffer> ipv6(std::string_view host) {
  host = host.substr(0, host.find('%'));
  const size_t gap = host.find("::");
  Buffer front, back;
  if (!ipv6_groups(host.substr(0, gap), front)) return std::nullopt;
  if (gap == std::string_view::npos) return front.size() == 16 ? std::optional(front) : std::nullopt;
  if (!ipv6_groups(host.substr(gap + 2), back) || front.size() + back.size() > 14) return std::nullopt;
  front.resize(16 - back.size());
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

}  // namespace

Buffer encode_principal(const ForwardedFor& who) {
  Buffer bytes{0, 0};  // Version 0.
  append_text(bytes, who.principal_type);
  append_text(bytes, who.principal_name);
  bytes.push_back(0);  // Not by a delegation token.
  bytes.push_back(0);  // No tagged fields.
  return bytes;
}

Result<void> decode_principal(Bytes bytes, ForwardedFor& who) {
  if (bytes.size() < 2 || bytes[0] != 0 || bytes[1] != 0) return fail(ErrorCode::kPrincipalDeserializationFailure, "principal of an unknown version");
  bytes = bytes.subspan(2);
  if (!read_text(bytes, who.principal_type) || !read_text(bytes, who.principal_name) || bytes.empty()) {
    return fail(ErrorCode::kPrincipalDeserializationFailure, "principal cut short");
  }
  return {};
}

Buffer address_bytes(std::string_view host) {
  if (auto four = ipv4(host)) return *four;
  if (auto sixteen = ipv6(host)) return *sixteen;
  return Buffer(4);
}

Result<std::string> address_text(Bytes bytes) {
  if (bytes.size() == 4) return fmt::format("{}.{}.{}.{}", bytes[0], bytes[1], bytes[2], bytes[3]);
  if (bytes.size() != 16) return fail(ErrorCode::kInvalidRequest, fmt::format("an address of {} bytes", bytes.size()));
  std::string text;
  for (size_t i = 0; i < 16; i += 2) text += fmt::format("{}{:x}", i == 0 ? "" : ":", bytes[i] << 8 | bytes[i + 1]);
  return text;
}

}  // namespace samsa::metadata
