// JoinGroup: joins a group, or starts its next generation. The group coordinator does the work.
#include "protocol/api/join_group.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_join_group(RequestContext& context, protocol::JoinGroupRequest& request, protocol::JoinGroupResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kDescribe);
  const WaitTimer waiting(context, context.shard.loop());
  response = co_await context.shard.groups().join_group(scope.info(), request);
}

}  // namespace samsa::server
