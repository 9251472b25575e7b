// ListGroups: the groups that this node coordinates. The group coordinator does the work.
#include "protocol/api/list_groups.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_list_groups(RequestContext& context, protocol::ListGroupsRequest& request, protocol::ListGroupsResponse& response) {
  const GroupScope scope(context, Operation::kDescribe, Operation::kDescribe);
  response = co_await context.shard.groups().list_groups(scope.info(), request);
}

}  // namespace samsa::server
