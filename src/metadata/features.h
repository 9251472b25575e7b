// Feature levels that this build supports, and the names of metadata.version levels (KIP-584, KIP-1022).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/image.h"

namespace samsa::metadata {

inline constexpr std::string_view kMetadataVersion = "metadata.version";
inline constexpr std::string_view kKraftVersion = "kraft.version";
inline constexpr int16_t kMinMetadataVersion = 7;      // 3.3-IV3
inline constexpr int16_t kLatestMetadataVersion = 30;  // 4.3-IV0

// Metadata versions at which record formats change.
inline constexpr int16_t kMvScram = 11, kMvTransactions = 13, kMvTokens = 14, kMvControllerRegistration = 15, kMvDirectories = 17,
                         kMvElr = 23, kMvCordoned = 30, kMvSkipIsrEpochBump = 12, kMvControlledShutdownRecord = 8;

// What a broker or controller of this build offers when it registers: metadata.version, kraft.version, transaction.version,
// group.version, eligible.leader.replicas.version, share.version, streams.version.
const std::map<std::string, FeatureRange, std::less<>>& supported_features();
// "4.3-IV0" of 30; "unknown [n]" for a level that is not in the table.
std::string metadata_version_text(int16_t level);
// The level of "4.3-IV0", "4.3" (its last one) or "30"; INVALID_REQUEST otherwise.
Result<int16_t> parse_metadata_version(std::string_view text);
// The level that each feature has by default in a new cluster of that metadata version, without metadata.version itself; kraft.version
// included.
std::map<std::string, int16_t> default_features(int16_t metadata_version);

}  // namespace samsa::metadata
