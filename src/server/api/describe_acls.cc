// DescribeAcls: without an authorizer there is nothing to describe.
#include "protocol/api/describe_acls.h"

#include "server/api/common.h"

namespace samsa::server {

io::Task<> handle_describe_acls(RequestContext&, protocol::DescribeAclsRequest&, protocol::DescribeAclsResponse& response) {
  response.error_code = to_wire(ErrorCode::kSecurityDisabled);
  response.error_message = protocol::Text("No Authorizer is configured.");
  co_return;
}

}  // namespace samsa::server
