// ElectLeaders: moves leadership to preferred replicas, or elects uncleanly (KIP-460); the controller decides.
#include "protocol/api/elect_leaders.h"

#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

io::Task<> handle_elect_leaders(RequestContext& context, protocol::ElectLeadersRequest& request, protocol::ElectLeadersResponse& response) {
  if (!context.authorized(Operation::kAlter, ResourceType::kCluster, kClusterResource)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  auto answer = co_await ask_controller(context, request, &metadata::ControllerRuntime::elect_leaders, request.timeout_ms);
  if (answer) {
    response = std::move(*answer);
    if (context.version() < 1) response.error_code = 0;
  } else {
    response.error_code = to_wire(answer.error().code);
  }
}

}  // namespace samsa::server
