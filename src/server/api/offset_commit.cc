// OffsetCommit: offsets of a group are written. The group coordinator does the work.
#include "protocol/api/offset_commit.h"

#include "server/api/common.h"
#include "server/group_scope.h"

namespace samsa::server {

io::Task<> handle_offset_commit(RequestContext& context, protocol::OffsetCommitRequest& request, protocol::OffsetCommitResponse& response) {
  const GroupScope scope(context, Operation::kRead, Operation::kRead);
  response = co_await context.shard.groups().offset_commit(scope.info(), request);
}

}  // namespace samsa::server
