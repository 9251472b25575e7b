// ControllerRegistration: a controller makes itself known to the active one (KIP-919).
#include "protocol/api/controller_registration.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_controller_registration(RequestContext& context, protocol::ControllerRegistrationRequest& request, protocol::ControllerRegistrationResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::register_controller, response);
}

}  // namespace samsa::server
