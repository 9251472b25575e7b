// BrokerHeartbeat: a broker lives and says how far it has read (KIP-631).
#include "protocol/api/broker_heartbeat.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_broker_heartbeat(RequestContext& context, protocol::BrokerHeartbeatRequest& request, protocol::BrokerHeartbeatResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::heartbeat, response);
}

}  // namespace samsa::server
