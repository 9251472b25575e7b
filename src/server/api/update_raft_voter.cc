// UpdateRaftVoter: a voter tells its endpoints and versions (KIP-853).
#include "protocol/api/update_raft_voter.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_update_raft_voter(RequestContext& context, protocol::UpdateRaftVoterRequest& request, protocol::UpdateRaftVoterResponse& response) {
  auto handle = [&](raft::RaftNode& quorum) -> io::Task<> {
    co_await quorum.handle_update_voter(request, context.connection.listener->name, response);
  };
  co_await ask_quorum(context, response, handle);
}

}  // namespace samsa::server
