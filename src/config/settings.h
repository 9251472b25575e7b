// The one table of every setting: name, type, default, permitted values, importance, where it may change, and what it is for.
// The rows are in settings.def; they are those of Apache Kafka 4.3.1 (a test compares them with its ConfigDefs) and, with names in
// "samsa.", our own. Pure; any thread. The texts of errors follow Kafka's, which tools and people match.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/properties.h"

namespace samsa::config {

// What a setting belongs to.
enum class Kind : uint8_t { kBroker, kTopic, kGroup, kClientMetrics };

// The numbers are those of DescribeConfigs' config_type.
enum class SettingType : int8_t {
  kUnknown = 0,
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};
// "BOOLEAN", "INT", ...
std::string_view type_name(SettingType type);

enum class Importance : uint8_t { kHigh, kMedium, kLow };

// Whether and where a broker setting may change while the broker runs. Topic, group and client-metrics settings always may.
enum class Scope : uint8_t { kReadOnly, kPerBroker, kClusterWide };

// What a value must be beyond its type.
struct Check {
  enum class Rule : uint8_t {
    kAny,
    kRange,              // min..max, both ends included.
    kOneOf,              // One of `words`.
    kOneOfNoCase,
    kList,               // Entries from `words` (empty: any), no empty entry; duplicates are dropped.
    kNonEmpty,
    kNonNull,
    kGzipLevel,          // 1..9 or -1.
    kThrottledReplicas,  // "*" or partition:broker pairs.
    kQuorumVoters,       // id@host:port.
    kBootstrapServers,   // host:port.
    kShareReset,         // earliest, latest or by_duration:PnDTnHnMn.nS.
  };
  Rule rule = Rule::kAny;
  double min = 0;
  double max = 0;
  bool has_max = false;
  std::string_view words = {};  // "a,b,c".
  bool empty_allowed = true;    // kList.
  bool null_allowed = false;    // kList.
};

struct Setting {
  Kind kind;
  std::string_view name;
  SettingType type;
  bool required;                                  // Has no default.
  std::optional<std::string_view> default_value;  // Nothing: null (or required).
  Check check;
  Importance importance;
  Scope scope;
  bool internal;  // Not listed by DescribeConfigs.
  std::string_view doc;
};

// All settings of a kind, by name.
std::span<const Setting> all_settings(Kind kind);
// Nothing for a name that is not in the table.
const Setting* find_setting(Kind kind, std::string_view name);
// The broker setting whose value a topic (or group) setting takes when it has none of its own: "retention.ms" → "log.retention.ms".
// Empty if there is none.
std::string_view broker_synonym(Kind kind, std::string_view name);
// A parsed value; monostate is null. Numbers of all integer types are int64_t; passwords and classes are text.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<std::string>>;

// Parses and checks. `text` nothing: null, which only some settings accept.
// Errors: INVALID_CONFIG, "Invalid value X for configuration Y: ...".
Result<Value> parse_value(const Setting& setting, std::optional<std::string_view> text);
// The default, parsed; monostate for null and for required settings.
Value default_value(const Setting& setting);
// As DescribeConfigs prints it: lists joined by commas, doubles as Java prints them. Nothing for null.
std::optional<std::string> value_text(const Value& value);

// Entries of a LIST: split at commas, blanks around entries dropped. Empty text gives no entries.
std::vector<std::string> split_list(std::string_view text);

}  // namespace samsa::config
