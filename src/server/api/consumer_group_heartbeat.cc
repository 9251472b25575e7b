// ConsumerGroupHeartbeat: the one call of a member of a KIP-848 group. The group coordinator does the work.
#include "protocol/api/consumer_group_heartbeat.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_consumer_group_heartbeat(RequestContext& context, protocol::ConsumerGroupHeartbeatRequest& request,
                                           protocol::ConsumerGroupHeartbeatResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kDescribe);
  response = co_await context.shard.groups().consumer_group_heartbeat(scope.info(), request);
}

}  // namespace samsa::server
