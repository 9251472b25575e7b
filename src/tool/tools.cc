#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <utility>

#include "config/properties.h"
#include "tool/commands.h"
#include "tool/java_text.h"
#include "tool/options.h"
#include "tool/tool.h"

namespace samsa::tool {
namespace {

constexpr ToolEntry kTools[] = {
    {"kafka-broker-api-versions", "Show which APIs and versions every broker serves", run_broker_api_versions},
    {"kafka-cluster", "Show the id and the endpoints of a cluster, take brokers out of it", run_cluster},
    {"kafka-configs", "Show and change settings of topics, brokers, groups and more", run_configs},
    {"kafka-console-consumer", "Write the records of topics to standard output", run_console_consumer},
    {"kafka-console-producer", "Publish the lines of standard input", run_console_producer},
    {"kafka-consumer-groups", "List, describe, delete groups and reset their offsets", run_consumer_groups},
    {"kafka-delete-records", "Delete the records of partitions up to an offset", run_delete_records},
    {"kafka-dump-log", "Show what is in segments, snapshots and indexes", run_dump_log},
    {"kafka-features", "Show and change the feature levels of a cluster", run_features},
    {"kafka-get-offsets", "Show offsets of partitions at a time", run_get_offsets},
    {"kafka-leader-election", "Elect leaders of partitions", run_leader_election},
    {"kafka-log-dirs", "Show what is in the log directories of brokers", run_log_dirs},
    {"kafka-metadata-quorum", "Show the metadata quorum, add and remove controllers", run_metadata_quorum},
    {"kafka-metadata-shell", "Walk through the metadata in a snapshot or log file", run_metadata_shell},
    {"kafka-reassign-partitions", "Move replicas of partitions to other brokers and directories", run_reassign_partitions},
    {"kafka-replica-verification", "Compare the replicas of topics with each other", run_replica_verification},
    {"kafka-storage", "Format the directories of a node and show what is in them", run_storage},
    {"kafka-topics", "Create, delete, describe, or change a topic", run_topics},
};

}  // namespace

std::span<const ToolEntry> all_tools() { return kTools; }

const ToolEntry* find_tool(std::string_view program) {
  if (const size_t slash = program.rfind('/'); slash != std::string_view::npos) program.remove_prefix(slash + 1);
  if (program.ends_with(".sh")) program.remove_suffix(3);
  for (const auto& tool : kTools) {
    if (tool.name == program) return &tool;
  }
  return nullptr;
}

int refuse(ToolContext& context, std::string_view message) {
  context.console.write_error(fmt::format("{}\n", message));
  return 1;
}

int refuse(ToolContext& context, std::string_view message, const Options& options) {
  context.console.write_error(fmt::format("{}\n{}", message, options.usage()));
  return 1;
}

std::optional<int> answer_help(ToolContext& context, const Arguments& arguments, const Options& options) {
  if (arguments.empty() || options.has("help")) return refuse(context, options.description(), options);
  if (!options.has("version")) return std::nullopt;
  context.console.write(fmt::format("{} (Samsa {})\n", kKafkaVersion, context.version));
  return 0;
}

std::string exception_text(const Error& error) { return java_exception_text(error); }

Result<std::map<std::string, std::string>> load_properties(ToolContext& context, const std::string& path) {
  auto content = io::read_file(context.world.disk, path);
  if (!content) return fail(ErrorCode::kInvalidConfig, fmt::format("cannot read the properties file '{}': {}", path, content.error().text()));
  TRY_ASSIGN(const auto properties, config::parse_properties(as_text(*content)));
  std::map<std::string, std::string> map;
  for (const auto& [key, value] : properties) map[key] = value;
  return map;
}

Result<std::unique_ptr<client::Cluster>> open_cluster(ToolContext& context, const std::string& bootstrap,
                                                      const std::map<std::string, std::string>& properties, bool controllers, const std::string& who) {
  client::ClusterConfig config;
  config.controllers = controllers;
  TRY_ASSIGN(config.bootstrap, client::parse_bootstrap_servers(bootstrap));
  config.connection.client_id = "samsa-tool";
  const auto milliseconds = [&properties](const char* key, const char* type, std::chrono::milliseconds& into) -> Result<void> {
    const auto found = properties.find(key);
    if (found == properties.end()) return {};
    int64_t value = 0;
    const auto& text = found->second;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || value < 0) {
      return fail(ErrorCode::kInvalidConfig, fmt::format("Invalid value {} for configuration {}: Not a number of type {}", text, key, type));
    }
    into = std::chrono::milliseconds(value);
    return {};
  };
  TRY(milliseconds("request.timeout.ms", "INT", config.connection.request_timeout));
  TRY(milliseconds("socket.connection.setup.timeout.ms", "LONG", config.connection.connect_timeout));
  TRY(milliseconds("default.api.timeout.ms", "INT", config.api_timeout));
  TRY(milliseconds("retry.backoff.ms", "LONG", config.retry_backoff));
  if (const auto found = properties.find("client.id"); found != properties.end()) config.connection.client_id = found->second;
  config.unreachable = [&context, who](int32_t node, const io::Address& address) {
    // Java shows the address that a name has been resolved to; here that stays inside of the network.
    const bool literal = address.host.find_first_not_of("0123456789.") == std::string::npos || address.host.find(':') != std::string::npos;
    context.console.log("WARN", fmt::format("[{}] Connection to node {} ({}{}) could not be established. Node may not be available.", who, node,
                                            literal ? "/" : "", address.to_string()));
  };
  return std::make_unique<client::Cluster>(context.world, std::move(config));
}

Result<void> check_bootstrap(const Options& options) {
  const auto servers = options.get("bootstrap-server");
  if (!servers || servers->empty()) return fail(ErrorCode::kInvalidRequest, "Error while validating the bootstrap address\n");
  if (client::parse_bootstrap_servers(*servers)) return {};
  return fail(ErrorCode::kInvalidRequest, "Please provide valid host:port like host1:9091,host2:9092\n ");
}

Result<std::unique_ptr<client::Cluster>> open_admin(ToolContext& context, const Options& options, std::optional<std::chrono::milliseconds> timeout) {
  std::map<std::string, std::string> properties;
  if (const auto file = options.get("command-config")) {
    TRY_ASSIGN(properties, load_properties(context, *file));
  }
  if (timeout) {
    for (const char* key : {"default.api.timeout.ms", "request.timeout.ms"}) properties[key] = std::to_string(timeout->count());
  }
  const auto servers = options.has("bootstrap-server") ? options.get("bootstrap-server") : options.get("bootstrap-controller");
  auto cluster = open_cluster(context, *servers, properties);
  if (!cluster && cluster.error().text().starts_with("Configuration ")) return cluster;
  if (!cluster) return fail(cluster.error().code, "Failed to create new KafkaAdminClient\nCaused by: " + cluster.error().text());
  return cluster;
}

}  // namespace samsa::tool
