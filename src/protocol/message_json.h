// Messages as JSON, in the shape of Kafka's generated JSON converters: one line without spaces, fields in the order of their definition under
// Kafka's names with a small first letter, bytes in base64, tagged fields only where they differ from their default. What tools print.
// Pure; any thread. Format: docs/formats/api-definitions.md.
#pragma once

#include <functional>
#include <string>

#include "base/bytes.h"
#include "protocol/schema.h"

namespace samsa::protocol {

// Asked for every bytes field: appends something else than base64 to `to` and says true, or leaves it alone.
using BytesAsJson = std::function<bool(const StructTable& table, const FieldTable& field, Bytes bytes, std::string& to)>;

// Appends the message as it stands at `version`, which the table must have.
void append_json(const MessageTable& table, const void* message, int16_t version, std::string& to, const BytesAsJson& bytes_as = {});
template <class M>
std::string to_json(const M& message, int16_t version) {
  std::string text;
  append_json(M::table(), &message, version, text);
  return text;
}
// Appends the text in quotes, with the escapes that Jackson uses.
void append_json_string(std::string_view text, std::string& to);
// With padding (RFC 4648).
std::string to_base64(Bytes bytes);
// "leader_recovery_state" -> "leaderRecoveryState".
std::string json_name(std::string_view field_name);
// Bytes as Java reads them as UTF-8: what is no UTF-8 becomes U+FFFD.
std::string to_valid_utf8(Bytes bytes);

}  // namespace samsa::protocol
