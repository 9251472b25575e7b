// ConsumerGroupDescribe: state, members and assignments of KIP-848 groups. The group coordinator does the work.
#include "protocol/api/consumer_group_describe.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_consumer_group_describe(RequestContext& context, protocol::ConsumerGroupDescribeRequest& request,
                                          protocol::ConsumerGroupDescribeResponse& response) {
  const GroupScope scope(context, Operation::kDescribe, Operation::kDescribe);
  response = co_await context.shard.groups().consumer_group_describe(scope.info(), request);
}

}  // namespace samsa::server
