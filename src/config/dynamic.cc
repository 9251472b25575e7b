#include "config/dynamic.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/assert.h"

namespace samsa::config {
namespace {

constexpr size_t kMaxValueBytes = 32767;
constexpr std::string_view kListenerPrefix = "listener.name.";

// Some broker times can be given in several units; the finer one counts. Names in the order of preference.
struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 3'600'000;
constexpr Unit kRoll[] = {{"log.roll.ms", 1}, {"log.roll.hours", kHour}};
constexpr Unit kJitter[] = {{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", kHour}};
constexpr Unit kFlush[] = {{"log.flush.interval.ms", 1}, {"log.flush.scheduler.interval.ms", 1}};
constexpr Unit kRetention[] = {{"log.retention.ms", 1}, {"log.retention.minutes", kMinute}, {"log.retention.hours", kHour}};

// The units that set the same time as `name`; none for most settings.
std::span<const Unit> units_of(std::string_view name) {
  for (const std::span<const Unit> units : {std::span<const Unit>(kRoll), std::span<const Unit>(kJitter), std::span<const Unit>(kRetention)}) {
    if (std::ranges::find(units, name, &Unit::name) != units.end()) return units;
  }
  if (name == "log.flush.interval.ms") return kFlush;
  return {};
}

const std::string* in_layer(const Properties* layer, std::string_view name) {
  if (layer == nullptr) return nullptr;
  const auto found = layer->find(name);
  return found == layer->end() ? nullptr : &found->second;
}

// What the broker's layers say of a setting, before its default.
const std::string* broker_text(std::string_view name, const Layers& layers) {
  for (const auto* layer : {layers.broker, layers.cluster, layers.server}) {
    if (const auto* text = in_layer(layer, name)) return text;
  }
  return nullptr;
}

// A value from the layers, or nothing if it is not there or wrong.
std::optional<Value> parsed(const Setting& setting, const std::string* text) {
  if (text == nullptr) return std::nullopt;
  auto value = parse_value(setting, *text);
  if (!value) return std::nullopt;
  return std::move(*value);
}

std::optional<Value> broker_value(std::string_view name, const Layers& layers) {
  const auto* setting = find_setting(Kind::kBroker, name);
  SAMSA_ASSERT(setting != nullptr, "the broker setting is in the table");
  return parsed(*setting, broker_text(name, layers));
}

// The time that a family of units sets: the first that is given, else the first that has a default.
Value value_by_units(std::span<const Unit> units, const Layers& layers) {
  const auto in_ms = [](const Value& value, int64_t ms) {
    const int64_t number = std::get<int64_t>(value);
    return number < 0 ? int64_t{-1} : number > INT64_MAX / ms ? INT64_MAX : number * ms;
  };
  for (const auto& unit : units) {
    if (const auto value = broker_value(unit.name, layers)) return in_ms(*value, unit.ms);
  }
  for (const auto& unit : units) {
    const auto value = default_value(*find_setting(Kind::kBroker, unit.name));
    if (std::holds_alternative<int64_t>(value)) return in_ms(value, unit.ms);
  }
  return {};
}

bool is_sensitive(SettingType type) { return type == SettingType::kPassword || type == SettingType::kUnknown; }

bool wanted(const std::optional<std::vector<std::string>>& names, std::string_view name) {
  return !names || names->empty() || std::ranges::find(*names, name) != names->end();
}

// Kafka's list for one broker setting: every layer's values of every name of the family, but nothing before the name itself.
std::vector<Synonym> broker_synonyms(std::string_view name, bool sensitive, const Layers& layers) {
  std::vector<std::string_view> names;
  for (const auto& unit : units_of(name)) names.push_back(unit.name);
  if (names.empty()) names.push_back(name);
  std::vector<Synonym> synonyms;
  const auto add = [&](const Properties* layer, Source source) {
    for (const auto each : names) {
      if (const auto* text = in_layer(layer, each)) {
        synonyms.push_back({std::string(each), sensitive ? std::nullopt : std::optional(*text), source});
      }
    }
  };
  add(layers.broker, Source::kDynamicBroker);
  add(layers.cluster, Source::kDynamicDefaultBroker);
  add(layers.server, Source::kStaticBroker);
  for (const auto each : names) {
    const auto* setting = find_setting(Kind::kBroker, each);
    // Those that are dynamic only have no default that Kafka would name.
    const bool fixed_default = setting != nullptr && !(setting->internal && setting->scope != Scope::kReadOnly);
    const auto text = fixed_default ? value_text(default_value(*setting)) : std::nullopt;
    if (text) synonyms.push_back({std::string(each), sensitive ? std::nullopt : text, Source::kDefault});
  }
  const auto first = std::ranges::find(synonyms, name, &Synonym::name);
  synonyms.erase(synonyms.begin(), first);
  return synonyms;
}

// The setting behind a broker name, which may carry a listener's prefix.
const Setting* setting_behind(std::string_view name) {
  if (const auto* setting = find_setting(Kind::kBroker, name)) return setting;
  if (!name.starts_with(kListenerPrefix)) return nullptr;
  name.remove_prefix(kListenerPrefix.size());
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    if (const auto* setting = find_setting(Kind::kBroker, name)) return setting;
  }
  return nullptr;
}

Described describe_one(std::string_view name, const Setting* setting, std::optional<std::string> value) {
  Described described;
  described.name = name;
  described.type = setting == nullptr ? SettingType::kUnknown : setting->type;
  described.sensitive = is_sensitive(described.type);
  if (!described.sensitive) described.value = std::move(value);
  if (setting != nullptr) described.doc = setting->doc;
  return described;
}

void settle_source(Described& described) {
  described.source = described.synonyms.empty() ? Source::kDefault : described.synonyms.front().source;
}

std::string joined_names(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

// Topics and groups: every value must be known and right.
Result<void> check_each(Kind kind, std::string_view what, const Properties& values) {
  for (const auto& [name, text] : values) {
    const auto* setting = find_setting(kind, name);
    if (setting == nullptr) return fail(ErrorCode::kInvalidConfig, fmt::format("Unknown {} config name: {}", what, name));
    TRY(parse_value(*setting, text));
  }
  return {};
}

int64_t number_of(Kind kind, std::string_view name, const Layers& layers) {
  return std::get<int64_t>(effective_value(kind, name, layers));
}

// LIST values: what APPEND and SUBTRACT work on.
std::optional<std::string> list_base(Kind kind, std::string_view name, const Properties& current, const Layers& layers) {
  if (const auto* text = in_layer(&current, name)) return *text;
  Layers above = layers;
  above.own = nullptr;
  return effective_text(kind, name, above);
}

Result<std::string> append_or_subtract(Kind kind, const Alter& alter, const Properties& current, const Layers& layers) {
  const auto* setting = kind == Kind::kBroker ? setting_behind(alter.name) : find_setting(kind, alter.name);
  const bool append = alter.op == AlterOp::kAppend;
  if (setting == nullptr || setting->type != SettingType::kList) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("Can't {} to key {} because its type is not LIST.", append ? "APPEND" : "SUBTRACT", alter.name));
  }
  auto entries = split_list(list_base(kind, alter.name, current, layers).value_or(""));
  for (const auto& entry : split_list(*alter.value)) {
    const auto found = std::ranges::find(entries, entry);
    if (append && found == entries.end()) entries.push_back(entry);
    if (!append && found != entries.end()) entries.erase(found);
  }
  return fmt::format("{}", fmt::join(entries, ","));
}

}  // namespace

Value effective_value(Kind kind, std::string_view name, const Layers& layers) {
  const auto* setting = find_setting(kind, name);
  SAMSA_ASSERT(setting != nullptr, "the setting is in the table");
  if (kind != Kind::kBroker) {
    if (auto own = parsed(*setting, in_layer(layers.own, name))) return *own;
  }
  const std::string_view broker_name = kind == Kind::kBroker ? name : broker_synonym(kind, name);
  if (broker_name.empty()) return default_value(*setting);
  if (const auto units = kind == Kind::kBroker ? std::span<const Unit>{} : units_of(broker_name); !units.empty()) {
    return value_by_units(units, layers);
  }
  if (auto value = broker_value(broker_name, layers)) return *value;
  return default_value(*find_setting(Kind::kBroker, broker_name));
}

std::optional<std::string> effective_text(Kind kind, std::string_view name, const Layers& layers) {
  return value_text(effective_value(kind, name, layers));
}

Properties effective_topic(const Layers& layers) {
  Properties values;
  for (const auto& setting : all_settings(Kind::kTopic)) {
    if (auto text = effective_text(Kind::kTopic, setting.name, layers)) values.emplace(setting.name, std::move(*text));
  }
  return values;
}

std::vector<Described> describe_topic(const Layers& layers, const std::optional<std::vector<std::string>>& names) {
  std::vector<Described> all;
  for (const auto& setting : all_settings(Kind::kTopic)) {
    if ((setting.internal && in_layer(layers.own, setting.name) == nullptr) || !wanted(names, setting.name)) continue;
    auto described = describe_one(setting.name, &setting, effective_text(Kind::kTopic, setting.name, layers));
    if (in_layer(layers.own, setting.name) != nullptr) described.synonyms.push_back({described.name, described.value, Source::kTopic});
    if (const auto broker = broker_synonym(Kind::kTopic, setting.name); !broker.empty()) {
      auto more = broker_synonyms(broker, described.sensitive, layers);
      std::ranges::move(more, std::back_inserter(described.synonyms));
    }
    settle_source(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<Described> describe_group(const Layers& layers, const std::optional<std::vector<std::string>>& names) {
  std::vector<Described> all;
  for (const auto& setting : all_settings(Kind::kGroup)) {
    if (setting.internal || !wanted(names, setting.name)) continue;
    auto described = describe_one(setting.name, &setting, effective_text(Kind::kGroup, setting.name, layers));
    if (in_layer(layers.own, setting.name) != nullptr) described.synonyms.push_back({described.name, described.value, Source::kGroup});
    if (const auto broker = broker_synonym(Kind::kGroup, setting.name); !broker.empty()) {
      auto more = broker_synonyms(broker, described.sensitive, layers);
      std::ranges::move(more, std::back_inserter(described.synonyms));
    } else if (const auto text = value_text(default_value(setting))) {
      described.synonyms.push_back({described.name, text, Source::kDefault});
    }
    settle_source(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<Described> describe_client_metrics(const Layers& layers, const std::optional<std::vector<std::string>>& names) {
  std::vector<Described> all;
  if (layers.own == nullptr) return all;
  for (const auto& [name, text] : *layers.own) {
    if (!wanted(names, name)) continue;
    auto described = describe_one(name, find_setting(Kind::kClientMetrics, name), text);
    described.source = Source::kClientMetrics;
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<Described> describe_broker(const Layers& layers, const std::optional<std::vector<std::string>>& names) {
  std::set<std::string, std::less<>> all_names;
  for (const auto& setting : all_settings(Kind::kBroker)) {
    if (!setting.internal) all_names.emplace(setting.name);
  }
  for (const auto* layer : {layers.server, layers.cluster, layers.broker}) {
    if (layer == nullptr) continue;
    for (const auto& [name, text] : *layer) all_names.insert(name);
  }
  std::vector<Described> all;
  for (const auto& name : all_names) {
    if (!wanted(names, name)) continue;
    const auto* exact = find_setting(Kind::kBroker, name);
    const auto* setting = setting_behind(name);
    const auto* given = broker_text(name, layers);
    auto value = exact != nullptr ? effective_text(Kind::kBroker, name, layers) : given != nullptr ? std::optional(*given) : std::nullopt;
    auto described = describe_one(name, setting, std::move(value));
    described.read_only = setting == nullptr || setting->scope == Scope::kReadOnly;
    described.synonyms = broker_synonyms(name, described.sensitive, layers);
    settle_source(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<Described> describe_cluster(const Layers& layers, const std::optional<std::vector<std::string>>& names) {
  std::vector<Described> all;
  if (layers.cluster == nullptr) return all;
  for (const auto& [name, text] : *layers.cluster) {
    if (!wanted(names, name)) continue;
    const auto* setting = setting_behind(name);
    auto described = describe_one(name, setting, text);
    described.read_only = setting == nullptr || setting->scope == Scope::kReadOnly;
    described.synonyms = {{name, described.value, Source::kDynamicDefaultBroker}};
    settle_source(described);
    all.push_back(std::move(described));
  }
  return all;
}

Result<Properties> apply_alters(Kind kind, const Properties& current, const std::vector<Alter>& alters, const Layers& layers) {
  std::set<std::string_view> seen;
  std::vector<std::string> nulls;
  for (const auto& alter : alters) {
    if (!seen.insert(alter.name).second) return fail(ErrorCode::kInvalidRequest, "Error due to duplicate config keys");
    if (alter.op < AlterOp::kSet || alter.op > AlterOp::kSubtract) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown operations type {}", static_cast<int>(alter.op)));
    }
    if (alter.op != AlterOp::kDelete && !alter.value) nulls.push_back(alter.name);
  }
  if (!nulls.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("Null value not supported for : {}", joined_names(nulls)));

  Properties values = current;
  for (const auto& alter : alters) {
    if (alter.op == AlterOp::kDelete) {
      values.erase(alter.name);
      continue;
    }
    std::string text = *alter.value;
    if (alter.op != AlterOp::kSet) {
      TRY_ASSIGN(text, append_or_subtract(kind, alter, current, layers));
    }
    if (text.size() > kMaxValueBytes) {
      return fail(ErrorCode::kInvalidConfig,
                  "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.");
    }
    values.insert_or_assign(alter.name, std::move(text));
  }
  return values;
}

Result<void> check_topic(const Properties& values, const ServerConfig& server) {
  TRY(check_each(Kind::kTopic, "topic", values));
  const Layers layers{.own = &values, .server = &server.given()};
  const int64_t least = number_of(Kind::kTopic, "min.compaction.lag.ms", layers);
  const int64_t most = number_of(Kind::kTopic, "max.compaction.lag.ms", layers);
  if (least > most) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})", least, most));
  }
  if (std::get<bool>(effective_value(Kind::kTopic, "remote.storage.enable", layers)) && !server.flag("remote.log.storage.system.enable")) {
    return fail(ErrorCode::kInvalidConfig,
                "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.");
  }
  return {};
}

Result<void> check_group(const Properties& values, const ServerConfig& server) {
  TRY(check_each(Kind::kGroup, "group", values));
  const Layers layers{.own = &values, .server = &server.given()};
  for (const std::string_view kind : {"consumer", "share", "streams"}) {
    const auto session = fmt::format("{}.session.timeout.ms", kind);
    const auto heartbeat = fmt::format("{}.heartbeat.interval.ms", kind);
    if (number_of(Kind::kGroup, session, layers) <= number_of(Kind::kGroup, heartbeat, layers)) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("{} must be greater than {}", session, heartbeat));
    }
  }
  for (const auto& [name, text] : values) {
    const size_t dot = name.find('.');
    const std::string_view kind = std::string_view(name).substr(0, dot);
    const std::string_view what = std::string_view(name).substr(dot + 1);
    for (const bool least : {true, false}) {
      const auto bound = fmt::format("group.{}.{}.{}", kind, least ? "min" : "max", what == "num.standby.replicas" ? "standby.replicas" : what);
      if (find_setting(Kind::kBroker, bound) == nullptr) continue;
      const int64_t value = number_of(Kind::kGroup, name, layers);
      if (least ? value < server.number(bound) : value > server.number(bound)) {
        return fail(ErrorCode::kInvalidConfig, fmt::format("{} must be {} than or equal to {}", name, least ? "greater" : "less", bound));
      }
    }
  }
  return {};
}

Result<void> check_client_metrics(std::string_view name, const Properties& values) {
  static constexpr std::string_view kSelectors[] = {"client_instance_id",      "client_id",          "client_software_name",
                                                    "client_software_version", "client_source_address", "client_source_port"};
  if (name.empty()) return fail(ErrorCode::kInvalidRequest, "Subscription name can't be empty");
  for (const auto& [key, text] : values) {
    const auto* setting = find_setting(Kind::kClientMetrics, key);
    if (setting == nullptr) return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown client metrics configuration: {}", key));
    auto value = parse_value(*setting, text);
    if (!value) return fail(ErrorCode::kInvalidConfig, value.error().message);
    if (const auto* interval = std::get_if<int64_t>(&*value); interval != nullptr && (*interval < 100 || *interval > 3'600'000)) {
      return fail(ErrorCode::kInvalidRequest,
                  fmt::format("Invalid value {} for {}, interval must be between 100 and 3600000 (1 hour)", *interval, key));
    }
    if (key != "match") continue;
    for (const auto& entry : std::get<std::vector<std::string>>(*value)) {
      const size_t equals = entry.find('=');
      if (equals == std::string::npos || std::ranges::find(kSelectors, entry.substr(0, equals)) == std::end(kSelectors)) {
        return fail(ErrorCode::kInvalidConfig, fmt::format("Illegal client matching pattern: {}", entry));
      }
    }
  }
  return {};
}

Result<void> check_broker(const Properties& values, bool per_broker, const ServerConfig& server) {
  static constexpr std::string_view kPerListener[] = {"ssl.keystore.type",     "ssl.keystore.location",          "ssl.keystore.password",
                                                      "ssl.key.password",      "ssl.keystore.key",               "ssl.keystore.certificate.chain",
                                                      "ssl.truststore.type",   "ssl.truststore.location",        "ssl.truststore.password",
                                                      "ssl.truststore.certificates"};
  std::vector<std::string> fixed;
  std::vector<std::string> needs_prefix;
  std::vector<std::string> needs_broker;
  for (const auto& [name, text] : values) {
    const auto* setting = setting_behind(name);
    if (setting == nullptr) continue;  // Settings of plugins pass.
    const bool prefixed = name.starts_with(kListenerPrefix);
    if (setting->scope == Scope::kReadOnly && !prefixed) fixed.push_back(name);
    if (!prefixed && std::ranges::find(kPerListener, name) != std::end(kPerListener)) needs_prefix.push_back(name);
    if (setting->scope == Scope::kPerBroker || prefixed) needs_broker.push_back(name);
    if (auto value = parse_value(*setting, text); !value) return fail(ErrorCode::kInvalidRequest, value.error().message);
  }
  const auto refuse = [](std::string_view why, const std::vector<std::string>& names) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("{}: [{}]", why, joined_names(names)));
  };
  if (!fixed.empty()) return refuse("Cannot update these configs dynamically", fixed);
  if (!needs_prefix.empty()) {
    return refuse("These security configs can be dynamically updated only per-listener using the listener prefix", needs_prefix);
  }
  if (!per_broker && !needs_broker.empty()) {
    return refuse("Cannot update these configs at default cluster level, broker id must be specified", needs_broker);
  }
  // The new values must also make a configuration together with the static ones.
  Properties merged = server.given();
  for (const auto& [name, text] : values) merged.insert_or_assign(name, text);
  if (auto whole = ServerConfig::from(std::move(merged)); !whole) return fail(ErrorCode::kInvalidRequest, whole.error().message);
  return {};
}

}  // namespace samsa::config
