#include "tool/admin_calls.h"

#include "tool/java_text.h"

namespace samsa::tool {

Error answer_error(int16_t code, const std::optional<protocol::Text>& message) {
  return {error_from_wire(code), message ? message->str() : std::string()};
}

Result<void> answer_result(int16_t code, const std::optional<protocol::Text>& message) {
  if (code == 0) return {};
  return fail(answer_error(code, message));
}

Result<std::unique_ptr<client::Cluster>> open_admin(ToolContext& context, const AdminTarget& target) {
  std::map<std::string, std::string> properties;
  if (target.config_file) {
    TRY_ASSIGN(properties, load_properties(context, *target.config_file));
  }
  properties.emplace("client.id", target.client_id);
  const bool controllers = target.controllers.has_value();
  return open_cluster(context, controllers ? *target.controllers : target.servers.value_or(""), properties, controllers);
}

io::Task<Result<ClusterNodes>> describe_cluster(client::Cluster& cluster, bool include_fenced) {
  constexpr int8_t kBrokers = 1, kControllers = 2;
  protocol::DescribeClusterRequest request;
  request.endpoint_type = cluster.config().controllers ? kControllers : kBrokers;
  request.include_fenced_brokers = include_fenced;
  CO_TRY_ASSIGN(const auto reply, co_await client::call_any(cluster, std::move(request)));
  CO_TRY(answer_result(reply->error_code, reply->error_message));
  ClusterNodes found;
  found.cluster_id = reply->cluster_id.str();
  for (const auto& broker : reply->brokers) {
    found.nodes.push_back({broker.broker_id, broker.host.str(), broker.port, broker.rack ? std::optional(broker.rack->str()) : std::nullopt, broker.is_fenced});
  }
  in_java_hash_order(found.nodes, [](const ClusterNode& node) { return node.id; });
  co_return found;
}

io::Task<Result<client::Reply<protocol::DescribeLogDirsResponse>>> describe_log_dirs(client::Cluster& cluster, int32_t broker,
                                                                                     protocol::DescribeLogDirsRequest request) {
  CO_TRY_ASSIGN(auto connection, co_await cluster.broker(broker));
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
  CO_TRY(answer_result(reply->error_code));
  // Without directories and without an error: an old broker that does not authorize it.
  if (reply->results.empty()) co_return fail(ErrorCode::kClusterAuthorizationFailed);
  co_return reply;
}

}  // namespace samsa::tool
