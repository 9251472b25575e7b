// ApiVersions: what this listener serves, and the feature levels of the cluster (KIP-35, 482, 511, 584).
#include "protocol/api/api_versions.h"

#include <algorithm>

#include "metadata/features.h"
#include "protocol/api_table.h"
#include "server/api/common.h"
#include "server/dispatch.h"

namespace samsa::server {

namespace {

// Letters and digits at both ends; '-' and '.' also within.
bool is_legal_software_name(std::string_view text) {
  const auto alphanumeric = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; });
}

void add_features(RequestContext& context, int16_t kraft_version, protocol::ApiVersionsResponse& response) {
  const auto& image = *context.shard.image();
  for (const auto& [name, range] : metadata::supported_features()) {
    // Clients of older versions cannot read a lower bound of 0.
    if (context.version() < 4 && range.min == 0) continue;
    auto& feature = response.supported_features.emplace_back();
    feature.name = name;
    feature.min_version = range.min;
    feature.max_version = range.max;
  }
  response.finalized_features_epoch = image.provenance.last_offset();
  const auto add = [&](std::string_view name, int16_t level) {
    if (level == 0) return;
    auto& feature = response.finalized_features.emplace_back();
    feature.name = protocol::Text(name);
    feature.max_version_level = level;
    feature.min_version_level = level;
  };
  image.features.for_each(add);
  add(metadata::kKraftVersion, kraft_version);
}

}  // namespace

io::Task<> handle_api_versions(RequestContext& context, protocol::ApiVersionsRequest& request, protocol::ApiVersionsResponse& response) {
  if (is_unsupported_api_versions(context.header)) {
    context.answer_version = 0;
    response.error_code = to_wire(ErrorCode::kUnsupportedVersion);
    auto& own = response.api_keys.emplace_back();
    own.api_key = protocol::ApiVersionsRequest::kApiKey;
    own.min_version = protocol::ApiVersionsRequest::kMinVersion;
    own.max_version = protocol::ApiVersionsRequest::kMaxVersion;
    co_return;
  }
  const bool other_cluster = request.cluster_id && request.cluster_id->view() != context.shard.node().cluster_id();
  const bool other_node = request.node_id >= 0 && request.node_id != context.shard.node().id().value;
  if (context.version() >= 5 && (other_cluster || other_node)) {
    response.error_code = to_wire(ErrorCode::kRebootstrapRequired);
    co_return;
  }
  if (context.version() >= 3) {
    if (!is_legal_software_name(request.client_software_name) || !is_legal_software_name(request.client_software_version)) {
      response.error_code = to_wire(ErrorCode::kInvalidRequest);
      co_return;
    }
  }
  for (const auto& api : protocol::all_apis()) {
    if (!(context.connection.listener->controller ? api.served_controller : api.served_broker)) continue;
    auto& entry = response.api_keys.emplace_back();
    entry.api_key = api.key;
    entry.min_version = api.min_version;
    // Old librdkafka drops Produce altogether unless it starts at 0; versions 0 to 2 are still not served.
    if (api.name == "Produce") entry.min_version = 0;
    entry.max_version = api.max_stable();
  }
  if (context.version() < 3) co_return;
  // kraft.version stands in the quorum's own records, not in the image.
  Node& node = context.shard.node();
  const int16_t kraft_version = co_await io::call_on(context.shard.loop(), node.worlds()[0].loop, [&node]() -> io::Task<int16_t> {
    co_return node.metadata_running() ? node.metadata().raft().kraft_version() : int16_t{0};
  });
  add_features(context, kraft_version, response);
}

}  // namespace samsa::server
