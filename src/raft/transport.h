// RaftTransport: how a node reaches the controllers: one connection per address, opened when first needed and again after it broke.
// RaftNode has one request at a time per destination under way; others who must not wait behind its long polls (heartbeats,
// forwarded requests) have a RaftTransport of their own. Owner: one shard.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "client/connection.h"
#include "io/world.h"

namespace samsa::raft {

class RaftTransport {
 public:
  // `timeout` of connecting and of each request, without what the request itself waits for.
  RaftTransport(io::World world, std::string client_id, std::chrono::milliseconds timeout);

  // An open connection whose versions are negotiated. NETWORK_EXCEPTION.
  io::Task<Result<std::shared_ptr<client::Connection>>> connect(io::Address to);

  // Sends in the highest version that both sides have, at most `max_version`; UNSUPPORTED_VERSION where that is below `min_version`.
  template <class Request>
  io::Task<Result<client::Reply<typename Request::Response>>> call(io::Address to, const Request& request, int16_t min_version = Request::kMinVersion,
                                                                   int16_t max_version = Request::kMaxVersion,
                                                                   std::chrono::milliseconds extra_wait = {}) {
    CO_TRY_ASSIGN(auto connection, co_await connect(to));
    CO_TRY_ASSIGN(const int16_t version, connection->template version_of<Request>(max_version));
    if (version < min_version) co_return fail(ErrorCode::kUnsupportedVersion, to.to_string() + " does not serve this version of " + std::string(Request::kName));
    co_return co_await connection->call(request, version, extra_wait);
  }
  // Closes all connections; calls under way fail, later ones too.
  void close();

 private:
  io::World world_;
  client::ConnectionConfig config_;
  std::map<io::Address, std::shared_ptr<client::Connection>> open_;
  bool closed_ = false;
};

}  // namespace samsa::raft
