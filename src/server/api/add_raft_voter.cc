// AddRaftVoter: one more voter for the quorum (KIP-853).
#include "protocol/api/add_raft_voter.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_add_raft_voter(RequestContext& context, protocol::AddRaftVoterRequest& request, protocol::AddRaftVoterResponse& response) {
  response.error_message = std::nullopt;
  if (!may_act_on_cluster(context, Operation::kAlter)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<> {
    context.not_controller = !metadata.raft().is_leader() && context.connection.listener->controller;
    if (metadata.raft().is_leader() || context.connection.listener->controller) {
      co_await metadata.raft().handle_add_voter(request, response);
      co_return;
    }
    auto reply = co_await forward(context, metadata, request);
    if (reply) co_return;
    response.error_code = to_wire(reply.error().code);
    response.error_message = protocol::Text(reply.error().text());
  };
  co_await context.shard.node().on_metadata(context.shard.loop(), call);
}

}  // namespace samsa::server
