// Reading and writing messages, by the tables of protocol/schema.h.
//
// Decoding: strings, bytes and records view the buffer they came from, so the buffer must outlive the message. Every input is
// answered with a message or an error. Memory is bounded by the bytes really read, at most some 40 to 80 bytes for each (an array's
// count must fit the bytes left, given the least that an element takes, and memory for it is taken in steps).
// Encoding: what a version does not have is dropped where Kafka calls the field ignorable or the value is the default, else it is
// an error. Errors: UNSUPPORTED_VERSION for a version that the message does not have or that cannot carry a value;
// INVALID_REQUEST for bytes that are no such message, and for null where the version has no null.
// Pure; any thread. Format: docs/formats/wire.md.
#pragma once

#include "base/assert.h"
#include "base/bytes.h"
#include "base/result.h"
#include "protocol/types.h"

namespace samsa::io {
struct Chunk;
}

namespace samsa::protocol {

// Collects encoded bytes and, between them, the slices of files that a response carries. The memory and the slices that chunks()
// names stay valid while the Encoder lives and nothing more is written.
class Encoder {
 public:
  Encoder() = default;
  explicit Encoder(size_t expected_bytes) { memory_.reserve(expected_bytes); }
  Encoder(Encoder&&) = default;
  Encoder& operator=(Encoder&&) = default;

  // Room for `count` more bytes at the end; valid until the next call.
  uint8_t* grow(size_t count) {
    const size_t at = used_;
    used_ += count;
    if (used_ > memory_.size()) enlarge();
    return memory_.data() + at;
  }
  template <class T>
  void put(T value) {
    store_be(grow(sizeof(T)), value);
  }
  void put_uvarint(uint64_t value);
  void put_bytes(Bytes bytes);
  // Records' bytes without a length: slices and large owned memory become chunks of their own, not copies.
  void put_records(const Records& records);
  // Four bytes for a length that end_length fills in with all that was written since.
  size_t begin_length();
  void end_length(size_t mark);

  // Bytes of memory written so far; a position for patch and insert.
  [[nodiscard]] size_t position() const { return used_; }
  template <class T>
  void patch(size_t at, T value) {
    store_be(memory_.data() + at, value);
  }
  // Puts an unsigned varint before everything written since `at`; no records may lie behind.
  void insert_uvarint(size_t at, uint64_t value);
  // Forgets what was written since `at`.
  void truncate(size_t at);

  // Bytes in all, with those of slices.
  [[nodiscard]] uint64_t size() const { return used_ + outside_; }
  [[nodiscard]] std::vector<io::Chunk> chunks() const;
  void append_chunks(std::vector<io::Chunk>& to) const;
  // The bytes as one buffer; only without slices.
  [[nodiscard]] Buffer take();

 private:
  struct Outside {
    size_t at;  // Position in memory before which it goes.
    Records records;
  };
  void enlarge();

  Buffer memory_;
  size_t used_ = 0;
  uint64_t outside_ = 0;
  std::vector<Outside> pieces_;
};

// By table; what the templates below call.
Result<size_t> decode_message(const MessageTable& table, void* message, Bytes bytes, int16_t version);
Result<void> encode_message(const MessageTable& table, const void* message, int16_t version, Encoder& to);
[[nodiscard]] std::unexpected<Error> fail_trailing(const MessageTable& table, size_t count);

// Reads a message from the front of `bytes` into a fresh M. Returns the bytes consumed.
template <class M>
Result<size_t> decode_prefix(Bytes bytes, int16_t version, M& message) {
  return decode_message(M::table(), &message, bytes, version);
}
// Reads a message that fills `body`.
template <class M>
Result<M> decode(Bytes body, int16_t version) {
  Result<M> message(std::in_place);
  auto used = decode_message(M::table(), &*message, body, version);
  if (!used) return fail(std::move(used).error());
  if (*used != body.size()) return fail_trailing(M::table(), body.size() - *used);
  return message;
}
// Appends a message. After an error what was appended is unspecified.
template <class M>
Result<void> encode(const M& message, int16_t version, Encoder& to) {
  return encode_message(M::table(), &message, version, to);
}
// A message of our own making, without file slices: that it can be encoded is asserted.
template <class M>
Buffer encode_to_buffer(const M& message, int16_t version) {
  Encoder to;
  auto done = encode_message(M::table(), &message, version, to);
  SAMSA_ASSERT(done.has_value());
  return to.take();
}

constexpr int16_t to_wire(ErrorCode code) { return static_cast<int16_t>(code); }

// Records of internal topics: the version, or a key's type, as i16, then the fields.
void put_record_prefix(Encoder& to, int16_t number);
// The i16 in front of a record. INVALID_REQUEST when it is shorter.
Result<int16_t> record_prefix(Bytes record);

// Errors as encode's; a text that has grown past 32,767 bytes is one of them.
template <class M>
Result<Buffer> encode_record(const M& message, int16_t version) {
  Encoder to;
  put_record_prefix(to, M::kIsKey ? M::kApiKey : version);
  auto done = encode_message(M::table(), &message, M::kIsKey ? M::kMinVersion : version, to);
  if (!done) return fail(std::move(done).error());
  return to.take();
}
// A key: its type stands for the version.
template <class M>
  requires M::kIsKey
Result<Buffer> encode_record(const M& message) {
  return encode_record(message, M::kApiKey);
}
// Refuses a version out of range, and a key of another type. Bytes behind the fields are allowed, as Kafka does.
template <class M>
Result<M> decode_record(Bytes record) {
  auto number = record_prefix(record);
  if (!number) return fail(std::move(number).error());
  if (M::kIsKey && *number != M::kApiKey)
    return fail(ErrorCode::kUnsupportedVersion, std::string(M::kName) + ": type " + std::to_string(*number));
  Result<M> message(std::in_place);
  auto used = decode_message(M::table(), &*message, record.subspan(2), M::kIsKey ? M::kMinVersion : *number);
  if (!used) return fail(std::move(used).error());
  return message;
}

}  // namespace samsa::protocol
