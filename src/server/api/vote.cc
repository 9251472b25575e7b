// Vote: a candidate (or one who may become it) asks for this voter's vote (KIP-595, 996).
#include "protocol/api/vote.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_vote(RequestContext& context, protocol::VoteRequest& request, protocol::VoteResponse& response) {
  auto handle = [&](raft::RaftNode& quorum) -> io::Task<> {
    quorum.handle_vote(request, context.connection.listener->name, response);
    co_return;
  };
  co_await ask_quorum(context, response, handle);
}

}  // namespace samsa::server
