// Whether a field has the default of its definition: then it is left out as a tagged field, and may be left out where a version lacks it.
// Pure; any thread.
#pragma once

#include "protocol/schema.h"

namespace samsa::protocol {

// `value` is where the field stands in its struct.
[[nodiscard]] bool is_default(const FieldTable& field, const void* value);

}  // namespace samsa::protocol
