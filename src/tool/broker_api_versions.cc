// kafka-broker-api-versions.sh: which APIs and versions every broker serves.
#include <fmt/format.h>

#include "client/admin.h"
#include "protocol/api_table.h"
#include "tool/commands.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

std::string describe(int16_t key, int16_t min, int16_t max) {
  const protocol::ApiInfo* info = protocol::find_api(key);
  std::string text = info ? fmt::format("{}({}): ", info->name, key) : fmt::format("UNKNOWN({}): ", key);
  text += min == max ? fmt::format("{}", min) : fmt::format("{} to {}", min, max);
  if (!info) return text;
  if (info->max_version < min) return text + " [unusable: node too new]";
  if (max < info->min_version) return text + " [unusable: node too old]";
  return text + fmt::format(" [usable: {}]", std::min(info->max_version, max));
}

io::Task<Result<void>> run(ToolContext& context, const Options& options) {
  std::map<std::string, std::string> properties;
  if (const auto file = options.get("command-config")) {
    CO_TRY_ASSIGN(properties, load_properties(context, *file));
  }
  CO_TRY_ASSIGN(auto cluster, open_cluster(context, *options.get("bootstrap-server"), properties));
  CO_TRY(co_await cluster->refresh({}));
  for (const auto& [id, broker] : std::map(cluster->brokers())) {
    context.console.write(fmt::format("{}:{} (id: {} rack: {} isFenced: false) -> ", broker.address.host, broker.address.port, id,
                                      broker.rack.empty() ? "null" : broker.rack));
    auto connection = co_await cluster->broker(id);
    if (!connection) {
      context.console.write(fmt::format("ERROR: {}\n", connection.error().text()));
      continue;
    }
    std::map<int16_t, std::string> lines;
    for (const auto& api : (*connection)->api_versions().api_keys) lines[api.api_key] = describe(api.api_key, api.min_version, api.max_version);
    for (const auto& api : protocol::all_apis()) {
      if (api.broker) lines.try_emplace(api.key, fmt::format("{}({}): UNSUPPORTED", api.name, api.key));
    }
    std::vector<std::string> sorted;
    for (auto& [key, line] : lines) sorted.push_back(std::move(line));
    context.console.write(fmt::format("(\n\t{}\n)\n", fmt::join(sorted, ",\n\t")));
  }
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_broker_api_versions(ToolContext& context, Arguments arguments) {
  Options options("This tool helps to retrieve broker version information.");
  options.value("bootstrap-server", "server(s) to use for bootstrapping", "REQUIRED: The server to connect to.")
      .value("command-config", "command config property file", "A file of settings for the admin client.");
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto servers = options.require("bootstrap-server"); !servers) co_return refuse(context, servers.error().text(), options);
  auto outcome = options.single();
  if (outcome) outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
