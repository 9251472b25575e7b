// Socket addresses and name resolution, for real/network only.
#pragma once

#include <vector>

#include <sys/socket.h>

#include "io/network.h"

namespace samsa::io::real {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  // The literal host; an IPv4 address within IPv6 is written as IPv4.
  [[nodiscard]] Address to_address() const;
};

// The address without a look-up: a literal of IPv4 or IPv6, or empty (any interface). Nothing for a name.
std::vector<SocketAddress> parse_literal(const Address& address);
// Asks the system's resolver; may block. NETWORK_EXCEPTION where the name is not known.
Result<std::vector<SocketAddress>> resolve(const Address& address);
// NETWORK_EXCEPTION: "cannot <operation> <peer>: <the system's words>".
Error network_error(const char* operation, const std::string& peer, int error);

}  // namespace samsa::io::real
