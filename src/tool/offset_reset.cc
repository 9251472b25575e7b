// kafka-consumer-groups.sh --reset-offsets and --delete-offsets.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "protocol/api/offset_delete.h"
#include "tool/consumer_groups.h"
#include "tool/java_text.h"
#include "tool/time_text.h"

namespace samsa::tool {
namespace {

std::vector<std::string> cut(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (true) {
    const size_t end = text.find(separator, start);
    parts.push_back(text.substr(start, end == std::string::npos ? end : end - start));
    if (end == std::string::npos) return parts;
    start = end + 1;
  }
}

// As Java's String.split: empty parts at the end are dropped; a text without the separator is one part, even an empty one.
std::vector<std::string> java_split(const std::string& text, char separator) {
  auto parts = cut(text, separator);
  if (parts.size() == 1) return parts;
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

// What ends the command with this text; the exit code is 0, as of Java's tool.
std::unexpected<Error> failed(std::string text) { return fail(ErrorCode::kInvalidConfig, std::move(text)); }
std::unexpected<Error> failed_call(const Error& error) { return failed("java.util.concurrent.ExecutionException: " + exception_text(error)); }

// "topic:0,1,2". INVALID_REQUEST: a wrong command line.
Result<std::vector<TopicPartition>> parse_partitions(const std::string& text) {
  const auto parts = java_split(text, ':');
  if (parts.size() != 2) return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid topic arg '{}', expected topic name and partitions", text));
  std::vector<TopicPartition> partitions;
  for (const auto& digits : java_split(parts[1], ',')) {
    int32_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid partition '{}' specified in topic arg '{}''", digits, text));
    }
    partitions.push_back({parts[0], number});
  }
  return partitions;
}

void in_hash_order(std::vector<TopicPartition>& partitions) {
  in_java_hash_order(partitions, [](const TopicPartition& partition) { return java_hash(partition); });
}

// The partitions in the order in which Java's tool goes through them.
std::vector<TopicPartition> ordered(const std::map<TopicPartition, Offset>& offsets) {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, offset] : offsets) partitions.push_back(partition);
  in_hash_order(partitions);
  return partitions;
}

}  // namespace

io::Task<Result<std::vector<TopicPartition>>> GroupCommand::partitions_to_reset() {
  std::vector<TopicPartition> partitions;
  std::vector<std::string> whole;
  for (const auto& text : options_.all("topic")) {
    if (text.find(':') == std::string::npos) {
      whole.push_back(text);
      continue;
    }
    CO_TRY_ASSIGN(const auto some, parse_partitions(text));
    partitions.insert(partitions.end(), some.begin(), some.end());
  }
  std::vector<std::string> missing;
  for (const auto& partition : partitions) {
    if (partition.topic.empty()) {
      co_return failed_call({ErrorCode::kInvalidTopicException, "The given topic name '' cannot be represented in a request."});
    }
    const auto topic = co_await cluster_.topic(partition.topic);
    if (!topic) co_return failed_call(topic.error());
    const bool there = partition.partition >= 0 && static_cast<size_t>(partition.partition) < topic->partitions.size();
    if (!there) missing.push_back(partition.to_string());
  }
  for (const auto& name : whole) {
    const auto topic = co_await cluster_.topic(name);
    if (!topic) co_return failed(topic.error().text());
    for (const auto& partition : topic->partitions) partitions.push_back({name, partition.index});
  }
  if (!missing.empty()) co_return failed(fmt::format("The partitions \"{}\" do not exist", fmt::join(missing, ",")));
  co_return partitions;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::offsets_at(std::vector<TopicPartition> partitions, int64_t timestamp) {
  std::map<TopicPartition, int64_t> asked;
  for (const auto& partition : partitions) asked[partition] = timestamp;
  CO_TRY_ASSIGN(const auto listed, co_await client::list_offsets(cluster_, asked));
  Offsets offsets;
  for (const auto& [partition, one] : listed) {
    if (one.error.code == ErrorCode::kUnknownTopicOrPartition && !co_await cluster_.topic(partition.topic)) {
      co_return failed_call({one.error.code, fmt::format("Failed to fetch metadata for partition {} because metadata for topic `{}` could not be found",
                                                         partition.to_string(), partition.topic)});
    }
    if (one.error.code != ErrorCode::kNone) co_return failed_call(one.error);
    offsets[partition] = one.offset;
  }
  co_return offsets;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::within_range(Offsets wanted) {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, offset] : wanted) partitions.push_back(partition);
  CO_TRY_ASSIGN(const auto starts, co_await offsets_at(partitions, -2));
  CO_TRY_ASSIGN(const auto ends, co_await offsets_at(partitions, -1));
  for (const auto& partition : ordered(wanted)) {
    Offset& offset = wanted[partition];
    const Offset start = starts.at(partition), end = ends.at(partition);
    if (offset > end || offset < start) {
      const bool above = offset > end;
      context_.console.log("WARN", fmt::format("New offset ({}) is {} offset for topic partition {}. Value will be set to {}", offset,
                                               above ? "higher than latest" : "lower than earliest", partition.to_string(), above ? end : start));
      offset = above ? end : start;
    }
  }
  co_return wanted;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::plan_from_time(std::vector<TopicPartition> partitions, int64_t timestamp) {
  CO_TRY_ASSIGN(auto offsets, co_await offsets_at(partitions, timestamp));
  std::vector<TopicPartition> none;
  for (const auto& partition : ordered(offsets)) {
    if (offsets.at(partition) >= 0) continue;
    none.push_back(partition);
    context_.console.write(fmt::format("\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.\n", partition.partition, partition.topic));
  }
  CO_TRY_ASSIGN(const auto ends, co_await offsets_at(none, -1));
  for (const auto& [partition, offset] : ends) offsets[partition] = offset;
  co_return offsets;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::plan_from_committed(std::string group, std::vector<TopicPartition> partitions) {
  CO_TRY_ASSIGN(const auto committed, co_await client::group_offsets(cluster_, group));
  CO_TRY_ASSIGN(const auto shift, options_.number("shift-by"));
  Offsets offsets;
  std::vector<TopicPartition> none;
  for (const auto& partition : partitions) {
    const auto found = committed.find(partition);
    if (found != committed.end()) {
      offsets[partition] = found->second.offset + shift.value_or(0);
    } else if (shift) {
      co_return fail(ErrorCode::kInvalidRequest, fmt::format("Cannot shift offset for partition {} since there is no current committed offset", partition.to_string()));
    } else {
      none.push_back(partition);
    }
  }
  if (shift) co_return co_await within_range(std::move(offsets));
  CO_TRY_ASSIGN(const auto ends, co_await offsets_at(none, -1));
  for (const auto& [partition, offset] : ends) offsets[partition] = offset;
  co_return offsets;
}

namespace {

// One line of a plan, as Java's tool reads it with Jackson: cells that are missing are 0, numbers may have blanks around them.
struct PlanLine {
  std::string group, topic;
  int32_t partition = 0;
  Offset offset = 0;

  // The error is Jackson's.
  static Result<PlanLine> parse(std::string line, bool with_group) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    constexpr const char* kWhere = "\n at [Source: (StringReader); line: {}, column: {}]";
    if (line.empty()) {
      return failed("com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input" +
                    fmt::format(fmt::runtime(kWhere), "UNKNOWN", "UNKNOWN"));
    }
    auto cells = cut(line, ',');
    std::vector<size_t> columns;
    for (size_t i = 0, at = 1; i < cells.size(); at += cells[i++].size() + 1) columns.push_back(at);
    for (auto& cell : cells) {
      if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    }
    const size_t first = with_group ? 1 : 0, most = first + 3;
    if (cells.size() > most) {
      return failed(fmt::format("com.fasterxml.jackson.dataformat.csv.CsvReadException: Too many entries: expected at most {} (value #{} ({} chars) \"{}\")", most,
                                most, cells[most].size(), cells[most]));
    }
    PlanLine parsed;
    const auto cell = [&](size_t i) { return i < cells.size() ? cells[i] : std::string(); };
    if (with_group) parsed.group = cell(0);
    parsed.topic = cell(first);
    const auto number = [&](size_t i, auto& into, const char* type, const char* name) -> Result<void> {
      std::string digits = cell(i);
      digits.erase(0, digits.find_first_not_of(' '));
      digits.erase(digits.find_last_not_of(' ') + 1);
      if (digits.empty()) return {};
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), into);
      if (read.ec == std::errc{} && read.ptr == digits.data() + digits.size()) return {};
      return failed(fmt::format("com.fasterxml.jackson.databind.exc.InvalidFormatException: Cannot deserialize value of type `{0}` from String \"{1}\": not a "
                                "valid `{0}` value", type, cell(i)) +
                    fmt::format(fmt::runtime(kWhere), 1, columns[i]) +
                    fmt::format(" (through reference chain: org.apache.kafka.tools.consumer.group.CsvUtils$CsvRecord{}Group[\"{}\"])",
                                with_group ? "With" : "No", name));
    };
    TRY(number(first + 1, parsed.partition, "int", "partition"));
    TRY(number(first + 2, parsed.offset, "long", "offset"));
    return parsed;
  }
};

}  // namespace

// Lines of topic,partition,offset where one group is named and the first line is one; otherwise of group,topic,partition,offset.
Result<std::map<std::string, GroupCommand::Offsets>> GroupCommand::plan_file() {
  const std::string path = *options_.get("from-file");
  const auto content = io::read_file(context_.world.disk, path);
  if (!content) return failed("java.io.IOException: Unable to read file " + path);
  const auto lines = java_split(std::string(as_text(*content)), '\n');
  const auto groups = options_.all("group");
  const bool with_group = groups.size() != 1 || lines.empty() || !PlanLine::parse(lines[0], false);
  std::map<std::string, Offsets> plans;
  for (const std::string& text : lines) {
    TRY_ASSIGN(const PlanLine line, PlanLine::parse(text, with_group));
    plans[with_group ? line.group : groups[0]][{line.topic, line.partition}] = line.offset;
  }
  return plans;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::plan(std::string group, std::vector<TopicPartition> partitions) {
  if (options_.has("to-earliest")) co_return co_await offsets_at(partitions, -2);
  if (options_.has("to-latest")) co_return co_await offsets_at(partitions, -1);
  if (options_.has("to-offset")) {
    CO_TRY_ASSIGN(const auto offset, options_.number("to-offset"));
    Offsets wanted;
    for (const auto& partition : partitions) wanted[partition] = *offset;
    co_return co_await within_range(std::move(wanted));
  }
  if (const auto text = options_.get("to-datetime")) {
    CO_TRY_ASSIGN(const int64_t timestamp, parse_datetime(*text));
    co_return co_await plan_from_time(partitions, timestamp);
  }
  if (const auto text = options_.get("by-duration")) {
    CO_TRY_ASSIGN(const int64_t duration, parse_duration(*text));
    co_return co_await plan_from_time(partitions, context_.world.loop.wall_ms() - duration);
  }
  if (options_.has("from-file")) {
    CO_TRY_ASSIGN(auto plans, plan_file());
    if (!plans.contains(group)) {
      context_.console.write(fmt::format("\nError: No reset plan for group {} found\n", group));
      co_return Offsets{};
    }
    co_return co_await within_range(std::move(plans[group]));
  }
  co_return co_await plan_from_committed(group, partitions);
}

io::Task<Result<void>> GroupCommand::reset_offsets() {
  CO_TRY_ASSIGN(const auto ids, co_await group_ids());
  std::map<std::string, Offsets> done;
  for (const auto& id : ids) {
    CO_TRY_ASSIGN(const Group group, co_await describe_group(id));
    const bool missing = group.error == ErrorCode::kGroupIdNotFound;
    if (group.error != ErrorCode::kNone && !missing) co_return fail(group.error, group.message);
    if (!missing && group.state != "Empty" && group.state != "Dead") {
      context_.console.write(fmt::format("\nError: Assignments can only be reset if the group '{}' is inactive, but the current state is {}.\n", id, group.state));
      done[id];
      continue;
    }
    std::vector<TopicPartition> partitions;
    if (options_.has("all-topics")) {
      CO_TRY_ASSIGN(const auto committed, co_await client::group_offsets(cluster_, id));
      for (const auto& [partition, offset] : committed) partitions.push_back(partition);
    } else {
      CO_TRY_ASSIGN(partitions, co_await partitions_to_reset());
    }
    CO_TRY_ASSIGN(auto offsets, co_await plan(id, partitions));
    if (options_.has("execute") && !offsets.empty()) {
      std::map<TopicPartition, client::CommitOffset> commits;
      for (const auto& [partition, offset] : offsets) commits[partition] = {offset, -1, ""};
      CO_TRY_ASSIGN(const auto errors, co_await client::commit_offsets(cluster_, {id, "", -1, ""}, commits));
      for (const auto& [partition, error] : errors) {
        if (error.code != ErrorCode::kNone) co_return fail(error.code, fmt::format("{}: {}", partition.to_string(), error.text()));
      }
    }
    done[id] = std::move(offsets);
  }
  if (options_.has("export")) {
    const bool single = options_.all("group").size() == 1;
    for (const auto& [id, offsets] : done) {
      for (const auto& partition : ordered(offsets)) {
        context_.console.write(fmt::format("{}{},{},{}\n", single ? "" : id + ",", partition.topic, partition.partition, offsets.at(partition)));
      }
    }
    context_.console.write("\n");
    co_return Result<void>{};
  }
  size_t group_width = 15, topic_width = 15;
  for (const auto& [id, offsets] : done) {
    group_width = std::max(group_width, id.size());
    for (const auto& [partition, offset] : offsets) topic_width = std::max(topic_width, partition.topic.size());
  }
  const auto line = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
    context_.console.write(fmt::format("\n{:<{}} {:<{}} {:<10} {}", a, group_width, b, topic_width, c, d));
  };
  if (!done.empty()) line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
  for (const auto& [id, offsets] : done) {
    for (const auto& partition : ordered(offsets)) line(id, partition.topic, std::to_string(partition.partition), std::to_string(offsets.at(partition)));
  }
  context_.console.write("\n");
  co_return Result<void>{};
}

void GroupCommand::print_deleted_offsets(Error top, const std::map<TopicPartition, Error>& outcomes) {
  const std::string id = *options_.get("group");
  switch (top.code) {
    case ErrorCode::kNone: context_.console.write(fmt::format("Request succeeded for deleting offsets from group {}.\n", id)); break;
    case ErrorCode::kInvalidGroupId:
    case ErrorCode::kGroupIdNotFound:
    case ErrorCode::kGroupAuthorizationFailed:
    case ErrorCode::kNonEmptyGroup: context_.console.write(fmt::format("\nError: {}\n", error_text(top.code))); break;
    case ErrorCode::kGroupSubscribedToTopic:
    case ErrorCode::kTopicAuthorizationFailed:
    case ErrorCode::kUnknownTopicOrPartition:
      context_.console.write("\nError: Encountered some partition-level error, see the follow-up details.\n");
      break;
    default: context_.console.write(fmt::format("\nError: Encountered some unknown error: {}\n", error_name(top.code)));
  }
  std::vector<std::pair<std::string, const std::pair<const TopicPartition, Error>*>> rows;
  for (const auto& one : outcomes) rows.emplace_back(one.first.topic + std::to_string(one.first.partition), &one);
  std::sort(rows.begin(), rows.end());
  size_t width = 15;
  for (const auto& [partition, error] : outcomes) width = std::max(width, partition.topic.size());
  context_.console.write(fmt::format("\n{:<{}} {:<10} {:<15}", "TOPIC", width, "PARTITION", "STATUS"));
  for (const auto& [key, one] : rows) {
    const auto& [partition, error] = *one;
    context_.console.write(fmt::format("\n{:<{}} {:<10} {:<15}", partition.topic, width, partition.partition < 0 ? "-" : std::to_string(partition.partition),
                                       error.code == ErrorCode::kNone ? "Successful" : "Error: " + exception_text(error)));
  }
  context_.console.write("\n");
}

io::Task<Result<void>> GroupCommand::delete_offsets() {
  const std::string id = *options_.get("group");
  std::map<TopicPartition, Error> outcomes;  // Partition -1: the topic as a whole.
  std::vector<TopicPartition> partitions;
  for (const auto& text : options_.all("topic")) {
    if (text.find(':') == std::string::npos) continue;
    CO_TRY_ASSIGN(const auto some, parse_partitions(text));
    partitions.insert(partitions.end(), some.begin(), some.end());
  }
  for (const auto& text : options_.all("topic")) {
    if (text.find(':') != std::string::npos) continue;
    const auto topic = co_await cluster_.topic(text);
    if (!topic) {
      outcomes[{text, -1}] = topic.error().code == ErrorCode::kRequestTimedOut ? client::no_broker_in_time("listNodes") : topic.error();
      continue;
    }
    for (const auto& partition : topic->partitions) partitions.push_back({text, partition.index});
  }
  std::sort(partitions.begin(), partitions.end());
  partitions.erase(std::unique(partitions.begin(), partitions.end()), partitions.end());
  protocol::OffsetDeleteRequest request;
  request.group_id = id;
  for (const auto& partition : partitions) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) request.topics.emplace_back().name = partition.topic;
    request.topics.back().partitions.emplace_back().partition_index = partition.partition;
  }
  auto reply = co_await client::call_coordinator(cluster_, client::CoordinatorType::kGroup, id, request,
                                                 [](const auto& answer) { return error_from_wire(answer.error_code); });
  Error top = reply ? Error{error_from_wire((*reply)->error_code), ""} : reply.error();
  for (const auto& partition : partitions) outcomes[partition] = top;
  if (reply && top.code == ErrorCode::kNone) {
    for (const auto& topic : (*reply)->topics) {
      for (const auto& partition : topic.partitions) {
        const Error error{error_from_wire(partition.error_code), ""};
        outcomes[{topic.name.str(), partition.partition_index}] = error;
        if (top.code == ErrorCode::kNone) top = error;
      }
    }
  }
  print_deleted_offsets(top, outcomes);
  co_return Result<void>{};
}

}  // namespace samsa::tool
