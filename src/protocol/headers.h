// What stands before requests and responses, and whole frames (docs/formats/wire.md).
//
// Which header version goes with a request follows from its API key and version alone: flexible ones have header 2 (response 1).
// ApiVersions is the exception twice: its response always has header 0, and a version too new for us still has request header 2.
// Pure; any thread.
#pragma once

#include "protocol/codec.h"

namespace samsa::protocol {

struct RequestHeader {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  Text client_id;  // Null on the wire is "".
};

// 1 or 2, 0 or 1. An unknown key has the oldest header.
int16_t request_header_version(int16_t api_key, int16_t api_version);
int16_t response_header_version(int16_t api_key, int16_t api_version);

// Reads the header at the front of a request's frame (the bytes behind the length) and returns its size: the body begins there.
// UNSUPPORTED_VERSION for an unknown key (the header is filled then); INVALID_REQUEST for broken bytes. An unsupported version of
// a known API is not an error here.
Result<size_t> decode_request_header(Bytes frame, RequestHeader& header);
void encode_request_header(const RequestHeader& header, Encoder& to);

// Reads a response's header for a request of this key and version; returns its size.
Result<size_t> decode_response_header(Bytes frame, int16_t api_key, int16_t api_version, int32_t& correlation_id);
void encode_response_header(int16_t api_key, int16_t api_version, int32_t correlation_id, Encoder& to);

// A whole frame, with its length in front. On an error `to` is as before.
template <class M>
Result<void> encode_request_frame(const RequestHeader& header, const M& request, Encoder& to) {
  const size_t mark = to.begin_length();
  encode_request_header(header, to);
  auto done = encode(request, header.api_version, to);
  if (done)
    to.end_length(mark);
  else
    to.truncate(mark);
  return done;
}
template <class M>
Result<void> encode_response_frame(const RequestHeader& request, const M& response, Encoder& to) {
  const size_t mark = to.begin_length();
  encode_response_header(request.api_key, request.api_version, request.correlation_id, to);
  auto done = encode(response, request.api_version, to);
  if (done)
    to.end_length(mark);
  else
    to.truncate(mark);
  return done;
}

}  // namespace samsa::protocol
