// kafka-reassign-partitions.sh: moves the replicas of partitions to other brokers and directories: generate, execute, verify, cancel, list.
#include <fmt/format.h>

#include <algorithm>

#include "metadata/placement.h"
#include "tool/commands.h"
#include "tool/java_text.h"
#include "tool/options.h"
#include "tool/reassign_calls.h"

namespace samsa::tool {
namespace {

constexpr const char* kActions[] = {"generate", "execute", "verify", "cancel", "list"};
constexpr const char* kArguments[] = {"bootstrap-server", "bootstrap-controller", "command-config", "reassignment-json-file", "topics-to-move-json-file", "broker-list",
                                      "disable-rack-aware", "throttle", "replica-alter-log-dirs-throttle", "timeout", "additional", "preserve-throttles",
                                      "disallow-replication-factor-change"};
constexpr const char* kBrokerThrottles[] = {"leader.replication.throttled.rate", "follower.replication.throttled.rate",
                                            "replica.alter.log.dirs.io.max.bytes.per.second"};
constexpr const char* kLeaderThrottled = "leader.replication.throttled.replicas";
constexpr const char* kFollowerThrottled = "follower.replication.throttled.replicas";
constexpr std::string_view kAlreadyThere =
    "Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a new partition assignment in addition "
    "to the existing one. The --additional flag can also be used to change the throttle by resubmitting the current reassignment.";

Options declare() {
  Options options("This tool helps to move topic partitions between replicas.");
  options.flag("verify", "Show whether the reassignment of --reassignment-json-file is complete, and then remove its throttles.")
      .flag("generate", "Propose a reassignment of --topics-to-move-json-file to --broker-list; nothing is moved.")
      .flag("execute", "Start the reassignment of --reassignment-json-file.")
      .flag("cancel", "Call off the reassignment of --reassignment-json-file.")
      .flag("list", "Show the reassignments under way.")
      .optional_value("bootstrap-server", "Server(s) to use for bootstrapping", "The servers to connect to.")
      .optional_value("bootstrap-controller", "bootstrap controller to connect to", "The controllers to connect to, for --list and --cancel.")
      .value("command-config", "Admin client property file", "A file of settings for the admin client.")
      .value("reassignment-json-file", "manual assignment json file path",
             "{\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"replicas\": [1,2,3], \"log_dirs\": [\"any\",\"/dir2\",\"any\"]}], \"version\": 1}; log_dirs may be left out.")
      .value("topics-to-move-json-file", "topics to reassign json file path", "{\"topics\": [{\"topic\": \"foo\"}], \"version\": 1}")
      .value("broker-list", "brokerlist", "The brokers to move to: 0,1,2.")
      .flag("disable-rack-aware", "Place replicas without regard to racks.")
      .value("throttle", "throttle", "Bytes per second for moves between brokers.", "-1")
      .value("replica-alter-log-dirs-throttle", "replicaAlterLogDirsThrottle", "Bytes per second for moves between directories of a broker.", "-1")
      .value("timeout", "timeout", "Milliseconds to wait until moves between directories begin.", "10000")
      .flag("additional", "With --execute: besides reassignments under way, or to change their throttle.")
      .flag("preserve-throttles", "Leave throttles as they are.")
      .flag("disallow-replication-factor-change", "With --execute: refuse to change how many replicas a partition has.");
  return options;
}

// The one action; INVALID_REQUEST where arguments are missing or do not go with it.
Result<std::string> action_of(const Options& options) {
  std::vector<std::string> given;
  for (const char* action : kActions) {
    if (options.has(action)) given.emplace_back(action);
  }
  if (given.size() != 1) {
    return fail(ErrorCode::kInvalidRequest, "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list");
  }
  const std::string& action = given[0];
  const bool servers = options.has("bootstrap-server"), controllers = options.has("bootstrap-controller");
  if (servers && controllers) return fail(ErrorCode::kInvalidRequest, "Please don't specify both --bootstrap-server and --bootstrap-controller");
  if (!servers && !controllers) return fail(ErrorCode::kInvalidRequest, "Please specify either --bootstrap-server or --bootstrap-controller");
  if (action == "generate") {
    TRY(options.require("topics-to-move-json-file"));
    TRY(options.require("broker-list"));
  } else if (action != "list") {
    TRY(options.require("reassignment-json-file"));
  }
  static const std::map<std::string, std::set<std::string>> kPermitted{
      {"verify", {"reassignment-json-file", "bootstrap-server", "command-config", "preserve-throttles"}},
      {"generate", {"topics-to-move-json-file", "broker-list", "bootstrap-server", "command-config", "disable-rack-aware"}},
      {"execute", {"reassignment-json-file", "additional", "bootstrap-server", "command-config", "throttle", "replica-alter-log-dirs-throttle", "timeout",
                   "disallow-replication-factor-change"}},
      {"cancel", {"reassignment-json-file", "bootstrap-server", "bootstrap-controller", "command-config", "preserve-throttles", "timeout"}},
      {"list", {"bootstrap-server", "bootstrap-controller", "command-config"}}};
  for (const char* argument : kArguments) {
    if (options.has(argument) && !kPermitted.at(action).contains(argument)) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Option \"[{}]\" can't be used with action \"[{}]\"", argument, action));
    }
  }
  return action;
}

class ReassignCommand {
 public:
  ReassignCommand(ToolContext& context, client::Cluster& cluster, const Options& options) : context_(context), cluster_(cluster), options_(options) {}

  io::Task<Result<void>> run(const std::string& action) {
    if (action == "list") {
      CO_TRY_ASSIGN(const auto ongoing, co_await list_reassignments(cluster_));
      say(ongoing_text(ongoing) + "\n");
      co_return Result<void>{};
    }
    const std::string path = *options_.get(action == "generate" ? "topics-to-move-json-file" : "reassignment-json-file");
    auto content = io::read_file(context_.world.disk, path);
    if (!content) co_return fail(ErrorCode::kInvalidRequest, "Unable to read file " + path);
    text_ = as_text(*content);
    if (action == "verify") co_return co_await verify();
    if (action == "generate") co_return co_await generate();
    if (action == "execute") co_return co_await execute();
    co_return co_await cancel();
  }
  // Whether what went wrong is said without "Error: ".
  [[nodiscard]] bool terse() const { return terse_; }

 private:
  io::Task<Result<void>> verify();
  io::Task<Result<void>> generate();
  io::Task<Result<void>> execute();
  io::Task<Result<void>> cancel();

  io::Task<Result<std::map<TopicPartition, PartitionState>>> states_of(const Assignments& targets, const OngoingMoves& ongoing);
  io::Task<Result<std::map<ReplicaOf, DirectoryState>>> directory_states(const LogDirs& targets);
  io::Task<Result<LogDirs>> current_directories(const Assignments& assignments);
  io::Task<Result<void>> set_throttles(const OngoingMoves& ongoing, const Assignments& proposed, const Assignments& current, const LogDirs& directories);
  io::Task<Result<void>> clear_throttles(const Assignments& targets);
  io::Task<Result<void>> move_directories(LogDirs pending);
  void say(std::string_view text) { context_.console.write(text); }
  std::unexpected<Error> fail_tersely(std::string text) {
    terse_ = true;
    return fail(ErrorCode::kInvalidRequest, std::move(text));
  }

  ToolContext& context_;
  client::Cluster& cluster_;
  const Options& options_;
  std::string text_;  // Of the JSON file.
  bool terse_ = false;
};

io::Task<Result<std::map<TopicPartition, PartitionState>>> ReassignCommand::states_of(const Assignments& targets, const OngoingMoves& ongoing) {
  std::map<TopicPartition, PartitionState> states;
  std::set<std::string> topics;
  for (const auto& [partition, replicas] : targets) {
    if (!ongoing.contains(partition)) topics.insert(partition.topic);
  }
  // Topics that are gone have no replicas.
  if (!topics.empty()) CO_TRY(co_await cluster_.refresh({topics.begin(), topics.end()}));
  for (const auto& [partition, replicas] : targets) {
    if (const auto found = ongoing.find(partition); found != ongoing.end()) {
      states[partition] = {found->second.replicas, replicas, false};
      continue;
    }
    const auto topic = cluster_.topics().find(partition.topic);
    const bool known = topic != cluster_.topics().end() && topic->second.error == ErrorCode::kNone;
    const auto size = known ? topic->second.partitions.size() : 0;
    const auto index = static_cast<size_t>(partition.partition);
    if (known && (partition.partition < 0 || index == size)) {
      co_return fail(ErrorCode::kInvalidRequest, fmt::format("Index {} out of bounds for length {}", partition.partition, size));
    }
    states[partition] = {index < size ? topic->second.partitions[index].replicas : Replicas{}, replicas, true};
  }
  co_return states;
}

io::Task<Result<std::map<ReplicaOf, DirectoryState>>> ReassignCommand::directory_states(const LogDirs& targets) {
  std::vector<ReplicaOf> replicas;
  for (const auto& [replica, directory] : targets) replicas.push_back(replica);
  CO_TRY_ASSIGN(auto states, co_await directories_of(cluster_, replicas));
  for (const auto& [replica, directory] : targets) states[replica].target = directory;
  co_return states;
}

io::Task<Result<void>> ReassignCommand::verify() {
  CO_TRY_ASSIGN(const auto file, parse_reassignment(text_));
  const Assignments targets = file.assignments();
  CO_TRY_ASSIGN(const auto ongoing, co_await list_reassignments(cluster_));
  CO_TRY_ASSIGN(const auto states, co_await states_of(targets, ongoing));
  say(states_text(states) + "\n");
  CO_TRY_ASSIGN(const auto directories, co_await directory_states(file.log_dirs));
  say(directory_states_text(directories) + "\n");
  const bool moved = std::all_of(directories.begin(), directories.end(), [](const auto& entry) { return entry.second.done(); });
  if (ongoing.empty() && moved && !options_.has("preserve-throttles")) co_return co_await clear_throttles(targets);
  co_return Result<void>{};
}

io::Task<Result<void>> ReassignCommand::clear_throttles(const Assignments& targets) {
  CO_TRY_ASSIGN(const auto nodes, co_await describe_cluster(cluster_));
  std::set<int32_t> ids;
  std::set<std::string> names;
  for (const auto& node : nodes.nodes) ids.insert(node.id);
  for (const auto& [partition, replicas] : targets) {
    ids.insert(replicas.begin(), replicas.end());
    names.insert(partition.topic);
  }
  std::vector<int32_t> brokers(ids.begin(), ids.end());
  in_java_hash_order(brokers);
  say(fmt::format("Clearing broker-level throttles on broker{} {}\n", brokers.size() == 1 ? "" : "s", fmt::join(brokers, ",")));
  std::vector<SettingsOf> changes;
  for (const int32_t broker : brokers) {
    auto& change = changes.emplace_back(SettingsOf{true, std::to_string(broker), {}});
    for (const char* throttle : kBrokerThrottles) change.settings[throttle] = std::nullopt;
  }
  CO_TRY(co_await alter_settings(cluster_, changes));
  std::vector<std::string> topics(names.begin(), names.end());
  in_java_hash_order(topics, [](const std::string& name) { return java_hash(name); });
  say(fmt::format("Clearing topic-level throttles on topic{} {}\n", topics.size() == 1 ? "" : "s", fmt::join(topics, ",")));
  changes.clear();
  for (const auto& topic : topics) changes.push_back({false, topic, {{kLeaderThrottled, std::nullopt}, {kFollowerThrottled, std::nullopt}}});
  co_return co_await alter_settings(cluster_, changes);
}

// Of the replicas whose brokers are up.
io::Task<Result<LogDirs>> ReassignCommand::current_directories(const Assignments& assignments) {
  std::vector<ReplicaOf> replicas;
  for (const auto& [partition, brokers] : assignments) {
    for (const int32_t broker : brokers) {
      if (cluster_.brokers().contains(broker)) replicas.push_back({broker, partition});
    }
  }
  CO_TRY_ASSIGN(const auto states, co_await directories_of(cluster_, replicas));
  LogDirs directories;
  for (const auto& [replica, state] : states) {
    if (!state.current.empty()) directories[replica] = state.current;
  }
  co_return directories;
}

io::Task<Result<void>> ReassignCommand::generate() {
  CO_TRY_ASSIGN(const auto wanted, parse_broker_list(*options_.get("broker-list")));
  CO_TRY_ASSIGN(const auto topics, parse_topics_to_move(text_));
  CO_TRY_ASSIGN(const auto current, co_await assignments_of(cluster_, {topics.begin(), topics.end()}));
  CO_TRY_ASSIGN(const auto directories, co_await current_directories(current));
  CO_TRY_ASSIGN(const auto nodes, co_await describe_cluster(cluster_));
  const bool by_rack = !options_.has("disable-rack-aware");
  metadata::MetadataImage image;
  size_t without_rack = 0;
  for (const auto& node : nodes.nodes) {
    if (std::find(wanted.begin(), wanted.end(), node.id) == wanted.end()) continue;
    metadata::BrokerImage broker;
    broker.id = node.id;
    broker.fenced = false;
    if (by_rack) broker.rack = node.rack;
    without_rack += broker.rack ? 0 : 1;
    image.brokers.set(node.id, std::move(broker));
  }
  if (by_rack && without_rack != 0 && without_rack != image.brokers.size()) {
    co_return fail(ErrorCode::kInvalidRequest,
                   "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica assignment without rack information.");
  }
  if (image.brokers.empty() && !current.empty()) {
    co_return fail(ErrorCode::kInvalidReplicationFactor, "All brokers are currently fenced, or have all their log directories cordoned.");
  }
  std::map<std::string, std::pair<int32_t, int32_t>> sizes;  // Of each topic: partitions and replicas.
  for (const auto& [partition, replicas] : current) {
    auto& [partitions, factor] = sizes[partition.topic];
    if (partitions++ == 0) factor = static_cast<int32_t>(replicas.size());
  }
  Assignments proposed;
  for (const auto& [topic, size] : sizes) {
    auto placed = metadata::place_replicas(image, size.first, size.second, context_.world.loop.random());
    if (!placed) co_return fail(placed.error());
    for (int32_t i = 0; i < size.first; ++i) proposed[{topic, i}] = std::move((*placed)[static_cast<size_t>(i)]);
  }
  say(fmt::format("Current partition replica assignment\n{}\n\n", reassignment_json(current, directories)));
  say(fmt::format("Proposed partition reassignment configuration\n{}\n", reassignment_json(proposed, {})));
  co_return Result<void>{};
}

io::Task<Result<void>> ReassignCommand::set_throttles(const OngoingMoves& ongoing, const Assignments& proposed, const Assignments& current,
                                                      const LogDirs& directories) {
  CO_TRY_ASSIGN(const auto between_brokers, options_.number("throttle"));
  CO_TRY_ASSIGN(const auto between_directories, options_.number("replica-alter-log-dirs-throttle"));
  if (*between_brokers < 0 && *between_directories < 0) co_return Result<void>{};
  say("Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.\n");
  std::vector<SettingsOf> changes;
  if (*between_brokers >= 0) {
    const Moves moves = plan_moves(ongoing, proposed, current);
    for (const auto& [topic, of_topic] : moves) {
      changes.push_back({false, topic, {{kLeaderThrottled, leader_throttles(of_topic)}, {kFollowerThrottled, follower_throttles(of_topic)}}});
    }
    CO_TRY(co_await alter_settings(cluster_, changes));
    changes.clear();
    const std::string rate = std::to_string(*between_brokers);
    for (const int32_t broker : brokers_of(moves)) changes.push_back({true, std::to_string(broker), {{kBrokerThrottles[0], rate}, {kBrokerThrottles[1], rate}}});
    CO_TRY(co_await alter_settings(cluster_, changes));
    say(fmt::format("The inter-broker throttle limit was set to {} B/s\n", rate));
  }
  if (*between_directories >= 0) {
    changes.clear();
    std::set<int32_t> brokers;
    for (const auto& [replica, directory] : directories) brokers.insert(replica.broker);
    for (const int32_t broker : brokers) changes.push_back({true, std::to_string(broker), {{kBrokerThrottles[2], std::to_string(*between_directories)}}});
    CO_TRY(co_await alter_settings(cluster_, changes));
    say(fmt::format("The replica-alter-dir throttle limit was set to {} B/s\n", *between_directories));
  }
  co_return Result<void>{};
}

io::Task<Result<void>> ReassignCommand::execute() {
  CO_TRY_ASSIGN(const auto file, parse_reassignment(text_));
  CO_TRY(check_executable(file));
  const Assignments proposed = file.assignments();
  CO_TRY_ASSIGN(const auto ongoing, co_await list_reassignments(cluster_));
  if (!options_.has("additional") && !ongoing.empty()) co_return fail_tersely(std::string(kAlreadyThere));
  CO_TRY_ASSIGN(const auto nodes, co_await describe_cluster(cluster_));
  std::set<int32_t> unknown;
  std::set<std::string> topics;
  for (const auto& [partition, replicas] : proposed) {
    unknown.insert(replicas.begin(), replicas.end());
    topics.insert(partition.topic);
  }
  for (const auto& node : nodes.nodes) unknown.erase(node.id);
  if (!unknown.empty()) co_return fail(ErrorCode::kInvalidRequest, fmt::format("Unknown broker id {}", *unknown.begin()));
  CO_TRY_ASSIGN(auto current, co_await assignments_of(cluster_, topics));
  std::erase_if(current, [&](const auto& entry) { return !proposed.contains(entry.first); });
  std::vector<TopicPartition> missing;
  for (const auto& [partition, replicas] : proposed) {
    if (!current.contains(partition)) missing.push_back(partition);
  }
  if (!missing.empty()) {
    in_java_hash_order(missing, [](const TopicPartition& partition) { return java_hash(partition); });
    std::vector<std::string> names;
    for (const auto& partition : missing) names.push_back(partition.to_string());
    co_return fail(ErrorCode::kUnknownTopicOrPartition,
                   java_exception_text({ErrorCode::kUnknownTopicOrPartition, fmt::format("Unable to find partition: {}", fmt::join(names, ", "))}));
  }
  CO_TRY_ASSIGN(const auto directories, co_await current_directories(current));
  say(fmt::format("Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during rollback\n",
                  reassignment_json(current, directories)));
  CO_TRY(co_await set_throttles(ongoing, proposed, current, file.log_dirs));
  ReassignmentWishes wishes;
  std::vector<std::string> names, errors;
  for (const auto& [partition, replicas] : proposed) {
    wishes[partition] = replicas;
    names.push_back(partition.to_string());
  }
  CO_TRY_ASSIGN(const auto failed, co_await alter_reassignments(cluster_, wishes, !options_.has("disallow-replication-factor-change")));
  for (const auto& [partition, error] : failed) errors.push_back(partition.to_string() + ": " + error.text());
  if (!errors.empty()) co_return fail_tersely(fmt::format("Error reassigning partition(s):\n{}", fmt::join(errors, "\n")));
  say(fmt::format("Successfully started partition reassignment{} for {}\n", names.size() == 1 ? "" : "s", fmt::join(names, ",")));
  if (file.log_dirs.empty()) co_return Result<void>{};
  co_return co_await move_directories(file.log_dirs);
}

// A replica that is on its way to the broker cannot move to a directory there yet: it is tried again.
io::Task<Result<void>> ReassignCommand::move_directories(LogDirs pending) {
  CO_TRY_ASSIGN(const auto timeout, options_.number("timeout"));
  auto& loop = context_.world.loop;
  const auto deadline = io::after(loop.now(), std::chrono::milliseconds(*timeout));
  while (true) {
    CO_TRY_ASSIGN(auto started, co_await alter_directories(cluster_, pending));
    std::sort(started.begin(), started.end());
    for (const auto& replica : started) {
      say(fmt::format("Successfully started moving log directory to {} for replica {} with broker {} \n", pending[replica], replica.partition.to_string(), replica.broker));
      pending.erase(replica);
    }
    if (pending.empty()) co_return Result<void>{};
    if (loop.now() >= deadline) {
      std::vector<std::string> names;
      for (const auto& [replica, directory] : pending) names.push_back(replica.to_string());
      co_return fail_tersely(fmt::format("Timed out before log directory move{} could be started for: {}", names.size() == 1 ? "" : "s", fmt::join(names, ",")));
    }
    co_await io::sleep_for(loop, std::chrono::milliseconds(100));
  }
}

io::Task<Result<void>> ReassignCommand::cancel() {
  CO_TRY_ASSIGN(const auto file, parse_reassignment(text_));
  const Assignments targets = file.assignments();
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, replicas] : targets) partitions.push_back(partition);
  CO_TRY_ASSIGN(const auto ongoing, co_await list_reassignments(cluster_, partitions));
  ReassignmentWishes wishes;
  std::vector<std::string> names, errors;
  for (const auto& [partition, move] : ongoing) {
    if (move.adding.empty() && move.removing.empty()) continue;
    wishes[partition] = std::nullopt;
    names.push_back(partition.to_string());
  }
  if (wishes.empty()) {
    say("None of the specified partition reassignments are active.\n");
  } else {
    CO_TRY_ASSIGN(const auto failed, co_await alter_reassignments(cluster_, wishes, true));
    for (const auto& [partition, error] : failed) errors.push_back(partition.to_string() + ": " + error.text());
    if (!errors.empty()) {
      co_return fail_tersely(fmt::format("Error cancelling partition reassignment{} for:\n{}", errors.size() == 1 ? "" : "s", fmt::join(errors, "\n")));
    }
    say(fmt::format("Successfully cancelled partition reassignment{} for: {}\n", names.size() == 1 ? "" : "s", fmt::join(names, ",")));
  }
  CO_TRY_ASSIGN(const auto states, co_await directory_states(file.log_dirs));
  LogDirs back;
  for (const auto& [replica, state] : states) {
    if (state.moving()) back[replica] = state.current;
  }
  if (back.empty()) {
    // Kafka's tool ends this line only with the next one.
    say("None of the specified partition moves are active.");
  } else {
    CO_TRY(co_await move_directories(std::move(back)));
  }
  if (options_.has("preserve-throttles")) co_return Result<void>{};
  co_return co_await clear_throttles(targets);
}

}  // namespace

io::Task<int> run_reassign_partitions(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto done = answer_help(context, arguments, options)) co_return *done;
  const auto action = action_of(options);
  if (!action) co_return refuse(context, action.error().text(), options);
  std::optional<std::string> controllers;
  if (options.has("bootstrap-controller")) controllers = options.get_or("bootstrap-controller", "");
  const auto cluster = open_admin(context, {options.get("bootstrap-server"), controllers, options.get("command-config"), "reassign-partitions-tool"});
  if (!cluster) {
    context.console.write(fmt::format("Error: {}\n", cluster.error().text()));
    co_return 1;
  }
  ReassignCommand command(context, **cluster, options);
  const auto outcome = co_await command.run(*action);
  if (outcome) co_return 0;
  // This tool complains on standard output.
  context.console.write(fmt::format("{}{}\n", command.terse() ? "" : "Error: ", outcome.error().text()));
  co_return 1;
}

}  // namespace samsa::tool
