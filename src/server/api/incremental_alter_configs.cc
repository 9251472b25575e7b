// IncrementalAlterConfigs: sets, deletes, appends to and subtracts from values of resources (KIP-339).
#include "protocol/api/incremental_alter_configs.h"

#include "server/api/alter_common.h"

namespace samsa::server {

io::Task<> handle_incremental_alter_configs(RequestContext& context, protocol::IncrementalAlterConfigsRequest& request,
                                            protocol::IncrementalAlterConfigsResponse& response) {
  co_await alter(context, request, response, &metadata::ControllerRuntime::incremental_alter_configs);
}

}  // namespace samsa::server
