// kafka-delete-records.sh: moves the start of partitions forward to the offsets that a JSON file names.
#include <fmt/format.h>

#include <map>

#include "protocol/api/delete_records.h"
#include "tool/admin_calls.h"
#include "tool/commands.h"
#include "tool/java_text.h"
#include "tool/json_input.h"
#include "tool/options.h"

namespace samsa::tool {
namespace {

using Offsets = std::map<TopicPartition, std::vector<int64_t>>;

Options declare() {
  Options options("This tool helps to delete records of the given partitions down to the specified offset.");
  options.value("bootstrap-server", "server(s) to use for bootstrapping", "REQUIRED: the servers to connect to.")
      .value("offset-json-file", "Offset json file path",
             "REQUIRED: a JSON file with an offset per partition: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}")
      .value("command-config", "command config property file path", "A file of settings for the admin client.");
  return options;
}

Result<Offsets> parse_offsets(std::string_view text) {
  const auto json = JsonInput::parse(text);
  if (!json) return fail(ErrorCode::kInvalidRequest, "The input string is not a valid JSON");
  TRY_ASSIGN(const JsonInput* const root, json->object());
  int32_t version = 1;
  if (const JsonInput* given = root->find("version")) {
    TRY_ASSIGN(version, given->int32());
  }
  if (version != 1) return fail(ErrorCode::kInvalidRequest, fmt::format("Not supported version field value {}", version));
  const JsonInput* const partitions = root->find("partitions");
  if (partitions == nullptr) return fail(ErrorCode::kInvalidRequest, "Missing partitions field");
  TRY_ASSIGN(const auto* const items, partitions->array());
  Offsets offsets;
  for (const auto& item : *items) {
    TRY_ASSIGN(const JsonInput* const fields, item.object());
    TRY_ASSIGN(const JsonInput* const topic, fields->field("topic"));
    TRY_ASSIGN(std::string name, topic->text());
    TRY_ASSIGN(const JsonInput* const partition, fields->field("partition"));
    TRY_ASSIGN(const int32_t index, partition->int32());
    TRY_ASSIGN(const JsonInput* const offset, fields->field("offset"));
    TRY_ASSIGN(const int64_t number, offset->int64());
    offsets[{std::move(name), index}].push_back(number);
  }
  return offsets;
}

io::Task<Result<int64_t>> delete_from(client::Cluster& cluster, TopicPartition partition, int64_t offset) {
  const auto deadline = cluster.api_deadline();
  while (true) {
    Error error;
    auto connection = co_await cluster.leader(partition.topic, partition.partition);
    if (connection) {
      protocol::DeleteRecordsRequest request;
      request.timeout_ms = static_cast<int32_t>(cluster.config().connection.request_timeout.count());
      auto& topic = request.topics.emplace_back();
      topic.name = protocol::Text(partition.topic);
      topic.partitions.emplace_back().partition_index = partition.partition;
      topic.partitions.back().offset = offset;
      const auto reply = co_await (*connection)->call(request);
      if (reply && (*reply)->topics.size() == 1 && (*reply)->topics[0].partitions.size() == 1) {
        const auto& result = (*reply)->topics[0].partitions[0];
        if (result.error_code == 0) co_return result.low_watermark;
        error = answer_error(result.error_code);
      } else {
        error = reply ? Error{ErrorCode::kUnknownServerError, ""} : reply.error();
      }
    } else {
      error = connection.error();
    }
    const bool final = error.code == ErrorCode::kUnknownTopicOrPartition || !error_is_retriable(error.code);
    cluster.forget_topic(partition.topic);
    if (final || !co_await cluster.back_off(deadline)) co_return fail(error);
  }
}

io::Task<Result<void>> run(ToolContext& context, const Options& options) {
  const std::string path = *options.get("offset-json-file");
  auto content = io::read_file(context.world.disk, path);
  if (!content) co_return fail(ErrorCode::kInvalidRequest, fmt::format("cannot read '{}': {}", path, content.error().text()));
  CO_TRY_ASSIGN(auto cluster, open_admin(context, {options.get("bootstrap-server"), {}, options.get("command-config")}));
  CO_TRY_ASSIGN(const Offsets offsets, parse_offsets(as_text(*content)));
  std::vector<std::string> twice;
  for (const auto& [partition, list] : offsets) {
    if (list.size() > 1) twice.push_back(partition.to_string());
  }
  if (!twice.empty()) {
    co_return fail(ErrorCode::kInvalidRequest, fmt::format("Offset json file contains duplicate topic partitions: {}", fmt::join(twice, ",")));
  }
  context.console.write("Executing records delete operation\n");
  std::vector<std::string> lines;
  for (const auto& [partition, list] : offsets) {
    const auto low = co_await delete_from(*cluster, partition, list.front());
    lines.push_back(low ? fmt::format("partition: {}\tlow_watermark: {}\n", partition.to_string(), *low)
                        : fmt::format("partition: {}\terror: {}\n", partition.to_string(), java_exception_text(low.error())));
  }
  context.console.write("Records delete operation completed:\n");
  for (const auto& line : lines) context.console.write(line);
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_delete_records(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto done = answer_help(context, arguments, options)) co_return *done;
  for (const char* required : {"bootstrap-server", "offset-json-file"}) {
    if (const auto given = options.require(required); !given) co_return refuse(context, given.error().text(), options);
  }
  const auto outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
