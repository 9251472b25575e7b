// BrokerHeartbeat: a broker lives and says how far it has read (KIP-631).
#include "protocol/api/broker_heartbeat.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_broker_heartbeat(RequestContext& context, protocol::BrokerHeartbeatRequest& request, protocol::BrokerHeartbeatResponse& response) {
  if (may_act_on_cluster(context)) {
    context.connection.heartbeats_of = request.broker_id;
    auto note = [&](metadata::MetadataNode& metadata) -> io::Task<> {
      if (metadata.presence() != nullptr) metadata.presence()->heartbeat(request.broker_id, request.broker_epoch, context.connection.id);
      co_return;
    };
    co_await context.shard.node().on_metadata(context.shard.loop(), note);
  }
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::heartbeat, response);
}

}  // namespace samsa::server
