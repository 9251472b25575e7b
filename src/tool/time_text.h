// Dates and durations as the tools take them. Pure.
#pragma once

#include <string_view>

#include "base/ids.h"
#include "base/result.h"

namespace samsa::tool {

// "YYYY-MM-DDThh:mm:ss.sss", with an optional zone (Z, +hh, +hh:mm); without one it is UTC. Milliseconds since 1970.
// Errors here are INVALID_TIMESTAMP with the words of Java's tools.
Result<TimestampMs> parse_datetime(std::string_view text);
// ISO-8601 "PnDTnHnMnS", as java.time.Duration takes it. Milliseconds.
Result<int64_t> parse_duration(std::string_view text);

}  // namespace samsa::tool
