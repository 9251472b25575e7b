#include "tool/consumer_groups.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "protocol/api/delete_groups.h"
#include "protocol/api/describe_groups.h"
#include "protocol/api/list_groups.h"
#include "protocol/record/consumer_protocol_assignment.h"
#include "tool/commands.h"

namespace samsa::tool {
namespace {

constexpr const char* kActions[] = {"list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"};
const std::vector<std::string> kScenarios = {"to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "to-current", "shift-by", "from-file"};

Options declare() {
  Options options("This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset consumer group offsets.");
  options.value("bootstrap-server", "server to connect to", "REQUIRED: The servers to connect to.")
      .values("group", "consumer group", "The group to act on. May be given more than once.")
      .values("topic", "topic", "The topic whose offsets are reset or deleted; topic:0,1,2 for some partitions. May be given more than once.")
      .flag("all-topics", "With --reset-offsets: all topics that the group has offsets of.")
      .flag("list", "List all consumer groups.")
      .flag("describe", "Show the group's offsets and lag, members or state.")
      .flag("all-groups", "Act on all groups.")
      .flag("delete", "Delete groups.")
      .value("timeout", "timeout (ms)", "Milliseconds that an operation may take.", "30000")
      .value("command-config", "command config property file", "A file of settings for the admin client.")
      .flag("reset-offsets", "Set the offsets of a group without active members.")
      .flag("delete-offsets", "Delete the group's offsets of topics.")
      .flag("dry-run", "Only show what would be done.")
      .flag("execute", "Do it.")
      .flag("export", "Print the new offsets as CSV.")
      .value("to-offset", "offset", "Reset to this offset.")
      .value("from-file", "path to CSV file", "Reset to the offsets of this file.")
      .value("to-datetime", "datetime", "Reset to the first record at or after this time: YYYY-MM-DDThh:mm:ss.sss")
      .value("by-duration", "duration", "Reset to the first record within this time before now: PnDTnHnMnS")
      .flag("to-earliest", "Reset to the earliest offset.")
      .flag("to-latest", "Reset to the latest offset.")
      .flag("to-current", "Reset to the current offset.")
      .value("shift-by", "number-of-offsets", "Reset by this many records forward, or backward where negative.")
      .flag("members", "With --describe: the members.")
      .only_with({"describe"})
      .flag("verbose", "With --describe: more.")
      .only_with({"describe"})
      .flag("offsets", "With --describe: offsets and lag. The standard.")
      .only_with({"describe"})
      .optional_value("state", "String", "With --describe: the state; with --list: states shown, or only groups in these states.")
      .only_with({"describe", "list"})
      .optional_value("type", "String", "With --list: types shown, or only groups of these types.")
      .only_with({"list"})
      .value("validate-regex", "regex", "Say whether this is a regular expression that a subscription may have (RE2).");
  return options;
}

Result<void> check_reset(ToolContext& context, const Options& options) {
  if (options.has("dry-run") && options.has("execute")) {
    return fail(ErrorCode::kInvalidRequest, "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
  }
  if (!options.has("dry-run") && !options.has("execute")) {
    context.console.write_error("WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will require either "
                                "--dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting this command and "
                                "want to keep the current default behavior without prompting.\n");
  }
  if (!options.has("group") && !options.has("all-groups")) {
    return fail(ErrorCode::kInvalidRequest, "Option [reset-offsets] takes one of these options: [group], [all-groups]");
  }
  for (const auto& scenario : kScenarios) {
    auto others = kScenarios;
    std::erase(others, scenario);
    TRY(options.forbid_with(scenario, others));
  }
  if (!options.has("all-topics") && !options.has("topic") && !options.has("from-file")) {
    return fail(ErrorCode::kInvalidRequest, "One of the reset scopes should be defined: --all-topics, --topic.");
  }
  if (std::none_of(kScenarios.begin(), kScenarios.end(), [&](const auto& name) { return options.has(name); })) {
    return fail(ErrorCode::kInvalidRequest,
                fmt::format("Option '[reset-offsets]' requires one of the following scenarios: [[{}]]", fmt::join(kScenarios, "], [")));
  }
  return {};
}

Result<void> check(ToolContext& context, const Options& options) {
  if (!options.has("validate-regex")) TRY(options.require("bootstrap-server"));
  const bool scoped = options.has("group") || options.has("all-groups");
  for (const char* action : {"describe", "delete"}) {
    if (options.has(action) && !scoped) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Option [{}] takes one of these options: [group], [all-groups]", action));
    }
  }
  if (options.has("describe")) {
    if (options.has("members") + options.has("offsets") + options.has("state") > 1) {
      return fail(ErrorCode::kInvalidRequest, "Option [describe] takes at most one of these options: [members], [offsets], [state]");
    }
    if (options.has("state") && options.get("state")) {
      return fail(ErrorCode::kInvalidRequest, "Option [describe] does not take a value for [state]");
    }
  }
  if (options.has("delete") && options.has("topic")) {
    return fail(ErrorCode::kInvalidRequest, "The consumer does not support topic-specific offset deletion from a consumer group.");
  }
  if (options.has("delete-offsets") && (!options.has("group") || !options.has("topic"))) {
    return fail(ErrorCode::kInvalidRequest, "Option [delete-offsets] takes the following options: [topic], [group]");
  }
  if (options.has("reset-offsets")) TRY(check_reset(context, options));
  TRY(options.forbid_with("group", {"all-groups", "list"}));
  return options.forbid_with("topic", {"list", "describe"});
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= text.size() && !text.empty()) {
    const size_t comma = std::min(text.find(',', start), text.size());
    std::string part = text.substr(start, comma - start);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (!part.empty()) parts.push_back(part);
    start = comma + 1;
  }
  return parts;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

// The names of `known` that the comma-separated list asks for, in Kafka's spelling.
Result<std::vector<std::string>> choose(const std::string& what, const std::string& text, const std::vector<std::string>& known) {
  std::vector<std::string> chosen;
  for (const auto& part : split(text)) {
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& name) { return lower(name) == lower(part); });
    if (found == known.end()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid {} list '{}'. Valid {}s are: {}", what, text, what == "types" ? "type" : what,
                                                          fmt::join(known, ", ")));
    }
    chosen.push_back(*found);
  }
  return chosen;
}

// A type of group as Kafka's tools write it.
std::string type_name(std::string type) {
  if (type.empty()) return "Classic";
  type[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[0])));
  return type;
}

// A table as Java's printf writes it: the last column is not padded.
std::string row(const std::vector<size_t>& widths, const std::vector<std::string>& cells) {
  std::string text;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i) text += ' ';
    text += i < widths.size() && widths[i] ? fmt::format("{:<{}}", cells[i], widths[i]) : cells[i];
  }
  return text;
}

}  // namespace

io::Task<Result<std::vector<GroupCommand::Listing>>> GroupCommand::listings(std::vector<std::string> states, std::vector<std::string> types) {
  if (const auto asked = co_await cluster_.refresh({}); !asked) {
    if (asked.error().code != ErrorCode::kRequestTimedOut) co_return fail(asked.error());
    co_return fail(ErrorCode::kInvalidConfig, "java.util.concurrent.ExecutionException: org.apache.kafka.common.KafkaException: Failed to find brokers to send ListGroups");
  }
  std::vector<Listing> found;
  protocol::ListGroupsRequest request;
  for (const auto& state : states) request.states_filter.emplace_back(state);
  for (const auto& type : types) request.types_filter.emplace_back(type);
  for (const auto& [id, broker] : std::map(cluster_.brokers())) {
    CO_TRY_ASSIGN(auto connection, co_await cluster_.broker(id));
    const auto deadline = cluster_.api_deadline();
    while (true) {
      CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
      const ErrorCode code = error_from_wire(reply->error_code);
      if (error_is_retriable(code) && co_await cluster_.back_off(deadline)) continue;
      if (code != ErrorCode::kNone) co_return fail(code);
      for (const auto& group : reply->groups) {
        // Connect workers and the like are groups too, but not consumers.
        if (group.protocol_type.empty() || group.protocol_type == "consumer") {
          found.push_back({group.group_id.str(), group.group_state.str(), type_name(group.group_type.str())});
        }
      }
      break;
    }
  }
  co_return found;
}

io::Task<Result<void>> GroupCommand::list() {
  std::vector<std::string> states, types;
  if (const auto text = options_.get("state")) {
    CO_TRY_ASSIGN(states, choose("state", *text, {"PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"}));
  }
  if (const auto text = options_.get("type")) {
    CO_TRY_ASSIGN(types, choose("types", *text, {"Consumer", "Classic"}));
  }
  CO_TRY_ASSIGN(const auto groups, co_await listings(states, types));
  if (!options_.has("state") && !options_.has("type")) {
    for (const auto& group : groups) context_.console.write(group.id + "\n");
    co_return Result<void>{};
  }
  size_t widest = 15;
  for (const auto& group : groups) widest = std::max(widest, group.id.size());
  const auto line = [&](const std::string& id, const std::string& type, const std::string& state) {
    std::string text = fmt::format("{:<{}}", id, widest + 10);
    if (options_.has("type")) text += fmt::format(" {:<20}", type);
    if (options_.has("state")) text += fmt::format(" {:<20}", state);
    context_.console.write(text + "\n");
  };
  line("GROUP", "TYPE", "STATE");
  for (const auto& group : groups) line(group.id, group.type, group.state);
  co_return Result<void>{};
}

io::Task<Result<std::vector<std::string>>> GroupCommand::group_ids() {
  if (!options_.has("all-groups")) co_return options_.all("group");
  CO_TRY_ASSIGN(const auto groups, co_await listings({}, {}));
  std::vector<std::string> ids;
  for (const auto& group : groups) ids.push_back(group.id);
  co_return ids;
}

io::Task<Result<GroupCommand::Group>> GroupCommand::describe_group(std::string id) {
  protocol::DescribeGroupsRequest request;
  request.groups.emplace_back(id);
  CO_TRY_ASSIGN(auto reply, co_await client::call_coordinator(cluster_, client::CoordinatorType::kGroup, id, request, [](const auto& answer) {
                  return answer.groups.empty() ? ErrorCode::kNone : error_from_wire(answer.groups[0].error_code);
                }));
  if (reply->groups.empty()) co_return fail(ErrorCode::kUnknownServerError, "the coordinator's answer does not name the group");
  const auto& answer = reply->groups[0];
  Group group;
  group.id = id;
  group.error = error_from_wire(answer.error_code);
  group.message = answer.error_message ? answer.error_message->str() : std::string();
  group.state = answer.group_state.str();
  group.assignor = answer.protocol_data.str();
  for (const auto& member : answer.members) {
    Member& out = group.members.emplace_back();
    out.id = member.member_id.str();
    out.instance_id = member.group_instance_id ? member.group_instance_id->str() : std::string();
    out.client_id = member.client_id.str();
    out.host = member.client_host.str();
    if (member.member_assignment.empty()) continue;
    CO_TRY_ASSIGN(const auto assignment, protocol::decode_record<protocol::ConsumerProtocolAssignment>(member.member_assignment.view()));
    for (const auto& topic : assignment.assigned_partitions) {
      for (const int32_t partition : topic.partitions) out.assignment.push_back({topic.topic.str(), partition});
    }
  }
  CO_TRY_ASSIGN(auto coordinator, co_await cluster_.coordinator(client::CoordinatorType::kGroup, id));
  CO_TRY(co_await cluster_.refresh({}));
  for (const auto& [broker, info] : cluster_.brokers()) {
    if (info.address == coordinator->address()) group.coordinator = fmt::format("{}:{}  ({})", info.address.host, info.address.port, broker);
  }
  co_return group;
}

bool GroupCommand::say_state(const Group& group) {
  if (group.state == "Dead") {
    context_.console.write(fmt::format("\nError: Consumer group '{}' does not exist.\n", group.id));
    return false;
  }
  if (group.state == "Empty") context_.console.write_error(fmt::format("\nConsumer group '{}' has no active members.\n", group.id));
  if (group.state == "PreparingRebalance" || group.state == "CompletingRebalance") {
    context_.console.write_error(fmt::format("\nWarning: Consumer group '{}' is rebalancing.\n", group.id));
  }
  return true;
}

io::Task<Result<void>> GroupCommand::print_offsets(const Group& group) {
  CO_TRY_ASSIGN(const auto committed, co_await client::group_offsets(cluster_, group.id));
  std::map<TopicPartition, const Member*> owners;
  for (const auto& member : group.members) {
    for (const auto& partition : member.assignment) owners[partition] = &member;
  }
  std::map<TopicPartition, int64_t> asked;
  for (const auto& [partition, offset] : committed) asked[partition] = -1;
  for (const auto& [partition, member] : owners) asked[partition] = -1;
  CO_TRY_ASSIGN(const auto ends, co_await client::list_offsets(cluster_, asked));
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const TopicPartition* partition, const Member* member) {
    std::string current = "-", end = "-", lag = "-", epoch = "-";
    if (partition) {
      const auto commit = committed.find(*partition);
      const auto& listed = ends.at(*partition);
      const bool known = listed.error.code == ErrorCode::kNone;
      if (known) end = std::to_string(listed.offset);
      if (commit != committed.end()) {
        current = std::to_string(commit->second.offset);
        if (known) lag = std::to_string(listed.offset - commit->second.offset);
        if (commit->second.leader_epoch >= 0) epoch = std::to_string(commit->second.leader_epoch);
      }
    }
    std::vector<std::string> cells{group.id, partition ? partition->topic : "-", partition ? std::to_string(partition->partition) : "-"};
    if (options_.has("verbose")) cells.push_back(epoch);
    for (const auto& cell : {current, end, lag, member ? member->id : std::string("-"), member ? member->host : std::string("-"),
                             member ? member->client_id : std::string("-")}) {
      cells.push_back(cell);
    }
    rows.push_back(std::move(cells));
  };
  // As Java orders them: members with the most partitions first, then what nobody owns.
  std::vector<const Member*> members;
  for (const auto& member : group.members) members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const Member* a, const Member* b) {
    return a->assignment.size() != b->assignment.size() ? a->assignment.size() > b->assignment.size() : a->id < b->id;
  });
  for (const Member* member : members) {
    auto mine = member->assignment;
    std::sort(mine.begin(), mine.end(), [](const auto& a, const auto& b) {
      return a.partition != b.partition ? a.partition < b.partition : a.topic < b.topic;
    });
    for (const auto& partition : mine) add(&partition, member);
    if (mine.empty()) add(nullptr, member);
  }
  std::vector<TopicPartition> free;
  for (const auto& [partition, offset] : committed) {
    if (!owners.contains(partition)) free.push_back(partition);
  }
  for (const auto& partition : free) add(&partition, nullptr);
  if (rows.empty()) co_return Result<void>{};
  std::vector<std::string> header{"GROUP", "TOPIC", "PARTITION"};
  std::vector<size_t> widths{15, 15, 10};
  if (options_.has("verbose")) header.emplace_back("LEADER-EPOCH"), widths.push_back(15);
  for (const char* name : {"CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID"}) header.emplace_back(name);
  for (const size_t width : {15, 15, 15, 15, 15, 0}) widths.push_back(width);
  for (const auto& cells : rows) {
    for (const size_t i : {size_t{0}, size_t{1}, cells.size() - 3, cells.size() - 2}) widths[i] = std::max(widths[i], cells[i].size());
  }
  context_.console.write("\n" + row(widths, header));
  for (const auto& cells : rows) context_.console.write("\n" + row(widths, cells));
  context_.console.write("\n");
  co_return Result<void>{};
}

void GroupCommand::print_members(const Group& group) {
  std::vector<size_t> widths{15, 15, 17, 15, 15, 15};
  bool instances = false;
  for (const auto& member : group.members) {
    instances = instances || !member.instance_id.empty();
    const std::string* cells[] = {&group.id, &member.id, &member.instance_id, &member.host, &member.client_id};
    for (size_t i = 0; i < 5; ++i) widths[i] = std::max(widths[i], cells[i]->size());
  }
  const auto line = [&](std::vector<std::string> cells, const std::string& assignment) {
    auto these = widths;
    if (!instances) {
      cells.erase(cells.begin() + 2);
      these.erase(these.begin() + 2);
    }
    context_.console.write(row(these, cells) + " " + assignment + "\n");
  };
  const bool verbose = options_.has("verbose");
  context_.console.write("\n");
  line({"GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS"},
       verbose ? row({15, 20, 15, 0}, {"CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"}) : "");
  for (const auto& member : group.members) {
    std::map<std::string, std::set<std::string>> by_topic;
    for (const auto& partition : member.assignment) by_topic[partition.topic].insert(std::to_string(partition.partition));
    std::vector<std::string> texts;
    for (const auto& [topic, partitions] : by_topic) texts.push_back(fmt::format("{}:{}", topic, fmt::join(partitions, ",")));
    line({group.id, member.id, member.instance_id, member.host, member.client_id, std::to_string(member.assignment.size())},
         !verbose ? "" : row({15, 20, 15, 0}, {"-", texts.empty() ? "-" : fmt::format("{}", fmt::join(texts, ";")), "-", "-"}));
  }
}

void GroupCommand::print_state(const Group& group) {
  std::vector<size_t> widths{std::max<size_t>(15, group.id.size()), std::max<size_t>(25, group.coordinator.size()), 20, 20, 0};
  std::vector<std::string> header{"GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"};
  std::vector<std::string> cells{group.id, group.coordinator, group.assignor.empty() ? "-" : group.assignor, group.state, std::to_string(group.members.size())};
  if (options_.has("verbose")) {
    // A classic group has no epochs.
    widths.insert(widths.begin() + 4, {15, 25});
    header.insert(header.begin() + 4, {"GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH"});
    cells.insert(cells.begin() + 4, {"-", "-"});
  }
  context_.console.write("\n" + row(widths, header));
  context_.console.write("\n" + row(widths, cells) + "\n");
}

io::Task<Result<void>> GroupCommand::describe() {
  CO_TRY_ASSIGN(auto ids, co_await group_ids());
  std::sort(ids.begin(), ids.end());
  for (const auto& id : ids) {
    CO_TRY_ASSIGN(const Group group, co_await describe_group(id));
    if (group.error != ErrorCode::kNone) co_return fail(group.error, group.message);
    if (!say_state(group)) continue;
    if (options_.has("members")) {
      print_members(group);
    } else if (options_.has("state")) {
      print_state(group);
    } else {
      CO_TRY(co_await print_offsets(group));
    }
  }
  co_return Result<void>{};
}

io::Task<Result<void>> GroupCommand::remove() {
  CO_TRY_ASSIGN(const auto ids, co_await group_ids());
  std::vector<std::string> done;
  std::vector<std::pair<std::string, Error>> failed;
  for (const auto& id : ids) {
    protocol::DeleteGroupsRequest request;
    request.groups_names.emplace_back(id);
    auto reply = co_await client::call_coordinator(cluster_, client::CoordinatorType::kGroup, id, request, [](const auto& answer) {
      return answer.results.empty() ? ErrorCode::kNone : error_from_wire(answer.results[0].error_code);
    });
    if (!reply) {
      failed.emplace_back(id, reply.error());
      continue;
    }
    const ErrorCode code = (*reply)->results.empty() ? ErrorCode::kUnknownServerError : error_from_wire((*reply)->results[0].error_code);
    if (code == ErrorCode::kNone) done.push_back(id);
    else failed.emplace_back(id, Error{code, ""});
  }
  if (failed.empty()) {
    context_.console.write(fmt::format("Deletion of requested consumer groups ({}) was successful.\n", done.empty() ? "" : fmt::format("'{}'", fmt::join(done, "', '"))));
    co_return Result<void>{};
  }
  context_.console.write("\nError: Deletion of some consumer groups failed:\n");
  for (const auto& [id, error] : failed) context_.console.write(fmt::format("* Group '{}' could not be deleted due to: {}\n", id, exception_text(error)));
  if (!done.empty()) context_.console.write(fmt::format("\nThese consumer groups were deleted successfully: '{}'\n", fmt::join(done, "', '")));
  co_return Result<void>{};
}

namespace {

// What Java's tools say of a wrong regular expression.
std::string_view wrong_regex(re2::RE2::ErrorCode code) {
  switch (code) {
    case re2::RE2::ErrorBadEscape: return "invalid escape sequence";
    case re2::RE2::ErrorBadCharClass: return "invalid character class";
    case re2::RE2::ErrorBadCharRange: return "invalid character class range";
    case re2::RE2::ErrorMissingBracket: return "missing closing ]";
    case re2::RE2::ErrorMissingParen: return "missing closing )";
    case re2::RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case re2::RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case re2::RE2::ErrorRepeatSize: return "invalid repeat count";
    case re2::RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case re2::RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case re2::RE2::ErrorBadUTF8: return "invalid UTF-8";
    case re2::RE2::ErrorBadNamedCapture: return "invalid named capture";
    default: return "expression cannot be used";
  }
}

void validate_regex(ToolContext& context, const std::string& text) {
  const re2::RE2 pattern(text, re2::RE2::Quiet);
  if (pattern.ok()) context.console.write(fmt::format("The regular expression `{}` is valid.\n", text));
  else context.console.write(fmt::format("The regular expression `{}` is invalid: {}.\n", text, wrong_regex(pattern.error_code())));
}

io::Task<Result<void>> run_action(ToolContext& context, const Options& options) {
  for (const char* number : {"to-offset", "shift-by", "timeout"}) {
    if (const auto valid = options.number(number); !valid) co_return fail(ErrorCode::kInvalidConfig, valid.error().text());
  }
  if (const auto valid = options.single(); !valid) co_return fail(ErrorCode::kInvalidConfig, valid.error().text());
  CO_TRY_ASSIGN(const auto timeout, options.number("timeout"));
  CO_TRY_ASSIGN(auto cluster, open_admin(context, options, std::chrono::milliseconds(timeout.value_or(30'000))));
  GroupCommand command(context, *cluster, options);
  if (options.has("list")) co_return co_await command.list();
  if (options.has("describe")) co_return co_await command.describe();
  if (options.has("delete")) co_return co_await command.remove();
  if (options.has("reset-offsets")) co_return co_await command.reset_offsets();
  co_return co_await command.delete_offsets();
}

}  // namespace

io::Task<int> run_consumer_groups(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto valid = check(context, options); !valid) co_return refuse(context, valid.error().text(), options);
  const auto actions = std::count_if(std::begin(kActions), std::end(kActions), [&](const char* action) { return options.has(action); });
  if (actions != 1) co_return refuse(context, fmt::format("Command must include exactly one action: --{}", fmt::join(kActions, ", --")), options);
  if (const auto regex = options.get("validate-regex")) {
    validate_regex(context, *regex);
    co_return 0;
  }
  const auto outcome = co_await run_action(context, options);
  if (outcome) co_return 0;
  const Error& error = outcome.error();
  if (error.code == ErrorCode::kInvalidRequest) co_return refuse(context, error.text(), options);
  // What no broker said is no exception of Kafka's.
  const bool own = error.code == ErrorCode::kInvalidConfig || error.code == ErrorCode::kInvalidTimestamp || error.code == ErrorCode::kKafkaStorageError;
  const std::string text = own ? error.text() : exception_text(error);
  // Kafka's tool prints this and ends with 0.
  context.console.write(fmt::format("\nError: Executing consumer group command failed due to {}\n", text));
  context.console.write_error(text + "\n");
  co_return 0;
}

}  // namespace samsa::tool
