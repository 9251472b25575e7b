// kafka-consumer-groups.sh --reset-offsets and --delete-offsets.
#include <fmt/format.h>

#include <charconv>

#include "protocol/api/offset_delete.h"
#include "tool/consumer_groups.h"
#include "tool/time_text.h"

namespace samsa::tool {
namespace {

Result<int64_t> to_number(std::string_view digits, std::string_view what) {
  int64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid {} '{}'", what, digits));
  }
  return number;
}

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

}  // namespace

io::Task<Result<std::vector<TopicPartition>>> GroupCommand::partitions_of(std::vector<std::string> topics) {
  std::vector<TopicPartition> partitions;
  for (const auto& text : topics) {
    if (text.find(':') == std::string::npos) {
      CO_TRY_ASSIGN(const auto topic, co_await cluster_.topic(text));
      for (const auto& partition : topic.partitions) partitions.push_back({text, partition.index});
      continue;
    }
    const auto parts = cut(text, ':');
    if (parts.size() != 2) co_return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid topic arg '{}', expected topic name and partitions", text));
    for (const auto& digits : cut(parts[1], ',')) {
      const auto number = to_number(digits, "partition");
      if (!number) co_return fail(ErrorCode::kInvalidRequest, fmt::format("Invalid partition '{}' specified in topic arg '{}''", digits, text));
      partitions.push_back({parts[0], static_cast<int32_t>(*number)});
    }
  }
  co_return partitions;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::offsets_at(std::vector<TopicPartition> partitions, int64_t timestamp) {
  std::map<TopicPartition, int64_t> asked;
  for (const auto& partition : partitions) asked[partition] = timestamp;
  CO_TRY_ASSIGN(const auto listed, co_await client::list_offsets(cluster_, asked));
  Offsets offsets;
  for (const auto& [partition, one] : listed) {
    if (one.error.code != ErrorCode::kNone) {
      co_return fail(ErrorCode::kInvalidRequest, fmt::format("Error getting {} offset of topic partition: {}", timestamp == -2 ? "starting" : "ending",
                                                             partition.to_string()));
    }
    offsets[partition] = one.offset;
  }
  co_return offsets;
}

io::Task<Result<GroupCommand::Offsets>> GroupCommand::within_range(Offsets wanted) {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, offset] : wanted) partitions.push_back(partition);
  CO_TRY_ASSIGN(const auto starts, co_await offsets_at(partitions, -2));
  CO_TRY_ASSIGN(const auto ends, co_await offsets_at(partitions, -1));
  for (auto& [partition, offset] : wanted) {
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
  for (const auto& [partition, offset] : offsets) {
    if (offset >= 0) continue;
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

// Lines of topic,partition,offset, or of group,topic,partition,offset.
Result<std::map<std::string, GroupCommand::Offsets>> GroupCommand::plan_file() {
  const std::string path = *options_.get("from-file");
  const auto content = io::read_file(context_.world.disk, path);
  if (!content) return fail(ErrorCode::kKafkaStorageError, "Unable to read file " + path);
  std::map<std::string, Offsets> plans;
  const auto groups = options_.all("group");
  int number = 0;
  for (std::string line : cut(std::string(as_text(*content)), '\n')) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    auto cells = cut(line, ',');
    for (auto& cell : cells) {
      if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    }
    if (cells.size() == 3 && groups.size() == 1) cells.insert(cells.begin(), groups[0]);
    if (cells.size() != 4) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("{}:{}: expected {}topic,partition,offset but found '{}'", path, number, groups.size() == 1 ? "" : "group,", line));
    }
    TRY_ASSIGN(const int64_t partition, to_number(cells[2], "partition"));
    TRY_ASSIGN(const int64_t offset, to_number(cells[3], "offset"));
    plans[cells[0]][{cells[1], static_cast<int32_t>(partition)}] = offset;
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
      CO_TRY_ASSIGN(partitions, co_await partitions_of(options_.all("topic")));
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
      for (const auto& [partition, offset] : offsets) {
        context_.console.write(fmt::format("{}{},{},{}\n", single ? "" : id + ",", partition.topic, partition.partition, offset));
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
    for (const auto& [partition, offset] : offsets) line(id, partition.topic, std::to_string(partition.partition), std::to_string(offset));
  }
  context_.console.write("\n");
  co_return Result<void>{};
}

io::Task<Result<void>> GroupCommand::delete_offsets() {
  const std::string id = *options_.get("group");
  CO_TRY_ASSIGN(const auto partitions, co_await partitions_of(options_.all("topic")));
  protocol::OffsetDeleteRequest request;
  request.group_id = id;
  for (const auto& partition : partitions) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) request.topics.emplace_back().name = partition.topic;
    request.topics.back().partitions.emplace_back().partition_index = partition.partition;
  }
  CO_TRY_ASSIGN(auto reply, co_await client::call_coordinator(cluster_, client::CoordinatorType::kGroup, id, request,
                                                              [](const auto& answer) { return error_from_wire(answer.error_code); }));
  const ErrorCode top = error_from_wire(reply->error_code);
  bool partial = false;
  std::vector<std::string> lines;
  for (const auto& topic : reply->topics) {
    for (const auto& partition : topic.partitions) {
      const ErrorCode code = error_from_wire(partition.error_code);
      partial = partial || code != ErrorCode::kNone;
      lines.push_back(fmt::format("\n{:<15} {:<10} {}", topic.name.view(), partition.partition_index,
                                  code == ErrorCode::kNone ? "Successful" : "Error: " + exception_text({code, ""})));
    }
  }
  if (top == ErrorCode::kNone && !partial) context_.console.write(fmt::format("Request succeeded for deleting offsets from group {}.\n", id));
  else if (top == ErrorCode::kNone) context_.console.write("\nError: Encountered some partition-level error, see the follow-up details.\n");
  else context_.console.write(fmt::format("\nError: Encounter some unknown error: {}\n", error_text(top)));
  context_.console.write(fmt::format("\n{:<15} {:<10} {}", "TOPIC", "PARTITION", "STATUS"));
  for (const auto& text : lines) context_.console.write(text);
  context_.console.write("\n");
  co_return Result<void>{};
}

}  // namespace samsa::tool
