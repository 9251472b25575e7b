// ErrorCode: Kafka's error codes, from the table base/errors.def.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace samsa {

enum class ErrorCode : int16_t {
#define SAMSA_ERROR(constant, name, code, retriable, text) constant = code,
#include "base/errors.def"
#undef SAMSA_ERROR
};

// "NOT_LEADER_OR_FOLLOWER"; "UNKNOWN_SERVER_ERROR" for a number that is not in the table.
std::string_view error_name(ErrorCode code);
// What it means, for people.
std::string_view error_text(ErrorCode code);
// Whether a client may simply try again.
bool error_is_retriable(ErrorCode code);
// The code of a number from the wire; UNKNOWN_SERVER_ERROR for one that is not in the table.
ErrorCode error_from_wire(int16_t code);

}  // namespace samsa
