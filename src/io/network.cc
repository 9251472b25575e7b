#include "io/network.h"

namespace samsa::io {

std::string Address::to_string() const {
  const bool bracket = host.find(':') != std::string::npos;
  return (bracket ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool is_refused(const Error& error) {
  return error.code == ErrorCode::kNetworkException && error.message.find("Connection refused") != std::string::npos;
}

}  // namespace samsa::io
