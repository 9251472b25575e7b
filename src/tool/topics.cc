// kafka-topics.sh: create, list, describe, alter and delete topics.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "client/admin.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/describe_configs.h"
#include "protocol/api/describe_topic_partitions.h"
#include "protocol/api/list_partition_reassignments.h"
#include "tool/commands.h"
#include "tool/java_number.h"
#include "tool/options.h"
#include "tool/topic_filter.h"

namespace samsa::tool {
namespace {

constexpr const char* kActions[] = {"list", "create", "delete", "alter", "describe"};
constexpr int8_t kTopicResource = 2;

Options declare() {
  Options options("This tool helps to create, delete, describe, or change a topic.");
  options.value("bootstrap-server", "server to connect to", "REQUIRED: the servers to connect to, host:port separated by commas.")
      .value("command-config", "command config property file", "A file of settings for the admin client.")
      .flag("list", "List all topics.")
      .flag("create", "Create a topic.")
      .flag("delete", "Delete a topic.")
      .flag("alter", "Change the number of partitions.")
      .flag("describe", "Show topics and their partitions.")
      .value("topic", "topic", "The topic; except with --create also a regular expression.")
      .value("topic-id", "topic-id", "The id of the topic to describe.")
      .values("config", "name=value", "With --create: a setting of the topic. May be given more than once.")
      .values("delete-config", "name", "No longer supported; use kafka-configs.sh.")
      .value("partitions", "# of partitions", "The number of partitions; with --create the cluster's default if left out.")
      .value("replication-factor", "replication factor", "Replicas of each partition; the cluster's default if left out.")
      .value("replica-assignment", "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , ...", "The brokers of every partition.")
      .flag("under-replicated-partitions", "With --describe: only partitions with replicas out of sync.")
      .flag("unavailable-partitions", "With --describe: only partitions whose leader is not available.")
      .flag("under-min-isr-partitions", "With --describe: only partitions with fewer in-sync replicas than the minimum.")
      .flag("at-min-isr-partitions", "With --describe: only partitions with just the minimum of in-sync replicas.")
      .flag("topics-with-overrides", "With --describe: only topics with settings of their own.")
      .flag("if-exists", "With --alter, --delete, --describe: do nothing when the topic does not exist.")
      .flag("if-not-exists", "With --create: do nothing when the topic exists.")
      .flag("exclude-internal", "With --list and --describe: leave internal topics out.")
      .value("partition-size-limit-per-response", "maximum number of partitions per response", "Partitions per answer of the broker.");
  return options;
}

Result<void> check(ToolContext& context, const Options& options) {
  if (options.has("describe") && options.has("if-exists")) {
    if (!options.has("topic") && !options.has("topic-id")) return fail(ErrorCode::kInvalidRequest, "--topic or --topic-id is required to describe a topic");
    if (options.has("topic") && options.has("topic-id")) {
      context.console.write("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID\n");
    }
  }
  const auto all_but = [](std::initializer_list<std::string_view> kept, std::initializer_list<const char*> added = {}) {
    std::vector<std::string> names(added.begin(), added.end());
    for (const std::string_view action : kActions) {
      if (std::find(kept.begin(), kept.end(), action) == kept.end()) names.emplace_back(action);
    }
    return names;
  };
  if (!options.has("list") && !options.has("describe")) TRY(options.require("topic"));
  if (options.has("alter")) {
    if (options.has("config")) {
      return fail(ErrorCode::kInvalidRequest, "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" (To alter topic configurations, the kafka-configs tool can be used.)");
    }
    TRY(options.require("partitions"));
  }
  TRY(options.forbid_with("config", all_but({"alter", "create"})));
  TRY(options.forbid_with("partitions", all_but({"alter", "create"})));
  TRY(options.forbid_with("replication-factor", all_but({"create"})));
  TRY(options.forbid_with("replica-assignment", all_but({"alter", "create"})));
  if (options.has("create")) TRY(options.forbid_with("replica-assignment", {"partitions", "replication-factor"}));
  for (const char* report : {"under-replicated-partitions", "under-min-isr-partitions", "at-min-isr-partitions", "unavailable-partitions"}) {
    TRY(options.forbid_with(report, all_but({"describe"}, {"topics-with-overrides"})));
  }
  TRY(options.forbid_with("topics-with-overrides", all_but({"describe"})));
  TRY(options.forbid_with("if-exists", all_but({"alter", "delete", "describe"})));
  TRY(options.forbid_with("if-not-exists", all_but({"create"})));
  return options.forbid_with("exclude-internal", all_but({"list", "describe"}));
}

std::string trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  return from == std::string_view::npos ? std::string() : std::string(text.substr(from, text.find_last_not_of(" \t") - from + 1));
}

// The topic id of a command line, in base64url; the errors are Kafka's.
Result<Uuid> parse_topic_id(const std::string& text) {
  if (text.size() > 24) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Input string with prefix `{}` is too long to be decoded as a base64 UUID", text.substr(0, 24)));
  }
  const auto id = Uuid::parse(text);
  if (id) return *id;
  return fail(ErrorCode::kInvalidRequest, fmt::format("Input string `{}` decoded as {} bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID",
                                                      text, text.size() * 3 / 4));
}

Result<std::vector<std::vector<int32_t>>> parse_assignment(std::string_view text) {
  std::vector<std::vector<int32_t>> assignment;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    auto& brokers = assignment.emplace_back();
    while (!part.empty()) {
      const size_t colon = part.find(':');
      std::string_view digits = part.substr(0, colon);
      part = colon == std::string_view::npos ? std::string_view{} : part.substr(colon + 1);
      while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
      while (!digits.empty() && digits.back() == ' ') digits.remove_suffix(1);
      int32_t id = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), id);
      if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
        return fail(ErrorCode::kInvalidRequest, fmt::format("For input string: \"{}\"", digits));
      }
      if (std::find(brokers.begin(), brokers.end(), id) != brokers.end()) {
        return fail(ErrorCode::kInvalidReplicaAssignment, fmt::format("Partition replica lists may not contain duplicate entries: {}", id));
      }
      brokers.push_back(id);
    }
    if (brokers.size() != assignment.front().size()) {
      return fail(ErrorCode::kInvalidReplicaAssignment,
                  fmt::format("Partition {} has different replication factor: [{}]", assignment.size() - 1, fmt::join(brokers, ", ")));
    }
  }
  return assignment;
}

// Whether one of the results says that the request reached a controller that is no longer active.
template <class Results>
bool is_elsewhere(const Results& results) {
  return std::any_of(results.begin(), results.end(), [](const auto& one) { return error_from_wire(one.error_code) == ErrorCode::kNotController; });
}

std::string join(const std::vector<int32_t>& ids) { return fmt::format("{}", fmt::join(ids, ",")); }

class TopicCommand {
 public:
  TopicCommand(ToolContext& context, client::Cluster& cluster, const Options& options) : context_(context), cluster_(cluster), options_(options) {}

  io::Task<Result<void>> run() {
    if (options_.has("create")) co_return co_await create();
    if (options_.has("list")) co_return co_await list();
    if (options_.has("alter")) co_return co_await alter();
    if (options_.has("describe")) co_return co_await describe();
    co_return co_await remove();
  }

 private:
  Result<void> fill(protocol::CreateTopicsRequest::CreatableTopic& topic) const;
  io::Task<> wait_until_seen(std::vector<std::string> topics, std::function<bool(const client::TopicInfo*)> is_there);
  io::Task<Result<void>> create();
  io::Task<Result<void>> list();
  io::Task<Result<void>> alter();
  io::Task<Result<void>> describe();
  io::Task<Result<void>> remove();
  // The names that --topic (a list of regular expressions) matches, or all; an error where it must match and does not.
  io::Task<Result<std::vector<std::string>>> names();
  io::Task<Result<std::map<std::string, std::vector<std::pair<std::string, std::string>>>>> overrides(const std::vector<std::string>& topics);
  io::Task<Result<std::map<std::string, int32_t>>> min_isr(const std::vector<std::string>& topics);
  io::Task<Result<std::vector<protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic>>> descriptions(
      std::vector<std::string> topics);
  bool show(const protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition& partition, int32_t min_isr);

  ToolContext& context_;
  client::Cluster& cluster_;
  const Options& options_;
  std::vector<client::Reply<protocol::DescribeTopicPartitionsResponse>> kept_;
};

Result<void> TopicCommand::fill(protocol::CreateTopicsRequest::CreatableTopic& topic) const {
  TRY_ASSIGN(const auto partitions, options_.integer("partitions"));
  TRY_ASSIGN(const auto factor, options_.integer("replication-factor"));
  topic.name = *options_.get("topic");
  topic.num_partitions = partitions.value_or(-1);
  topic.replication_factor = static_cast<int16_t>(factor.value_or(-1));
  TRY_ASSIGN(auto assignment, parse_assignment(options_.get_or("replica-assignment", "")));
  for (size_t i = 0; i < assignment.size(); ++i) {
    auto& entry = topic.assignments.emplace_back();
    entry.partition_index = static_cast<int32_t>(i);
    entry.broker_ids = std::move(assignment[i]);
  }
  for (const auto& pair : options_.all("config")) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || equals + 1 == pair.size() || pair.find('=', equals + 1) != std::string::npos) {
      return fail(ErrorCode::kInvalidConfig, "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".");
    }
    auto& config = topic.configs.emplace_back();
    config.name = trim(pair.substr(0, equals));
    if (config.name.empty()) return fail(ErrorCode::kInvalidConfig, "Unknown topic config name: ");
    config.value = protocol::NullableText{protocol::Text(trim(pair.substr(equals + 1)))};
  }
  if (topic.name.view().find_first_of("._") != std::string_view::npos) {
    context_.console.write("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid "
                           "issues it is best to use either, but not both.\n");
  }
  if (factor && (*factor < 1 || *factor > INT16_MAX)) {
    return fail(ErrorCode::kInvalidReplicationFactor, "The replication factor must be between 1 and 32767 inclusive");
  }
  if (partitions && *partitions < 1) return fail(ErrorCode::kInvalidPartitions, "The partitions must be greater than 0");
  if (topic.name.empty()) return fail(ErrorCode::kInvalidTopicException, "The given topic name '' cannot be represented in a request.");
  return {};
}

io::Task<Result<void>> TopicCommand::create() {
  protocol::CreateTopicsRequest request;
  request.timeout_ms = static_cast<int32_t>(cluster_.config().connection.request_timeout.count());
  CO_TRY(fill(request.topics.emplace_back()));
  const std::string name = *options_.get("topic");
  CO_TRY_ASSIGN(auto reply, co_await client::call_controller(cluster_, std::move(request), [](const auto& answer) { return is_elsewhere(answer.topics); }));
  for (const auto& answer : reply->topics) {
    const ErrorCode code = error_from_wire(answer.error_code);
    if (code == ErrorCode::kTopicAlreadyExists && options_.has("if-not-exists")) co_return Result<void>{};
    if (code != ErrorCode::kNone) co_return fail(code, answer.error_message ? answer.error_message->str() : std::string());
  }
  co_await wait_until_seen({name}, [](const client::TopicInfo* topic) { return topic != nullptr && topic->error == ErrorCode::kNone; });
  context_.console.write(fmt::format("Created topic {}.\n", name));
  co_return Result<void>{};
}

// A broker may answer before it has heard itself of what the controller did. The next command is to find what this one left.
io::Task<> TopicCommand::wait_until_seen(std::vector<std::string> topics, std::function<bool(const client::TopicInfo*)> is_there) {
  const auto deadline = io::after(context_.world.loop.now(), std::chrono::seconds(5));
  do {
    if (!co_await cluster_.refresh(topics)) co_return;
    const auto seen = [&](const std::string& name) {
      const auto found = cluster_.topics().find(name);
      return is_there(found == cluster_.topics().end() ? nullptr : &found->second);
    };
    if (std::all_of(topics.begin(), topics.end(), seen)) co_return;
  } while (co_await cluster_.back_off(deadline));
}

io::Task<Result<std::vector<std::string>>> TopicCommand::names() {
  CO_TRY(co_await cluster_.refresh_all());
  std::vector<std::string> found;
  const auto wanted = options_.get("topic");
  CO_TRY_ASSIGN(const auto pattern, IncludeList::create(wanted.value_or(".*")));
  for (const auto& [name, info] : cluster_.topics()) {
    if (info.internal && options_.has("exclude-internal")) continue;
    if (pattern.matches(name)) found.push_back(name);
  }
  if (wanted && !wanted->empty() && found.empty() && !options_.has("if-exists") && !options_.has("list")) {
    co_return fail(ErrorCode::kUnknownTopicOrPartition, fmt::format("Topic '{}' does not exist as expected", *wanted));
  }
  co_return found;
}

io::Task<Result<void>> TopicCommand::list() {
  CO_TRY_ASSIGN(const auto found, co_await names());
  context_.console.write(fmt::format("{}\n", fmt::join(found, "\n")));
  co_return Result<void>{};
}

io::Task<Result<void>> TopicCommand::alter() {
  CO_TRY_ASSIGN(const auto found, co_await names());
  CO_TRY_ASSIGN(const auto partitions, options_.integer("partitions"));
  CO_TRY_ASSIGN(const auto assignment, parse_assignment(options_.get_or("replica-assignment", "")));
  if (found.empty()) co_return Result<void>{};
  protocol::CreatePartitionsRequest request;
  request.timeout_ms = static_cast<int32_t>(cluster_.config().connection.request_timeout.count());
  for (const auto& name : found) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.count = *partitions;
    topic.assignments.reset();
    if (assignment.empty()) continue;
    topic.assignments.emplace();
    for (size_t i = cluster_.topics().at(name).partitions.size(); i < assignment.size(); ++i) topic.assignments->emplace_back().broker_ids = assignment[i];
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_controller(cluster_, std::move(request), [](const auto& answer) { return is_elsewhere(answer.results); }));
  for (const auto& answer : reply->results) {
    if (answer.error_code != 0) co_return fail(error_from_wire(answer.error_code), answer.error_message ? answer.error_message->str() : std::string());
  }
  const auto wanted = static_cast<size_t>(*partitions);
  co_await wait_until_seen(found, [wanted](const client::TopicInfo* topic) { return topic != nullptr && topic->partitions.size() >= wanted; });
  co_return Result<void>{};
}

io::Task<Result<void>> TopicCommand::remove() {
  CO_TRY_ASSIGN(const auto found, co_await names());
  if (found.empty()) co_return Result<void>{};
  protocol::DeleteTopicsRequest request;
  request.timeout_ms = static_cast<int32_t>(cluster_.config().connection.request_timeout.count());
  for (const auto& name : found) {
    request.topics.emplace_back().name = protocol::NullableText{protocol::Text(name)};
    request.topic_names.emplace_back(name);
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_controller(cluster_, std::move(request), [](const auto& answer) { return is_elsewhere(answer.responses); }));
  for (const auto& answer : reply->responses) {
    if (answer.error_code != 0) co_return fail(error_from_wire(answer.error_code), answer.error_message ? answer.error_message->str() : std::string());
  }
  co_await wait_until_seen(found, [](const client::TopicInfo* topic) { return topic == nullptr || topic->error != ErrorCode::kNone; });
  co_return Result<void>{};
}

io::Task<Result<std::map<std::string, std::vector<std::pair<std::string, std::string>>>>> TopicCommand::overrides(
    const std::vector<std::string>& topics) {
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> found;
  protocol::DescribeConfigsRequest request;
  for (const auto& name : topics) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopicResource;
    resource.resource_name = name;
    resource.configuration_keys.reset();
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster_, std::move(request)));
  for (const auto& result : reply->results) {
    if (result.error_code != 0) co_return fail(error_from_wire(result.error_code), result.error_message ? result.error_message->str() : std::string());
    std::map<std::string, std::string> values;
    std::vector<std::string> names;
    for (const auto& config : result.configs) {
      // What Java's ConfigEntry calls "not default": everything that does not come from the defaults (source 5).
      if (config.config_source == 5) continue;
      names.push_back(config.name.str());
      values[config.name.str()] = config.value ? config.value->str() : "null";
    }
    for (const auto& name : in_java_map_order(names, result.configs.size())) found[result.resource_name.str()].emplace_back(name, values[name]);
  }
  co_return found;
}

io::Task<Result<std::map<std::string, int32_t>>> TopicCommand::min_isr(const std::vector<std::string>& topics) {
  std::map<std::string, int32_t> found;
  if (!options_.has("under-min-isr-partitions") && !options_.has("at-min-isr-partitions")) co_return found;
  protocol::DescribeConfigsRequest request;
  for (const auto& name : topics) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopicResource;
    resource.resource_name = name;
    resource.configuration_keys.emplace().emplace_back("min.insync.replicas");
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster_, std::move(request)));
  for (const auto& result : reply->results) {
    for (const auto& config : result.configs) {
      const std::string_view text = config.value ? config.value->view() : std::string_view("1");
      std::from_chars(text.data(), text.data() + text.size(), found[result.resource_name.str()]);
    }
  }
  co_return found;
}

io::Task<Result<std::vector<protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic>>> TopicCommand::descriptions(
    std::vector<std::string> topics) {
  CO_TRY_ASSIGN(const auto limit, options_.number("partition-size-limit-per-response", 1, INT32_MAX));
  std::vector<protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic> all;
  protocol::DescribeTopicPartitionsRequest request;
  request.response_partition_limit = static_cast<int32_t>(limit.value_or(2000));
  for (const auto& name : topics) request.topics.emplace_back().name = name;
  while (true) {
    CO_TRY_ASSIGN(auto reply, co_await client::call_any(cluster_, request));
    for (const auto& topic : reply->topics) {
      if (topic.error_code != 0) co_return fail(error_from_wire(topic.error_code));
      // A topic that did not fit into one answer goes on in the next.
      if (!all.empty() && all.back().topic_id == topic.topic_id) {
        all.back().partitions.insert(all.back().partitions.end(), topic.partitions.begin(), topic.partitions.end());
      } else {
        all.push_back(topic);
      }
    }
    const bool more = reply->next_cursor.has_value();
    if (more) {
      request.cursor.emplace();
      request.cursor->topic_name = reply->next_cursor->topic_name.str();
      request.cursor->partition_index = reply->next_cursor->partition_index;
      std::erase_if(request.topics, [&](const auto& topic) { return topic.name < request.cursor->topic_name; });
    }
    kept_.push_back(std::move(reply));
    if (!more) co_return all;
  }
}

bool TopicCommand::show(const protocol::DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition& partition, int32_t min_isr) {
  const auto isr = static_cast<int32_t>(partition.isr_nodes.size());
  const bool led = partition.leader_id >= 0;
  bool reporting = false;
  for (const auto& [name, matches] : {std::pair{"under-replicated-partitions", partition.replica_nodes.size() > partition.isr_nodes.size()},
                                      std::pair{"unavailable-partitions", !led || !cluster_.brokers().contains(partition.leader_id)},
                                      std::pair{"under-min-isr-partitions", !led || isr < min_isr},
                                      std::pair{"at-min-isr-partitions", isr == min_isr}}) {
    if (!options_.has(name)) continue;
    reporting = true;
    if (matches) return true;
  }
  return !reporting;
}

io::Task<Result<void>> TopicCommand::describe() {
  std::vector<std::string> found;
  CO_TRY_ASSIGN(const Uuid uuid, options_.has("topic-id") ? parse_topic_id(*options_.get("topic-id")) : Result<Uuid>(kZeroUuid));
  if (!uuid.is_zero()) {
    CO_TRY(co_await cluster_.refresh_all());
    if (const std::string name = cluster_.topic_name(uuid); !name.empty()) found.push_back(name);
    if (found.empty() && !options_.has("if-exists")) co_return fail(ErrorCode::kUnknownTopicId, fmt::format("TopicId '{}' does not exist as expected", uuid.to_string()));
  } else {
    CO_TRY_ASSIGN(found, co_await names());
  }
  if (found.empty()) co_return Result<void>{};
  CO_TRY_ASSIGN(const auto topics, co_await descriptions(found));
  CO_TRY_ASSIGN(auto settings, co_await overrides(found));
  CO_TRY_ASSIGN(auto minimum, co_await min_isr(found));
  const bool reporting = options_.has("under-replicated-partitions") || options_.has("unavailable-partitions") ||
                         options_.has("under-min-isr-partitions") || options_.has("at-min-isr-partitions");
  for (const auto& topic : topics) {
    const std::string name = topic.name ? topic.name->str() : std::string();
    std::vector<std::string> configs;
    for (const auto& [key, value] : settings[name]) configs.push_back(key + "=" + value);
    if (options_.has("topics-with-overrides") && configs.empty()) continue;
    if (!reporting) {
      context_.console.write(fmt::format("Topic: {}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n", name,
                                         topic.topic_id.to_string(), topic.partitions.size(),
                                         topic.partitions.empty() ? 0 : topic.partitions[0].replica_nodes.size(), fmt::join(configs, ",")));
    }
    if (options_.has("topics-with-overrides")) continue;
    for (const auto& partition : topic.partitions) {
      if (!show(partition, minimum.contains(name) ? minimum[name] : 1)) continue;
      const auto list_or = [](const auto& ids) { return ids ? join(*ids) : std::string("N/A"); };
      context_.console.write(fmt::format("\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: {}\tLastKnownElr: {}\n", name,
                                         partition.partition_index, partition.leader_id < 0 ? "none" : std::to_string(partition.leader_id),
                                         join(partition.replica_nodes), join(partition.isr_nodes), list_or(partition.eligible_leader_replicas),
                                         list_or(partition.last_known_elr)));
    }
  }
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_topics(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (arguments.empty()) co_return refuse(context, "Create, delete, describe, or change a topic.", options);
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  const auto actions = std::count_if(std::begin(kActions), std::end(kActions), [&](const char* action) { return options.has(action); });
  if (actions != 1) co_return refuse(context, "Command must include exactly one action: --list, --describe, --create, --alter or --delete", options);
  if (options.has("delete-config")) {
    context.console.write_error("delete-config option is no longer supported and deprecated since version 4.0. The config will be fully removed in future releases.\n");
  }
  if (!options.has("bootstrap-server")) co_return refuse(context, "--bootstrap-server must be specified");
  if (const auto valid = check(context, options); !valid) co_return refuse(context, valid.error().text(), options);
  auto cluster = open_admin(context, options);
  if (!cluster) co_return refuse(context, cluster.error().text());
  TopicCommand command(context, **cluster, options);
  auto outcome = options.single();
  if (outcome) outcome = co_await command.run();
  if (outcome) co_return 0;
  context.console.write(fmt::format("Error while executing topic command : {}\n", outcome.error().text()));
  context.console.log("ERROR", outcome.error().text());
  co_return 1;
}

}  // namespace samsa::tool
