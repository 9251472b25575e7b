// UpdateFeatures: feature levels of the cluster (KIP-584, 778, 1022).
#include "protocol/api/update_features.h"

#include "server/api/cluster_common.h"

namespace samsa::server {

io::Task<> handle_update_features(RequestContext& context, protocol::UpdateFeaturesRequest& request, protocol::UpdateFeaturesResponse& response) {
  co_await answer_from_controller(context, request, &metadata::ControllerRuntime::update_features, response, 30000, Operation::kAlter);
}

}  // namespace samsa::server
