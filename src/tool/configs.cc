// kafka-configs.sh: describe and alter the settings of topics, brokers, loggers, groups and client metrics.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "client/admin.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_config_resources.h"
#include "protocol/api/list_groups.h"
#include "tool/commands.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

enum Operation : int8_t { kSet = 0, kDelete = 1 };

struct EntityType {
  std::string_view plural;  // As --entity-type takes it.
  int8_t resource;          // The wire's resource type; 0: quotas and credentials, which are no resources.
  int8_t dynamic_source;    // Config source of values set dynamically; 0: all values are shown.
};
constexpr EntityType kTypes[] = {{"topics", 2, 1}, {"brokers", 4, 2}, {"broker-loggers", 8, 0}, {"client-metrics", 16, 7}, {"groups", 32, 8},
                                 {"users", 0, 0},  {"clients", 0, 0}, {"ips", 0, 0}};
constexpr int8_t kBrokerDefaultSource = 3;

std::string_view source_name(int8_t source) {
  constexpr std::string_view kNames[] = {"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "STATIC_BROKER_CONFIG",
                                         "DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG", "DYNAMIC_GROUP_CONFIG"};
  return source >= 0 && source < 9 ? kNames[source] : kNames[0];
}

Options declare() {
  Options options("This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, client-metrics or group");
  options.value("bootstrap-server", "server to connect to", "The Kafka servers to connect to.")
      .value("bootstrap-controller", "controller to connect to", "The Kafka controllers to connect to.")
      .value("command-config", "command config property file", "A file of settings for the admin client.")
      .flag("alter", "Change settings.")
      .flag("describe", "Show settings.")
      .flag("all", "With --describe: all settings, with those that are not set.")
      .value("entity-type", "String", "topics, brokers, broker-loggers, client-metrics, groups, users, clients or ips.")
      .value("entity-name", "String", "The name of the entity.")
      .flag("entity-default", "The default entity of users, clients, brokers or ips.")
      .value("add-config", "String", "Settings to set: k1=v1,k2=[v1,v2],k3=v3")
      .value("add-config-file", "String", "A properties file of settings to set.")
      .value("delete-config", "String", "Settings to remove: k1,k2")
      .flag("force", "Do not ask.")
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

struct Entity {
  const EntityType* type = nullptr;
  std::optional<std::string> name;  // "": the default; nothing: all.
  [[nodiscard]] std::string singular() const {
    const std::string_view plural = type->plural;
    return std::string(plural == "client-metrics" ? plural : plural.substr(0, plural.size() - 1));
  }
};

Result<Entity> entity_of(const Options& options) {
  constexpr std::tuple<const char*, const char*, bool> kFlags[] = {
      {"topic", "topics", true},           {"client", "clients", true},         {"client-defaults", "clients", false},
      {"user", "users", true},             {"user-defaults", "users", false},   {"broker", "brokers", true},
      {"broker-defaults", "brokers", false}, {"broker-logger", "broker-loggers", true}, {"ip", "ips", true},
      {"ip-defaults", "ips", false},       {"client-metrics", "client-metrics", true}, {"group", "groups", true}};
  Entity entity;
  std::string plural;
  for (const auto& [flag, type, named] : kFlags) {
    if (!options.has(flag)) continue;
    plural = type;
    entity.name = named ? *options.get(flag) : std::string();
  }
  const bool general = options.has("entity-type") || options.has("entity-name") || options.has("entity-default");
  if (!plural.empty() && general) {
    return fail(ErrorCode::kInvalidRequest, "--entity-{type,name,default} should not be used in conjunction with specific entity flags");
  }
  if (general) {
    plural = options.get_or("entity-type", "");
    if (const auto name = options.get("entity-name")) entity.name = *name;
    if (options.has("entity-default")) entity.name = "";
  }
  if (plural.empty()) return fail(ErrorCode::kInvalidRequest, "At least one entity type must be specified");
  const auto found = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const EntityType& type) { return type.plural == plural; });
  if (found == std::end(kTypes)) {
    std::string names;
    for (const char* type : {"topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"}) {
      names += (names.empty() ? "" : ", ") + std::string(type);
    }
    return fail(ErrorCode::kInvalidRequest,
                fmt::format("Invalid entity type {}, the entity type must be one of {} with a --bootstrap-server or --bootstrap-controller argument", plural, names));
  }
  entity.type = &*found;
  if (entity.type->resource == 0) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("{}: quotas and credentials are not served by this version", plural));
  }
  const bool numbered = plural == "brokers" || plural == "broker-loggers";
  if (numbered && entity.name && !entity.name->empty() && !std::all_of(entity.name->begin(), entity.name->end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("The entity name for {} must be a valid integer broker id, but it is: {}", plural, *entity.name));
  }
  return entity;
}

Result<void> check(const Options& options, const Entity& entity) {
  if (options.has("bootstrap-server") == options.has("bootstrap-controller")) {
    return fail(ErrorCode::kInvalidRequest, options.has("bootstrap-server") ? "Only one of --bootstrap-server or --bootstrap-controller can be specified"
                                                                            : "One of the required --bootstrap-server or --bootstrap-controller arguments must be specified");
  }
  if (options.has("describe") && !entity.name && entity.type->plural == "broker-loggers") {
    return fail(ErrorCode::kInvalidRequest, "An entity name must be specified with --describe of broker-loggers");
  }
  if (!options.has("alter")) return {};
  if (!entity.name || (entity.name->empty() && entity.type->plural != "brokers")) {
    return fail(ErrorCode::kInvalidRequest, entity.type->plural == "brokers"
                                                ? std::string("An entity-name or default entity must be specified with --alter of users, clients, brokers or ips")
                                                : fmt::format("An entity name must be specified with --alter of {}", entity.type->plural));
  }
  if (options.has("add-config") && options.has("add-config-file")) {
    return fail(ErrorCode::kInvalidRequest, "Only one of --add-config or --add-config-file must be specified");
  }
  if (!options.has("add-config") && !options.has("add-config-file") && !options.has("delete-config")) {
    return fail(ErrorCode::kInvalidRequest, "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter");
  }
  return {};
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

class ConfigsCommand {
 public:
  ConfigsCommand(ToolContext& context, client::Cluster& cluster, const Options& options, Entity entity)
      : context_(context), cluster_(cluster), options_(options), entity_(std::move(entity)) {}
  io::Task<Result<void>> describe();
  io::Task<Result<void>> alter();

 private:
  struct Setting {
    std::string name, value, synonyms;
    bool sensitive = false;
  };
  // Broker settings are asked of, and changed at, the broker itself; everything else anywhere.
  io::Task<Result<std::shared_ptr<client::Connection>>> connection_for(std::string name);
  io::Task<Result<std::vector<std::string>>> all_names();
  io::Task<Result<std::vector<Setting>>> settings(std::string name, bool all);

  ToolContext& context_;
  client::Cluster& cluster_;
  const Options& options_;
  Entity entity_;
};

io::Task<Result<std::shared_ptr<client::Connection>>> ConfigsCommand::connection_for(std::string name) {
  const bool own = (entity_.type->resource == 4 || entity_.type->resource == 8) && !name.empty();
  if (!own) co_return co_await cluster_.any();
  int32_t id = -1;
  std::from_chars(name.data(), name.data() + name.size(), id);
  co_return co_await cluster_.broker(id);
}

io::Task<Result<std::vector<std::string>>> ConfigsCommand::all_names() {
  std::vector<std::string> names;
  if (entity_.type->plural == "topics") {
    CO_TRY(co_await cluster_.refresh_all());
    for (const auto& [name, topic] : cluster_.topics()) names.push_back(name);
  } else if (entity_.type->plural == "client-metrics") {
    protocol::ListConfigResourcesRequest request;
    request.resource_types.push_back(entity_.type->resource);
    CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster_, std::move(request)));
    for (const auto& resource : reply->config_resources) names.push_back(resource.resource_name.str());
  } else if (entity_.type->plural == "groups") {
    CO_TRY(co_await cluster_.refresh({}));
    for (const auto& [id, broker] : std::map(cluster_.brokers())) {
      CO_TRY_ASSIGN(auto connection, co_await cluster_.broker(id));
      CO_TRY_ASSIGN(auto reply, co_await connection->call(protocol::ListGroupsRequest{}));
      for (const auto& group : reply->groups) names.push_back(group.group_id.str());
    }
  } else {
    CO_TRY(co_await cluster_.refresh({}));
    for (const auto& [id, broker] : cluster_.brokers()) names.push_back(std::to_string(id));
    names.emplace_back();
  }
  co_return names;
}

io::Task<Result<std::vector<ConfigsCommand::Setting>>> ConfigsCommand::settings(std::string name, bool all) {
  CO_TRY_ASSIGN(auto connection, co_await connection_for(name));
  protocol::DescribeConfigsRequest request;
  request.include_synonyms = true;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = entity_.type->resource;
  resource.resource_name = name;
  resource.configuration_keys.reset();
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
  const int8_t wanted = entity_.type->resource == 4 && name.empty() ? kBrokerDefaultSource : entity_.type->dynamic_source;
  std::vector<Setting> found;
  for (const auto& result : reply->results) {
    if (result.error_code != 0) co_return fail(error_from_wire(result.error_code), result.error_message ? result.error_message->str() : std::string());
    for (const auto& config : result.configs) {
      if (!all && wanted != 0 && config.config_source != wanted) continue;
      Setting& setting = found.emplace_back();
      setting.name = config.name.str();
      setting.value = config.value ? config.value->str() : "null";
      setting.sensitive = config.is_sensitive;
      for (const auto& synonym : config.synonyms) {
        setting.synonyms += fmt::format("{}{}:{}={}", setting.synonyms.empty() ? "" : ", ", source_name(synonym.source), synonym.name.view(),
                                        synonym.value ? synonym.value->view() : std::string_view("null"));
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const Setting& a, const Setting& b) { return a.name < b.name; });
  co_return found;
}

io::Task<Result<void>> ConfigsCommand::describe() {
  std::vector<std::string> names;
  if (entity_.name) names.push_back(*entity_.name);
  if (!entity_.name) {
    CO_TRY_ASSIGN(names, co_await all_names());
  }
  const bool all = options_.has("all");
  for (const auto& name : names) {
    if (entity_.type->plural == "topics" && entity_.name) {
      CO_TRY(co_await cluster_.refresh({name}));
      if (cluster_.topics().at(name).error == ErrorCode::kUnknownTopicOrPartition) {
        context_.console.write(fmt::format("The topic '{}' doesn't exist and doesn't have dynamic config.\n", name));
        continue;
      }
    }
    if (name.empty()) context_.console.write(fmt::format("Default configs for {} in the cluster are:\n", entity_.type->plural));
    else context_.console.write(fmt::format("{} configs for {} {} are:\n", all ? "All" : "Dynamic", entity_.singular(), name));
    CO_TRY_ASSIGN(const auto found, co_await settings(name, all));
    for (const auto& setting : found) {
      context_.console.write(fmt::format("  {}={} sensitive={} synonyms={{{}}}\n", setting.name, setting.value, setting.sensitive, setting.synonyms));
    }
  }
  co_return Result<void>{};
}

io::Task<Result<void>> ConfigsCommand::alter() {
  std::map<std::string, std::string> added;
  if (const auto file = options_.get("add-config-file")) {
    CO_TRY_ASSIGN(added, load_properties(context_, *file));
  }
  if (const auto text = options_.get("add-config")) {
    CO_TRY_ASSIGN(added, parse_added(*text));
  }
  std::vector<std::string> deleted;
  for (const auto& list : options_.all("delete-config")) {
    size_t start = 0;
    while (start <= list.size()) {
      const size_t comma = std::min(list.find(',', start), list.size());
      deleted.push_back(trim(list.substr(start, comma - start)));
      start = comma + 1;
    }
  }
  const std::string& name = *entity_.name;
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = entity_.type->resource;
  resource.resource_name = name;
  const auto put = [&resource](const std::string& key, const std::string& value, Operation operation) {
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = operation;
    config.value = protocol::NullableText{protocol::Text(value)};
  };
  for (const auto& [key, value] : added) put(key, value, kSet);
  for (const auto& key : deleted) put(key, "", kDelete);
  CO_TRY_ASSIGN(auto connection, co_await connection_for(name));
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
  for (const auto& answer : reply->responses) {
    if (answer.error_code != 0) co_return fail(error_from_wire(answer.error_code), answer.error_message ? answer.error_message->str() : std::string());
  }
  if (name.empty()) context_.console.write(fmt::format("Completed updating default config for {} in the cluster.\n", entity_.type->plural));
  else context_.console.write(fmt::format("Completed updating config for {} {}.\n", entity_.singular(), name));
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_configs(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (arguments.empty() || options.has("help")) co_return refuse(context, options.usage());
  if (options.has("alter") == options.has("describe")) {
    co_return refuse(context, "Command must include exactly one action: --describe, --alter\n" + options.usage());
  }
  auto entity = entity_of(options);
  if (!entity) co_return refuse(context, entity.error().text());
  if (const auto valid = check(options, *entity); !valid) co_return refuse(context, valid.error().text());
  std::map<std::string, std::string> properties;
  if (const auto file = options.get("command-config")) {
    auto loaded = load_properties(context, *file);
    if (!loaded) co_return refuse(context, loaded.error().text());
    properties = std::move(*loaded);
  }
  const std::string servers = options.has("bootstrap-server") ? *options.get("bootstrap-server") : *options.get("bootstrap-controller");
  auto cluster = open_cluster(context, servers, properties);
  if (!cluster) co_return refuse(context, cluster.error().text());
  ConfigsCommand command(context, **cluster, options, *entity);
  Result<void> outcome;
  if (options.has("alter")) outcome = co_await command.alter();
  else outcome = co_await command.describe();
  if (outcome) co_return 0;
  if (outcome.error().code == ErrorCode::kInvalidConfig && outcome.error().message.starts_with("requirement failed")) co_return refuse(context, outcome.error().text());
  co_return refuse(context, fmt::format("Error while executing config command with args '{}'\n{}", fmt::join(arguments, " "), outcome.error().text()));
}

}  // namespace samsa::tool
