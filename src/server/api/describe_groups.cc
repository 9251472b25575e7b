// DescribeGroups: state and members of classic groups. The group coordinator does the work.
#include "protocol/api/describe_groups.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_describe_groups(RequestContext& context, protocol::DescribeGroupsRequest& request, protocol::DescribeGroupsResponse& response) {
  const GroupScope scope(context, Operation::kDescribe, Operation::kDescribe);
  response = co_await context.shard.groups().describe_groups(scope.info(), request);
}

}  // namespace samsa::server
