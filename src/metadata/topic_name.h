// Rules of topic names, and of assignments that a user gives by hand.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "metadata/image.h"

namespace samsa::metadata {

// Why it is not a legal topic name, in Kafka's words; nullopt where it is.
std::optional<std::string> invalid_topic_name(std::string_view name);
// A topic that differs from `name` only in '.' against '_' (their metric names would be the same).
std::optional<std::string> colliding_topic(const MetadataImage& image, std::string_view name);
// INVALID_REPLICA_ASSIGNMENT: empty, an unregistered broker, one twice, or another length than `factor` (0: not checked).
Result<void> check_manual_assignment(const MetadataImage& image, const std::vector<int32_t>& replicas, size_t factor);

}  // namespace samsa::metadata
