// The topics that Kafka keeps for itself, and the rules for topic names.
#pragma once

#include <string_view>

namespace samsa::server {

inline constexpr std::string_view kGroupOffsetsTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionStateTopic = "__transaction_state";
inline constexpr std::string_view kShareStateTopic = "__share_group_state";

inline bool is_internal_topic(std::string_view name) {
  return name == kGroupOffsetsTopic || name == kTransactionStateTopic || name == kShareStateTopic;
}

// At most 249 of [a-zA-Z0-9._-], and neither "." nor "..".
inline bool is_legal_topic_name(std::string_view name) {
  if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
  for (const char c : name) {
    const bool legal = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!legal) return false;
  }
  return true;
}

}  // namespace samsa::server
