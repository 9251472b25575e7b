// AssignReplicasToDirs: a broker says which of its directories hold which replicas (KIP-858).
#include "protocol/api/assign_replicas_to_dirs.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_assign_replicas_to_dirs(RequestContext& context, protocol::AssignReplicasToDirsRequest& request, protocol::AssignReplicasToDirsResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::assign_directories, response);
}

}  // namespace samsa::server
