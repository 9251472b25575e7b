// BrokerRegistration: a broker enters the cluster; the controller decides (KIP-631).
#include "protocol/api/broker_registration.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_broker_registration(RequestContext& context, protocol::BrokerRegistrationRequest& request, protocol::BrokerRegistrationResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::register_broker, response);
}

}  // namespace samsa::server
