#include "raft/transport.h"

namespace samsa::raft {

RaftTransport::RaftTransport(io::World world, std::string client_id, std::chrono::milliseconds timeout) : world_(world) {
  config_.client_id = std::move(client_id);
  config_.connect_timeout = timeout;
  config_.request_timeout = timeout;
}

io::Task<Result<std::shared_ptr<client::Connection>>> RaftTransport::connect(io::Address to) {
  if (closed_) co_return fail(ErrorCode::kNetworkException, "the node stops");
  if (const auto it = open_.find(to); it != open_.end()) {
    if (it->second->alive()) co_return it->second;
    open_.erase(it);
  }
  CO_TRY_ASSIGN(auto connection, co_await client::Connection::open(world_, to, config_));
  if (closed_) {
    connection->close();
    co_return fail(ErrorCode::kNetworkException, "the node stops");
  }
  // Somebody else may have opened one meanwhile; the newest stays.
  auto& slot = open_[to];
  if (slot && slot->alive()) {
    connection->close();
    co_return slot;
  }
  slot = connection;
  co_return connection;
}

void RaftTransport::close() {
  closed_ = true;
  for (auto& [address, connection] : open_) connection->close();
  open_.clear();
}

}  // namespace samsa::raft
