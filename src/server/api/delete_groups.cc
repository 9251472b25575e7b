// DeleteGroups: empty groups are removed. The group coordinator does the work.
#include "protocol/api/delete_groups.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_delete_groups(RequestContext& context, protocol::DeleteGroupsRequest& request, protocol::DeleteGroupsResponse& response) {
  const GroupScope scope(context, Operation::kDelete, Operation::kRead);
  response = co_await context.shard.groups().delete_groups(scope.info(), request);
}

}  // namespace samsa::server
