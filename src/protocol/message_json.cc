#include "protocol/message_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "protocol/field_default.h"

namespace samsa::protocol {
namespace {

const void* at_offset(const void* base, size_t offset) { return static_cast<const char*>(base) + offset; }
template <class T>
const T& as(const void* at) {
  return *static_cast<const T*>(at);
}

class JsonWriter {
 public:
  JsonWriter(int16_t version, std::string& to, const BytesAsJson& bytes_as) : version_(version), to_(to), bytes_as_(bytes_as) {}

  void write_struct(const StructTable& table, const void* from) {
    // The table has the tagged fields last; the struct has them where they were defined.
    std::vector<const FieldTable*> fields;
    for (const auto& field : table.fields) fields.push_back(&field);
    std::sort(fields.begin(), fields.end(), [](const auto* a, const auto* b) { return a->offset < b->offset; });
    to_ += '{';
    bool first = true;
    for (const auto* field : fields) {
      const void* value = at_offset(from, field->offset);
      if (!field->in(version_) || (field->tag >= 0 && is_default(*field, value))) continue;
      if (!first) to_ += ',';
      first = false;
      append_json_string(json_name(field->name), to_);
      to_ += ':';
      write_field(table, *field, value);
    }
    to_ += '}';
  }

 private:
  void write_field(const StructTable& table, const FieldTable& field, const void* value) {
    if (field.optional) {
      value = field.optional->get(value);
      if (value == nullptr) {
        to_ += "null";
        return;
      }
    }
    if (!field.array) return write_value(table, field, value);
    to_ += '[';
    const auto* element = static_cast<const char*>(field.array->data(value));
    for (size_t i = 0; i < field.array->size(value); ++i) {
      if (i > 0) to_ += ',';
      write_value(table, field, element + i * field.array->element_size);
    }
    to_ += ']';
  }

  void write_value(const StructTable& table, const FieldTable& field, const void* value) {
    auto out = std::back_inserter(to_);
    switch (field.kind) {
      case Kind::kBool: to_ += as<bool>(value) ? "true" : "false"; break;
      case Kind::kInt8: fmt::format_to(out, "{}", int{as<int8_t>(value)}); break;
      case Kind::kInt16: fmt::format_to(out, "{}", as<int16_t>(value)); break;
      case Kind::kUint16: fmt::format_to(out, "{}", as<uint16_t>(value)); break;
      case Kind::kInt32: fmt::format_to(out, "{}", as<int32_t>(value)); break;
      case Kind::kUint32: fmt::format_to(out, "{}", as<uint32_t>(value)); break;
      case Kind::kInt64: fmt::format_to(out, "{}", as<int64_t>(value)); break;
      case Kind::kFloat64: write_double(as<double>(value)); break;
      case Kind::kUuid: append_json_string(as<Uuid>(value).to_string(), to_); break;
      case Kind::kString: append_json_string(as<Text>(value).view(), to_); break;
      case Kind::kBytes:
        if (const Bytes bytes = as<Blob>(value).view(); !bytes_as_ || !bytes_as_(table, field, bytes, to_)) append_json_string(to_base64(bytes), to_);
        break;
      case Kind::kRecords: append_json_string(to_base64(as<Records>(value).memory.view()), to_); break;
      case Kind::kStruct: write_struct(*field.type, value); break;
    }
  }

  // As Java's Double.toString (of 19 and later: the shortest digits).
  void write_double(double value) {
    const double size = std::fabs(value);
    if (value == 0 || (size >= 1e-3 && size < 1e7)) {
      std::string text = fmt::format("{}", value);
      to_ += text.find('.') == std::string::npos ? text + ".0" : text;
      return;
    }
    if (!std::isfinite(value)) {
      append_json_string(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity", to_);
      return;
    }
    std::string digits;
    for (int precision = 0; precision <= 17; ++precision) {
      digits = fmt::format("{:.{}e}", size, precision);
      if (std::strtod(digits.c_str(), nullptr) == size) break;
    }
    const size_t e = digits.find('e');
    const int exponent = std::atoi(digits.c_str() + e + 1);
    digits.resize(e);
    if (digits.find('.') == std::string::npos) digits += ".0";
    to_ += fmt::format("{}{}E{}", value < 0 ? "-" : "", digits, exponent);
  }

  int16_t version_;
  std::string& to_;
  const BytesAsJson& bytes_as_;
};

// The length of the UTF-8 character at the front; 0 where there is none, `bad` is then how many bytes one U+FFFD stands for.
size_t utf8_length(Bytes from, size_t& bad) {
  const uint8_t lead = from[0];
  bad = 1;
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
  for (size_t i = 1; i < length; ++i) {
    uint8_t low = 0x80, high = 0xbf;
    if (i == 1 && lead == 0xe0) low = 0xa0;
    if (i == 1 && lead == 0xed) high = 0x9f;
    if (i == 1 && lead == 0xf0) low = 0x90;
    if (i == 1 && lead == 0xf4) high = 0x8f;
    if (i >= from.size() || from[i] < low || from[i] > high) {
      bad = i;
      return 0;
    }
  }
  return length;
}

}  // namespace

void append_json(const MessageTable& table, const void* message, int16_t version, std::string& to, const BytesAsJson& bytes_as) {
  JsonWriter(version, to, bytes_as).write_struct(table.fields, message);
}

void append_json_string(std::string_view text, std::string& to) {
  to += '"';
  for (const char c : text) {
    switch (c) {
      case '"': to += "\\\""; break;
      case '\\': to += "\\\\"; break;
      case '\b': to += "\\b"; break;
      case '\t': to += "\\t"; break;
      case '\n': to += "\\n"; break;
      case '\f': to += "\\f"; break;
      case '\r': to += "\\r"; break;
      default:
        if (static_cast<uint8_t>(c) < 0x20) {
          to += fmt::format("\\u{:04X}", static_cast<int>(c));
        } else {
          to += c;
        }
    }
  }
  to += '"';
}

std::string to_base64(Bytes bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? bytes[i + j] : 0U);
    for (size_t j = 0; j < 4; ++j) text += j <= n ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string json_name(std::string_view field_name) {
  std::string name;
  bool large = false;
  for (const char c : field_name) {
    if (c == '_') {
      large = !name.empty();
      continue;
    }
    name += large && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    large = false;
  }
  return name;
}

std::string to_valid_utf8(Bytes bytes) {
  std::string text;
  while (!bytes.empty()) {
    size_t bad = 1;
    const size_t length = utf8_length(bytes, bad);
    if (length > 0) {
      text.append(reinterpret_cast<const char*>(bytes.data()), length);
    } else {
      text += "\xef\xbf\xbd";
    }
    bytes = bytes.subspan(length > 0 ? length : bad);
  }
  return text;
}

}  // namespace samsa::protocol
