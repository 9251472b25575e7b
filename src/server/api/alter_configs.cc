// AlterConfigs (replaces all values of a resource) and IncrementalAlterConfigs share their checks: rights, duplicates and brokers here,
// values at the controller.
#include "protocol/api/alter_configs.h"

#include "server/api/alter_common.h"

namespace samsa::server {

io::Task<> handle_alter_configs(RequestContext& context, protocol::AlterConfigsRequest& request, protocol::AlterConfigsResponse& response) {
  co_await alter(context, request, response, &metadata::ControllerRuntime::alter_configs);
}

}  // namespace samsa::server
