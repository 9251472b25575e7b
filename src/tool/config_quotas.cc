#include "tool/config_quotas.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "client/admin.h"
#include "protocol/api/alter_client_quotas.h"
#include "protocol/api/alter_user_scram_credentials.h"
#include "protocol/api/describe_client_quotas.h"
#include "protocol/api/describe_user_scram_credentials.h"
#include "security/scram.h"
#include "tool/java_number.h"

namespace samsa::tool {
namespace {

enum Match : int8_t { kExact = 0, kDefault = 1, kAny = 2 };

using Settings = std::map<std::string, std::string>;

std::string wire_type(const std::string& plural) { return plural == "users" ? "user" : plural == "clients" ? "client-id" : "ip"; }

bool is_quota(const std::string& key) {
  return key == "producer_byte_rate" || key == "consumer_byte_rate" || key == "request_percentage" || key == "controller_mutation_rate";
}

bool is_scram(const std::string& key) { return security::scram_mechanism_from_name(key).has_value(); }

Error error_of(int16_t code, const protocol::NullableText& message) { return {error_from_wire(code), message ? message->str() : std::string()}; }

struct Quotas {
  std::map<std::string, std::optional<std::string>> entity;  // By the wire's type; no name: the default.
  std::map<std::string, double> values;
};

io::Task<Result<std::vector<Quotas>>> ask_quotas(client::Cluster& cluster, ConfigEntities entities) {
  protocol::DescribeClientQuotasRequest request;
  request.strict = true;
  if (entities.names.size() > entities.types.size()) co_return plain_error("More entity names specified than entity types");
  for (size_t i = 0; i < entities.types.size(); ++i) {
    auto& component = request.components.emplace_back();
    component.entity_type = wire_type(entities.types[i]);
    component.match_type = i >= entities.names.size() ? kAny : entities.names[i].empty() ? kDefault : kExact;
    component.match.reset();
    if (component.match_type == kExact) component.match = protocol::Text(entities.names[i]);
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster, std::move(request)));
  if (reply->error_code != 0) co_return fail(error_of(reply->error_code, reply->error_message));
  std::vector<Quotas> found;
  if (!reply->entries) co_return found;
  for (const auto& entry : *reply->entries) {
    Quotas& quotas = found.emplace_back();
    for (const auto& part : entry.entity) {
      auto& name = quotas.entity[part.entity_type.str()];
      if (part.entity_name) name = part.entity_name->str();
    }
    for (const auto& value : entry.values) quotas.values[value.key.str()] = value.value;
  }
  co_return found;
}

void print_quotas(ToolContext& context, const Quotas& quotas) {
  std::vector<std::string> entity, values;
  for (const auto& [type, word] : {std::pair{"user", "user-principal"}, std::pair{"client-id", "client-id"}, std::pair{"ip", "ip"}}) {
    const auto found = quotas.entity.find(type);
    if (found == quotas.entity.end()) continue;
    entity.push_back(found->second ? fmt::format("{} '{}'", word, *found->second) : fmt::format("the default {}", word));
  }
  for (const auto& [key, value] : quotas.values) values.push_back(key + "=" + java_double(value));
  context.console.write(fmt::format("Quota configs for {} are {}\n", fmt::join(entity, ", "), fmt::join(values, ", ")));
}

io::Task<Result<void>> print_credentials(ToolContext& context, client::Cluster& cluster, ConfigEntities entities) {
  protocol::DescribeUserScramCredentialsRequest request;
  request.users.reset();
  if (!entities.names.empty()) request.users.emplace();
  for (const auto& name : entities.names) request.users->emplace_back().name = name;
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster, std::move(request)));
  if (reply->error_code != 0) co_return fail(error_of(reply->error_code, reply->error_message));
  for (const auto& result : reply->results) {
    // A user without credentials has nothing to show.
    if (error_from_wire(result.error_code) == ErrorCode::kResourceNotFound) continue;
    if (result.error_code != 0) {
      const std::string text = exception_text(error_of(result.error_code, result.error_message));
      context.console.write(fmt::format("Error retrieving SCRAM credential configs for user-principal '{}': {}\n", result.user.view(), text.substr(text.rfind('.', text.find(':')) + 1)));
      continue;
    }
    std::vector<std::string> infos;
    for (const auto& info : result.credential_infos) {
      infos.push_back(fmt::format("{}=iterations={}", security::scram_mechanism_name(static_cast<security::ScramMechanism>(info.mechanism)), info.iterations));
    }
    context.console.write(fmt::format("SCRAM credential configs for user-principal '{}' are {}\n", result.user.view(), fmt::join(infos, ", ")));
  }
  co_return Result<void>{};
}

// What of the keys is no quota, and what is a credential.
struct Sorted {
  std::vector<std::string> unknown, scram;
  bool quota = false;
};

Sorted sort_keys(const std::vector<std::string>& keys) {
  Sorted sorted;
  for (const auto& key : keys) {
    if (is_scram(key)) sorted.scram.push_back(key);
    else if (is_quota(key)) sorted.quota = true;
    else sorted.unknown.push_back(key);
  }
  return sorted;
}

Result<void> check_keys(const ConfigEntities& entities, const Settings& added, const std::vector<std::string>& deleted) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : added) keys.push_back(key);
  if (entities.types[0] == "ips") {
    keys.insert(keys.end(), deleted.begin(), deleted.end());
    std::erase(keys, "connection_creation_rate");
    if (keys.empty()) return {};
    return plain_error(fmt::format("Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config names: {}", fmt::join(keys, ",")));
  }
  const Sorted adding = sort_keys(keys), deleting = sort_keys(deleted);
  const bool of_user = entities.types.size() == 1 && entities.types[0] == "users";
  const auto refuse_keys = [of_user](const Sorted& sorted, std::string_view verb, std::string_view collection) -> Result<void> {
    std::vector<std::string> names = sorted.unknown;
    if (!of_user) names.insert(names.end(), sorted.scram.begin(), sorted.scram.end());
    if (names.empty()) return {};
    return plain_error(fmt::format("Only quota {}configs can be {} for '{}' using --bootstrap-server. Unexpected config names: {}({})",
                                   of_user ? "and SCRAM credential " : "", verb, of_user ? "users" : "clients", collection, fmt::join(names, ", ")));
  };
  TRY(refuse_keys(adding, "added", "Set"));
  TRY(refuse_keys(deleting, "deleted", "ArrayBuffer"));
  if (adding.scram.empty() && deleting.scram.empty()) return {};
  if (entities.has_default()) {
    return plain_error("The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials using --bootstrap-server.");
  }
  if (adding.quota || deleting.quota) {
    return plain_error("Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using --bootstrap-server.");
  }
  return {};
}

io::Task<Result<void>> alter_rates(client::Cluster& cluster, ConfigEntities entities, Settings added, std::vector<std::string> deleted) {
  CO_TRY_ASSIGN(const auto old, co_await ask_quotas(cluster, entities));
  std::vector<std::string> missing;
  for (const auto& key : deleted) {
    if (old.empty() || !old[0].values.contains(key)) missing.push_back(key);
  }
  if (!missing.empty()) co_return plain_error(fmt::format("Invalid config(s): {}", fmt::join(missing, ",")));
  protocol::AlterClientQuotasRequest request;
  auto& entry = request.entries.emplace_back();
  for (size_t i = 0; i < entities.types.size(); ++i) {
    auto& part = entry.entity.emplace_back();
    part.entity_type = wire_type(entities.types[i]);
    part.entity_name.reset();
    if (!entities.names[i].empty()) part.entity_name = protocol::Text(entities.names[i]);
  }
  for (const auto& [key, text] : added) {
    auto& op = entry.ops.emplace_back();
    op.key = key;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), op.value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
      co_return plain_error(fmt::format("Cannot parse quota configuration value for {}: {}", key, text));
    }
  }
  for (const auto& key : deleted) {
    auto& op = entry.ops.emplace_back();
    op.key = key;
    op.remove = true;
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster, std::move(request)));
  for (const auto& answer : reply->entries) {
    if (answer.error_code != 0) co_return fail(error_of(answer.error_code, answer.error_message));
  }
  co_return Result<void>{};
}

// "iterations=8192,password=secret"
Result<void> fill(protocol::AlterUserScramCredentialsRequest::ScramCredentialUpsertion& upsertion, const std::string& mechanism_name, const std::string& text,
                  io::Random& random) {
  static const re2::RE2 kPattern("(?:iterations=(-?[0-9]*),)?password=(.*)");
  std::string iterations, password;
  if (!re2::RE2::FullMatch(text, kPattern, &iterations, &password)) {
    std::string name = mechanism_name;
    std::replace(name.begin(), name.end(), '-', '_');
    return plain_error(fmt::format("Invalid credential property {}={}", name, text));
  }
  upsertion.iterations = security::kMinScramIterations;
  if (!iterations.empty() && iterations != "-1") std::from_chars(iterations.data(), iterations.data() + iterations.size(), upsertion.iterations);
  if (upsertion.iterations < security::kMinScramIterations) {
    return plain_error(fmt::format("Iterations {} is less than the minimum {} required for {}", upsertion.iterations, security::kMinScramIterations, mechanism_name));
  }
  const auto mechanism = *security::scram_mechanism_from_name(mechanism_name);
  upsertion.mechanism = static_cast<int8_t>(mechanism);
  Buffer salt;
  for (int i = 0; i < 4; ++i) append_be(salt, random.next());
  TRY_ASSIGN(const Buffer salted, security::scram_salted_password(mechanism, password, salt, upsertion.iterations));
  upsertion.salt = protocol::Blob(salt);
  upsertion.salted_password = protocol::Blob(salted);
  return {};
}

io::Task<Result<void>> alter_credentials(ToolContext& context, client::Cluster& cluster, std::string user, Settings added, std::vector<std::string> deleted) {
  protocol::AlterUserScramCredentialsRequest request;
  for (const auto& [mechanism, text] : added) {
    auto& upsertion = request.upsertions.emplace_back();
    upsertion.name = user;
    CO_TRY(fill(upsertion, mechanism, text, context.world.loop.random()));
  }
  for (const auto& mechanism : deleted) {
    auto& deletion = request.deletions.emplace_back();
    deletion.name = user;
    deletion.mechanism = static_cast<int8_t>(*security::scram_mechanism_from_name(mechanism));
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster, std::move(request)));
  for (const auto& result : reply->results) {
    if (result.error_code != 0) co_return fail(error_of(result.error_code, result.error_message));
  }
  co_return Result<void>{};
}

}  // namespace

io::Task<Result<void>> describe_quotas(ToolContext& context, client::Cluster& cluster, const ConfigEntities& entities) {
  CO_TRY_ASSIGN(const auto found, co_await ask_quotas(cluster, entities));
  for (const auto& quotas : found) print_quotas(context, quotas);
  if (entities.has_type("ips") || entities.has_type("clients") || entities.has_default()) co_return Result<void>{};
  co_return co_await print_credentials(context, cluster, entities);
}

io::Task<Result<void>> alter_quotas(ToolContext& context, client::Cluster& cluster, const Options& options, const ConfigEntities& entities) {
  CO_TRY_ASSIGN(const auto added, configs_to_add(context, options));
  const auto deleted = configs_to_delete(options);
  CO_TRY(check_keys(entities, added, deleted));
  const bool credentials = std::any_of(added.begin(), added.end(), [](const auto& pair) { return is_scram(pair.first); }) ||
                           std::any_of(deleted.begin(), deleted.end(), is_scram);
  if (credentials) co_return co_await alter_credentials(context, cluster, entities.names[0], added, deleted);
  co_return co_await alter_rates(cluster, entities, added, deleted);
}

}  // namespace samsa::tool
