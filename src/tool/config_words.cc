#include "tool/config_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace samsa::tool {
namespace {

struct EntityFlag {
  const char *flag, *type;
};
constexpr EntityFlag kNamed[] = {{"topic", "topics"},         {"client", "clients"}, {"user", "users"}, {"broker", "brokers"},
                                 {"broker-logger", "broker-loggers"}, {"ip", "ips"},         {"client-metrics", "client-metrics"}, {"group", "groups"}};
constexpr EntityFlag kDefaults[] = {{"client-defaults", "clients"}, {"user-defaults", "users"}, {"broker-defaults", "brokers"}, {"ip-defaults", "ips"}};
constexpr const char* kTypes[] = {"topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"};

std::unexpected<Error> wrong(std::string text) { return fail(ErrorCode::kInvalidConfig, std::move(text)); }

bool is_number(const std::string& text) {
  int32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

std::string trim(std::string text) {
  text.erase(0, text.find_first_not_of(" \t"));
  text.erase(text.find_last_not_of(" \t") + 1);
  return text;
}

// "k1=v1,k2=[a,b],k3=": commas within brackets belong to the value.
Result<std::map<std::string, std::string>> parse_added(const std::string& text) {
  std::map<std::string, std::string> added;
  int depth = 0;
  std::string pair;
  const auto take = [&]() -> Result<void> {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return fail(ErrorCode::kInvalidConfig,
                  "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  \"key=[val1,val2]\" to group "
                  "values which contain commas.");
    }
    std::string value = pair.substr(equals + 1);
    std::erase_if(value, [](char c) { return c == '[' || c == ']'; });
    added[trim(pair.substr(0, equals))] = trim(value);
    pair.clear();
    return {};
  };
  for (const char c : text) {
    if (c == '[') ++depth;
    if (c == ']') --depth;
    if (c == ',' && depth <= 0) {
      TRY(take());
    } else {
      pair += c;
    }
  }
  TRY(take());
  for (const auto& [key, value] : added) {
    if (!std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; })) {
      return fail(ErrorCode::kInvalidConfig, "Invalid character found for config key: " + key);
    }
  }
  return added;
}

Result<void> check_types(const Options& options, const ConfigEntities& entities) {
  std::vector<std::string> repeated;
  for (size_t i = 0; i < entities.types.size(); ++i) {
    const auto before = entities.types.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(entities.types.begin(), before, entities.types[i]) != before) repeated.push_back(entities.types[i]);
  }
  if (!repeated.empty()) return wrong(fmt::format("Duplicate entity type(s) specified: {}", fmt::join(repeated, ",")));
  if (!options.has("bootstrap-server") && !options.has("bootstrap-controller")) {
    return wrong("Either --bootstrap-server or --bootstrap-controller must be specified.");
  }
  for (const auto& type : entities.types) {
    if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) {
      return wrong(fmt::format("Invalid entity type {}, the entity type must be one of {} with a --bootstrap-server or --bootstrap-controller argument", type,
                               fmt::join(kTypes, ", ")));
    }
  }
  if (entities.types.empty()) return wrong("At least one entity type must be specified");
  if (entities.types.size() > 1 && !(entities.types.size() == 2 && entities.has_type("users") && entities.has_type("clients"))) {
    return wrong("Only 'users' and 'clients' entity types may be specified together");
  }
  const auto given = [&options](const EntityFlag& one) { return options.has(one.flag); };
  if ((options.has("entity-name") || options.has("entity-type") || options.has("entity-default")) &&
      (std::any_of(std::begin(kNamed), std::end(kNamed), given) || std::any_of(std::begin(kDefaults), std::end(kDefaults), given))) {
    return wrong("--entity-{type,name,default} should not be used in conjunction with specific entity flags");
  }
  return {};
}

Result<void> check_alter(const Options& options, const ConfigEntities& entities, bool may_be_default) {
  if (may_be_default && !entities.has_name() && !entities.has_default()) {
    return wrong("An entity-name or default entity must be specified with --alter of users, clients, brokers or ips");
  }
  if (!may_be_default && !entities.has_name()) {
    return wrong(fmt::format("An entity name must be specified with --alter of {}", fmt::join(entities.types, ",")));
  }
  if (options.has("add-config") && options.has("add-config-file")) return wrong("Only one of --add-config or --add-config-file must be specified");
  if (!options.has("add-config") && !options.has("add-config-file") && !options.has("delete-config")) {
    return wrong("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter");
  }
  if (entities.types.size() != entities.names.size()) return wrong("An entity name must be specified for every entity type");
  return {};
}

}  // namespace

bool ConfigEntities::has_type(std::string_view type) const { return std::find(types.begin(), types.end(), type) != types.end(); }

bool ConfigEntities::has_name() const {
  return std::any_of(names.begin(), names.end(), [](const auto& name) { return !name.empty(); });
}

bool ConfigEntities::has_default() const { return std::find(names.begin(), names.end(), "") != names.end(); }

Options config_options() {
  Options options("This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, client-metrics or group");
  options.value("bootstrap-server", "server to connect to", "The Kafka servers to connect to.")
      .value("bootstrap-controller", "controller to connect to", "The Kafka controllers to connect to.")
      .value("command-config", "command config property file", "A file of settings for the admin client.")
      .flag("alter", "Change settings.")
      .flag("describe", "Show settings.")
      .flag("all", "With --describe: all settings, with those that are not set.")
      .values("entity-type", "String", "topics, brokers, broker-loggers, client-metrics, groups, users, clients or ips.")
      .values("entity-name", "String", "The name of the entity.")
      .flag("entity-default", "The default entity of users, clients, brokers or ips.")
      .value("add-config", "String", "Settings to set: k1=v1,k2=[v1,v2],k3=v3")
      .value("add-config-file", "String", "A properties file of settings to set.")
      .values("delete-config", "String", "Settings to remove: k1,k2")
      .value("topic", "String", "The topic: --entity-type topics --entity-name.")
      .value("client", "String", "The client's id.")
      .flag("client-defaults", "The default of all clients.")
      .value("user", "String", "The user's principal name.")
      .flag("user-defaults", "The default of all users.")
      .value("broker", "String", "The broker's id: --entity-type brokers --entity-name.")
      .flag("broker-defaults", "The default of all brokers.")
      .value("broker-logger", "String", "The broker's id, for its loggers.")
      .value("ip", "String", "The address.")
      .flag("ip-defaults", "The default of all addresses.")
      .value("client-metrics", "String", "The name of the client metrics resource.")
      .value("group", "String", "The group.");
  return options;
}

ConfigEntities config_entities(const Options& options) {
  ConfigEntities entities;
  entities.types = options.all("entity-type");
  const auto names = options.all("entity-name");
  size_t next = 0;
  for (const auto& option : options.given()) {
    if (option == "entity-name") entities.names.push_back(names[next++]);
    if (option == "entity-default") entities.names.emplace_back();
  }
  for (const auto& [flag, type] : kNamed) {
    if (!options.has(flag)) continue;
    entities.types.emplace_back(type);
    entities.names.push_back(*options.get(flag));
  }
  for (const auto& [flag, type] : kDefaults) {
    if (!options.has(flag)) continue;
    entities.types.emplace_back(type);
    entities.names.emplace_back();
  }
  return entities;
}

Result<void> check_config_words(const Options& options, const ConfigEntities& entities) {
  if (options.has("alter") == options.has("describe")) {
    return fail(ErrorCode::kInvalidRequest, "Command must include exactly one action: --describe, --alter");
  }
  TRY(options.forbid_with("describe", {"add-config", "delete-config"}));
  if (const auto single = options.single(); !single) return wrong(single.error().text());
  TRY(check_types(options, entities));
  if (options.has("bootstrap-server") && options.has("bootstrap-controller")) {
    return wrong("Only one of --bootstrap-server or --bootstrap-controller can be specified");
  }
  if (entities.has_type("brokers") || entities.has_type("broker-loggers")) {
    for (const auto& name : entities.names) {
      if (!name.empty() && !is_number(name)) {
        return wrong(fmt::format("The entity name for {} must be a valid integer broker id, but it is: {}", entities.types[0], name));
      }
    }
  }
  const bool may_be_default = entities.has_type("users") || entities.has_type("clients") || entities.has_type("brokers") || entities.has_type("ips");
  if (options.has("alter")) return check_alter(options, entities, may_be_default);
  if (!may_be_default && options.has("entity-default")) {
    return wrong(fmt::format("--entity-default must not be specified with --describe of {}", fmt::join(entities.types, ",")));
  }
  if (entities.has_type("broker-loggers") && !entities.has_name()) {
    return wrong(fmt::format("An entity name must be specified with --describe of {}", fmt::join(entities.types, ",")));
  }
  return {};
}

Result<std::map<std::string, std::string>> configs_to_add(ToolContext& context, const Options& options) {
  if (const auto file = options.get("add-config-file")) return load_properties(context, *file);
  if (const auto text = options.get("add-config")) return parse_added(*text);
  return std::map<std::string, std::string>();
}

std::vector<std::string> configs_to_delete(const Options& options) {
  std::vector<std::string> keys;
  for (const auto& list : options.all("delete-config")) {
    size_t start = 0;
    while (start <= list.size()) {
      const size_t comma = std::min(list.find(',', start), list.size());
      keys.push_back(trim(list.substr(start, comma - start)));
      start = comma + 1;
    }
  }
  return keys;
}

}  // namespace samsa::tool
