// OffsetDelete: committed offsets of topics nobody subscribes to are removed. The group coordinator does the work.
#include "protocol/api/offset_delete.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_offset_delete(RequestContext& context, protocol::OffsetDeleteRequest& request, protocol::OffsetDeleteResponse& response) {
  const GroupScope scope(context, Operation::kDelete, Operation::kRead);
  response = co_await context.shard.groups().offset_delete(scope.info(), request);
}

}  // namespace samsa::server
