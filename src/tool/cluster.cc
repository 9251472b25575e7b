// kafka-cluster.sh: the id and the endpoints of a cluster, and brokers taken out of it for good.
#include <fmt/format.h>

#include <algorithm>

#include "protocol/api/unregister_broker.h"
#include "tool/admin_calls.h"
#include "tool/argument_parser.h"
#include "tool/commands.h"
#include "tool/java_text.h"

namespace samsa::tool {
namespace {

ArgumentParser declare() {
  ArgumentParser parser("kafka-cluster", "The Kafka cluster tool.");
  const auto connection = [](ArgumentParser& command) -> ArgumentParser& {
    command.option({"--config"}, "Deprecated: use --command-config.")
        .option({"--command-config", "-c"}, "A file of settings for the admin client.")
        .option({"--bootstrap-server", "-b"}, "Brokers to connect to, host:port separated by commas.")
        .option({"--bootstrap-controller", "-C"}, "Controllers to connect to, host:port separated by commas.")
        .only_one({"--bootstrap-server", "--bootstrap-controller"}, true);
    return command;
  };
  connection(parser.command("cluster-id", "Show the id of the cluster."));
  connection(parser.command("unregister", "Take a broker out of the cluster."))
      .option({"--id", "-i"}, "The id of the broker.", ArgumentParser::Kind::kInteger, true);
  connection(parser.command("list-endpoints", "Show where the nodes listen.")).flag({"--include-fenced-brokers"}, "Show fenced brokers too.");
  return parser;
}

io::Task<Result<void>> unregister(ToolContext& context, client::Cluster& cluster, int32_t id) {
  protocol::UnregisterBrokerRequest request;
  request.broker_id = id;
  auto reply = co_await call_admin(cluster, std::move(request));
  const Result<void> outcome = reply ? answer_result((*reply)->error_code, (*reply)->error_message) : fail(reply.error());
  if (!outcome && outcome.error().code == ErrorCode::kUnsupportedVersion) {
    context.console.write("The target cluster does not support the broker unregistration API.\n");
    co_return Result<void>{};
  }
  if (outcome) context.console.write(fmt::format("Broker {} is no longer registered.\n", id));
  co_return outcome;
}

io::Task<Result<void>> list_endpoints(ToolContext& context, client::Cluster& cluster, bool include_fenced) {
  const bool controllers = cluster.config().controllers;
  const auto found = co_await describe_cluster(cluster, include_fenced);
  if (!found && found.error().code == ErrorCode::kUnsupportedVersion) {
    context.console.write(found.error().text() + "\n");
    co_return Result<void>{};
  }
  if (!found) co_return fail(found.error());
  size_t host_width = found->nodes.empty() ? 100 : 0, rack_width = 0;
  for (const auto& node : found->nodes) {
    host_width = std::max(host_width, node.host.size());
    if (node.rack) rack_width = std::max(rack_width, node.rack->size());
  }
  if (std::none_of(found->nodes.begin(), found->nodes.end(), [](const ClusterNode& node) { return node.rack.has_value(); })) rack_width = 10;
  const auto line = [&](std::string_view id, std::string_view host, std::string_view port, std::string_view rack, std::string_view state, std::string_view type) {
    context.console.write(fmt::format("{:<10} {:<{}} {:<10} {:<{}} ", id, host, host_width, port, rack, rack_width));
    context.console.write(controllers ? fmt::format("{:<15}\n", type) : fmt::format("{:<10} {:<15}\n", state, type));
  };
  line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
  for (const auto& node : found->nodes) {
    line(std::to_string(node.id), node.host, std::to_string(node.port), node.rack.value_or("null"), node.fenced ? "fenced" : "unfenced",
         controllers ? "controller" : "broker");
  }
  co_return Result<void>{};
}

io::Task<Result<void>> run(ToolContext& context, const ParsedArguments& arguments) {
  AdminTarget target{arguments.get("--bootstrap-server"), arguments.get("--bootstrap-controller"), arguments.get("--command-config")};
  if (const auto config = arguments.get("--config")) {
    if (target.config_file) co_return fail(ErrorCode::kInvalidRequest, "--config and --command-config cannot be specified together.");
    context.console.write("Option --config has been deprecated and will be removed in a future version. Use --command-config instead.\n");
    target.config_file = config;
  }
  CO_TRY_ASSIGN(auto cluster, open_admin(context, target));
  if (arguments.command == "unregister") co_return co_await unregister(context, *cluster, *arguments.integer("--id"));
  if (arguments.command == "list-endpoints") {
    if (arguments.has("--include-fenced-brokers") && target.controllers) {
      co_return fail(ErrorCode::kInvalidRequest, "The option --include-fenced-brokers is only supported with --bootstrap-server option");
    }
    co_return co_await list_endpoints(context, *cluster, arguments.has("--include-fenced-brokers"));
  }
  CO_TRY_ASSIGN(const auto found, co_await describe_cluster(*cluster));
  context.console.write(fmt::format("Cluster ID: {}\n", found.cluster_id));
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_cluster(ToolContext& context, Arguments arguments) {
  ArgumentParser parser = declare();
  const auto parsed = parser.parse(arguments);
  if (!parsed) co_return refuse(context, parser.complaint(parsed.error()));
  if (parsed->help) {
    context.console.write(*parsed->help);
    co_return 0;
  }
  const auto outcome = co_await run(context, *parsed);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
