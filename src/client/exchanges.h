// ResponseOf: the answer that belongs to a request, as the generated definitions pair them.
#pragma once

#include "protocol/api/api_versions.h"

namespace samsa::client {

template <class Request>
using ResponseOf = typename Request::Response;

}  // namespace samsa::client
