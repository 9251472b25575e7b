#include "tool/line_reader.h"

#include <fmt/format.h>

#include <charconv>

namespace samsa::tool {
namespace {

bool is_true(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.size() != 4) return false;
  for (size_t i = 0; i < 4; ++i) {
    if ((text[i] | 0x20) != "true"[i]) return false;
  }
  return true;
}

}  // namespace

Result<LineReader> LineReader::create(std::string topic, const std::map<std::string, std::string>& properties) {
  LineReader reader;
  reader.topic_ = std::move(topic);
  for (const auto& [key, value] : properties) {
    if (key == "parse.key") reader.parse_key_ = is_true(value);
    if (key == "parse.headers") reader.parse_headers_ = is_true(value);
    if (key == "parse.partition") reader.parse_partition_ = is_true(value);
    if (key == "ignore.error") reader.ignore_error_ = is_true(value);
    if (key == "key.separator") reader.key_separator_ = value;
    if (key == "partition.separator") reader.partition_separator_ = value;
    if (key == "headers.delimiter") reader.headers_delimiter_ = value;
    if (key == "headers.separator") reader.headers_separator_ = value;
    if (key == "headers.key.separator") reader.headers_key_separator_ = value;
    if (key == "null.marker") reader.null_marker_ = value;
  }
  const std::pair<std::string_view, const std::string&> separators[] = {{"headers.delimiter", reader.headers_delimiter_},
                                                                         {"headers.separator", reader.headers_separator_},
                                                                         {"headers.key.separator", reader.headers_key_separator_}};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t k = i + 1; k < 3; ++k) {
      if (separators[i].second == separators[k].second) {
        return fail(ErrorCode::kInvalidConfig, fmt::format("{} and {} may not be equal", separators[i].first, separators[k].first));
      }
    }
    if (reader.is_null(separators[i].second)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("null.marker and {} may not be equal", separators[i].first));
    }
  }
  if (reader.is_null(reader.key_separator_)) return fail(ErrorCode::kInvalidConfig, "null.marker and key.separator may not be equal");
  return reader;
}

Result<std::optional<std::string_view>> LineReader::cut(bool enabled, std::string_view& rest, std::string_view separator, std::string_view what,
                                                        std::string_view line) {
  if (!enabled) return std::nullopt;
  const size_t at = rest.find(separator);
  if (at == std::string_view::npos) {
    if (ignore_error_) return std::nullopt;
    return fail(ErrorCode::kInvalidRecord, fmt::format("No {} found on line number {}: '{}'", what, line_number_, line));
  }
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at + separator.size());
  return part;
}

Result<std::vector<client::RecordHeader>> LineReader::headers(std::string_view text) const {
  std::vector<client::RecordHeader> headers;
  while (!text.empty()) {
    const size_t end = text.find(headers_separator_);
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + headers_separator_.size());
    const size_t colon = pair.find(headers_key_separator_);
    if (colon == std::string_view::npos) {
      if (!ignore_error_) {
        return fail(ErrorCode::kInvalidRecord, fmt::format("No header key separator found in pair '{}' on line number {}", pair, line_number_));
      }
      headers.push_back({std::string(pair), std::nullopt});
      continue;
    }
    const std::string_view key = pair.substr(0, colon);
    if (is_null(key)) {
      return fail(ErrorCode::kInvalidRecord, fmt::format("Header keys should not be equal to the null marker '{}' as they can't be null", key));
    }
    const std::string_view value = pair.substr(colon + headers_key_separator_.size());
    headers.push_back({std::string(key), is_null(value) ? std::nullopt : std::optional<std::string>(value)});
  }
  return headers;
}

Result<client::ProducerRecord> LineReader::read(std::string_view line) {
  ++line_number_;
  std::string_view rest = line;
  client::ProducerRecord record;
  record.topic = topic_;
  TRY_ASSIGN(const auto partition, cut(parse_partition_, rest, partition_separator_, "partition separator", line));
  if (partition) {
    int32_t number = -1;
    const auto parsed = std::from_chars(partition->data(), partition->data() + partition->size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != partition->data() + partition->size() || number < 0) {
      return fail(ErrorCode::kInvalidRecord, fmt::format("'{}' is not a partition, on line number {}", *partition, line_number_));
    }
    record.partition = number;
  }
  TRY_ASSIGN(const auto header_text, cut(parse_headers_, rest, headers_delimiter_, "headers delimiter", line));
  TRY_ASSIGN(const auto key, cut(parse_key_, rest, key_separator_, "key separator", line));
  if (header_text && !is_null(*header_text)) {
    TRY_ASSIGN(record.headers, headers(*header_text));
  }
  if (key && !is_null(*key)) record.key = std::string(*key);
  if (!is_null(rest)) record.value = std::string(rest);
  return record;
}

}  // namespace samsa::tool
