// Envelope: a client's request that a broker passes on, with the client's principal (KIP-590).
#include "protocol/api/envelope.h"

#include "base/log.h"
#include "server/api/cluster_common.h"
#include "server/dispatch.h"

namespace samsa::server {

namespace {

// Runs what is in the envelope as if its client had sent it here. Gives the answer with its header; errors are the envelope's.
io::Task<Result<Buffer>> serve_inner(RequestContext& context, Bytes request, ConnectionInfo& client) {
  protocol::RequestHeader header;
  const auto header_size = protocol::decode_request_header(request, header);
  if (!header_size) co_return fail(ErrorCode::kUnsupportedVersion, header_size.error().text());
  if (!metadata::is_forwardable(header.api_key)) co_return fail(ErrorCode::kInvalidRequest, "this API is not forwarded");
  const Served* api = find_served(header.api_key);
  if (api == nullptr || !is_served(*api, header.api_version, true)) co_return fail(ErrorCode::kUnsupportedVersion);
  RequestContext inner{.shard = context.shard, .connection = client, .header = std::move(header), .frame = context.frame, .received = context.received};
  protocol::Encoder answer;
  co_await api->serve(inner, request.subspan(*header_size), answer);
  if (inner.not_controller) co_return fail(ErrorCode::kNotController);
  if (inner.close_connection || answer.size() < 4) co_return fail(ErrorCode::kUnsupportedVersion);
  context.throttle_ms = inner.throttle_ms;
  Buffer bytes = answer.take();
  bytes.erase(bytes.begin(), bytes.begin() + 4);  // The frame's length.
  co_return bytes;
}

}  // namespace

io::Task<> handle_envelope(RequestContext& context, protocol::EnvelopeRequest& request, protocol::EnvelopeResponse& response) {
  const auto refuse = [&](const Error& why) {
    response.error_code = to_wire(why.code);
    if (why.code != ErrorCode::kNotController && context.shard.may_complain()) {
      SAMSA_LOG_WARN("an envelope from {} is refused: {}", context.connection.peer.to_string(), why.describe());
    }
  };
  if (!may_act_on_cluster(context)) co_return refuse({ErrorCode::kClusterAuthorizationFailed, {}});
  metadata::ForwardedFor who;
  const auto principal = metadata::decode_principal(request.request_principal ? request.request_principal->view() : Bytes(), who);
  if (!principal) co_return refuse(principal.error());
  const auto host = metadata::address_text(request.client_host_address);
  if (!host) co_return refuse(host.error());
  auto active = [](metadata::MetadataNode& metadata) -> io::Task<bool> {
    co_return metadata.controller() != nullptr && metadata.controller()->active();
  };
  if (!co_await context.shard.node().on_metadata(context.shard.loop(), active)) co_return refuse({ErrorCode::kNotController, {}});
  ConnectionInfo client = context.connection;
  client.peer = {*host, 0};
  client.principal = std::make_shared<const Principal>(std::move(who.principal_type), std::move(who.principal_name));
  auto answer = co_await serve_inner(context, request.request_data, client);
  if (!answer) co_return refuse(answer.error());
  response.response_data = protocol::Blob(std::move(*answer));
}

}  // namespace samsa::server
