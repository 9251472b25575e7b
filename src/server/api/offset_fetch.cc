// OffsetFetch: committed offsets are read. The group coordinator does the work.
#include "protocol/api/offset_fetch.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_offset_fetch(RequestContext& context, protocol::OffsetFetchRequest& request, protocol::OffsetFetchResponse& response) {
  const GroupScope scope(context, Operation::kDescribe, Operation::kDescribe);
  response = co_await context.shard.groups().offset_fetch(scope.info(), request);
}

}  // namespace samsa::server
