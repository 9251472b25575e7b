// AlterPartitionReassignments: replicas move to other brokers (KIP-455).
#include "protocol/api/alter_partition_reassignments.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_alter_partition_reassignments(RequestContext& context, protocol::AlterPartitionReassignmentsRequest& request, protocol::AlterPartitionReassignmentsResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::alter_reassignments, response, 30000, Operation::kAlter);
}

}  // namespace samsa::server
