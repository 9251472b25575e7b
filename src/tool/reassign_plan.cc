#include "tool/reassign_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tool/java_text.h"
#include "tool/json_input.h"

namespace samsa::tool {

namespace {

constexpr std::string_view kAnyDirectory = "any";

// The version field is 1, or left out.
Result<void> check_version(const JsonInput& root) {
  int32_t version = 1;
  if (const JsonInput* given = root.find("version")) {
    TRY_ASSIGN(version, given->int32());
  }
  if (version == 1) return {};
  return fail(ErrorCode::kInvalidRequest, fmt::format("Not supported version field value {}", version));
}

Result<void> parse_partition(const JsonInput& item, ReassignmentFile& file) {
  TRY_ASSIGN(const JsonInput* const fields, item.object());
  TRY_ASSIGN(const JsonInput* const topic, fields->field("topic"));
  TRY_ASSIGN(std::string name, topic->text());
  TRY_ASSIGN(const JsonInput* const partition, fields->field("partition"));
  TRY_ASSIGN(const int32_t index, partition->int32());
  TRY_ASSIGN(const JsonInput* const list, fields->field("replicas"));
  TRY_ASSIGN(Replicas replicas, list->int32s());
  std::vector<std::string> directories(replicas.size(), std::string(kAnyDirectory));
  if (const JsonInput* given = fields->find("log_dirs")) {
    TRY_ASSIGN(directories, given->texts());
  }
  TopicPartition tp{std::move(name), index};
  if (replicas.size() != directories.size()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("Size of replicas list [{}] is different from size of log dirs list [{}] for partition {}",
                                                        fmt::join(replicas, ", "), fmt::join(directories, ", "), tp.to_string()));
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (directories[i] != kAnyDirectory) file.log_dirs[{replicas[i], tp}] = directories[i];
  }
  file.partitions.emplace_back(std::move(tp), std::move(replicas));
  return {};
}

// Each value that stands more than once, in the order of a Java set.
template <class T, class Hash>
std::vector<T> duplicates(const std::vector<T>& list, Hash hash) {
  std::vector<T> twice;
  for (size_t i = 0; i < list.size(); ++i) {
    const bool again = std::find(list.begin(), list.begin() + static_cast<ptrdiff_t>(i), list[i]) != list.begin() + static_cast<ptrdiff_t>(i);
    if (again && std::find(twice.begin(), twice.end(), list[i]) == twice.end()) twice.push_back(list[i]);
  }
  in_java_hash_order(twice, hash);
  return twice;
}

int32_t hash_of_id(const int32_t& id) { return id; }

std::string throttles(const std::set<std::string>& components) { return fmt::format("{}", fmt::join(components, ",")); }

}  // namespace

Result<ReassignmentFile> parse_reassignment(std::string_view text) {
  TRY_ASSIGN(const JsonInput json, JsonInput::parse(text));
  TRY_ASSIGN(const JsonInput* const root, json.object());
  TRY(check_version(*root));
  ReassignmentFile file;
  const JsonInput* const partitions = root->find("partitions");
  if (partitions == nullptr) return file;
  TRY_ASSIGN(const auto* const items, partitions->array());
  for (const auto& item : *items) TRY(parse_partition(item, file));
  return file;
}

Result<void> check_executable(const ReassignmentFile& file) {
  const auto refuse = [](std::string text) { return fail(ErrorCode::kInvalidRequest, std::move(text)); };
  if (file.partitions.empty()) return refuse("Partition reassignment list cannot be empty");
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, replicas] : file.partitions) {
    if (replicas.empty()) return refuse("Partition replica list cannot be empty");
    partitions.push_back(partition);
  }
  std::vector<std::string> twice;
  for (const auto& partition : duplicates(partitions, [](const TopicPartition& one) { return java_hash(one); })) twice.push_back(partition.to_string());
  if (!twice.empty()) return refuse(fmt::format("Partition reassignment contains duplicate topic partitions: {}", fmt::join(twice, ",")));
  for (const auto& [partition, replicas] : file.partitions) {
    const auto ids = duplicates(replicas, hash_of_id);
    if (!ids.empty()) twice.push_back(fmt::format("{} contains multiple entries for {}", partition.to_string(), fmt::join(ids, ",")));
  }
  if (!twice.empty()) return refuse(fmt::format("Partition replica lists may not contain duplicate entries: {}", fmt::join(twice, ". ")));
  return {};
}

Result<std::vector<std::string>> parse_topics_to_move(std::string_view text) {
  const auto json = JsonInput::parse(text);
  if (!json) return fail(ErrorCode::kInvalidRequest, "The input string is not a valid JSON");
  TRY_ASSIGN(const JsonInput* const root, json->object());
  TRY(check_version(*root));
  std::vector<std::string> topics;
  if (const JsonInput* list = root->find("topics")) {
    TRY_ASSIGN(const auto* const items, list->array());
    for (const auto& item : *items) {
      TRY_ASSIGN(const JsonInput* const fields, item.object());
      TRY_ASSIGN(const JsonInput* const topic, fields->field("topic"));
      TRY_ASSIGN(std::string name, topic->text());
      topics.push_back(std::move(name));
    }
  }
  const auto twice = duplicates(topics, [](const std::string& name) { return java_hash(name); });
  if (!twice.empty()) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("List of topics to reassign contains duplicate entries: [{}]", fmt::join(twice, ", ")));
  }
  return topics;
}

Result<Replicas> parse_broker_list(std::string_view text) {
  Replicas brokers;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view digits = text.substr(0, comma);
    int32_t id = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("For input string: \"{}\"", digits));
    }
    brokers.push_back(id);
    if (comma == std::string_view::npos) break;
    text = text.substr(comma + 1);
  }
  const auto twice = duplicates(brokers, hash_of_id);
  if (!twice.empty()) return fail(ErrorCode::kInvalidRequest, fmt::format("Broker list contains duplicate entries: [{}]", fmt::join(twice, ", ")));
  return brokers;
}

std::string reassignment_json(const Assignments& assignments, const LogDirs& log_dirs) {
  std::vector<std::string> partitions;
  for (const auto& [partition, replicas] : assignments) {
    std::vector<std::string> directories;
    for (const int32_t broker : replicas) {
      const auto found = log_dirs.find({broker, partition});
      directories.push_back(json_text(found == log_dirs.end() ? kAnyDirectory : std::string_view(found->second)));
    }
    partitions.push_back(fmt::format(R"({{"topic":{},"partition":{},"replicas":[{}],"log_dirs":[{}]}})", json_text(partition.topic), partition.partition,
                                     fmt::join(replicas, ","), fmt::join(directories, ",")));
  }
  return fmt::format(R"({{"version":1,"partitions":[{}]}})", fmt::join(partitions, ","));
}

std::string ongoing_text(const OngoingMoves& ongoing) {
  if (ongoing.empty()) return "No partition reassignments found.";
  std::string text = "Current partition reassignments:";
  for (const auto& [partition, move] : ongoing) {
    text += fmt::format("\n{}: replicas: {}.", partition.to_string(), fmt::join(move.replicas, ","));
    if (!move.adding.empty()) text += fmt::format(" adding: {}.", fmt::join(move.adding, ","));
    if (!move.removing.empty()) text += fmt::format(" removing: {}.", fmt::join(move.removing, ","));
  }
  return text;
}

Moves plan_moves(const OngoingMoves& ongoing, const Assignments& proposed, const Assignments& current) {
  Moves moves;
  for (const auto& [partition, move] : ongoing) {
    // Those that are added are among the replicas already.
    Move& planned = moves[partition.topic][partition.partition];
    planned.sources.insert(move.replicas.begin(), move.replicas.end());
    for (const int32_t broker : move.adding) planned.sources.erase(broker);
    planned.destinations.insert(move.adding.begin(), move.adding.end());
  }
  for (const auto& [partition, replicas] : proposed) {
    auto& of_topic = moves[partition.topic];
    const auto under_way = of_topic.find(partition.partition);
    Move planned;
    if (under_way != of_topic.end()) {
      planned.sources = under_way->second.sources;
    } else if (const auto found = current.find(partition); found != current.end()) {
      planned.sources.insert(found->second.begin(), found->second.end());
    }
    for (const int32_t broker : replicas) {
      if (!planned.sources.contains(broker)) planned.destinations.insert(broker);
    }
    of_topic[partition.partition] = std::move(planned);
  }
  return moves;
}

std::string leader_throttles(const std::map<int32_t, Move>& moves) {
  std::set<std::string> components;
  for (const auto& [partition, move] : moves) {
    for (const int32_t broker : move.sources) components.insert(fmt::format("{}:{}", partition, broker));
  }
  return throttles(components);
}

std::string follower_throttles(const std::map<int32_t, Move>& moves) {
  std::set<std::string> components;
  for (const auto& [partition, move] : moves) {
    for (const int32_t broker : move.destinations) {
      if (!move.sources.contains(broker)) components.insert(fmt::format("{}:{}", partition, broker));
    }
  }
  return throttles(components);
}

std::set<int32_t> brokers_of(const Moves& moves) {
  std::set<int32_t> brokers;
  for (const auto& [topic, partitions] : moves) {
    for (const auto& [index, move] : partitions) {
      brokers.insert(move.sources.begin(), move.sources.end());
      brokers.insert(move.destinations.begin(), move.destinations.end());
    }
  }
  return brokers;
}

std::string states_text(const std::map<TopicPartition, PartitionState>& states) {
  std::string text = "Status of partition reassignment:";
  for (const auto& [partition, state] : states) {
    const std::string name = partition.to_string();
    if (!state.done) {
      text += fmt::format("\nReassignment of partition {} is still in progress.", name);
    } else if (state.current == state.target) {
      text += fmt::format("\nReassignment of partition {} is completed.", name);
    } else {
      text += fmt::format("\nThere is no active reassignment of partition {}, but replica set is {} rather than {}.", name, fmt::join(state.current, ","),
                          fmt::join(state.target, ","));
    }
  }
  return text;
}

std::string directory_states_text(const std::map<ReplicaOf, DirectoryState>& states) {
  std::vector<std::string> lines;
  for (const auto& [replica, state] : states) {
    const std::string name = replica.partition.to_string();
    if (!state.known) {
      lines.push_back(fmt::format("Partition {} cannot be found in any live log directory on broker {}.", name, replica.broker));
    } else if (state.current.empty()) {
      lines.push_back(fmt::format("Partition {} is not found in any live log dir on broker {}. There is likely an offline log directory on the broker.", name,
                                  replica.broker));
    } else if (state.future.empty()) {
      lines.push_back(state.current == state.target ? fmt::format("Reassignment of replica {} completed successfully.", replica.to_string())
                                                    : fmt::format("Partition {} on broker {} is not being moved from log dir {} to {}.", name, replica.broker,
                                                                  state.current, state.target));
    } else if (state.future == state.target) {
      lines.push_back(fmt::format("Reassignment of replica {} is still in progress.", replica.to_string()));
    } else {
      lines.push_back(fmt::format("Partition {} on broker {} is being moved to log dir {} instead of {}.", name, replica.broker, state.future, state.target));
    }
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace samsa::tool
