#include "protocol/headers.h"

#include <fmt/format.h>

#include "protocol/api/api_versions.h"
#include "protocol/api_table.h"
#include "protocol/record/request_header.h"
#include "protocol/record/response_header.h"

namespace samsa::protocol {
namespace {
constexpr int16_t kApiVersionsKey = ApiVersionsRequest::kApiKey;

bool is_flexible(int16_t api_key, int16_t api_version) {
  const ApiInfo* api = find_api(api_key);
  return api && api_version >= api->first_flexible;
}
}  // namespace

int16_t request_header_version(int16_t api_key, int16_t api_version) { return is_flexible(api_key, api_version) ? 2 : 1; }

int16_t response_header_version(int16_t api_key, int16_t api_version) {
  return api_key != kApiVersionsKey && is_flexible(api_key, api_version) ? 1 : 0;
}

Result<size_t> decode_request_header(Bytes frame, RequestHeader& header) {
  if (frame.size() < 4) return fail(ErrorCode::kInvalidRequest, "request shorter than its header");
  header.api_key = load_be<int16_t>(frame.data());
  header.api_version = load_be<int16_t>(frame.data() + 2);
  RequestHeaderData data;
  TRY_ASSIGN(const size_t used, decode_prefix(frame, request_header_version(header.api_key, header.api_version), data));
  header.correlation_id = data.correlation_id;
  header.client_id = data.client_id ? std::move(*data.client_id) : Text();
  if (!find_api(header.api_key)) return fail(ErrorCode::kUnsupportedVersion, fmt::format("unknown API key {}", header.api_key));
  return used;
}

void encode_request_header(const RequestHeader& header, Encoder& to) {
  RequestHeaderData data;
  data.request_api_key = header.api_key;
  data.request_api_version = header.api_version;
  data.correlation_id = header.correlation_id;
  data.client_id = header.client_id;
  auto done = encode(data, request_header_version(header.api_key, header.api_version), to);
  SAMSA_ASSERT(done.has_value());
}

Result<size_t> decode_response_header(Bytes frame, int16_t api_key, int16_t api_version, int32_t& correlation_id) {
  ResponseHeaderData data;
  TRY_ASSIGN(const size_t used, decode_prefix(frame, response_header_version(api_key, api_version), data));
  correlation_id = data.correlation_id;
  return used;
}

void encode_response_header(int16_t api_key, int16_t api_version, int32_t correlation_id, Encoder& to) {
  to.put(correlation_id);
  if (response_header_version(api_key, api_version) == 1) to.put<uint8_t>(0);
}

}  // namespace samsa::protocol
