#include "metadata/topic_name.h"

#include <algorithm>

#include <fmt/format.h>

namespace samsa::metadata {

namespace {
constexpr size_t kMaxLength = 249;

bool legal(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

std::string unify(std::string_view name) {
  std::string to(name);
  std::replace(to.begin(), to.end(), '.', '_');
  return to;
}
}  // namespace

std::optional<std::string> invalid_topic_name(std::string_view name) {
  if (name.empty()) return "the empty string is not allowed";
  if (name == ".") return "'.' is not allowed";
  if (name == "..") return "'..' is not allowed";
  if (name.size() > kMaxLength) return fmt::format("the length of '{}' is longer than the max allowed length {}", name, kMaxLength);
  if (!std::all_of(name.begin(), name.end(), legal)) {
    return fmt::format("'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name);
  }
  return std::nullopt;
}

std::optional<std::string> colliding_topic(const MetadataImage& image, std::string_view name) {
  if (name.find_first_of("._") == std::string_view::npos) return std::nullopt;
  const std::string unified = unify(name);
  // Names that collide agree up to the first '.' or '_', so only those are looked at.
  const std::string prefix(name.substr(0, name.find_first_of("._")));
  std::optional<std::string> found;
  image.topics.for_each_from(prefix, [&](const std::string& other, const TopicImage&) {
    if (!other.starts_with(prefix)) return false;
    if (other == name || unify(other) != unified) return true;
    found = other;
    return false;
  });
  return found;
}

Result<void> check_manual_assignment(const MetadataImage& image, const std::vector<int32_t>& replicas, size_t factor) {
  const auto refuse = [](std::string text) { return fail(ErrorCode::kInvalidReplicaAssignment, std::move(text)); };
  if (replicas.empty()) return refuse("The manual partition assignment includes an empty replica list.");
  std::vector<int32_t> sorted = replicas;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (image.broker(sorted[i]) == nullptr) {
      return refuse(fmt::format("The manual partition assignment includes broker {}, but no such broker is registered.", sorted[i]));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return refuse(fmt::format("The manual partition assignment includes the broker {} more than once.", sorted[i]));
    }
  }
  if (factor != 0 && sorted.size() != factor) {
    return refuse(fmt::format("The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous "
                              "partitions, which have {} replica(s).",
                              sorted.size(), factor));
  }
  return {};
}

}  // namespace samsa::metadata
