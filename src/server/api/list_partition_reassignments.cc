// ListPartitionReassignments: the replica moves that are under way (KIP-455).
#include "protocol/api/list_partition_reassignments.h"

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

io::Task<> handle_list_partition_reassignments(RequestContext& context, protocol::ListPartitionReassignmentsRequest& request,
                                               protocol::ListPartitionReassignmentsResponse& response) {
  if (!context.authorized(Operation::kDescribe, ResourceType::kCluster, kClusterResource)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  auto answer = co_await ask_controller(context, request, &metadata::ControllerRuntime::list_reassignments, request.timeout_ms);
  if (answer) {
    response = std::move(*answer);
  } else {
    response.error_code = to_wire(answer.error().code);
    response.error_message = protocol::Text(answer.error().text());
  }
}

}  // namespace samsa::server
