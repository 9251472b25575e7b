#include "metadata/features.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace samsa::metadata {

namespace {
struct Level {
  int16_t level;
  std::string_view text;
};
constexpr Level kLevels[] = {
    {7, "3.3-IV3"},  {8, "3.4-IV0"},  {9, "3.5-IV0"},  {10, "3.5-IV1"}, {11, "3.5-IV2"}, {12, "3.6-IV0"}, {13, "3.6-IV1"}, {14, "3.6-IV2"},
    {15, "3.7-IV0"}, {16, "3.7-IV1"}, {17, "3.7-IV2"}, {18, "3.7-IV3"}, {19, "3.7-IV4"}, {20, "3.8-IV0"}, {21, "3.9-IV0"}, {22, "4.0-IV0"},
    {23, "4.0-IV1"}, {24, "4.0-IV2"}, {25, "4.0-IV3"}, {26, "4.1-IV0"}, {27, "4.1-IV1"}, {28, "4.2-IV0"}, {29, "4.2-IV1"}, {30, "4.3-IV0"},
    {31, "4.4-IV0"},  // Known by name, not supported.
};

// The metadata version from which a new cluster has the feature at the level.
struct Default {
  std::string_view feature;
  int16_t level;
  int16_t from;
};
constexpr Default kDefaults[] = {
    {"kraft.version", 1, 21},       {"transaction.version", 1, 24}, {"transaction.version", 2, 24}, {"group.version", 1, 22},
    {"eligible.leader.replicas.version", 1, 26}, {"share.version", 1, 28}, {"streams.version", 1, 29},
};
}  // namespace

const std::map<std::string, FeatureRange, std::less<>>& supported_features() {
  static const std::map<std::string, FeatureRange, std::less<>> kFeatures{
      {"metadata.version", {kMinMetadataVersion, kLatestMetadataVersion}},
      {"kraft.version", {0, 1}},
      {"transaction.version", {0, 2}},
      {"group.version", {0, 1}},
      {"eligible.leader.replicas.version", {0, 1}},
      {"share.version", {0, 1}},
      {"streams.version", {0, 1}},
  };
  return kFeatures;
}

std::string metadata_version_text(int16_t level) {
  for (const auto& l : kLevels) {
    if (l.level == level) return std::string(l.text);
  }
  return fmt::format("unknown [{}]", level);
}

Result<int16_t> parse_metadata_version(std::string_view text) {
  // "3.9.1" is a patch of 3.9 and has its levels.
  std::string_view release = text;
  if (const size_t dot = text.find('.'); dot != std::string_view::npos) release = text.substr(0, text.find('.', dot + 1));
  std::optional<int16_t> found;
  std::string known;
  for (const auto& l : kLevels) {
    if (l.level > kLatestMetadataVersion) continue;
    // "3.9" means the last of 3.9.
    const bool last = l.text.size() > release.size() && l.text.starts_with(release) && l.text[release.size()] == '-';
    if (l.text == release || last) found = l.level;
    known += (known.empty() ? "" : ", ") + std::string(l.text);
  }
  if (found) return *found;
  return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown metadata.version '{}'. Supported metadata.version are: {}", text, known));
}

std::map<std::string, int16_t> default_features(int16_t metadata_version) {
  std::map<std::string, int16_t> levels;
  for (const auto& d : kDefaults) {
    if (metadata_version >= d.from) levels[std::string(d.feature)] = std::max(levels[std::string(d.feature)], d.level);
  }
  return levels;
}

}  // namespace samsa::metadata
