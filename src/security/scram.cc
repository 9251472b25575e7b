#include "security/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace samsa::security {
namespace {

const EVP_MD* digest_of(ScramMechanism mechanism) { return mechanism == ScramMechanism::kSha256 ? EVP_sha256() : EVP_sha512(); }
size_t size_of(ScramMechanism mechanism) { return mechanism == ScramMechanism::kSha256 ? 32 : 64; }

}  // namespace

std::string_view scram_mechanism_name(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? "SCRAM-SHA-256" : "SCRAM-SHA-512";
}

std::optional<ScramMechanism> scram_mechanism_from_name(std::string_view name) {
  if (name == "SCRAM-SHA-256") return ScramMechanism::kSha256;
  if (name == "SCRAM-SHA-512") return ScramMechanism::kSha512;
  return std::nullopt;
}

Result<Buffer> scram_salted_password(ScramMechanism mechanism, std::string_view password, Bytes salt, int32_t iterations) {
  Buffer salted(size_of(mechanism));
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(), static_cast<int>(salt.size()), iterations,
                        digest_of(mechanism), static_cast<int>(salted.size()), salted.data()) != 1) {
    return fail(ErrorCode::kUnknownServerError, "the password could not be salted");
  }
  return salted;
}

Result<ScramKeys> scram_keys(ScramMechanism mechanism, Bytes salted_password) {
  const auto hmac = [&](std::string_view text, Buffer& into) {
    into.resize(size_of(mechanism));
    unsigned size = 0;
    return HMAC(digest_of(mechanism), salted_password.data(), static_cast<int>(salted_password.size()),
                reinterpret_cast<const uint8_t*>(text.data()), text.size(), into.data(), &size) != nullptr;
  };
  ScramKeys keys;
  Buffer client_key;
  keys.stored_key.resize(size_of(mechanism));
  unsigned size = 0;
  if (!hmac("Client Key", client_key) || !hmac("Server Key", keys.server_key) ||
      EVP_Digest(client_key.data(), client_key.size(), keys.stored_key.data(), &size, digest_of(mechanism), nullptr) != 1) {
    return fail(ErrorCode::kUnknownServerError, "the keys could not be derived");
  }
  return keys;
}

}  // namespace samsa::security
