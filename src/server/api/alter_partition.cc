// AlterPartition: a leader changes its ISR (KIP-497, 841, 903).
#include "protocol/api/alter_partition.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_alter_partition(RequestContext& context, protocol::AlterPartitionRequest& request, protocol::AlterPartitionResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::alter_partition, response);
}

}  // namespace samsa::server
