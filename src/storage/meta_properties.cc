#include "storage/meta_properties.h"

#include <charconv>

#include <fmt/format.h>

namespace samsa::storage {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\f'; }

// One "key=value" line of a Java properties file: blanks around the separator go, backslash escapes of single characters are undone.
bool split_line(std::string_view line, std::string& key, std::string& value) {
  while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
  if (line.empty() || line.front() == '#' || line.front() == '!') return false;
  key.clear();
  value.clear();
  size_t at = 0;
  while (at < line.size() && line[at] != '=' && line[at] != ':' && !is_space(line[at])) {
    if (line[at] == '\\' && at + 1 < line.size()) ++at;
    key += line[at++];
  }
  while (at < line.size() && is_space(line[at])) ++at;
  if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
  while (at < line.size() && is_space(line[at])) ++at;
  while (at < line.size()) {
    if (line[at] == '\\' && at + 1 < line.size()) ++at;
    value += line[at++];
  }
  return true;
}

Result<int32_t> parse_int(std::string_view key, std::string_view value) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc() || end != value.data() + value.size()) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("meta.properties: {} is '{}', it must be a number", key, value));
  }
  return number;
}

Result<void> take(MetaProperties& into, const std::string& key, const std::string& value, std::optional<NodeId>& broker_id) {
  if (key == "version") {
    TRY_ASSIGN(into.version, parse_int(key, value));
    if (into.version != 0 && into.version != 1) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("meta.properties: version is {}, it must be 0 or 1", into.version));
    }
  } else if (key == "cluster.id") {
    into.cluster_id = value;
  } else if (key == "node.id" || key == "broker.id") {
    TRY_ASSIGN(const int32_t id, parse_int(key, value));
    (key == "node.id" ? into.node_id : broker_id) = NodeId(id);
  } else if (key == "directory.id") {
    auto id = Uuid::parse(value);
    if (!id || (id->high == 0 && id->low < 100)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("meta.properties: directory.id is '{}', it must be a uuid of 22 characters", value));
    }
    into.directory_id = *id;
  }
  return {};
}

}  // namespace

Result<MetaProperties> parse_meta_properties(std::string_view text) {
  MetaProperties properties;
  properties.version = 0;  // Java's own default for a file that does not say.
  std::optional<NodeId> broker_id;
  std::string key;
  std::string value;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (split_line(line, key, value)) TRY(take(properties, key, value, broker_id));
  }
  if (!properties.node_id) properties.node_id = broker_id;
  return properties;
}

std::string format_meta_properties(const MetaProperties& properties) {
  std::string text = "#\n";
  if (properties.cluster_id) text += fmt::format("cluster.id={}\n", *properties.cluster_id);
  if (properties.directory_id) text += fmt::format("directory.id={}\n", properties.directory_id->to_string());
  if (properties.node_id) text += fmt::format("{}={}\n", properties.version == 0 ? "broker.id" : "node.id", properties.node_id->value);
  text += fmt::format("version={}\n", properties.version);
  return text;
}

Result<MetaProperties> read_meta_properties(io::Disk& disk, const std::string& directory) {
  TRY_ASSIGN(const Buffer content, io::read_file(disk, io::join_path(directory, "meta.properties")));
  return parse_meta_properties(as_text(content));
}

Result<void> write_meta_properties(io::Disk& disk, const std::string& directory, const MetaProperties& properties) {
  return io::write_file_atomically(disk, io::join_path(directory, "meta.properties"), as_bytes(format_meta_properties(properties)));
}

}  // namespace samsa::storage
