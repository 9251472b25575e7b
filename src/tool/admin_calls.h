// Exchanges of the administration tools that more than one of them has, with the errors as Java's admin client reports them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "client/admin.h"
#include "protocol/api/describe_cluster.h"
#include "protocol/api/describe_log_dirs.h"
#include "tool/argument_parser.h"
#include "tool/tool.h"

namespace samsa::tool {

// The error of an answer with this code and text; NONE: success.
Error answer_error(int16_t code, const std::optional<protocol::Text>& message = {});
Result<void> answer_result(int16_t code, const std::optional<protocol::Text>& message = {});

// The cluster of --bootstrap-server or --bootstrap-controller, with the properties of the file if there is one.
struct AdminTarget {
  std::optional<std::string> servers;
  std::optional<std::string> controllers;
  std::optional<std::string> config_file;
  std::string client_id = "samsa-tool";  // Unless the file says otherwise.
};
Result<std::unique_ptr<client::Cluster>> open_admin(ToolContext& context, const AdminTarget& target);

// Sends to any broker, or to the active controller where the cluster was opened by its controllers. `code_of` gives the error code of an
// answer: NOT_CONTROLLER is tried again.
template <class Request, class CodeOf>
io::Task<Result<client::Reply<client::ResponseOf<Request>>>> call_admin(client::Cluster& cluster, Request request, CodeOf code_of) {
  if (!cluster.config().controllers) co_return co_await client::call_any(cluster, std::move(request));
  co_return co_await client::call_controller(cluster, std::move(request), [code_of](const auto& answer) {
    return error_from_wire(code_of(answer)) == ErrorCode::kNotController;
  });
}

// One error code for the whole answer.
template <class Request>
io::Task<Result<client::Reply<client::ResponseOf<Request>>>> call_admin(client::Cluster& cluster, Request request) {
  co_return co_await call_admin(cluster, std::move(request), [](const auto& answer) { return answer.error_code; });
}

// A node as DescribeCluster names it; in the order in which Java's client gives them.
struct ClusterNode {
  int32_t id = -1;
  std::string host;
  int32_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
};
struct ClusterNodes {
  std::string cluster_id;
  std::vector<ClusterNode> nodes;
};
io::Task<Result<ClusterNodes>> describe_cluster(client::Cluster& cluster, bool include_fenced = false);

// What the broker has in its log directories. UNKNOWN errors of single directories stand in the answer.
io::Task<Result<client::Reply<protocol::DescribeLogDirsResponse>>> describe_log_dirs(client::Cluster& cluster, int32_t broker,
                                                                                     protocol::DescribeLogDirsRequest request);

}  // namespace samsa::tool
