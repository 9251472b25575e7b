#include "server/dispatch.h"

#include <array>

#include "base/log.h"
#include "protocol/headers.h"
#include "server/error_places.h"
#include "server/shard.h"
#include "protocol/served.inc"
#include "server/shard.h"

namespace samsa::server {

// The handlers, one per API: api/<name>.cc.
#define SAMSA_SERVED(Name, name) \
  io::Task<> handle_##name(RequestContext& context, protocol::Name##Request& request, protocol::Name##Response& response);
#include "protocol/served.inc"
#undef SAMSA_SERVED

namespace {

template <class Response>
void count_errors(RequestContext& context, const Response& response, int16_t version) {
  static const ErrorPlaces kPlaces(Response::table().fields);
  RequestMetrics& metrics = context.shard.metrics().requests(static_cast<size_t>(context.header.api_key));
  kPlaces.for_each(&response, version, [&](int16_t code) { metrics.count_error(code); });
}

template <class Request, class Response, io::Task<> (*Handler)(RequestContext&, Request&, Response&)>
io::Task<> serve(RequestContext& context, Bytes body, protocol::Encoder& answer) {
  const int16_t version = context.version();
  Request request;
  if (!is_unsupported_api_versions(context.header)) {
    // Bytes behind the request are passed over, as Kafka does: librdkafka's Metadata has some.
    auto decoded = protocol::decode_prefix<Request>(body, version, request);
    if (!decoded) {
      if (context.shard.may_complain()) {
        SAMSA_LOG_WARN("closing the connection of {}: {} version {} cannot be read: {}", context.connection.peer.to_string(), Request::kName,
                       version, decoded.error().text());
      }
      context.close_connection = true;
      co_return;
    }
  }
  Response response;
  co_await Handler(context, request, response);
  count_errors(context, response, context.answer_version >= 0 ? context.answer_version : version);
  if (context.close_connection || context.no_response) co_return;
  protocol::RequestHeader header = context.header;
  if (context.answer_version >= 0) header.api_version = context.answer_version;
  if (const auto encoded = protocol::encode_response_frame(header, response, answer); !encoded) {
    if (context.shard.may_complain()) {
      SAMSA_LOG_ERROR("cannot encode the answer to {} version {}: {}", Request::kName, header.api_version, encoded.error().text());
    }
    context.close_connection = true;
  }
}

constexpr size_t kKeys = 128;

struct Table {
  std::array<Served, kKeys> apis{};
  template <class Request, class Response, io::Task<> (*Handler)(RequestContext&, Request&, Response&)>
  void add() {
    static_assert(Request::kApiKey >= 0 && Request::kApiKey < static_cast<int16_t>(kKeys));
    Served& api = apis[static_cast<size_t>(Request::kApiKey)];
    api.info = protocol::find_api(Request::kApiKey);
    api.serve = &serve<Request, Response, Handler>;
    api.pipelined = Request::kApiKey == protocol::ProduceRequest::kApiKey;
  }
  Table() {
#define SAMSA_SERVED(Name, name) add<protocol::Name##Request, protocol::Name##Response, &handle_##name>();
#include "protocol/served.inc"
#undef SAMSA_SERVED
  }
};

}  // namespace

const Served* find_served(int16_t api_key) {
  static const Table table;
  if (api_key < 0 || api_key >= static_cast<int16_t>(kKeys)) return nullptr;
  const Served& api = table.apis[static_cast<size_t>(api_key)];
  return api.serve == nullptr ? nullptr : &api;
}

bool is_served(const Served& api, int16_t version, bool controller_listener) {
  if (!(controller_listener ? api.info->served_controller : api.info->served_broker)) return false;
  if (api.info->key == protocol::ApiVersionsRequest::kApiKey) return version >= 0;
  return version >= api.info->min_version && version <= api.info->max_stable();
}

bool is_unsupported_api_versions(const protocol::RequestHeader& header) {
  return header.api_key == protocol::ApiVersionsRequest::kApiKey && header.api_version > protocol::ApiVersionsRequest::kMaxVersion;
}

}  // namespace samsa::server
