// LeaveGroup: members leave, or are removed by an administrator. The group coordinator does the work.
#include "protocol/api/leave_group.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_leave_group(RequestContext& context, protocol::LeaveGroupRequest& request, protocol::LeaveGroupResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kDescribe);
  response = co_await context.shard.groups().leave_group(scope.info(), request);
}

}  // namespace samsa::server
