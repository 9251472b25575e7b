#include "io/real/socket.h"

#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

namespace samsa::io::real {
namespace {

SocketAddress from_ipv4(in_addr host, uint16_t port) {
  SocketAddress result;
  auto& in = reinterpret_cast<sockaddr_in&>(result.storage);
  in.sin_family = AF_INET;
  in.sin_addr = host;
  in.sin_port = htons(port);
  result.size = sizeof in;
  return result;
}

SocketAddress from_ipv6(const in6_addr& host, uint16_t port) {
  SocketAddress result;
  auto& in = reinterpret_cast<sockaddr_in6&>(result.storage);
  in.sin6_family = AF_INET6;
  in.sin6_addr = host;
  in.sin6_port = htons(port);
  result.size = sizeof in;
  return result;
}

}  // namespace

Address SocketAddress::to_address() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    return {text, ntohs(in.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      inet_ntop(AF_INET, in.sin6_addr.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    }
    return {text, ntohs(in.sin6_port)};
  }
  return {"?", 0};
}

std::vector<SocketAddress> parse_literal(const Address& address) {
  if (address.host.empty()) return {from_ipv6(in6addr_any, address.port), from_ipv4({htonl(INADDR_ANY)}, address.port)};
  in_addr v4{};
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return {from_ipv4(v4, address.port)};
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) return {from_ipv6(v6, address.port)};
  return {};
}

Result<std::vector<SocketAddress>> resolve(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return fail(ErrorCode::kNetworkException, "cannot resolve '" + address.host + "': " + gai_strerror(error));
  std::vector<SocketAddress> result;
  for (const addrinfo* info = found; info; info = info->ai_next) {
    SocketAddress one;
    std::memcpy(&one.storage, info->ai_addr, info->ai_addrlen);
    one.size = info->ai_addrlen;
    result.push_back(one);
  }
  freeaddrinfo(found);
  if (result.empty()) return fail(ErrorCode::kNetworkException, "'" + address.host + "' has no address");
  return result;
}

Error network_error(const char* operation, const std::string& peer, int error) {
  return {ErrorCode::kNetworkException, std::string("cannot ") + operation + " " + peer + ": " + std::strerror(error)};
}

}  // namespace samsa::io::real
