#include "tool/feature_args.h"

#include <fmt/format.h>

#include <charconv>

#include "metadata/features.h"

namespace samsa::tool {

namespace {

// In the order in which Kafka lists them.
constexpr const char* kFeatures[] = {"kraft.version", "transaction.version", "group.version", "eligible.leader.replicas.version", "share.version", "streams.version"};

std::string trim(std::string text) {
  text.erase(0, text.find_first_not_of(" \t"));
  text.erase(text.find_last_not_of(" \t") + 1);
  return text;
}

bool is_named(int16_t metadata_version) { return !metadata::metadata_version_text(metadata_version).starts_with("unknown"); }

}  // namespace

Result<std::pair<std::string, int16_t>> parse_name_and_level(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return fail(ErrorCode::kInvalidRequest, fmt::format("Can't parse feature=level string {}: equals sign not found.", text));
  const std::string digits = trim(text.substr(equals + 1));
  int16_t level = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), level);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Can't parse feature=level string {}: unable to parse {} as a short.", text, digits));
  }
  return std::pair{trim(text.substr(0, equals)), level};
}

Result<int16_t> parse_release(const std::string& text) {
  constexpr int16_t kUnstable = metadata::kLatestMetadataVersion + 1;
  const std::string unstable = metadata::metadata_version_text(kUnstable);
  if (text == unstable) return kUnstable;
  auto level = metadata::parse_metadata_version(text);
  if (!level) return fail(level.error().code, level.error().text() + ", " + unstable);
  return level;
}

Result<std::string> version_mapping_text(const std::string& release) {
  const std::string asked = release.empty() ? metadata::metadata_version_text(metadata::kLatestMetadataVersion) : release;
  TRY_ASSIGN(const int16_t level, parse_release(asked));
  std::string text = fmt::format("metadata.version={} ({})\n", level, asked);
  const auto levels = metadata::default_features(level);
  for (const char* name : kFeatures) {
    const auto found = levels.find(name);
    text += fmt::format("{}={}\n", name, found == levels.end() ? 0 : found->second);
  }
  return text;
}

Result<std::string> feature_dependencies_text(const std::string& name, int16_t level) {
  if (name == metadata::kMetadataVersion) {
    if (!is_named(level)) return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown metadata.version {}", level));
    return fmt::format("{}={} ({}) has no dependencies.\n", name, level, metadata::metadata_version_text(level));
  }
  const auto& supported = metadata::supported_features();
  const auto found = supported.find(name);
  if (found == supported.end()) return fail(ErrorCode::kInvalidRequest, "Unknown feature: " + name);
  if (level < found->second.min || level > found->second.max) {
    return fail(ErrorCode::kFeatureUpdateFailed, fmt::format("No feature:{} with feature level {}", name, level));
  }
  if (name == "eligible.leader.replicas.version" && level >= 1) {
    return fmt::format("{}={} requires:\n    metadata.version={} ({})\n", name, level, metadata::kMvElr, metadata::metadata_version_text(metadata::kMvElr));
  }
  return fmt::format("{}={} has no dependencies.\n", name, level);
}

std::string level_text(const std::string& feature, int16_t level) {
  if (feature != metadata::kMetadataVersion) return std::to_string(level);
  return is_named(level) ? metadata::metadata_version_text(level) : fmt::format("UNKNOWN {}", level);
}

}  // namespace samsa::tool
