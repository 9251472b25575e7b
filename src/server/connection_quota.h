// ConnectionQuota: how many connections a node's listeners hold, in all and from one address, against max.connections,
// max.connections.per.ip and max.connections.per.ip.overrides. Broker and controller listeners each have one, as in Kafka.
//
// A full node leaves new connections waiting until another one ends; the listener between brokers is let through when there are others
// beside it. An address that has as many as it may is refused at once. Limits are read anew for each connection: they may change while
// the node runs.
// Owner: shard 0. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "io/sync.h"

namespace samsa::server {

struct ConnectionLimits {
  int64_t total = INT32_MAX;
  int64_t per_ip = INT32_MAX;
  std::map<std::string, int64_t, std::less<>> overrides;  // By address, as connection_ip gives it.

  // Of max.connections.per.ip.overrides: "host:count,..."; what is no such pair is passed over. Hosts are literal addresses, or localhost.
  void parse_overrides(std::string_view text);
};

// An address's text as it is counted: an IPv4 address that came over IPv6 is the IPv4 address.
std::string connection_ip(std::string_view host);

class ConnectionQuota {
 public:
  [[nodiscard]] bool has_room(const ConnectionLimits& limits, bool between_brokers) const { return between_brokers || total_ < limits.total; }
  // Counts a connection from the address; false, and nothing counted, where it has as many as it may.
  bool admit(const std::string& ip, const ConnectionLimits& limits);
  void left(const std::string& ip);
  [[nodiscard]] int64_t total() const { return total_; }
  // How many the address may have.
  static int64_t limit_of(const std::string& ip, const ConnectionLimits& limits);
  // A connection left, or somebody wants the waiting ones to look again.
  io::Signal changed;

 private:
  int64_t total_ = 0;
  std::map<std::string, int64_t> by_ip_;
};

}  // namespace samsa::server
