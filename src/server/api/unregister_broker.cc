// UnregisterBroker: a broker that is gone for good is forgotten (KIP-631).
#include "protocol/api/unregister_broker.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_unregister_broker(RequestContext& context, protocol::UnregisterBrokerRequest& request, protocol::UnregisterBrokerResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::unregister_broker, response, 30000, Operation::kAlter);
}

}  // namespace samsa::server
