// DescribeCluster: the brokers (or controllers) of the cluster, by listener (KIP-700, 919).
#include "protocol/api/describe_cluster.h"

#include "server/api/common.h"

namespace samsa::server {

namespace {

constexpr int8_t kBrokers = 1;
constexpr int8_t kControllers = 2;

void refuse(protocol::DescribeClusterResponse& response, ErrorCode code, const char* text) {
  response.error_code = to_wire(code);
  response.error_message = protocol::Text(text);
}

template <class Image>
void add(protocol::DescribeClusterResponse& response, const Image& node, std::string_view listener, bool fenced) {
  for (const auto& endpoint : node.endpoints) {
    if (endpoint.listener != listener) continue;
    auto& answer = response.brokers.emplace_back();
    answer.broker_id = node.id;
    answer.host = endpoint.host;
    answer.port = endpoint.port;
    answer.is_fenced = fenced;
    if constexpr (requires { node.rack; }) {
      if (node.rack) answer.rack = protocol::Text(*node.rack);
    }
  }
}

}  // namespace

io::Task<> handle_describe_cluster(RequestContext& context, protocol::DescribeClusterRequest& request,
                                   protocol::DescribeClusterResponse& response) {
  const int8_t own_type = context.connection.listener->controller ? kControllers : kBrokers;
  response.endpoint_type = request.endpoint_type;
  if (request.endpoint_type != kBrokers && request.endpoint_type != kControllers) {
    refuse(response, ErrorCode::kUnsupportedEndpointType, "Unsupported endpoint type");
    co_return;
  }
  if (request.endpoint_type != own_type) {
    refuse(response, ErrorCode::kMismatchedEndpointType,
           own_type == kBrokers ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                                : "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER");
    co_return;
  }
  const auto image = context.shard.image();
  response.cluster_id = context.shard.node().cluster_id();
  std::vector<int32_t> alive;
  if (own_type == kBrokers) {
    image->brokers.for_each([&](int32_t id, const metadata::BrokerImage& broker) {
      if (!broker.fenced) alive.push_back(id);
      if (!broker.fenced || request.include_fenced_brokers) add(response, broker, context.connection.listener->name, broker.fenced);
    });
    response.controller_id = alive.empty() ? -1 : alive[context.shard.loop().random().below(alive.size())];
  } else {
    image->controllers.for_each(
        [&](int32_t, const metadata::ControllerImage& controller) { add(response, controller, context.connection.listener->name, false); });
    response.controller_id = co_await context.shard.node().on_metadata(
        context.shard.loop(), [](metadata::MetadataNode& metadata) -> io::Task<int32_t> { co_return metadata.raft().leader().leader; });
  }
  if (request.include_cluster_authorized_operations) {
    const bool may = context.authorized(Operation::kDescribe, ResourceType::kCluster, kClusterResource);
    response.cluster_authorized_operations = may ? context.authorized_operations(ResourceType::kCluster, kClusterResource) : 0;
  }
}

}  // namespace samsa::server
