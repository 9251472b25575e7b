// DescribeQuorum: voters and observers of the metadata log as its leader sees them (KIP-595, 836, 853).
#include "protocol/api/describe_quorum.h"

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

io::Task<> handle_describe_quorum(RequestContext& context, protocol::DescribeQuorumRequest& request,
                                  protocol::DescribeQuorumResponse& response) {
  if (!context.authorized(Operation::kDescribe, ResourceType::kCluster, kClusterResource)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  auto call = [&](metadata::MetadataNode& metadata) -> io::Task<> {
    metadata.raft().handle_describe_quorum(request, metadata.raft().config().controller_listener, response);
    context.not_controller = !metadata.raft().is_leader() && context.connection.listener->controller;
    if (metadata.raft().is_leader() || context.connection.listener->controller || response.error_code != 0) co_return;
    // Only the leader knows: it is asked.
    auto reply = co_await forward(context, metadata, request);
    if (!reply) co_return;
    auto kept = std::make_shared<client::Reply<protocol::DescribeQuorumResponse>>(std::move(*reply));
    response = **kept;
    context.kept.push_back(std::move(kept));
  };
  co_await context.shard.node().on_metadata(context.shard.loop(), call);
  if (context.version() >= 2) co_return;
  // Directories and endpoints came with version 2.
  response.nodes.clear();
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) {
      for (auto& voter : partition.current_voters) voter.replica_directory_id = kZeroUuid;
      for (auto& observer : partition.observers) observer.replica_directory_id = kZeroUuid;
    }
  }
}

}  // namespace samsa::server
