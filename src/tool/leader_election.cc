// kafka-leader-election.sh: elects the preferred replicas of partitions as leaders, or any live ones.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "protocol/api/elect_leaders.h"
#include "tool/admin_calls.h"
#include "tool/commands.h"
#include "tool/java_text.h"
#include "tool/json_input.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

struct ElectionType {
  int8_t wire;
  std::string_view name;
};
constexpr ElectionType kTypes[] = {{0, "PREFERRED"}, {1, "UNCLEAN"}};

Options declare() {
  Options options("This tool attempts to elect a new leader for a set of topic partitions.");
  options.value("bootstrap-server", "host:port", "REQUIRED: the servers to connect to, separated by commas.")
      .value("admin.config", "config file", "Deprecated: use --command-config.")
      .value("command-config", "Config file", "A file of settings for the admin client.")
      .value("path-to-json-file", "Path to JSON file", "A file of partitions: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1}]}")
      .value("topic", "topic name", "The topic of the one partition; with --partition.")
      .value("partition", "partition id", "The partition of the topic.")
      .flag("all-topic-partitions", "All partitions that such an election can be held for.")
      .value("election-type", "election type",
             "REQUIRED: preferred (where the leader is not the first replica) or unclean (where there is no leader).");
  return options;
}

Result<void> check(const Options& options) {
  std::vector<std::string> missing;
  for (const char* required : {"bootstrap-server", "election-type"}) {
    if (!options.has(required)) missing.emplace_back(required);
  }
  if (!missing.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("Missing required option(s): {}", fmt::join(missing, ", ")));
  TRY(options.forbid_with("admin.config", {"command-config"}));
  if (options.has("topic") + options.has("all-topic-partitions") + options.has("path-to-json-file") != 1) {
    return fail(ErrorCode::kInvalidRequest, "One and only one of the following options is required: topic, all-topic-partitions, path-to-json-file");
  }
  if (options.has("topic") && !options.has("partition")) return fail(ErrorCode::kInvalidRequest, "Missing required option(s): partition");
  if (!options.has("topic") && options.has("partition")) return fail(ErrorCode::kInvalidRequest, "Option partition is only allowed if topic is used");
  return {};
}

Result<std::vector<TopicPartition>> parse_partitions(std::string_view text) {
  const auto json = JsonInput::parse(text);
  if (!json) return fail(ErrorCode::kInvalidRequest, "Replica election data is empty");
  TRY_ASSIGN(const JsonInput* const root, json->object());
  const JsonInput* const list = root->find("partitions");
  if (list == nullptr) return fail(ErrorCode::kInvalidRequest, "Replica election data is missing \"partitions\" field");
  TRY_ASSIGN(const auto* const items, list->array());
  std::vector<TopicPartition> partitions;
  std::vector<std::string> twice;
  for (const auto& item : *items) {
    TRY_ASSIGN(const JsonInput* const fields, item.object());
    TRY_ASSIGN(const JsonInput* const topic, fields->field("topic"));
    TRY_ASSIGN(std::string name, topic->text());
    TRY_ASSIGN(const JsonInput* const partition, fields->field("partition"));
    TRY_ASSIGN(const int32_t index, partition->int32());
    TopicPartition one{std::move(name), index};
    if (std::find(partitions.begin(), partitions.end(), one) != partitions.end()) {
      if (std::find(twice.begin(), twice.end(), one.to_string()) == twice.end()) twice.push_back(one.to_string());
    } else {
      partitions.push_back(std::move(one));
    }
  }
  if (!twice.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("Replica election data contains duplicate partitions: [{}]", fmt::join(twice, ", ")));
  return partitions;
}

// The partitions to elect leaders of; nothing: all.
Result<std::optional<std::vector<TopicPartition>>> partitions_of(ToolContext& context, const Options& options) {
  std::optional<std::vector<TopicPartition>> partitions;
  if (const auto path = options.get("path-to-json-file")) {
    auto content = io::read_file(context.world.disk, *path);
    if (!content) return fail(ErrorCode::kInvalidRequest, fmt::format("cannot read '{}': {}", *path, content.error().text()));
    TRY_ASSIGN(partitions, parse_partitions(as_text(*content)));
  } else if (const auto topic = options.get("topic")) {
    TRY_ASSIGN(const auto partition, options.number("partition", INT32_MIN, INT32_MAX));
    partitions = {{*topic, static_cast<int32_t>(*partition)}};
  }
  return partitions;
}

protocol::ElectLeadersRequest request_for(const ElectionType& type, const std::optional<std::vector<TopicPartition>>& partitions) {
  protocol::ElectLeadersRequest request;
  request.election_type = type.wire;
  request.timeout_ms = 30'000;
  request.topic_partitions.reset();
  if (!partitions) return request;
  std::map<std::string, std::vector<int32_t>> topics;
  for (const auto& partition : *partitions) topics[partition.topic].push_back(partition.partition);
  request.topic_partitions.emplace();
  for (const auto& [name, indexes] : topics) {
    auto& topic = request.topic_partitions->emplace_back();
    topic.topic = protocol::Text(name);
    topic.partitions = indexes;
  }
  return request;
}

Result<void> report(ToolContext& context, const ElectionType& type, const protocol::ElectLeadersResponse& answer) {
  struct Outcome {
    TopicPartition partition;
    Error error;
  };
  std::vector<Outcome> outcomes;
  for (const auto& topic : answer.replica_election_results) {
    for (const auto& partition : topic.partition_result) {
      outcomes.push_back({{topic.topic.str(), partition.partition_id}, answer_error(partition.error_code, partition.error_message)});
    }
  }
  in_java_hash_order(outcomes, [](const Outcome& outcome) { return java_hash(outcome.partition); });
  std::vector<std::string> elected, not_needed, failed;
  for (const auto& [partition, error] : outcomes) {
    if (error.code == ErrorCode::kNone) elected.push_back(partition.to_string());
    else if (error.code == ErrorCode::kElectionNotNeeded) not_needed.push_back(partition.to_string());
    else failed.push_back(fmt::format("Error completing leader election ({}) for partition: {}: {}\n", type.name, partition.to_string(), java_exception_text(error)));
  }
  if (!elected.empty()) {
    context.console.write(fmt::format("Successfully completed leader election ({}) for partitions {}\n", type.name, fmt::join(elected, ", ")));
  }
  if (!not_needed.empty()) context.console.write(fmt::format("Valid replica already elected for partitions {}\n", fmt::join(not_needed, ", ")));
  for (const auto& line : failed) context.console.write(line);
  if (failed.empty()) return {};
  return fail(ErrorCode::kUnknownServerError, fmt::format("{} replica(s) could not be elected", failed.size()));
}

io::Task<Result<void>> run(ToolContext& context, const Options& options) {
  std::string given = *options.get("election-type");
  std::transform(given.begin(), given.end(), given.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto type = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const ElectionType& one) { return one.name == given; });
  if (type == std::end(kTypes)) {
    co_return fail(ErrorCode::kInvalidRequest, fmt::format("Cannot parse argument '{}' of option election-type", *options.get("election-type")));
  }
  CO_TRY_ASSIGN(const auto partitions, partitions_of(context, options));
  auto config_file = options.get("command-config");
  if (const auto old = options.get("admin.config")) {
    context.console.write("Option --admin.config has been deprecated and will be removed in a future version. Use --command-config instead.\n");
    config_file = old;
  }
  std::map<std::string, std::string> properties;
  if (config_file) {
    CO_TRY_ASSIGN(properties, load_properties(context, *config_file));
  }
  properties.emplace("default.api.timeout.ms", "30000");
  properties.emplace("request.timeout.ms", "15000");
  CO_TRY_ASSIGN(auto cluster, open_cluster(context, *options.get("bootstrap-server"), properties));
  const auto reply = co_await client::call_controller(*cluster, request_for(*type, partitions), [](const auto& answer) {
    return error_from_wire(answer.error_code) == ErrorCode::kNotController;
  });
  const Result<void> outcome = reply ? answer_result((*reply)->error_code) : fail(reply.error());
  if (outcome) co_return report(context, *type, **reply);
  if (outcome.error().code == ErrorCode::kClusterAuthorizationFailed) {
    context.console.write("Not authorized to perform leader election\n");
    co_return fail(ErrorCode::kClusterAuthorizationFailed, "Not authorized to perform leader election");
  }
  if (outcome.error().code == ErrorCode::kRequestTimedOut || outcome.error().code == ErrorCode::kNetworkException) {
    context.console.write("Timeout waiting for election results\n");
    co_return fail(ErrorCode::kRequestTimedOut, "Timeout waiting for election results");
  }
  co_return outcome;
}

}  // namespace

io::Task<int> run_leader_election(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto done = answer_help(context, arguments, options)) co_return *done;
  if (const auto checked = check(options); !checked) co_return refuse(context, checked.error().text());
  const auto outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
