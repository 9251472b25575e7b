// HTTP/1.1 as far as a port that only answers GET needs it: the head of a request from bytes, the head of an answer to bytes. A strict
// reader of its own, because it is smaller than the glue to any library's: whatever is not plainly a request is refused.
// Pure; any thread. RFC 9110, 9112.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace samsa::server {

struct HttpRequest {
  std::string method;  // "GET"
  std::string target;  // "/metrics?name=x"
  bool keep_alive = true;

  // The target without its query.
  [[nodiscard]] std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
};

enum class HttpRead { kMore, kDone, kBad };

inline constexpr size_t kMaxHttpHead = 8192;  // Bytes of a request's head; more are refused.

// Reads a request from the start of what has arrived; `used`: the bytes it took. Requests with a body are refused.
HttpRead read_http_request(std::string_view bytes, HttpRequest& request, size_t& used);

// The head of an answer with a body of that many bytes. `more`: header lines, each with its end of line.
std::string http_head(int status, std::string_view content_type, size_t body_bytes, bool keep_alive, std::string_view more = {});

}  // namespace samsa::server
