// Dispatch: from an api key to the code that decodes the request, calls its handler and encodes the answer. The table is made from
// the generated list of served APIs (protocol/served.inc), so an API without a handler does not link.
#pragma once

#include "base/bytes.h"
#include "io/task.h"
#include "protocol/api_table.h"
#include "protocol/codec.h"
#include "protocol/headers.h"
#include "server/request_context.h"

namespace samsa::server {

struct Served {
  const protocol::ApiInfo* info = nullptr;
  // Decodes `body`, runs the handler, and encodes header and answer unless the context says that there is none. A body that cannot be
  // decoded sets close_connection. `body` must outlive the task.
  io::Task<> (*serve)(RequestContext& context, Bytes body, protocol::Encoder& answer) = nullptr;
  // Requests of this API may start while earlier ones of the same API are under way on the connection (Produce).
  bool pipelined = false;
};

// nullptr for a key that is unknown or has no handler.
const Served* find_served(int16_t api_key);

// Whether this request is served on this kind of listener in this version; ApiVersions is, in every version.
bool is_served(const Served& api, int16_t version, bool controller_listener);

// An ApiVersions request of a version that is not known here: it is answered in version 0, without a look at its body.
bool is_unsupported_api_versions(const protocol::RequestHeader& header);

}  // namespace samsa::server
