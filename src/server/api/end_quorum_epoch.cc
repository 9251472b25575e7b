// EndQuorumEpoch: a leader resigns and says who should follow it (KIP-595).
#include "protocol/api/end_quorum_epoch.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_end_quorum_epoch(RequestContext& context, protocol::EndQuorumEpochRequest& request, protocol::EndQuorumEpochResponse& response) {
  auto handle = [&](raft::RaftNode& quorum) -> io::Task<> {
    quorum.handle_end_quorum_epoch(request, context.connection.listener->name, response);
    co_return;
  };
  co_await ask_quorum(context, response, handle);
}

}  // namespace samsa::server
