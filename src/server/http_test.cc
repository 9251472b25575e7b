#include "server/http.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

HttpRead read(std::string_view bytes, HttpRequest& request) {
  size_t used = 0;
  return read_http_request(bytes, request, used);
}
HttpRead read(std::string_view bytes) {
  HttpRequest request;
  return read(bytes, request);
}

TEST(Http, ReadsWhatScrapersSend) {
  HttpRequest request;
  size_t used = 0;
  const std::string_view two = "GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9404\r\nAccept: text/plain;q=0.5, */*\r\nAccept-Encoding: gzip\r\n\r\nGET /";
  ASSERT_EQ(read_http_request(two, request, used), HttpRead::kDone);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path(), "/metrics");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(two.substr(used), "GET /");
}

TEST(Http, KnowsWhoseConnectionStaysOpen) {
  HttpRequest request;
  ASSERT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", request), HttpRead::kDone);
  EXPECT_FALSE(request.keep_alive);
  ASSERT_EQ(read("GET / HTTP/1.0\r\n\r\n", request), HttpRead::kDone);
  EXPECT_FALSE(request.keep_alive);
  ASSERT_EQ(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", request), HttpRead::kDone);
  EXPECT_TRUE(request.keep_alive);
}

TEST(Http, WaitsForTheEndOfTheHead) {
  const std::string whole = "\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_EQ(read(whole.substr(0, size)), HttpRead::kMore) << size;
  EXPECT_EQ(read(whole), HttpRead::kDone);
}

TEST(Http, RefusesEverythingElse) {
  for (const std::string_view bad : {
           "GET /metrics\r\n\r\n",                                           // HTTP/0.9
           "GET /metrics HTTP/2\r\n\r\n",                                    // A version that is not spoken here.
           "GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n",                      // Two spaces.
           "G(T /metrics HTTP/1.1\r\nHost: a\r\n\r\n",                       // Not a token.
           "GET http://a/metrics HTTP/1.1\r\nHost: a\r\n\r\n",               // For a proxy.
           "GET /metrics HTTP/1.1\r\n\r\n",                                  // No host.
           "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",            // Two of them.
           "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",                      // A space before the colon.
           "GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",            // A folded line.
           "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",  // A body.
           "GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    EXPECT_EQ(read(bad), HttpRead::kBad) << bad;
  }
  EXPECT_EQ(read(std::string_view("\x16\x03\x01\x02\x00\x01", 6)), HttpRead::kBad);  // TLS.
  EXPECT_EQ(read(std::string(kMaxHttpHead, 'a')), HttpRead::kBad);
  EXPECT_EQ(read(std::string(kMaxHttpHead - 1, 'a')), HttpRead::kMore);
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(kMaxHttpHead, 'a') + "\r\n\r\n"), HttpRead::kBad);
}

TEST(Http, WritesHeads) {
  EXPECT_EQ(http_head(405, "text/plain", 3, false, "Allow: GET, HEAD\r\n"),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\nAllow: GET, HEAD\r\n\r\n");
}

}  // namespace
}  // namespace samsa::server
