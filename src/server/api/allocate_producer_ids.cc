// AllocateProducerIds: a block of producer ids for a broker (KIP-730).
#include "protocol/api/allocate_producer_ids.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_allocate_producer_ids(RequestContext& context, protocol::AllocateProducerIdsRequest& request, protocol::AllocateProducerIdsResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::allocate_producer_ids, response);
}

}  // namespace samsa::server
