#include "tool/scram_argument.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "base/bytes.h"
#include "security/scram.h"

namespace samsa::tool {

namespace {

std::unexpected<Error> refuse(std::string text) { return fail(ErrorCode::kInvalidRequest, std::move(text)); }

// Base64 as Java's decoder takes it: padding at the end, or none. Nothing: it is no base64.
std::optional<Buffer> decode_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.ends_with('=') && text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  Buffer bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<uint8_t>(bits >> count));
  }
  return bytes;
}

Result<std::map<std::string, std::string>> parse_components(std::string_view text) {
  std::map<std::string, std::string> components;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) return refuse(fmt::format("No equals sign found in SCRAM component: {}", part));
    std::string_view value = part.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    components[std::string(part.substr(0, equals))] = std::string(value);
  }
  return components;
}

std::optional<std::string> take(std::map<std::string, std::string>& components, const char* name) {
  auto node = components.extract(name);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

struct Given {
  std::string name;
  std::optional<Buffer> salt, salted_password;
  std::optional<std::string> password;
  int32_t iterations = security::kMinScramIterations;
};

Result<Given> parse_given(std::string_view text) {
  TRY_ASSIGN(auto components, parse_components(text));
  Given given;
  const auto name = take(components, "name");
  if (!name) return refuse("You must supply 'name' to add-scram");
  given.name = *name;
  if (const auto salt = take(components, "salt")) {
    given.salt = decode_base64(*salt);
    if (!given.salt) return refuse("Failed to decode given salt: " + *salt);
  }
  if (const auto iterations = take(components, "iterations")) {
    const auto parsed = std::from_chars(iterations->data(), iterations->data() + iterations->size(), given.iterations);
    if (parsed.ec != std::errc{} || parsed.ptr != iterations->data() + iterations->size()) return refuse("Failed to parse iterations count: " + *iterations);
  }
  given.password = take(components, "password");
  const auto salted = take(components, "saltedpassword");
  if (!given.password) {
    if (!salted) return refuse("You must supply one of 'password' or 'saltedpassword' to add-scram");
    if (!given.salt) return refuse("You must supply 'salt' with 'saltedpassword' to add-scram");
    given.salted_password = decode_base64(*salted);
    if (!given.salted_password) return refuse("Failed to decode given saltedPassword: " + *salted);
  }
  if (components.empty()) return given;
  std::string names;
  for (const auto& [key, value] : components) names += (names.empty() ? "" : ", ") + key;
  return refuse("Unknown SCRAM configurations: " + names);
}

}  // namespace

Result<metadata::BootstrapScram> parse_scram_argument(std::string text, io::Random& random) {
  text.erase(0, text.find_first_not_of(" \t"));
  text.erase(text.find_last_not_of(" \t") + 1);
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return refuse(fmt::format("Failed to find equals sign in SCRAM argument '{}'", text));
  const std::string name = text.substr(0, equals);
  const auto mechanism = security::scram_mechanism_from_name(name);
  if (!mechanism) return refuse(fmt::format("The add-scram mechanism {} is not supported.", name));
  const std::string_view config = std::string_view(text).substr(equals + 1);
  if (!config.starts_with('[')) return refuse("Expected configuration string to start with [");
  if (!config.ends_with(']') || config.size() < 2) return refuse("Expected configuration string to end with ]");
  TRY_ASSIGN(auto given, parse_given(config.substr(1, config.size() - 2)));
  if (given.iterations < security::kMinScramIterations) {
    return refuse(fmt::format("The 'iterations' value must be >= {} for add-scram using {}", security::kMinScramIterations, name));
  }
  if (given.iterations > security::kMaxScramIterations) {
    return refuse(fmt::format("The 'iterations' value must be <= {} for add-scram using {}", security::kMaxScramIterations, name));
  }
  metadata::BootstrapScram scram;
  scram.user = given.name;
  scram.mechanism = static_cast<int32_t>(*mechanism);
  scram.credential.iterations = given.iterations;
  if (given.salt) {
    scram.credential.salt = *given.salt;
  } else {
    for (int i = 0; i < 4; ++i) append_be(scram.credential.salt, random.next());
  }
  Buffer salted;
  if (given.salted_password) {
    salted = *given.salted_password;
  } else {
    TRY_ASSIGN(salted, security::scram_salted_password(*mechanism, *given.password, scram.credential.salt, given.iterations));
  }
  TRY_ASSIGN(auto keys, security::scram_keys(*mechanism, salted));
  scram.credential.stored_key = std::move(keys.stored_key);
  scram.credential.server_key = std::move(keys.server_key);
  return scram;
}

}  // namespace samsa::tool
