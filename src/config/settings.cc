#include "config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/assert.h"
#include "config/server_config.h"

namespace samsa::config {
namespace {

// The words of settings.def.
constexpr Check any() { return {}; }
constexpr Check at_least(double min) { return {.rule = Check::Rule::kRange, .min = min}; }
constexpr Check between(double min, double max) { return {.rule = Check::Rule::kRange, .min = min, .max = max, .has_max = true}; }
constexpr Check one_of(std::string_view words) { return {.rule = Check::Rule::kOneOf, .words = words}; }
constexpr Check one_of_no_case(std::string_view words) { return {.rule = Check::Rule::kOneOfNoCase, .words = words}; }
constexpr Check list_of(std::string_view words, bool empty_allowed, bool null_allowed) {
  return {.rule = Check::Rule::kList, .words = words, .empty_allowed = empty_allowed, .null_allowed = null_allowed};
}
constexpr Check non_empty() { return {.rule = Check::Rule::kNonEmpty}; }
constexpr Check non_null() { return {.rule = Check::Rule::kNonNull}; }
constexpr Check gzip_level() { return {.rule = Check::Rule::kGzipLevel}; }
constexpr Check throttled_replicas() { return {.rule = Check::Rule::kThrottledReplicas}; }
constexpr Check quorum_voters() { return {.rule = Check::Rule::kQuorumVoters}; }
constexpr Check bootstrap_servers() { return {.rule = Check::Rule::kBootstrapServers}; }
constexpr Check share_reset() { return {.rule = Check::Rule::kShareReset}; }

struct Default {
  bool required = false;
  std::optional<std::string_view> text;
};
constexpr Default required() { return {true, std::nullopt}; }
constexpr Default null() { return {}; }
constexpr Default text(std::string_view value) { return {false, value}; }

constexpr Setting make(Kind kind, std::string_view name, SettingType type, Default by_default, Check check, Importance importance,
                       Scope scope, bool internal, std::string_view doc) {
  return {kind, name, type, by_default.required, by_default.text, check, importance, scope, internal, doc};
}

using enum Kind;
using enum SettingType;
using enum Importance;
using enum Scope;

constexpr Setting kTable[] = {
#define SAMSA_SETTING(kind, name, type, by_default, check, importance, scope, internal, doc) \
  make(kind, name, type, by_default, check, importance, scope, internal, doc),
#include "config/settings.def"
#undef SAMSA_SETTING
};

constexpr bool sorted_by_kind_and_name() {
  for (size_t i = 1; i < std::size(kTable); ++i) {
    const auto& a = kTable[i - 1];
    const auto& b = kTable[i];
    if (a.kind > b.kind || (a.kind == b.kind && a.name >= b.name)) return false;
  }
  return true;
}
static_assert(sorted_by_kind_and_name(), "settings.def: kinds in their order, names sorted within each");

std::unexpected<Error> invalid(std::string_view name, std::string_view value, std::string_view why) {
  return fail(ErrorCode::kInvalidConfig, fmt::format("Invalid value {} for configuration {}: {}", value, name, why));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

bool same_no_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

std::vector<std::string_view> words_of(std::string_view words) {
  std::vector<std::string_view> list;
  while (!words.empty()) {
    const size_t end = words.find(',');
    list.push_back(words.substr(0, end));
    words = end == std::string_view::npos ? std::string_view{} : words.substr(end + 1);
  }
  return list;
}
std::string joined(std::string_view words) { return fmt::format("{}", fmt::join(words_of(words), ", ")); }

// A number in decimal digits with an optional sign, all of `text`.
template <class T>
std::optional<T> number_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Result<Value> parse_integer(const Setting& setting, std::string_view raw, std::string_view text) {
  const auto value = number_of<int64_t>(text.starts_with("+-") ? std::string_view{} : text);
  const int64_t max = setting.type == kShort ? INT16_MAX : setting.type == kInt ? INT32_MAX : INT64_MAX;
  if (!value || *value > max || *value < -max - 1) {
    return invalid(setting.name, raw, fmt::format("Not a number of type {}", type_name(setting.type)));
  }
  return Value(*value);
}

Result<Value> parse_double(const Setting& setting, std::string_view raw, std::string_view text) {
  // Java also takes a type suffix.
  if (text.size() > 1 && (text.back() == 'f' || text.back() == 'd' || text.back() == 'F' || text.back() == 'D')) text.remove_suffix(1);
  const auto value = number_of<double>(text);
  if (!value) return invalid(setting.name, raw, "Not a number of type DOUBLE");
  return Value(*value);
}

Result<Value> parse_type(const Setting& setting, std::string_view raw) {
  const std::string_view text = trimmed(raw);
  switch (setting.type) {
    case kBoolean:
      if (same_no_case(text, "true")) return Value(true);
      if (same_no_case(text, "false")) return Value(false);
      return invalid(setting.name, raw, "Expected value to be either true or false");
    case kInt:
    case kShort:
    case kLong: return parse_integer(setting, raw, text);
    case kDouble: return parse_double(setting, raw, text);
    case kList: return Value(split_list(text));
    default: return Value(std::string(text));
  }
}

Result<void> check_range(const Setting& setting, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return invalid(setting.name, "null", "Value must be non-null");
  const auto* whole = std::get_if<int64_t>(&value);
  const double number = whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
  const std::string shown = value_text(value).value_or("null");
  if (number < setting.check.min) return invalid(setting.name, shown, fmt::format("Value must be at least {}", setting.check.min));
  if (setting.check.has_max && number > setting.check.max) {
    return invalid(setting.name, shown, fmt::format("Value must be no more than {}", setting.check.max));
  }
  return {};
}

Result<void> check_words(const Setting& setting, const Value& value, bool no_case) {
  const std::string shown = value_text(value).value_or("null");
  if (!std::holds_alternative<std::monostate>(value)) {
    for (const auto word : words_of(setting.check.words)) {
      if (no_case ? same_no_case(word, shown) : word == shown) return {};
    }
  }
  return invalid(setting.name, shown, fmt::format("String must be one of{}: {}", no_case ? " (case insensitive)" : "", joined(setting.check.words)));
}

// Also drops duplicates, as Kafka does when it reads.
Result<void> check_list(const Setting& setting, Value& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    if (setting.check.null_allowed) return {};
    return fail(ErrorCode::kInvalidConfig, fmt::format("Configuration '{}' values must not be null.", setting.name));
  }
  auto& entries = std::get<std::vector<std::string>>(value);
  const auto words = words_of(setting.check.words);
  if (entries.empty() && !setting.check.empty_allowed) {
    const std::string valid = words.empty() ? "any non-empty value" : fmt::format("[{}]", joined(setting.check.words));
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("Configuration '{}' must not be empty. Valid values include: {}", setting.name, valid));
  }
  std::vector<std::string> unique;
  for (auto& entry : entries) {
    if (entry.empty()) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("Configuration '{}' values must not be empty.", setting.name));
    }
    if (!words.empty() && std::ranges::find(words, entry) == words.end()) {
      return invalid(setting.name, entry, fmt::format("String must be one of: {}", joined(setting.check.words)));
    }
    if (std::ranges::find(unique, entry) == unique.end()) unique.push_back(std::move(entry));
  }
  entries = std::move(unique);
  return {};
}

bool is_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }); }

Result<void> check_throttled(const Setting& setting, const Value& value) {
  const auto* entries = std::get_if<std::vector<std::string>>(&value);
  if (entries == nullptr) return invalid(setting.name, "null", "Value must be non-null");
  if (entries->size() == 1 && entries->front() == "*") return {};
  for (const auto& entry : *entries) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos || !is_digits(std::string_view(entry).substr(0, colon)) ||
        !is_digits(std::string_view(entry).substr(colon + 1))) {
      return invalid(setting.name, fmt::format("[{}]", fmt::join(*entries, ", ")),
                     fmt::format("{} must be the literal '*' or a list of replicas in the following format: "
                                 "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
                                 setting.name));
    }
  }
  return {};
}

Result<void> check_voters(const Setting& setting, const Value& value) {
  const auto* entries = std::get_if<std::vector<std::string>>(&value);
  if (entries == nullptr) return invalid(setting.name, "null", "Value must be non-null");
  for (const auto& entry : *entries) {
    const size_t at = entry.find('@');
    if (at == std::string::npos || !is_digits(std::string_view(entry).substr(0, at)) ||
        !parse_host_port(std::string_view(entry).substr(at + 1))) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("Invalid configuration value for {}: {}. Each entry should be in the form "
                                                         "`{{id}}@{{host}}:{{port}}`.",
                                                         setting.name, entry));
    }
  }
  return {};
}

Result<void> check_bootstrap(const Setting& setting, const Value& value) {
  const auto* entries = std::get_if<std::vector<std::string>>(&value);
  if (entries == nullptr) return invalid(setting.name, "null", "Value must be non-null");
  for (const auto& entry : *entries) {
    if (!parse_host_port(entry)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("Failed to parse host name from {} for the configuration {}. Each entry should be "
                                                         "in the form \"{{host}}:{{port}}\"",
                                                         entry, setting.name));
    }
  }
  return {};
}

// Whether `text` is an ISO-8601 duration of days and times: PnDTnHnMn.nS, at least one part.
bool is_duration(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || std::toupper(text.front()) != 'P') return false;
  text.remove_prefix(1);
  std::string_view units = "DHMS";
  bool in_time = false;
  bool any_part = false;
  while (!text.empty()) {
    if (!in_time && std::toupper(text.front()) == 'T') {
      in_time = true;
      text.remove_prefix(1);
      if (text.empty()) return false;
      continue;
    }
    const size_t end = text.find_first_not_of("+-0123456789.");
    if (end == 0 || end == std::string_view::npos) return false;
    const auto unit = static_cast<char>(std::toupper(text[end]));
    const size_t at = units.find(unit);
    if (at == std::string_view::npos || (unit == 'D') == in_time) return false;
    if (unit != 'S' && text.substr(0, end).find('.') != std::string_view::npos) return false;
    if (!number_of<double>(text.substr(0, end))) return false;
    units.remove_prefix(at + 1);
    text.remove_prefix(end + 1);
    any_part = true;
  }
  return any_part;
}

Result<void> check_share_reset(const Setting& setting, const Value& value) {
  const auto shown = value_text(value).value_or("null");
  if (same_no_case(shown, "earliest") || same_no_case(shown, "latest")) return {};
  static constexpr std::string_view kPrefix = "by_duration:";
  if (shown.size() > kPrefix.size() && same_no_case(shown.substr(0, kPrefix.size()), kPrefix) &&
      is_duration(std::string_view(shown).substr(kPrefix.size()))) {
    return {};
  }
  return invalid(setting.name, shown,
                 fmt::format("Invalid value `{}` for configuration {}. The value must be either 'earliest', 'latest' or of the format "
                             "'by_duration:<PnDTnHnMn.nS>'.",
                             shown, setting.name));
}

Result<void> check_value(const Setting& setting, Value& value) {
  const bool is_null = std::holds_alternative<std::monostate>(value);
  switch (setting.check.rule) {
    case Check::Rule::kAny: return {};
    case Check::Rule::kRange: return check_range(setting, value);
    case Check::Rule::kOneOf: return check_words(setting, value, false);
    case Check::Rule::kOneOfNoCase: return check_words(setting, value, true);
    case Check::Rule::kList: return check_list(setting, value);
    case Check::Rule::kNonEmpty:
      if (!is_null && std::get<std::string>(value).empty()) return invalid(setting.name, "", "String must be non-empty");
      return {};
    case Check::Rule::kNonNull:
      if (is_null) return invalid(setting.name, "null", "entry must be non null");
      return {};
    case Check::Rule::kGzipLevel: {
      const auto* level = std::get_if<int64_t>(&value);
      if (level != nullptr && (*level == -1 || (*level >= 1 && *level <= 9))) return {};
      return invalid(setting.name, value_text(value).value_or("null"), "Value must be between 1 and 9 or equal to -1");
    }
    case Check::Rule::kThrottledReplicas: return check_throttled(setting, value);
    case Check::Rule::kQuorumVoters: return check_voters(setting, value);
    case Check::Rule::kBootstrapServers: return check_bootstrap(setting, value);
    case Check::Rule::kShareReset: return check_share_reset(setting, value);
  }
  return {};
}

// As Double.toString prints: decimal between 10^-3 and 10^7, else one digit before the point and an exponent.
std::string java_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  const double size = std::fabs(value);
  if (size == 0 || (size >= 1e-3 && size < 1e7)) {
    std::string text = fmt::format("{}", value);
    if (text.find('.') == std::string::npos) text += ".0";
    return text;
  }
  std::array<char, 64> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::scientific).ptr;
  std::string_view text(digits.data(), static_cast<size_t>(end - digits.data()));
  const size_t e = text.find('e');
  std::string mantissa(text.substr(0, e));
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  return fmt::format("{}E{}", mantissa, number_of<int>(text.substr(e + 1)).value_or(0));
}

struct SynonymPair {
  std::string_view name;
  std::string_view broker;
};
// The broker settings that stand behind the topic's; topic settings that are not here have none.
constexpr SynonymPair kTopicSynonyms[] = {
    {"cleanup.policy", "log.cleanup.policy"},
    {"compression.gzip.level", "compression.gzip.level"},
    {"compression.lz4.level", "compression.lz4.level"},
    {"compression.type", "compression.type"},
    {"compression.zstd.level", "compression.zstd.level"},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms"},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms"},
    {"flush.messages", "log.flush.interval.messages"},
    {"flush.ms", "log.flush.interval.ms"},
    {"index.interval.bytes", "log.index.interval.bytes"},
    {"local.retention.bytes", "log.local.retention.bytes"},
    {"local.retention.ms", "log.local.retention.ms"},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
    {"max.message.bytes", "message.max.bytes"},
    {"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"},
    {"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"},
    {"message.timestamp.type", "log.message.timestamp.type"},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"},
    {"min.insync.replicas", "min.insync.replicas"},
    {"preallocate", "log.preallocate"},
    {"retention.bytes", "log.retention.bytes"},
    {"retention.ms", "log.retention.ms"},
    {"segment.bytes", "log.segment.bytes"},
    {"segment.index.bytes", "log.index.size.max.bytes"},
    {"segment.jitter.ms", "log.roll.jitter.ms"},
    {"segment.ms", "log.roll.ms"},
    {"unclean.leader.election.enable", "unclean.leader.election.enable"},
};

}  // namespace

std::string_view type_name(SettingType type) {
  static constexpr std::string_view kNames[] = {"UNKNOWN", "BOOLEAN", "STRING", "INT",   "SHORT",
                                                "LONG",    "DOUBLE",  "LIST",   "CLASS", "PASSWORD"};
  return kNames[static_cast<size_t>(type)];
}

std::span<const Setting> all_settings(Kind kind) {
  const auto range = std::ranges::equal_range(kTable, kind, {}, &Setting::kind);
  return {range.begin(), range.end()};
}

const Setting* find_setting(Kind kind, std::string_view name) {
  const auto settings = all_settings(kind);
  const auto found = std::ranges::lower_bound(settings, name, {}, &Setting::name);
  return found != settings.end() && found->name == name ? &*found : nullptr;
}

std::string_view broker_synonym(Kind kind, std::string_view name) {
  if (kind == Kind::kTopic) {
    for (const auto& pair : kTopicSynonyms) {
      if (pair.name == name) return pair.broker;
    }
  }
  if (kind == Kind::kGroup) {
    for (const auto& setting : all_settings(Kind::kBroker)) {
      if (setting.name.starts_with("group.") && setting.name.substr(6) == name) return setting.name;
    }
  }
  return {};
}

Result<Value> parse_value(const Setting& setting, std::optional<std::string_view> raw) {
  Value value;
  if (raw) {
    TRY_ASSIGN(value, parse_type(setting, *raw));
  }
  TRY(check_value(setting, value));
  return value;
}

Value default_value(const Setting& setting) {
  if (!setting.default_value) return {};
  auto value = parse_type(setting, *setting.default_value);
  SAMSA_ASSERT(value.has_value(), "the table's defaults parse");
  return std::move(*value);
}

std::optional<std::string> value_text(const Value& value) {
  struct Print {
    std::optional<std::string> operator()(std::monostate) const { return std::nullopt; }
    std::optional<std::string> operator()(bool v) const { return v ? "true" : "false"; }
    std::optional<std::string> operator()(int64_t v) const { return std::to_string(v); }
    std::optional<std::string> operator()(double v) const { return java_double(v); }
    std::optional<std::string> operator()(const std::string& v) const { return v; }
    std::optional<std::string> operator()(const std::vector<std::string>& v) const { return fmt::format("{}", fmt::join(v, ",")); }
  };
  return std::visit(Print{}, value);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> entries;
  text = trimmed(text);
  if (text.empty()) return entries;
  while (true) {
    const size_t comma = text.find(',');
    entries.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return entries;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace samsa::config
