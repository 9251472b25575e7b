// kafka-get-offsets.sh: offsets of partitions at a time.
#include <fmt/format.h>

#include <charconv>

#include "client/admin.h"
#include "tool/commands.h"
#include "tool/options.h"
#include "tool/topic_filter.h"

namespace samsa::tool {
namespace {

Options declare() {
  Options options("An interactive shell for getting topic-partition offsets.");
  options.value("bootstrap-server", "HOST1:PORT1,...,HOST3:PORT3", "REQUIRED. The servers to connect to.")
      .value("topic-partitions", "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3", "Patterns of topics with the partitions wanted.")
      .value("topic", "topic", "The topic, or a regular expression; all topics if left out.")
      .value("partitions", "partition ids", "Numbers of partitions separated by commas; all if left out.")
      .value("time", "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload",
             "Which offset: of the first record at or after this time, or one of the words.", "latest")
      .value("command-config", "config file", "A file of settings for the admin client.")
      .flag("exclude-internal-topics", "Leave internal topics out.");
  return options;
}

Result<int64_t> parse_time(const std::string& text) {
  constexpr std::pair<std::string_view, int64_t> kWords[] = {{"latest", -1}, {"earliest", -2}, {"max-timestamp", -3}, {"earliest-local", -4},
                                                              {"latest-tiered", -5}, {"earliest-pending-upload", -6}};
  for (const auto& [word, value] : kWords) {
    if (text == word) return value;
  }
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) return value;
  return fail(ErrorCode::kInvalidTimestamp,
              fmt::format("Malformed time argument {}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or "
                          "latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp", text));
}

Result<TopicPartitionFilter> filter_of(const Options& options) {
  if (const auto list = options.get("topic-partitions")) {
    if (options.has("topic") || options.has("partitions")) {
      return fail(ErrorCode::kInvalidRequest, "--topic-partitions cannot be used with --topic or --partitions");
    }
    return TopicPartitionFilter::parse_list(*list);
  }
  std::set<int32_t> partitions;
  const std::string all = options.get_or("partitions", "");
  std::string_view text = all;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view digits = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    int32_t number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
      return fail(ErrorCode::kInvalidRequest, "--partitions expects a comma separated list of numeric partition ids, but received: " + all);
    }
    partitions.insert(number);
  }
  return TopicPartitionFilter::of(options.get_or("topic", ".*"), std::move(partitions));
}

io::Task<Result<void>> run(ToolContext& context, const Options& options) {
  CO_TRY_ASSIGN(const int64_t time, parse_time(*options.get("time")));
  CO_TRY_ASSIGN(const auto filter, filter_of(options));
  std::map<std::string, std::string> properties;
  if (const auto file = options.get("command-config")) {
    CO_TRY_ASSIGN(properties, load_properties(context, *file));
  }
  properties["client.id"] = "GetOffsetShell";
  CO_TRY_ASSIGN(auto cluster, open_cluster(context, *options.get("bootstrap-server"), properties));
  CO_TRY(co_await cluster->refresh_all());
  std::map<TopicPartition, int64_t> wanted;
  for (const auto& [name, topic] : cluster->topics()) {
    if (topic.internal && options.has("exclude-internal-topics")) continue;
    for (const auto& partition : topic.partitions) {
      if (filter.matches(name, partition.index)) wanted[{name, partition.index}] = time;
    }
  }
  if (wanted.empty()) co_return fail(ErrorCode::kUnknownTopicOrPartition, "Could not match any topic-partitions with the specified filters");
  CO_TRY_ASSIGN(const auto found, co_await client::list_offsets(*cluster, wanted));
  // Java sorts by the text "topic-partition".
  std::map<std::string, std::string> lines;
  for (const auto& [partition, listed] : found) {
    if (listed.error.code != ErrorCode::kNone) {
      context.console.write_error(fmt::format("Skip getting offsets for topic-partition {} due to error: {}\n", partition.to_string(), listed.error.text()));
    } else if (listed.offset >= 0) {
      lines[partition.to_string()] = fmt::format("{}:{}:{}\n", partition.topic, partition.partition, listed.offset);
    }
  }
  for (const auto& [key, line] : lines) context.console.write(line);
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_get_offsets(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, "Error occurred: " + parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto servers = options.require("bootstrap-server"); !servers) co_return refuse(context, servers.error().text(), options);
  if (const auto servers = check_bootstrap(options); !servers) co_return refuse(context, servers.error().text(), options);
  auto outcome = options.single();
  if (outcome) outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, "Error occurred: " + outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
