// One step of fuzzing the decoders, for the fuzzer and for the short run in the unit tests.
#pragma once

#include "protocol/headers.h"
#include "protocol/metadata_frame.h"
#include "protocol/random_message.h"

namespace samsa::protocol {

// The first bytes choose message and version, the rest is the body. The body is copied into a buffer of its exact size, so that a
// read past the end is seen by the sanitizers.
inline void fuzz_codec(Bytes input) {
  static const auto all = all_messages();
  if (input.size() < 3) return;
  const size_t choice = input[0] | input[1] << 8;
  const uint8_t wanted = input[2];
  const auto body = std::make_unique<uint8_t[]>(input.size() - 3);
  const Bytes bytes(body.get(), input.size() - 3);
  std::copy(input.begin() + 3, input.end(), body.get());
  RequestHeader header;
  (void)decode_request_header(bytes, header);
  (void)peek_metadata_record(bytes);

  const MessageTable& table = *all[choice % all.size()];
  const auto version = static_cast<int16_t>(table.min_version + wanted % (table.max_version - table.min_version + 1));
  AnyMessage first(table);
  const auto used = decode_message(table, first.object, bytes, version);
  if (!used) return;
  Encoder to;
  auto done = encode_message(table, first.object, version, to);
  // A known tag may stand in the unknown ones only by error; nothing decoded may be impossible to encode.
  SAMSA_ASSERT(done.has_value());
  const Buffer again = to.take();
  AnyMessage second(table);
  const auto used_again = decode_message(table, second.object, again, version);
  SAMSA_ASSERT(used_again.has_value() && *used_again == again.size());
  Encoder third;
  SAMSA_ASSERT(encode_message(table, second.object, version, third).has_value());
  SAMSA_ASSERT(third.take() == again);
}

}  // namespace samsa::protocol
