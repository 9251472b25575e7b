// Records of the metadata log: a frame of three unsigned varints (frame version 1, record type, version) before the fields.
// Records of __remote_log_metadata have the same frame. Format: docs/formats/metadata_log.md. Pure; any thread.
#pragma once

#include "protocol/codec.h"

namespace samsa::protocol {

struct MetadataFrame {
  int16_t api_key = -1;  // The record's type.
  int16_t version = 0;
  Bytes body;  // The fields; a view.
};

void put_metadata_frame(Encoder& to, int16_t api_key, int16_t version);
// INVALID_REQUEST for broken bytes or an unknown frame version.
Result<MetadataFrame> peek_metadata_record(Bytes record);

// Errors as encode's; a text that has grown past 32,767 bytes is one of them.
template <class M>
Result<Buffer> encode_metadata_record(const M& message, int16_t version) {
  Encoder to;
  put_metadata_frame(to, M::kApiKey, version);
  auto done = encode(message, version, to);
  if (!done) return fail(std::move(done).error());
  return to.take();
}
// The record of a frame that peek_metadata_record gave, whose api_key is M's. UNSUPPORTED_VERSION for a version out of range.
template <class M>
Result<M> decode_metadata_record(const MetadataFrame& frame) {
  SAMSA_ASSERT(frame.api_key == M::kApiKey);
  return decode<M>(frame.body, frame.version);
}

}  // namespace samsa::protocol
