// kafka-storage.sh: format the directories of a node, and say what is in them.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "config/properties.h"
#include "config/server_config.h"
#include "metadata/features.h"
#include "metadata/format.h"
#include "security/scram.h"
#include "tool/commands.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

constexpr std::string_view kUsage =
    "usage: kafka-storage [-h] {info,format,version-mapping,feature-dependencies,random-uuid} ...\n\nThe Kafka storage tool.\n\n"
    "  info --config FILE                    what is in the directories of this node\n"
    "  format --config FILE --cluster-id ID  format the directories of this node\n"
    "         [--standalone | --initial-controllers LIST | --no-initial-controllers] [--ignore-formatted]\n"
    "         [--release-version V] [--feature NAME=LEVEL]... [--add-scram CREDENTIAL]...\n"
    "  version-mapping [--release-version V] the feature levels of a release\n"
    "  feature-dependencies --feature NAME=LEVEL...\n"
    "  random-uuid                           print a random UUID\n";

// What the commands take, and how Kafka's argument parser names it.
struct Argument {
  std::string_view name, letter;
  bool value = false;
  std::string_view commands;  // Where it belongs.
  bool required = false;
  bool one_of_group = false;  // Only one of these may be given.
};
constexpr Argument kArguments[] = {
    {"--cluster-id", "-t", true, "format", true},
    {"--config", "-c", true, "format info", true},
    {"--add-scram", "-S", true, "format"},
    {"--ignore-formatted", "-g", false, "format"},
    {"--release-version", "-r", true, "format version-mapping"},
    {"--feature", "-f", true, "format"},
    {"--feature", "-f", true, "feature-dependencies", true},
    {"--standalone", "-s", false, "format", false, true},
    {"--no-initial-controllers", "-N", false, "format", false, true},
    {"--initial-controllers", "-I", true, "format", false, true},
    {"--help", "-h", false, "format info version-mapping feature-dependencies random-uuid"},
};

// The arguments with long names only. INVALID_REQUEST in the words of Kafka's parser.
Result<Arguments> long_names(const std::string& command, const Arguments& arguments) {
  const auto wrong = [&command](std::string text) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("usage: kafka-storage {} [-h] ...\nkafka-storage: error: {}", command, text));
  };
  const auto belongs = [&command](const Argument& one) { return one.commands.find(command) != std::string_view::npos; };
  Arguments result;
  std::vector<const Argument*> given;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view text = arguments[i];
    const std::string_view name = text.substr(0, text.find('='));
    const auto found = std::find_if(std::begin(kArguments), std::end(kArguments),
                                    [&](const Argument& one) { return belongs(one) && (one.name == name || one.letter == text); });
    if (found == std::end(kArguments)) return wrong(fmt::format("unrecognized arguments: '{}'", text));
    if (found->name == "--help") return Arguments{"--help"};
    for (const Argument* other : given) {
      if (found->one_of_group && other->one_of_group && other != &*found) {
        return wrong(fmt::format("argument {}/{}: not allowed with argument {}/{}", found->name, found->letter, other->name, other->letter));
      }
    }
    given.push_back(&*found);
    result.emplace_back(found->name);
    if (!found->value) continue;
    if (name.size() < text.size()) {
      result.emplace_back(text.substr(name.size() + 1));
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("-")) {
      result.push_back(arguments[++i]);
    } else {
      return wrong(fmt::format("argument {}/{}: expected one argument", found->name, found->letter));
    }
  }
  for (const auto& one : kArguments) {
    if (one.required && belongs(one) && std::find(given.begin(), given.end(), &one) == given.end()) {
      return wrong(fmt::format("argument {}/{} is required", one.name, one.letter));
    }
  }
  return result;
}

Options declare() {
  Options options("The Kafka storage tool.");
  options.value("config", "CONFIG", "The server.properties of the node.")
      .value("cluster-id", "CLUSTER_ID", "The id of the cluster.")
      .values("add-scram", "ADD_SCRAM", "A SCRAM credential that the cluster starts with.")
      .flag("ignore-formatted", "Leave directories that are formatted already.")
      .value("release-version", "RELEASE_VERSION", "The release whose feature levels the cluster starts with.")
      .values("feature", "FEATURE", "NAME=LEVEL of a feature.")
      .flag("standalone", "This controller alone is the quorum.")
      .flag("no-initial-controllers", "No quorum is written: a broker, or a controller that joins later.")
      .value("initial-controllers", "INITIAL_CONTROLLERS", "The first quorum: id@host:port:directory-id, separated by commas.");
  return options;
}

Result<config::ServerConfig> load_config(ToolContext& context, const Options& options) {
  TRY_ASSIGN(const auto loaded, load_properties(context, *options.get("config")));
  config::Properties properties;
  for (const auto& [key, value] : loaded) properties[key] = value;
  return config::ServerConfig::from(std::move(properties));
}

Result<std::map<std::string, int16_t>> parse_features(const Options& options) {
  std::map<std::string, int16_t> features;
  for (const auto& text : options.all("feature")) {
    const size_t equals = text.find('=');
    int16_t level = 0;
    const std::string digits = equals == std::string::npos ? "" : text.substr(equals + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), level);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Can't parse feature=level string {}: equals sign not found or level is no number.", text));
    }
    if (!features.emplace(text.substr(0, equals), level).second) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Feature {} was specified more than once.", text.substr(0, equals)));
    }
  }
  return features;
}

// SCRAM-SHA-256=[name=alice,password=secret,iterations=8192]
Result<metadata::BootstrapScram> parse_scram(const std::string& text, io::Random& random) {
  static const re2::RE2 kOuter(R"((SCRAM-SHA-(?:256|512))=\[(.*)\])");
  std::string mechanism_name, inner;
  if (!re2::RE2::FullMatch(text, kOuter, &mechanism_name, &inner)) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Failed to parse scram: '{}': it must be SCRAM-SHA-256=[name=NAME,password=PASSWORD]", text));
  }
  std::map<std::string, std::string> parts;
  static const re2::RE2 kPart(R"re(\s*(name|password|iterations|salt|saltedpassword)=(?:"([^"]*)"|([^,]*))(?:,|$))re");
  re2::StringPiece rest(inner);
  std::string key, quoted, plain;
  while (!rest.empty() && re2::RE2::Consume(&rest, kPart, &key, &quoted, &plain)) parts[key] = quoted.empty() ? plain : quoted;
  if (!rest.empty() || !parts.contains("name") || !parts.contains("password")) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Failed to parse scram: '{}': name and password are needed, salt and saltedpassword are not taken", text));
  }
  const auto mechanism = *security::scram_mechanism_from_name(mechanism_name);
  int32_t iterations = security::kMinScramIterations;
  if (parts.contains("iterations")) std::from_chars(parts["iterations"].data(), parts["iterations"].data() + parts["iterations"].size(), iterations);
  if (iterations < security::kMinScramIterations || iterations > security::kMaxScramIterations) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("The 'iterations' value must be >= {} and <= {}", security::kMinScramIterations, security::kMaxScramIterations));
  }
  metadata::BootstrapScram scram;
  scram.user = parts["name"];
  scram.mechanism = static_cast<int32_t>(mechanism);
  scram.credential.iterations = iterations;
  for (int i = 0; i < 4; ++i) append_be(scram.credential.salt, random.next());
  TRY_ASSIGN(const Buffer salted, security::scram_salted_password(mechanism, parts["password"], scram.credential.salt, iterations));
  TRY_ASSIGN(auto keys, security::scram_keys(mechanism, salted));
  scram.credential.stored_key = std::move(keys.stored_key);
  scram.credential.server_key = std::move(keys.server_key);
  return scram;
}

Result<void> choose_voters(const Options& options, const config::ServerConfig& config, metadata::FormatOptions& format) {
  if (!config.voters.empty() && (options.has("standalone") || options.has("initial-controllers"))) {
    return fail(ErrorCode::kInvalidRequest, "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you "
                                            "want to use dynamic quorum, please remove controller.quorum.voters and specify "
                                            "controller.quorum.bootstrap.servers instead.");
  }
  const std::string listener = config.controller_listener_names.empty() ? "CONTROLLER" : config.controller_listener_names.front();
  if (options.has("standalone")) {
    if (!config.is_controller) return fail(ErrorCode::kInvalidRequest, "You can only use --standalone on a controller.");
    format.voters = metadata::FormatOptions::Voters::kStandalone;
    for (const auto& endpoint : config.advertised_controller) {
      format.standalone_endpoints.push_back({endpoint.name, endpoint.host.empty() ? "localhost" : endpoint.host, static_cast<uint16_t>(endpoint.port)});
    }
  } else if (const auto list = options.get("initial-controllers")) {
    format.voters = metadata::FormatOptions::Voters::kInitial;
    TRY_ASSIGN(format.initial_voters, raft::parse_initial_controllers(*list, listener));
  } else if (!options.has("no-initial-controllers") && config.is_controller && config.voters.empty()) {
    return fail(ErrorCode::kInvalidRequest, "Because controller.quorum.voters is not set on this controller, you must specify one of the following: "
                                            "--standalone, --initial-controllers, or --no-initial-controllers.");
  }
  format.kraft_version = config.voters.empty() ? 1 : 0;
  return {};
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

Result<void> format(ToolContext& context, const Options& options) {
  TRY_ASSIGN(const auto config, load_config(context, options));
  metadata::FormatOptions format;
  format.node_id = config.node_id.value;
  format.cluster_id = *options.get("cluster-id");
  format.log_dirs = config.log_dirs;
  format.metadata_log_dir = config.metadata_log_dir;
  format.ignore_formatted = options.has("ignore-formatted");
  format.release_version = options.get_or("release-version", "");
  TRY_ASSIGN(format.features, parse_features(options));
  TRY(choose_voters(options, config, format));
  if (const auto found = format.features.find(std::string(metadata::kKraftVersion)); found != format.features.end()) format.kraft_version = found->second;
  auto& random = context.world.loop.random();
  for (const auto& text : options.all("add-scram")) {
    TRY_ASSIGN(auto scram, parse_scram(text, random));
    format.scram.push_back(std::move(scram));
  }
  TRY_ASSIGN(const auto report, metadata::format_directories(context.world.disk, format, random));
  if (report.formatted.empty()) context.console.write("All of the log directories are already formatted.\n");
  else context.console.write(bootstrap_text(report));
  for (const auto& directory : report.formatted) {
    std::string_view what = "data directory";
    if (directory == format.metadata_log_dir) {
      what = format.voters != metadata::FormatOptions::Voters::kNone ? "dynamic metadata voter directory"
             : format.kraft_version > 0                              ? "dynamic metadata directory"
                                                                     : "metadata directory";
    }
    context.console.write(fmt::format("Formatting {} {} with metadata.version {}.\n", what, directory, report.metadata_version_text));
  }
  return {};
}

Result<int> info(ToolContext& context, const Options& options) {
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

Result<void> version_mapping(ToolContext& context, const Options& options) {
  const std::string release = options.get_or("release-version", metadata::metadata_version_text(metadata::kLatestMetadataVersion));
  const auto level = metadata::parse_metadata_version(release);
  if (!level) return fail(level.error());
  context.console.write(fmt::format("metadata.version={} ({})\n", *level, release));
  const auto levels = metadata::default_features(*level);
  for (const char* name : {"kraft.version", "transaction.version", "group.version", "eligible.leader.replicas.version", "share.version", "streams.version"}) {
    const auto found = levels.find(name);
    context.console.write(fmt::format("{}={}\n", name, found == levels.end() ? 0 : found->second));
  }
  return {};
}

Result<std::string> dependencies_text(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid feature format: {}. Expected format: 'feature=version' (e.g. 'group.version=1')", text));
  }
  const std::string name = text.substr(0, equals), digits = text.substr(equals + 1);
  int16_t level = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), level);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid version format: {} for feature {}", digits, name));
  }
  const auto& supported = metadata::supported_features();
  const auto found = supported.find(name);
  if (found == supported.end()) return fail(ErrorCode::kInvalidRequest, "Unknown feature: " + name);
  const bool known = level >= found->second.min && level <= found->second.max;
  if (name == metadata::kMetadataVersion) {
    if (!known) return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown metadata.version {}", level));
    return fmt::format("{}={} ({}) has no dependencies.\n", name, level, metadata::metadata_version_text(level));
  }
  if (!known) return fail(ErrorCode::kInvalidRequest, fmt::format("Feature level {} is not supported for feature {}", level, name));
  if (name == "eligible.leader.replicas.version" && level >= 1) {
    return fmt::format("{}={} requires:\n    metadata.version={} ({})\n", name, level, metadata::kMvElr, metadata::metadata_version_text(metadata::kMvElr));
  }
  return fmt::format("{}={} has no dependencies.\n", name, level);
}

Result<void> feature_dependencies(ToolContext& context, const Options& options) {
  for (const auto& text : options.all("feature")) {
    TRY_ASSIGN(const std::string line, dependencies_text(text));
    context.console.write(line);
  }
  return {};
}

Result<int> run(ToolContext& context, const std::string& command, const Options& options) {
  if (command == "random-uuid") {
    context.console.write(context.world.loop.random().uuid().to_string() + "\n");
    return 0;
  }
  if (command == "info") return info(context, options);
  if (command == "format") TRY(format(context, options));
  else if (command == "version-mapping") TRY(version_mapping(context, options));
  else TRY(feature_dependencies(context, options));
  return 0;
}

}  // namespace

io::Task<int> run_storage(ToolContext& context, Arguments arguments) {
  if (arguments.empty()) co_return refuse(context, fmt::format("{}kafka-storage: error: too few arguments", kUsage));
  const std::string command = arguments.front();
  if (command == "-h" || command == "--help") {
    context.console.write(kUsage);
    co_return 0;
  }
  constexpr std::string_view kCommands[] = {"info", "format", "version-mapping", "feature-dependencies", "random-uuid"};
  if (std::find(std::begin(kCommands), std::end(kCommands), command) == std::end(kCommands)) {
    co_return refuse(context, fmt::format("{}kafka-storage: error: invalid choice: '{}' (choose from '{}')", kUsage, command, fmt::join(kCommands, "', '")));
  }
  arguments.erase(arguments.begin());
  const auto named = long_names(command, arguments);
  if (!named) co_return refuse(context, named.error().text());
  Options options = declare();
  if (const auto parsed = options.parse(*named); !parsed) co_return refuse(context, parsed.error().text());
  if (options.has("help")) {
    context.console.write(kUsage);
    co_return 0;
  }
  const auto outcome = run(context, command, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return *outcome;
}

}  // namespace samsa::tool
