// kafka-storage.sh: format the directories of a node, and say what is in them.
#include <fmt/format.h>

#include <algorithm>

#include "config/properties.h"
#include "config/server_config.h"
#include "metadata/features.h"
#include "metadata/format.h"
#include "tool/argument_parser.h"
#include "tool/commands.h"
#include "tool/feature_args.h"
#include "tool/scram_argument.h"

namespace samsa::tool {
namespace {

ArgumentParser declare() {
  using Kind = ArgumentParser::Kind;
  ArgumentParser parser("kafka-storage", "The Kafka storage tool.");
  parser.command("info", "Show what is in the log directories of this node.").option({"--config", "-c"}, "The node's properties file.", Kind::kStore, true);
  parser.command("format", "Format the log directories of this node.")
      .option({"--config", "-c"}, "The node's properties file.", Kind::kStore, true)
      .option({"--cluster-id", "-t"}, "The id of the cluster.", Kind::kStore, true)
      .option({"--add-scram", "-S"},
              "A SCRAM credential that the cluster starts with: 'SCRAM-SHA-256=[name=alice,password=alice-secret]' or "
              "'SCRAM-SHA-512=[name=alice,iterations=8192,salt=\"N3E=\",saltedpassword=\"YCE=\"]'.",
              Kind::kAppend)
      .flag({"--ignore-formatted", "-g"}, "Leave directories that are formatted already.")
      .option({"--release-version", "-r"}, "The release whose feature levels the cluster starts with: 3.3-IV3 or later.")
      .option({"--feature", "-f"}, "The level of a feature: NAME=LEVEL.", Kind::kAppend)
      .flag({"--standalone", "-s"}, "This controller alone is the quorum; without controller.quorum.voters.")
      .flag({"--no-initial-controllers", "-N"}, "No quorum is written: a broker, or a controller that joins later.")
      .option({"--initial-controllers", "-I"}, "The first quorum, the same for all nodes: id@host:port:directory-id, separated by commas.")
      .only_one({"--standalone", "--no-initial-controllers", "--initial-controllers"}, false);
  parser.command("version-mapping", "Show the feature levels of a release.").option({"--release-version", "-r"}, "The release; the newest if left out.");
  parser.command("feature-dependencies", "Show what feature levels depend on.")
      .option({"--feature", "-f"}, "The level of a feature: NAME=LEVEL.", Kind::kAppend, true);
  parser.command("random-uuid", "Print a random UUID.");
  return parser;
}

Result<config::ServerConfig> load_config(ToolContext& context, const ParsedArguments& options) {
  TRY_ASSIGN(const auto loaded, load_properties(context, *options.get("--config")));
  config::Properties properties;
  for (const auto& [key, value] : loaded) properties[key] = value;
  return config::ServerConfig::from(std::move(properties));
}

Result<std::map<std::string, int16_t>> parse_features(const ParsedArguments& options) {
  std::map<std::string, int16_t> features;
  for (const auto& text : options.all("--feature")) {
    TRY_ASSIGN(const auto feature, parse_name_and_level(text));
    features[feature.first] = feature.second;  // Of one that is given twice the last counts.
  }
  return features;
}

// kraft.version goes with the kind of quorum: 0 with controller.quorum.voters, else 1.
Result<void> choose_kraft_version(bool is_static, metadata::FormatOptions& format) {
  format.kraft_version = is_static ? 0 : 1;
  const auto given = format.features.find(std::string(metadata::kKraftVersion));
  if (given == format.features.end()) return {};
  if (given->second == 0 && !is_static) {
    return fail(ErrorCode::kInvalidRequest, "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or "
                                            "--no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version.");
  }
  if (given->second != 0 && is_static) {
    return fail(ErrorCode::kInvalidRequest,
                fmt::format("Cannot set kraft.version to {} unless controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or "
                            "--no-initial-controllers is used. For dynamic controllers support, try using one of --standalone, --initial-controllers, or "
                            "--no-initial-controllers and removing controller.quorum.voters.", given->second));
  }
  format.kraft_version = given->second;
  return {};
}

Result<void> choose_voters(const ParsedArguments& options, const config::ServerConfig& config, metadata::FormatOptions& format) {
  const bool standalone = options.has("--standalone");
  const auto initial = options.get("--initial-controllers");
  if ((standalone || initial) && !config.voters.empty()) {
    return fail(ErrorCode::kInvalidRequest, "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to "
                                            "use dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead.");
  }
  const std::string listener = config.controller_listener_names.empty() ? "CONTROLLER" : config.controller_listener_names.front();
  if (standalone) {
    if (!config.is_controller) return fail(ErrorCode::kInvalidRequest, "You can only use --standalone on a controller.");
    format.voters = metadata::FormatOptions::Voters::kStandalone;
    for (const auto& endpoint : config.advertised_controller) {
      format.standalone_endpoints.push_back({endpoint.name, endpoint.host.empty() ? "localhost" : endpoint.host, static_cast<uint16_t>(endpoint.port)});
    }
  } else if (initial) {
    format.voters = metadata::FormatOptions::Voters::kInitial;
    TRY_ASSIGN(format.initial_voters, raft::parse_initial_controllers(*initial, listener));
  } else if (!options.has("--no-initial-controllers") && config.is_controller && config.voters.empty()) {
    return fail(ErrorCode::kInvalidRequest, "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
                                            "--standalone, --initial-controllers, or --no-initial-controllers.");
  }
  return choose_kraft_version(!config.voters.empty(), format);
}

// The features that the cluster starts with, as Kafka's tool writes them. Credentials are not shown.
std::string bootstrap_text(const metadata::FormatReport& report) {
  std::vector<std::string> records;
  for (const auto& [name, level] : report.features) {
    records.push_back(fmt::format("ApiMessageAndVersion(FeatureLevelRecord(name='{}', featureLevel={}) at version 0)", name, level));
  }
  return fmt::format("Bootstrap metadata: BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)\n", fmt::join(records, ", "),
                     report.metadata_version);
}

Result<void> format(ToolContext& context, const ParsedArguments& options) {
  TRY_ASSIGN(const auto config, load_config(context, options));
  metadata::FormatOptions format;
  format.node_id = config.node_id.value;
  format.cluster_id = *options.get("--cluster-id");
  format.log_dirs = config.log_dirs;
  format.metadata_log_dir = config.metadata_log_dir;
  format.ignore_formatted = options.has("--ignore-formatted");
  format.release_version = options.get("--release-version").value_or("");
  TRY_ASSIGN(format.features, parse_features(options));
  if (!format.release_version.empty()) {
    TRY(metadata::parse_metadata_version(format.release_version));
    if (format.features.contains(std::string(metadata::kMetadataVersion))) {
      return fail(ErrorCode::kInvalidRequest, "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.");
    }
  }
  TRY(choose_voters(options, config, format));
  auto& random = context.world.loop.random();
  for (const auto& text : options.all("--add-scram")) {
    TRY_ASSIGN(auto scram, parse_scram_argument(text, random));
    format.scram.push_back(std::move(scram));
  }
  TRY_ASSIGN(const auto report, metadata::format_directories(context.world.disk, format, random));
  if (report.formatted.empty()) context.console.write("All of the log directories are already formatted.\n");
  else context.console.write(bootstrap_text(report));
  for (const auto& directory : report.formatted) {
    std::string_view what = "data directory";
    if (directory == format.metadata_log_dir) {
      what = format.voters == metadata::FormatOptions::Voters::kNone ? "metadata directory"
             : format.voters == metadata::FormatOptions::Voters::kInitial && format.initial_voters.find(format.node_id) == nullptr
                 ? "dynamic metadata directory"
                 : "dynamic metadata voter directory";
    }
    context.console.write(fmt::format("Formatting {} {} with metadata.version {}.\n", what, directory, report.metadata_version_text));
  }
  return {};
}

Result<int> info(ToolContext& context, const ParsedArguments& options) {
  TRY_ASSIGN(const auto config, load_config(context, options));
  auto& disk = context.world.disk;
  std::vector<std::string> directories = config.log_dirs, found, problems;
  if (std::find(directories.begin(), directories.end(), config.metadata_log_dir) == directories.end()) directories.push_back(config.metadata_log_dir);
  std::sort(directories.begin(), directories.end());
  std::optional<config::Properties> first;
  for (const auto& directory : directories) {
    const auto stat = disk.stat(directory);
    if (!stat || !stat->directory) {
      problems.push_back(directory + (stat ? " is not a directory" : " does not exist"));
      continue;
    }
    found.push_back(directory);
    auto content = io::read_file(disk, io::join_path(directory, "meta.properties"));
    if (!content) {
      problems.push_back(directory + " is not formatted.");
      continue;
    }
    auto properties = config::parse_properties(as_text(*content));
    if (!properties) {
      problems.push_back(fmt::format("Error loading {}/meta.properties: {}", directory, properties.error().text()));
    } else if (!first) {
      first = *properties;
    } else if ((*first)["cluster.id"] != (*properties)["cluster.id"]) {
      problems.emplace_back("Mismatched cluster IDs between storage directories.");
    } else if ((*first)["node.id"] != (*properties)["node.id"]) {
      problems.emplace_back("Mismatched node IDs between storage directories.");
    }
  }
  const auto section = [&](std::string_view one, std::string_view many, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    context.console.write(fmt::format("{}\n", lines.size() == 1 ? one : many));
    for (const auto& line : lines) context.console.write(fmt::format("  {}\n", line));
    context.console.write("\n");
  };
  section("Found log directory:", "Found log directories:", found);
  if (first) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : *first) pairs.push_back(key + "=" + value);
    context.console.write(fmt::format("Found metadata: {{{}}}\n\n", fmt::join(pairs, ", ")));
  }
  section("Found problem:", "Found problems:", problems);
  return problems.empty() ? 0 : 1;
}

// kafka-storage has other words than kafka-features for what is wrong.
Result<std::string> dependencies_text(const std::string& feature) {
  const size_t equals = feature.find('=');
  if (equals == std::string::npos) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid feature format: {}. Expected format: 'feature=version' (e.g. 'group.version=1')", feature));
  }
  const auto parsed = parse_name_and_level(feature);
  if (!parsed) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid version format: {} for feature {}", feature.substr(equals + 1), feature.substr(0, equals)));
  }
  auto text = feature_dependencies_text(parsed->first, parsed->second);
  if (!text && text.error().code == ErrorCode::kFeatureUpdateFailed) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Feature level {} is not supported for feature {}", parsed->second, parsed->first));
  }
  return text;
}

Result<int> run(ToolContext& context, const ParsedArguments& options) {
  if (options.command == "info") return info(context, options);
  std::string text;
  if (options.command == "random-uuid") {
    text = context.world.loop.random().uuid().to_string() + "\n";
  } else if (options.command == "format") {
    TRY(format(context, options));
  } else if (options.command == "version-mapping") {
    TRY_ASSIGN(text, version_mapping_text(options.get("--release-version").value_or("")));
  } else {
    for (const auto& feature : options.all("--feature")) {
      TRY_ASSIGN(text, dependencies_text(feature));
      context.console.write(text);
    }
    text.clear();
  }
  context.console.write(text);
  return 0;
}

}  // namespace

io::Task<int> run_storage(ToolContext& context, Arguments arguments) {
  ArgumentParser parser = declare();
  const auto parsed = parser.parse(arguments);
  if (!parsed) co_return refuse(context, parser.complaint(parsed.error()));
  if (parsed->help) {
    context.console.write(*parsed->help);
    co_return 0;
  }
  const auto outcome = run(context, *parsed);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return *outcome;
}

}  // namespace samsa::tool
