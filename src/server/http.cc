#include "server/http.h"

#include <algorithm>

#include <fmt/format.h>

namespace samsa::server {

namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view kSigns = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kSigns.find(c) != std::string_view::npos;
  });
}

bool is_visible(char c) { return c > ' ' && c != 0x7f; }
// What may stand in a header's value; also bytes above ASCII.
bool is_text(char c) { return static_cast<unsigned char>(c) >= ' ' ? c != 0x7f : c == '\t'; }

bool same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Headers {
  bool host = false;
  bool body = false;
  bool close = false;
  bool keep_alive = false;
};

bool read_request_line(std::string_view line, HttpRequest& request, bool& version_1_1) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
  if (!is_token(method) || !target.starts_with('/') || !std::ranges::all_of(target, is_visible)) return false;
  version_1_1 = version.back() == '1';
  request.method = method;
  request.target = target;
  return true;
}

bool read_header(std::string_view line, Headers& headers) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return false;
  const auto name = line.substr(0, colon);
  const auto value = trimmed(line.substr(colon + 1));
  if (!std::ranges::all_of(value, is_text)) return false;
  if (same_word(name, "host")) {
    if (headers.host) return false;
    headers.host = true;
  } else if (same_word(name, "transfer-encoding")) {
    headers.body = true;
  } else if (same_word(name, "content-length")) {
    headers.body = headers.body || value != "0";
  } else if (same_word(name, "connection")) {
    headers.close = headers.close || same_word(value, "close");
    headers.keep_alive = headers.keep_alive || same_word(value, "keep-alive");
  }
  return true;
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    default: return "Error";
  }
}

}  // namespace

HttpRead read_http_request(std::string_view bytes, HttpRequest& request, size_t& used) {
  const std::string_view all = bytes;
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // Left over by clients of old after a body.
  const size_t end = bytes.substr(0, kMaxHttpHead).find("\r\n\r\n");
  if (end == std::string_view::npos) {
    const bool sense = std::ranges::all_of(bytes, [](char c) { return is_text(c) || c == '\r' || c == '\n'; });
    return sense && all.size() < kMaxHttpHead ? HttpRead::kMore : HttpRead::kBad;
  }
  std::string_view head = bytes.substr(0, end);
  used = all.size() - bytes.size() + end + 4;
  request = {};
  Headers headers;
  bool version_1_1 = false;
  for (bool first = true; first || !head.empty(); first = false) {
    const size_t line_end = head.find("\r\n");
    const auto line = head.substr(0, line_end);
    head.remove_prefix(line_end == std::string_view::npos ? head.size() : line_end + 2);
    if (!(first ? read_request_line(line, request, version_1_1) : read_header(line, headers))) return HttpRead::kBad;
  }
  if (headers.body || (version_1_1 && !headers.host)) return HttpRead::kBad;
  request.keep_alive = version_1_1 ? !headers.close : headers.keep_alive && !headers.close;
  return HttpRead::kDone;
}

std::string http_head(int status, std::string_view content_type, size_t body_bytes, bool keep_alive, std::string_view more) {
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n{}\r\n", status, reason(status), content_type,
                     body_bytes, keep_alive ? "keep-alive" : "close", more);
}

}  // namespace samsa::server
