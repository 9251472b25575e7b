// FetchSnapshot: a piece of a snapshot of the metadata log (KIP-630).
#include "protocol/api/fetch_snapshot.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_fetch_snapshot(RequestContext& context, protocol::FetchSnapshotRequest& request, protocol::FetchSnapshotResponse& response) {
  auto handle = [&](raft::RaftNode& quorum) -> io::Task<> {
    quorum.handle_fetch_snapshot(request, context.connection.listener->name, response);
    co_return;
  };
  co_await ask_quorum(context, response, handle);
}

}  // namespace samsa::server
