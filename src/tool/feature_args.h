// What kafka-features and kafka-storage share: "name=level" texts, the mapping from a release to feature levels, and what a feature level
// depends on. Pure.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace samsa::tool {

// INVALID_REQUEST in Kafka's words where there is no equals sign or no number after it.
Result<std::pair<std::string, int16_t>> parse_name_and_level(const std::string& text);
// The metadata.version of "4.3" or "4.3-IV0"; also of the one that no release supports yet. INVALID_REQUEST lists them.
Result<int16_t> parse_release(const std::string& text);
// The lines of version-mapping for "4.3" or "4.3-IV0"; empty: the newest release.
Result<std::string> version_mapping_text(const std::string& release);
// The lines of feature-dependencies for one feature level.
Result<std::string> feature_dependencies_text(const std::string& name, int16_t level);
// "4.3-IV0" for metadata.version, the number for others; "UNKNOWN 99" for a metadata.version that has no name.
std::string level_text(const std::string& feature, int16_t level);

}  // namespace samsa::tool
