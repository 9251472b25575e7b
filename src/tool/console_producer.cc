// kafka-console-producer.sh: every line of standard input, or of a file, becomes a record.
#include <fmt/format.h>

#include "client/producer.h"
#include "tool/client_settings.h"
#include "tool/commands.h"
#include "tool/line_reader.h"
#include "tool/options.h"
#include "tool/progress.h"

namespace samsa::tool {
namespace {

Options declare() {
  Options options("This tool helps to read data from standard input and publish it to Kafka.");
  options.value("topic", "topic", "REQUIRED: The topic that the records go to.")
      .value("bootstrap-server", "server to connect to", "REQUIRED: the servers to connect to, host:port separated by commas.")
      .value("broker-list", "server(s) to connect to", "The old name of --bootstrap-server; still accepted.")
      .flag("sync", "Wait for each record's acknowledgement before the next is sent.")
      .optional_value("compression-codec", "compression-codec", "none, gzip, snappy, lz4 or zstd; without a value gzip.")
      .value("batch-size", "size", "Bytes of a batch.", "16384")
      .value("message-send-max-retries", "Integer", "How often a record is tried again.", "3")
      .value("retry-backoff-ms", "Long", "Milliseconds between tries.", "100")
      .value("timeout", "Long", "Milliseconds that records wait for others of their batch.", "1000")
      .value("request-required-acks", "request required acks", "0, 1, or -1 (all).", "-1")
      .value("request-timeout-ms", "request timeout ms", "Milliseconds that the broker waits for its replicas.", "1500")
      .value("metadata-expiry-ms", "metadata expiration interval", "Accepted; metadata are asked for again when they turn out stale.", "300000")
      .value("max-block-ms", "max block on send", "Milliseconds that a send may wait for metadata and room.", "60000")
      .value("max-memory-bytes", "total memory in bytes", "Memory for records that wait to be sent.", "33554432")
      .value("max-partition-memory-bytes", "memory in bytes per partition", "Memory per partition; the larger of this and --batch-size counts.", "16384")
      .value("line-reader", "reader_class", "The class that reads lines.", "org.apache.kafka.tools.LineMessageReader")
      .value("socket-buffer-size", "size", "Accepted; the system sizes its buffers itself.", "102400")
      .values("property", "prop", "A property of the line reader, as --reader-property. Deprecated.")
      .values("reader-property", "prop", "A property of the line reader: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, "
                                        "headers.key.separator, null.marker, ignore.error, parse.partition, partition.separator.")
      .value("reader-config", "config file", "A file of properties of the line reader.")
      .values("producer-property", "producer_prop", "A setting of the producer, as --command-property. Deprecated.")
      .values("command-property", "producer_prop", "A setting of the producer.")
      .value("producer.config", "config file", "A file of settings of the producer, as --command-config. Deprecated.")
      .value("command-config", "config file", "A file of settings of the producer.")
      .value("file", "file", "Read this file instead of standard input.");
  return options;
}

void merge(ClientProperties& into, const ClientProperties& from) {
  for (const auto& [key, value] : from) into[key] = value;
}

// Old names of options, each with the one that took its place.
struct OldName {
  const char* old_name;
  const char* name;
};
constexpr OldName kOldNames[] = {{"producer-property", "command-property"}, {"producer.config", "command-config"}, {"property", "reader-property"}};

Result<void> check(ToolContext& context, const Options& options) {
  TRY(options.require("topic"));
  for (const auto& [first, second] : {std::pair{"command-config", "producer.config"}, std::pair{"command-property", "producer-property"},
                                      std::pair{"reader-property", "property"}}) {
    if (options.has(first) && options.has(second)) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Options --{} and --{} cannot be specified together.", first, second));
    }
  }
  for (const auto& [old_name, name] : kOldNames) {
    if (!options.has(old_name)) continue;
    context.console.write(fmt::format("Warning: --{} is deprecated and will be removed in a future version. Use --{} instead.\n", old_name, name));
  }
  if (options.has("max-partition-memory-bytes")) {
    context.console.write("Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.\n");
  }
  if (!options.has("bootstrap-server") && options.has("broker-list")) return {};
  return check_bootstrap(options);
}

Result<LineReader> line_reader(ToolContext& context, const Options& options) {
  const std::string reader = *options.get("line-reader");
  if (reader != "org.apache.kafka.tools.LineMessageReader") return fail(ErrorCode::kInvalidConfig, "java.lang.ClassNotFoundException: " + reader);
  ClientProperties properties;
  if (const auto file = options.get("reader-config")) {
    TRY_ASSIGN(properties, load_properties(context, *file));
  }
  merge(properties, parse_key_values(options.all("property")));
  merge(properties, parse_key_values(options.all("reader-property")));
  return LineReader::create(*options.get("topic"), properties);
}

// The precedence of Java's tool: options given, then --command-property, then --command-config, then the options' standards.
Result<ClientProperties> producer_properties(ToolContext& context, const Options& options) {
  ClientProperties properties;
  for (const char* name : {"producer.config", "command-config"}) {
    if (const auto file = options.get(name)) {
      TRY_ASSIGN(const auto loaded, load_properties(context, *file));
      merge(properties, loaded);
    }
  }
  merge(properties, parse_key_values(options.all("producer-property")));
  merge(properties, parse_key_values(options.all("command-property")));
  struct Setting {
    const char *key, *option;
    int64_t limit;  // Largest value of the option's type; 0: a text.
  };
  constexpr Setting kSettings[] = {{"linger.ms", "timeout", INT64_MAX},
                                   {"acks", "request-required-acks", 0},
                                   {"request.timeout.ms", "request-timeout-ms", INT32_MAX},
                                   {"retries", "message-send-max-retries", INT32_MAX},
                                   {"retry.backoff.ms", "retry-backoff-ms", INT64_MAX},
                                   {"send.buffer.bytes", "socket-buffer-size", INT32_MAX},
                                   {"buffer.memory", "max-memory-bytes", INT64_MAX},
                                   {"batch.size", "batch-size", INT32_MAX},
                                   {"batch.size", "max-partition-memory-bytes", INT32_MAX},
                                   {"metadata.max.age.ms", "metadata-expiry-ms", INT64_MAX},
                                   {"max.block.ms", "max-block-ms", INT64_MAX}};
  for (const auto& [key, option, limit] : kSettings) {
    if (!options.has(option) && properties.contains(key)) continue;
    if (limit != 0) TRY(options.number(option, -limit - 1, limit));
    properties[key] = *options.get(option);
  }
  if (options.has("compression-codec")) {
    const std::string codec = options.get_or("compression-codec", "");
    properties["compression.type"] = codec.empty() ? "gzip" : codec;
  }
  properties.try_emplace("client.id", "console-producer");
  return properties;
}

class Feeder {
 public:
  Feeder(ToolContext& context, client::Producer& producer, LineReader reader, bool sync)
      : context_(context), producer_(producer), reader_(std::move(reader)), sync_(sync), progress_(context, "records") {}

  io::Task<Result<void>> send(std::string line) {
    CO_TRY_ASSIGN(auto record, reader_.read(line));
    const std::string topic = record.topic;
    const size_t value_size = record.value ? record.value->size() : 0;
    const std::string key = record.key ? fmt::format("{} bytes", record.key->size()) : "null";
    const bool null_value = !record.value;
    // As Java's ErrorLoggingCallback words it.
    const auto complain = [this, topic, key, value_size, null_value](const Error& error) {
      context_.console.log("ERROR", fmt::format("Error when sending message to topic {} with key: {}, value: {} with error:\n{}", topic, key,
                                               null_value ? "null" : fmt::format("{} bytes", value_size), exception_text(error)));
    };
    auto sent = co_await producer_.send(std::move(record), [this, complain](const Result<client::RecordMetadata>& outcome) {
      if (outcome) progress_.add(1);
      else complain(outcome.error());
    });
    if (!sent) complain(sent.error());
    if (sync_) co_await producer_.flush();
    co_return Result<void>{};
  }
  void finish() { progress_.finish(); }

 private:
  ToolContext& context_;
  client::Producer& producer_;
  LineReader reader_;
  bool sync_;
  Progress progress_;
};

// Where the lines come from: standard input or a file.
class Source {
 public:
  Source(ToolContext& context, std::shared_ptr<io::File> file) : context_(context), file_(std::move(file)) {}
  io::Task<Result<size_t>> read(MutableBytes into) {
    if (context_.console.interrupted()) co_return size_t{0};
    if (!file_) co_return co_await context_.console.read(into);
    CO_TRY_ASSIGN(const size_t n, co_await file_->read_at_async(into, offset_));
    offset_ += n;
    co_return n;
  }

 private:
  ToolContext& context_;
  std::shared_ptr<io::File> file_;
  uint64_t offset_ = 0;
};

io::Task<Result<void>> feed_all(Source& source, Feeder& feeder) {
  LineSplitter splitter;
  Buffer chunk(64 * 1024);
  std::vector<std::string> lines;
  while (true) {
    CO_TRY_ASSIGN(const size_t n, co_await source.read(chunk));
    if (n == 0) break;
    lines.clear();
    splitter.feed(as_text(Bytes(chunk).first(n)), [&lines](std::string_view line) { lines.emplace_back(line); });
    for (auto& line : lines) CO_TRY(co_await feeder.send(std::move(line)));
  }
  if (auto last = splitter.finish()) CO_TRY(co_await feeder.send(std::move(*last)));
  co_return Result<void>{};
}

}  // namespace

io::Task<int> run_console_producer(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text(), options);
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto valid = check(context, options); !valid) co_return refuse(context, valid.error().text(), options);
  if (const auto single = options.single(); !single) co_return refuse(context, single.error().text());
  auto reader = line_reader(context, options);
  if (!reader) co_return refuse(context, reader.error().text());
  auto properties = producer_properties(context, options);
  if (!properties) co_return refuse(context, properties.error().text());
  const auto config = producer_config(*properties);
  if (!config) co_return refuse(context, config.error().text());
  const auto servers = options.has("bootstrap-server") ? options.get("bootstrap-server") : options.get("broker-list");
  const std::string id = (*properties)["client.id"];
  auto cluster = open_cluster(context, *servers, {{"client.id", id}}, false, "Producer clientId=" + id);
  if (!cluster) co_return refuse(context, cluster.error().text());
  std::shared_ptr<io::File> file;
  if (const auto path = options.get("file")) {
    auto opened = context.world.disk.open(*path, io::OpenMode::kRead);
    if (!opened) co_return refuse(context, opened.error().text());
    file = *opened;
  }

  // What was read before an interrupt is still sent.
  context.console.mind_interrupts();
  client::Producer producer(**cluster, *config);
  Feeder feeder(context, producer, std::move(*reader), options.has("sync"));
  Source source(context, std::move(file));
  const auto outcome = co_await feed_all(source, feeder);
  co_await producer.close();
  feeder.finish();
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 0;
}

}  // namespace samsa::tool
