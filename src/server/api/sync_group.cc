// SyncGroup: the leader's assignment goes in, each member's comes out. The group coordinator does the work.
#include "protocol/api/sync_group.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_sync_group(RequestContext& context, protocol::SyncGroupRequest& request, protocol::SyncGroupResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kDescribe);
  const WaitTimer waiting(context, context.shard.loop());
  response = co_await context.shard.groups().sync_group(scope.info(), request);
}

}  // namespace samsa::server
