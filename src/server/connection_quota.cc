#include "server/connection_quota.h"

#include <charconv>

#include "base/assert.h"

namespace samsa::server {

std::string connection_ip(std::string_view host) {
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string_view::npos) host.remove_prefix(kMapped.size());
  return std::string(host);
}

void ConnectionLimits::parse_overrides(std::string_view text) {
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view pair = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    while (!pair.empty() && pair.back() == ' ') pair.remove_suffix(1);
    const size_t colon = pair.rfind(':');
    if (colon == std::string_view::npos) continue;
    std::string_view host = pair.substr(0, colon);
    int64_t count = 0;
    if (std::from_chars(pair.data() + colon + 1, pair.data() + pair.size(), count).ec != std::errc()) continue;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host == "localhost") {
      overrides["127.0.0.1"] = overrides["::1"] = count;
    } else {
      overrides[connection_ip(host)] = count;
    }
  }
}

int64_t ConnectionQuota::limit_of(const std::string& ip, const ConnectionLimits& limits) {
  const auto own = limits.overrides.find(ip);
  return own == limits.overrides.end() ? limits.per_ip : own->second;
}

bool ConnectionQuota::admit(const std::string& ip, const ConnectionLimits& limits) {
  const auto counted = by_ip_.find(ip);
  const int64_t now = counted == by_ip_.end() ? 0 : counted->second;
  if (now >= limit_of(ip, limits)) return false;
  ++by_ip_[ip];
  ++total_;
  return true;
}

void ConnectionQuota::left(const std::string& ip) {
  const auto counted = by_ip_.find(ip);
  SAMSA_ASSERT(counted != by_ip_.end() && total_ > 0);
  if (--counted->second == 0) by_ip_.erase(counted);
  --total_;
  changed.notify_all();
}

}  // namespace samsa::server
