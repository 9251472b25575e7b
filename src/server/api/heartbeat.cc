// Heartbeat: a member is alive, and learns of a rebalance. The group coordinator does the work.
#include "protocol/api/heartbeat.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_heartbeat(RequestContext& context, protocol::HeartbeatRequest& request, protocol::HeartbeatResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kDescribe);
  response = co_await context.shard.groups().heartbeat(scope.info(), request);
}

}  // namespace samsa::server
