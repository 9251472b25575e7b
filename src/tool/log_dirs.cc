// kafka-log-dirs.sh: the log directories of brokers with the partitions in them, as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "tool/admin_calls.h"
#include "tool/commands.h"
#include "tool/java_text.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

Options declare() {
  Options options("This tool helps to query log directory usage on the specified brokers.");
  options.value("bootstrap-server", "The server(s) to use for bootstrapping", "REQUIRED: the servers to connect to.")
      .value("command-config", "Admin client property file", "A file of settings for the admin client.")
      .flag("describe", "REQUIRED: show the log directories.")
      .value("topic-list", "Topic list", "Only these topics, separated by commas.", "")
      .value("broker-list", "Broker list", "Only these brokers, separated by commas.", "");
  return options;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (comma != 0) parts.emplace_back(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return parts;
}

Result<std::vector<int32_t>> brokers_of(const Options& options) {
  std::set<int32_t> ids;
  for (const auto& text : split(*options.get("broker-list"))) {
    int32_t id = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("For input string: \"{}\"", text));
    }
    ids.insert(id);
  }
  std::vector<int32_t> ordered(ids.begin(), ids.end());
  in_java_hash_order(ordered);
  return ordered;
}

std::string directory_json(const protocol::DescribeLogDirsResponse::DescribeLogDirsResult& directory, const std::set<std::string>& topics) {
  struct Entry {
    TopicPartition partition;
    std::string json;
  };
  std::vector<Entry> entries;
  for (const auto& topic : directory.topics) {
    const std::string name = topic.name.str();
    if (!topics.empty() && !topics.contains(name)) continue;
    for (const auto& partition : topic.partitions) {
      const TopicPartition tp{name, partition.partition_index};
      entries.push_back({tp, fmt::format(R"({{"partition":{},"size":{},"offsetLag":{},"isFuture":{}}})", json_text(tp.to_string()),
                                         partition.partition_size, partition.offset_lag, partition.is_future_key)});
    }
  }
  in_java_hash_order(entries, [](const Entry& entry) { return java_hash(entry.partition); });
  std::vector<std::string> lines;
  for (auto& entry : entries) lines.push_back(std::move(entry.json));
  const std::string error = directory.error_code == 0 ? "null" : json_text(java_exception(error_from_wire(directory.error_code)));
  return fmt::format(R"({{"partitions":[{}],"error":{},"logDir":{}}})", fmt::join(lines, ","), error, json_text(directory.log_dir.str()));
}

io::Task<Result<void>> run(ToolContext& context, const Options& options) {
  CO_TRY_ASSIGN(auto cluster, open_admin(context, {options.get("bootstrap-server"), {}, options.get("command-config"), "log-dirs-tool"}));
  CO_TRY_ASSIGN(const auto wanted, brokers_of(options));
  CO_TRY_ASSIGN(const auto found, co_await describe_cluster(*cluster));
  std::vector<int32_t> all, missing;
  for (const auto& node : found.nodes) all.push_back(node.id);
  for (const int32_t id : wanted) {
    if (std::find(all.begin(), all.end(), id) == all.end()) missing.push_back(id);
  }
  if (!missing.empty()) {
    co_return fail(ErrorCode::kInvalidRequest, fmt::format("ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                                                           fmt::join(missing, ","), fmt::join(all, ",")));
  }
  const auto& asked = wanted.empty() ? all : wanted;
  context.console.write("Querying brokers for log directories information\n");
  const auto topic_list = split(*options.get("topic-list"));
  const std::set<std::string> topics(topic_list.begin(), topic_list.end());
  std::vector<std::string> brokers;
  for (const int32_t id : asked) {
    protocol::DescribeLogDirsRequest request;
    request.topics.reset();
    CO_TRY_ASSIGN(const auto reply, co_await describe_log_dirs(*cluster, id, std::move(request)));
    std::vector<const protocol::DescribeLogDirsResponse::DescribeLogDirsResult*> directories;
    for (const auto& directory : reply->results) directories.push_back(&directory);
    in_java_hash_order(directories, [](const auto* directory) { return java_hash(directory->log_dir.str()); }, directories.size());
    std::vector<std::string> parts;
    for (const auto* directory : directories) parts.push_back(directory_json(*directory, topics));
    brokers.push_back(fmt::format(R"({{"broker":{},"logDirs":[{}]}})", id, fmt::join(parts, ",")));
  }
  context.console.write(fmt::format("Received log directory information from brokers {}\n", fmt::join(asked, ",")));
  context.console.write(fmt::format("{{\"brokers\":[{}],\"version\":1}}\n", fmt::join(brokers, ",")));
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_log_dirs(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto done = answer_help(context, arguments, options)) co_return *done;
  for (const char* required : {"bootstrap-server", "describe"}) {
    if (const auto given = options.require(required); !given) co_return refuse(context, given.error().text(), options);
  }
  const auto outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
