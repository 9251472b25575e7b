// The table of APIs, made from the heads of protocol/api/*.api: keys, versions, listeners, and whether Samsa serves it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace samsa::protocol {

struct ApiInfo {
  int16_t key;
  std::string_view name;  // "Fetch"
  int16_t min_version, max_version;
  int16_t first_unstable;   // Neither advertised nor accepted from here on, unless unstable.api.versions.enable; INT16_MAX: none.
  int16_t first_flexible;   // INT16_MAX: never.
  int16_t max_version_43;   // What Apache Kafka 4.3 speaks at most; -1: it does not have this API.
  bool broker, controller;  // The listeners that Kafka has it on.
  bool served;              // Samsa has a handler.
  bool served_broker, served_controller;

  // The highest version to speak with peers.
  [[nodiscard]] int16_t max_stable() const { return max_version < first_unstable ? max_version : static_cast<int16_t>(first_unstable - 1); }
  [[nodiscard]] bool has(int16_t version) const { return version >= min_version && version <= max_version; }
};

// By ascending key.
std::span<const ApiInfo> all_apis();
// Null for a key that is in no version of Kafka since 4.3.
const ApiInfo* find_api(int16_t key);

}  // namespace samsa::protocol
