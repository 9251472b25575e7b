// SCRAM credentials (RFC 5802, RFC 7677; KIP-84, KIP-900): what is stored of a password. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace samsa::security {

// The wire's numbers.
enum class ScramMechanism : int8_t { kSha256 = 1, kSha512 = 2 };
inline constexpr int32_t kMinScramIterations = 4096;
inline constexpr int32_t kMaxScramIterations = 16384;

// "SCRAM-SHA-256", "SCRAM-SHA-512".
std::string_view scram_mechanism_name(ScramMechanism mechanism);
std::optional<ScramMechanism> scram_mechanism_from_name(std::string_view name);

struct ScramKeys {
  Buffer stored_key;
  Buffer server_key;
};

// The salted password: PBKDF2 with HMAC of the mechanism's hash.
Result<Buffer> scram_salted_password(ScramMechanism mechanism, std::string_view password, Bytes salt, int32_t iterations);
// The keys that a server stores.
Result<ScramKeys> scram_keys(ScramMechanism mechanism, Bytes salted_password);

}  // namespace samsa::security
