// kafka-configs.sh: describe and alter the settings of topics, brokers, loggers, groups and client metrics; of users,
// clients and addresses see config_quotas.cc.
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
#include "tool/config_quotas.h"
#include "tool/config_words.h"

namespace samsa::tool {
namespace {

enum Operation : int8_t { kSet = 0, kDelete = 1 };

struct EntityType {
  std::string_view plural;  // As --entity-type takes it.
  int8_t resource;          // The wire's resource type.
  int8_t dynamic_source;    // Config source of values set dynamically; 0: all values are shown.
};
constexpr EntityType kTypes[] = {{"topics", 2, 1}, {"brokers", 4, 2}, {"broker-loggers", 8, 0}, {"client-metrics", 16, 7}, {"groups", 32, 8}};
constexpr int8_t kBrokerDefaultSource = 3;

std::string_view source_name(int8_t source) {
  constexpr std::string_view kNames[] = {"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "STATIC_BROKER_CONFIG",
                                         "DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG", "DYNAMIC_GROUP_CONFIG"};
  return source >= 0 && source < 9 ? kNames[source] : kNames[0];
}

struct Entity {
  const EntityType* type = nullptr;
  std::optional<std::string> name;  // "": the default; nothing: all.
  [[nodiscard]] std::string singular() const { return std::string(type->plural.substr(0, type->plural.size() - 1)); }
};

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
  io::Task<Result<bool>> exists(std::string name);
  io::Task<Result<void>> check_loggers(std::vector<std::string> names);

  ToolContext& context_;
  client::Cluster& cluster_;
  const Options& options_;
  Entity entity_;
};

io::Task<Result<std::shared_ptr<client::Connection>>> ConfigsCommand::connection_for(std::string name) {
  const bool own = options_.has("bootstrap-server") && (entity_.type->resource == 4 || entity_.type->resource == 8) && !name.empty();
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
    protocol::ListConfigResourcesRequest request;
    request.resource_types.push_back(entity_.type->resource);
    // A broker that does not know this has no settings of groups without members.
    if (auto reply = co_await client::call_any(cluster_, std::move(request))) {
      for (const auto& resource : (*reply)->config_resources) names.push_back(resource.resource_name.str());
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
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

io::Task<Result<bool>> ConfigsCommand::exists(std::string name) {
  CO_TRY_ASSIGN(const auto names, co_await all_names());
  co_return std::find(names.begin(), names.end(), name) != names.end();
}

io::Task<Result<void>> ConfigsCommand::describe() {
  std::vector<std::string> names;
  if (entity_.name) names.push_back(*entity_.name);
  if (!entity_.name) {
    CO_TRY_ASSIGN(names, co_await all_names());
  }
  const bool all = options_.has("all");
  for (const auto& name : names) {
    if (entity_.name && !all && !name.empty() && options_.has("bootstrap-server")) {
      CO_TRY_ASSIGN(const bool there, co_await exists(name));
      if (!there) {
        context_.console.write(fmt::format("The {} '{}' doesn't exist and doesn't have dynamic config.\n", entity_.singular(), name));
        co_return Result<void>{};
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

io::Task<Result<void>> ConfigsCommand::check_loggers(std::vector<std::string> names) {
  CO_TRY_ASSIGN(const auto known, co_await settings(*entity_.name, false));
  std::erase_if(names, [&known](const auto& name) { return std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == name; }); });
  if (!names.empty()) co_return plain_error(fmt::format("Invalid broker logger(s): {}", fmt::join(names, ",")));
  co_return Result<void>{};
}

io::Task<Result<void>> ConfigsCommand::alter() {
  CO_TRY_ASSIGN(const auto added, configs_to_add(context_, options_));
  const auto deleted = configs_to_delete(options_);
  const std::string& name = *entity_.name;
  if (entity_.type->plural == "broker-loggers") {
    std::vector<std::string> names = deleted;
    for (const auto& [key, value] : added) names.push_back(key);
    CO_TRY(co_await check_loggers(std::move(names)));
  }
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
  for (const auto& key : deleted) put(key, "", kDelete);
  for (const auto& [key, value] : added) put(key, value, kSet);
  CO_TRY_ASSIGN(auto connection, co_await connection_for(name));
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
  for (const auto& answer : reply->responses) {
    if (answer.error_code != 0) co_return fail(error_from_wire(answer.error_code), answer.error_message ? answer.error_message->str() : std::string());
  }
  co_return Result<void>{};
}

io::Task<Result<void>> run(ToolContext& context, const Options& options, const ConfigEntities& entities) {
  CO_TRY_ASSIGN(auto cluster, open_admin(context, options));
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const EntityType& one) { return one.plural == entities.types[0]; });
  const bool resource = type != std::end(kTypes);
  const bool alter = options.has("alter");
  if (!resource && !alter) co_return co_await describe_quotas(context, *cluster, entities);
  if (!resource) {
    CO_TRY(co_await alter_quotas(context, *cluster, options, entities));
  } else {
    Entity entity{&*type, std::nullopt};
    if (!entities.names.empty()) entity.name = entities.names[0];
    ConfigsCommand command(context, *cluster, options, std::move(entity));
    if (!alter) co_return co_await command.describe();
    CO_TRY(co_await command.alter());
  }
  const std::string &plural = entities.types[0], &name = entities.names[0];
  if (name.empty()) context.console.write(fmt::format("Completed updating default config for {} in the cluster.\n", plural));
  else context.console.write(fmt::format("Completed updating config for {} {}.\n", plural.substr(0, plural.size() - 1), name));
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_configs(ToolContext& context, Arguments arguments) {
  Options options = config_options();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  const ConfigEntities entities = config_entities(options);
  if (const auto valid = check_config_words(options, entities); !valid) {
    if (valid.error().code == ErrorCode::kInvalidRequest) co_return refuse(context, valid.error().text(), options);
    co_return refuse(context, valid.error().text());
  }
  // What is wrong in what is to be added is said before any broker is asked.
  if (const auto added = configs_to_add(context, options); !added && !options.has("add-config-file")) co_return refuse(context, added.error().text());
  const auto outcome = co_await run(context, options, entities);
  if (outcome) co_return 0;
  const Error& error = outcome.error();
  if (error.code == ErrorCode::kUnsupportedVersion || error.message.starts_with(kPlain)) {
    co_return refuse(context, error.message.starts_with(kPlain) ? error.message.substr(kPlain.size()) : error.text());
  }
  co_return refuse(context, fmt::format("Error while executing config command with args '{}'\n{}", fmt::join(arguments, " "), error.text()));
}

}  // namespace samsa::tool
