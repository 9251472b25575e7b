#include "config/properties.h"

#include <fmt/format.h>

#include <vector>

namespace samsa::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void append_utf8(std::string& to, uint32_t code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xc0 | (code >> 6));
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    to += static_cast<char>(0xe0 | (code >> 12));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    to += static_cast<char>(0xf0 | (code >> 18));
    to += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// Four hexadecimal digits; -1 if they are not.
int32_t hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  int32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

bool ends_in_odd_backslashes(std::string_view line) {
  size_t count = 0;
  while (count < line.size() && line[line.size() - 1 - count] == '\\') ++count;
  return count % 2 == 1;
}

std::string_view without_leading_blanks(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  return line;
}

struct LogicalLine {
  std::string text;
  size_t number = 0;  // Of its first line, from 1.
};

// Lines without comments and empty ones, continued ones joined.
std::vector<LogicalLine> logical_lines(std::string_view text) {
  std::vector<LogicalLine> lines;
  bool continued = false;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find_first_of("\r\n");
    std::string_view line = text.substr(0, end);
    size_t used = end == std::string_view::npos ? text.size() : end + 1;
    if (end != std::string_view::npos && text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n') ++used;
    text.remove_prefix(used);
    line = without_leading_blanks(line);
    if (!continued) {
      if (line.empty() || line.front() == '#' || line.front() == '!') continue;
      lines.push_back({{}, number});
    }
    continued = ends_in_odd_backslashes(line);
    if (continued) line.remove_suffix(1);
    lines.back().text += line;
  }
  return lines;
}

Result<std::string> unescape(std::string_view raw, size_t line) {
  std::string to;
  uint32_t high = 0;  // The first half of a surrogate pair.
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 == raw.size()) {
      if (raw[i] != '\\') to += raw[i];
      continue;
    }
    const char c = raw[++i];
    if (c != 'u') {
      to += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
      continue;
    }
    const int32_t code = hex4(raw.substr(i + 1));
    if (code < 0) return fail(ErrorCode::kInvalidConfig, fmt::format("line {}: \\u needs four hexadecimal digits", line));
    i += 4;
    if (code >= 0xd800 && code < 0xdc00) {
      high = static_cast<uint32_t>(code);
    } else if (code >= 0xdc00 && code < 0xe000 && high != 0) {
      append_utf8(to, 0x10000 + ((high - 0xd800) << 10) + (static_cast<uint32_t>(code) - 0xdc00));
      high = 0;
    } else {
      append_utf8(to, static_cast<uint32_t>(code));
    }
  }
  return to;
}

void escape(std::string& to, std::string_view text, bool is_name) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '\t': to += "\\t"; break;
      case '\n': to += "\\n"; break;
      case '\r': to += "\\r"; break;
      case '\f': to += "\\f"; break;
      case ' ':
        if (is_name || i == 0) to += '\\';
        to += ' ';
        break;
      case '\\':
      case '=':
      case ':':
      case '#':
      case '!':
        to += '\\';
        [[fallthrough]];
      default: to += c;
    }
  }
}

}  // namespace

Result<Properties> parse_properties(std::string_view text) {
  Properties properties;
  for (const auto& [line, number] : logical_lines(text)) {
    size_t name_end = 0;
    while (name_end < line.size() && line[name_end] != '=' && line[name_end] != ':' && !is_blank(line[name_end])) {
      name_end += line[name_end] == '\\' && name_end + 1 < line.size() ? 2 : 1;
    }
    std::string_view rest = without_leading_blanks(std::string_view(line).substr(name_end));
    if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) rest = without_leading_blanks(rest.substr(1));
    TRY_ASSIGN(auto name, unescape(std::string_view(line).substr(0, name_end), number));
    TRY_ASSIGN(auto value, unescape(rest, number));
    properties.insert_or_assign(std::move(name), std::move(value));
  }
  return properties;
}

std::string print_properties(const Properties& properties, std::string_view comment) {
  std::string text;
  while (!comment.empty()) {
    const size_t end = comment.find('\n');
    text += '#';
    text += comment.substr(0, end);
    text += '\n';
    comment = end == std::string_view::npos ? std::string_view{} : comment.substr(end + 1);
  }
  for (const auto& [name, value] : properties) {
    escape(text, name, true);
    text += '=';
    escape(text, value, false);
    text += '\n';
  }
  return text;
}

}  // namespace samsa::config
