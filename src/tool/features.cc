// kafka-features.sh: the feature levels of a cluster, and changes of them.
#include <fmt/format.h>

#include <algorithm>

#include "metadata/features.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/update_features.h"
#include "tool/admin_calls.h"
#include "tool/argument_parser.h"
#include "tool/commands.h"
#include "tool/feature_args.h"

namespace samsa::tool {
namespace {

enum UpgradeType : int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };
using Levels = std::map<std::string, int16_t>;

ArgumentParser declare() {
  using Kind = ArgumentParser::Kind;
  ArgumentParser parser("kafka-features", "This tool manages feature flags in Kafka.");
  parser.option({"--bootstrap-server"}, "Brokers to connect to, host:port separated by commas.")
      .option({"--bootstrap-controller"}, "Controllers to connect to, host:port separated by commas.")
      .only_one({"--bootstrap-server", "--bootstrap-controller"}, false)
      .option({"--command-config"}, "A file of settings for the admin client.");
  parser.command("describe", "Show the supported and the finalized levels.").option({"--node-id"}, "The node to ask; else any.", Kind::kInteger);
  const auto change = [](ArgumentParser& command) -> ArgumentParser& {
    return command.option({"--metadata"}, "Deprecated: the metadata.version, 3.9-IV0 say.")
        .option({"--release-version"}, "The release whose levels all features get, 3.9-IV0 say.")
        .option({"--feature"}, "A feature in feature=level form; may be given more than once.", Kind::kAppend)
        .flag({"--dry-run"}, "Check the change only.");
  };
  change(parser.command("upgrade", "Raise features."));
  change(parser.command("downgrade", "Lower features.")).flag({"--unsafe"}, "Even if metadata are lost by it.");
  parser.command("disable", "Lower features to zero.")
      .option({"--feature"}, "A feature; may be given more than once.", Kind::kAppend)
      .flag({"--unsafe"}, "Even if metadata are lost by it.")
      .flag({"--dry-run"}, "Check the change only.");
  parser.command("version-mapping", "Show the levels that a release has.").option({"--release-version"}, "The release; the newest if left out.");
  parser.command("feature-dependencies", "Show what feature levels depend on.")
      .option({"--feature"}, "A feature in feature=level form; may be given more than once.", Kind::kAppend, true);
  return parser;
}

io::Task<Result<void>> describe(ToolContext& context, client::Cluster& cluster, std::optional<int32_t> node) {
  if (node && *node < 0) co_return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid node id {}: must be non-negative.", *node));
  auto connection = node ? co_await cluster.broker(*node) : cluster.config().controllers ? co_await cluster.controller() : co_await cluster.any();
  if (!connection) co_return fail(connection.error());
  protocol::ApiVersionsRequest request;
  request.client_software_name = protocol::Text("samsa");
  request.client_software_version = protocol::Text("0.1.0");
  CO_TRY_ASSIGN(const auto reply, co_await (*connection)->call(request));
  CO_TRY(answer_result(reply->error_code));
  Levels finalized;
  for (const auto& feature : reply->finalized_features) finalized[feature.name.str()] = feature.max_version_level;
  std::map<std::string, std::string> lines;
  for (const auto& feature : reply->supported_features) {
    const std::string name = feature.name.str();
    const std::string epoch = reply->finalized_features_epoch >= 0 ? std::to_string(reply->finalized_features_epoch) : "-";
    lines[name] = fmt::format("Feature: {:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  FinalizedVersionLevel: {:<15}  Epoch: {}\n", name,
                              level_text(name, feature.min_version), level_text(name, feature.max_version),
                              level_text(name, finalized.contains(name) ? finalized[name] : int16_t{0}), epoch);
  }
  for (const auto& [name, line] : lines) context.console.write(line);
  co_return Result<void>{};
}

Result<Levels> levels_to_set(ToolContext& context, const ParsedArguments& arguments, UpgradeType type) {
  const auto release = arguments.get("--release-version");
  const auto metadata_text = arguments.get("--metadata");
  Levels levels;
  if (release && (metadata_text || arguments.has("--feature"))) {
    return fail(ErrorCode::kInvalidRequest, "Can not specify `release-version` with other feature flags.");
  }
  if (release) {
    TRY_ASSIGN(const int16_t version, parse_release(*release));
    const auto defaults = metadata::default_features(version);
    for (const auto& [name, range] : metadata::supported_features()) {
      const auto found = defaults.find(name);
      const int16_t level = found == defaults.end() ? int16_t{0} : found->second;
      // An upgrade to nothing is none.
      if (type != kUpgrade || level > 0) levels[name] = level;
    }
    levels[std::string(metadata::kMetadataVersion)] = version;
    return levels;
  }
  if (metadata_text) {
    context.console.write(" `metadata` flag is deprecated and may be removed in a future release.\n");
    TRY_ASSIGN(levels[std::string(metadata::kMetadataVersion)], parse_release(*metadata_text));
  }
  for (const auto& text : arguments.all("--feature")) {
    TRY_ASSIGN(const auto feature, parse_name_and_level(text));
    if (!levels.emplace(feature.first, feature.second).second) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Feature {} was specified more than once.", feature.first));
    }
  }
  return levels;
}

Result<Levels> levels_to_disable(const ParsedArguments& arguments) {
  Levels levels;
  for (const auto& name : arguments.all("--feature")) {
    if (!levels.emplace(name, int16_t{0}).second) return fail(ErrorCode::kInvalidRequest, fmt::format("Feature {} was specified more than once.", name));
  }
  return levels;
}

// The outcome of each feature.
io::Task<Result<std::map<std::string, Error>>> send_update(client::Cluster& cluster, const Levels& levels, UpgradeType type, bool dry_run) {
  protocol::UpdateFeaturesRequest request;
  request.validate_only = dry_run;
  for (const auto& [name, level] : levels) {
    auto& update = request.feature_updates.emplace_back();
    update.feature = protocol::Text(name);
    update.max_version_level = level;
    update.upgrade_type = type;
  }
  const auto reply = co_await client::call_controller(cluster, std::move(request), [](const auto& answer) {
    return error_from_wire(answer.error_code) == ErrorCode::kNotController;
  });
  if (!reply) co_return fail(reply.error());
  std::map<std::string, Error> outcomes;
  for (const auto& [name, level] : levels) outcomes[name] = answer_error((*reply)->error_code, (*reply)->error_message);
  if ((*reply)->error_code != 0) co_return outcomes;
  for (const auto& result : (*reply)->results) outcomes[result.feature.str()] = answer_error(result.error_code, result.error_message);
  co_return outcomes;
}

io::Task<Result<void>> update(ToolContext& context, client::Cluster& cluster, const ParsedArguments& arguments) {
  const std::string& operation = arguments.command;
  const UpgradeType type = operation == "upgrade" ? kUpgrade : arguments.has("--unsafe") ? kUnsafeDowngrade : kSafeDowngrade;
  const bool dry_run = arguments.has("--dry-run"), disable = operation == "disable";
  CO_TRY_ASSIGN(const Levels levels, disable ? levels_to_disable(arguments) : levels_to_set(context, arguments, type));
  if (levels.empty()) co_return fail(ErrorCode::kInvalidRequest, "You must specify at least one feature to " + operation);
  CO_TRY_ASSIGN(const auto outcomes, co_await send_update(cluster, levels, type, dry_run));
  size_t failures = 0;
  for (const auto& [name, level] : levels) {
    const auto found = outcomes.find(name);
    const Error error = found == outcomes.end() ? Error{} : found->second;
    if (error.code == ErrorCode::kNone) {
      context.console.write(fmt::format("{}{}{}\n", name, dry_run ? " can be " : " was ", disable ? "disabled." : fmt::format("{}d to {}.", operation, level)));
      continue;
    }
    ++failures;
    const std::string what = disable ? "disable " + name : fmt::format("{} {} to {}", operation, name, level);
    context.console.write(fmt::format("{}{}. {}\n", dry_run ? "Can not " : "Could not ", what, error.text()));
  }
  if (failures > 0) co_return fail(ErrorCode::kFeatureUpdateFailed, fmt::format("{} out of {} operation(s) failed.", failures, levels.size()));
  co_return Result<void>{};
}

io::Task<Result<void>> run(ToolContext& context, const ParsedArguments& arguments) {
  if (arguments.command == "version-mapping") {
    CO_TRY_ASSIGN(const std::string text, version_mapping_text(arguments.get("--release-version").value_or("")));
    context.console.write(text);
    co_return Result<void>{};
  }
  if (arguments.command == "feature-dependencies") {
    for (const auto& feature : arguments.all("--feature")) {
      CO_TRY_ASSIGN(const auto parsed, parse_name_and_level(feature));
      CO_TRY_ASSIGN(const std::string text, feature_dependencies_text(parsed.first, parsed.second));
      context.console.write(text);
    }
    co_return Result<void>{};
  }
  const AdminTarget target{arguments.get("--bootstrap-server"), arguments.get("--bootstrap-controller"), arguments.get("--command-config")};
  if (!target.servers && !target.controllers) {
    co_return fail(ErrorCode::kInvalidRequest, "Command line error: You must specify either --bootstrap-controller or --bootstrap-server.. Type --help for help.");
  }
  CO_TRY_ASSIGN(auto cluster, open_admin(context, target));
  if (arguments.command == "describe") co_return co_await describe(context, *cluster, arguments.integer("--node-id"));
  co_return co_await update(context, *cluster, arguments);
}

}  // namespace

io::Task<int> run_features(ToolContext& context, Arguments arguments) {
  ArgumentParser parser = declare();
  const auto parsed = parser.parse(arguments);
  if (!parsed) co_return refuse(context, fmt::format("Command line error: {}. Type --help for help.", parsed.error().text()));
  if (parsed->help) {
    context.console.write(*parsed->help);
    co_return 0;
  }
  const auto outcome = co_await run(context, *parsed);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
