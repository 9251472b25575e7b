// BeginQuorumEpoch: the new leader makes itself known (KIP-595).
#include "protocol/api/begin_quorum_epoch.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_begin_quorum_epoch(RequestContext& context, protocol::BeginQuorumEpochRequest& request, protocol::BeginQuorumEpochResponse& response) {
  auto handle = [&](raft::RaftNode& quorum) -> io::Task<> {
    quorum.handle_begin_quorum_epoch(request, context.connection.listener->name, response);
    co_return;
  };
  co_await ask_quorum(context, response, handle);
}

}  // namespace samsa::server
