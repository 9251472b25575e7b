#include "tool/java_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace samsa::tool {

std::vector<std::string> in_java_map_order(std::vector<std::string> names, size_t entries) {
  uint32_t buckets = 16;
  while (buckets * 3 / 4 < entries) buckets *= 2;
  const auto bucket = [buckets](const std::string& name) {
    uint32_t hash = 0;
    for (const char c : name) hash = 31 * hash + static_cast<unsigned char>(c);
    return (hash ^ hash >> 16) & (buckets - 1);
  };
  std::sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return bucket(a) < bucket(b); });
  return names;
}

std::string java_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-3 && size < 1e7);
  std::array<char, 64> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value, plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(digits.data(), written.ptr);
  const size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  if (e == std::string::npos) return mantissa;
  const int exponent = std::stoi(text.substr(e + 1));
  return mantissa + "E" + std::to_string(exponent);
}

}  // namespace samsa::tool
