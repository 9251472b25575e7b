// kafka-console-consumer.sh: writes the records of topics to standard output.
#include <fmt/format.h>
#include <re2/re2.h>

#include <cctype>
#include <charconv>
#include <set>

#include "client/consumer.h"
#include "tool/client_settings.h"
#include "tool/commands.h"
#include "tool/formatter.h"
#include "tool/options.h"
#include "tool/progress.h"

namespace samsa::tool {
namespace {

Options declare() {
  Options options("This tool helps to read data from Kafka topics and outputs it to standard output.");
  options.value("topic", "topic", "The topic to read.")
      .value("include", "Java regex (String)", "A regular expression of the topics to read.")
      .value("partition", "partition", "Read only this partition, from the end unless --offset or --from-beginning says otherwise.")
      .value("offset", "consume offset", "Where to begin in the partition: a number, earliest or latest.", "latest")
      .values("consumer-property", "consumer_prop", "A setting of the consumer, as --command-property. Deprecated.")
      .values("command-property", "consumer_prop", "A setting of the consumer.")
      .value("consumer.config", "config file", "A file of settings of the consumer, as --command-config. Deprecated.")
      .value("command-config", "config file", "A file of settings of the consumer.")
      .value("formatter", "class", "The class that writes records.", "org.apache.kafka.tools.consumer.DefaultMessageFormatter")
      .values("property", "prop", "A property of the formatter, as --formatter-property. Deprecated.")
      .values("formatter-property", "prop", "A property of the formatter: print.timestamp, print.key, print.offset, print.epoch, print.partition, print.headers, "
                                           "print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, "
                                           "value.deserializer, header.deserializer.")
      .value("formatter-config", "config file", "A file of properties of the formatter.")
      .flag("from-beginning", "Begin at the earliest record where the group has no offset.")
      .value("max-messages", "num_messages", "End after this many records.")
      .value("timeout-ms", "timeout_ms", "End when no record comes for this long.")
      .flag("skip-message-on-error", "Go on after a record that cannot be written.")
      .value("bootstrap-server", "server to connect to", "REQUIRED: the servers to connect to, host:port separated by commas.")
      .value("key-deserializer", "deserializer for key", "The class that reads keys.")
      .value("value-deserializer", "deserializer for values", "The class that reads values.")
      .flag("enable-systest-events", "Write events of the consumer's life besides the records.")
      .value("isolation-level", "isolation level", "read_committed or read_uncommitted.", "read_uncommitted")
      .value("group", "consumer group id", "The group to read as a member of.");
  return options;
}

Result<void> check(ToolContext& context, const Options& options) {
  if (options.has("topic") == options.has("include")) {
    return fail(ErrorCode::kInvalidRequest, "Exactly one of the following arguments is required: [topic], [include]");
  }
  if (options.has("partition")) {
    if (!options.has("topic")) return fail(ErrorCode::kInvalidRequest, "The topic is required when partition is specified.");
    if (options.has("from-beginning") && options.has("offset")) {
      return fail(ErrorCode::kInvalidRequest, "Options from-beginning and offset cannot be specified together.");
    }
  } else if (options.has("offset")) {
    return fail(ErrorCode::kInvalidRequest, "The partition is required when offset is specified.");
  }
  TRY(options.require("bootstrap-server"));
  for (const auto& [first, second] : {std::pair{"consumer-property", "command-property"}, std::pair{"consumer.config", "command-config"}}) {
    if (options.has(first) && options.has(second)) {
      return fail(ErrorCode::kInvalidRequest, fmt::format("Options --{} and --{} cannot be specified together.", first, second));
    }
    if (!options.has(first)) continue;
    context.console.write(fmt::format("Option --{} is deprecated and will be removed in a future version. Use --{} instead.\n", first, second));
  }
  return {};
}

// The one group that --group, a properties file and properties name; empty: none.
Result<std::string> group_of(const Options& options, const ClientProperties& from_file, const ClientProperties& given) {
  std::set<std::string> names;
  if (const auto group = options.get("group")) names.insert(*group);
  for (const auto* properties : {&from_file, &given}) {
    if (const auto found = properties->find("group.id"); found != properties->end()) names.insert(found->second);
  }
  if (names.size() > 1) {
    return fail(ErrorCode::kInvalidRequest, fmt::format("The group ids provided in different places (directly using '--group', via '--consumer-property', or via "
                                                        "'--consumer.config') do not match. Detected group ids: '{}'", fmt::join(names, "', '")));
  }
  if (names.empty()) return std::string();
  if (options.has("partition")) return fail(ErrorCode::kInvalidRequest, "Options group and partition cannot be specified together.");
  return *names.begin();
}

// INVALID_REQUEST: a wrong command line.
Result<ClientProperties> consumer_properties(ToolContext& context, const Options& options) {
  ClientProperties properties;
  for (const char* name : {"consumer.config", "command-config"}) {
    if (const auto file = options.get(name)) {
      TRY_ASSIGN(properties, load_properties(context, *file));
    }
  }
  ClientProperties given = parse_key_values(options.all("consumer-property"));
  given.merge(parse_key_values(options.all("command-property")));
  TRY_ASSIGN(std::string group, group_of(options, properties, given));
  for (const auto& [key, value] : given) properties[key] = value;
  const auto reset = properties.find("auto.offset.reset");
  if (reset == properties.end()) {
    properties["auto.offset.reset"] = options.has("from-beginning") ? "earliest" : "latest";
  } else if (options.has("from-beginning") && reset->second != "earliest") {
    return fail(ErrorCode::kInvalidConfig, fmt::format("Can't simultaneously specify --from-beginning and 'auto.offset.reset={}', please remove one option",
                                                       reset->second));
  }
  if (options.has("isolation-level") || !properties.contains("isolation.level")) properties["isolation.level"] = *options.get("isolation-level");
  if (group.empty()) {
    group = fmt::format("console-consumer-{}", context.world.loop.random().below(100000));
    properties.try_emplace("enable.auto.commit", "false");
  }
  properties["group.id"] = group;
  properties.try_emplace("client.id", "console-consumer");
  return properties;
}

Result<std::unique_ptr<Formatter>> formatter_of(ToolContext& context, const Options& options) {
  ClientProperties properties;
  if (const auto file = options.get("formatter-config")) {
    TRY_ASSIGN(properties, load_properties(context, *file));
  }
  if (options.has("property")) {
    if (options.has("formatter-property")) {
      return fail(ErrorCode::kInvalidRequest, "Options --property and --formatter-property cannot be specified together.");
    }
    context.console.write("Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.\n");
  }
  if (const auto name = options.get("key-deserializer")) properties["key.deserializer"] = *name;
  if (const auto name = options.get("value-deserializer")) properties["value.deserializer"] = *name;
  for (const char* name : {"property", "formatter-property"}) {
    for (const auto& [key, value] : parse_key_values(options.all(name))) properties[key] = value;
  }
  for (const char* name : {"key.deserializer", "value.deserializer", "headers.deserializer"}) {
    const auto found = properties.find(name);
    if (found == properties.end() || knows_deserializer(found->second)) continue;
    // As Java's tool, which says so and goes on without it.
    context.console.log("ERROR", fmt::format("Unable to instantiate a deserializer from {}\njava.lang.ClassNotFoundException: {}", found->second, found->second));
    properties.erase(found);
  }
  return make_formatter(*options.get("formatter"), properties);
}

// -2 earliest, -1 latest, or the offset.
Result<Offset> start_offset(const Options& options) {
  if (!options.has("offset")) return options.has("from-beginning") ? Offset{-2} : Offset{-1};
  const std::string text = *options.get("offset");
  std::string word = text;
  for (char& c : word) c = static_cast<char>(std::tolower(c));
  if (word == "earliest") return -2;
  if (word == "latest") return -1;
  Offset offset = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && offset >= 0) return offset;
  return fail(ErrorCode::kInvalidRequest, fmt::format("The provided offset value '{}' is incorrect. Valid values are 'earliest', 'latest', or a "
                                                      "non-negative long.", text));
}

// No broker can be reached now: Java's consumer goes on trying, until --timeout-ms ends it.
bool is_outage(const Error& error) {
  return error.code == ErrorCode::kNetworkException || error.code == ErrorCode::kRequestTimedOut || error.code == ErrorCode::kBrokerNotAvailable;
}

// REQUEST_TIMED_OUT with --timeout-ms and no broker in this time.
io::Task<Result<void>> begin(client::Cluster& cluster, client::Consumer& consumer, const Options& options) {
  if (const auto partition = options.get("partition")) {
    CO_TRY_ASSIGN(const auto number, options.integer("partition"));
    CO_TRY_ASSIGN(const Offset offset, start_offset(options));
    const TopicPartition wanted{*options.get("topic"), *number};
    consumer.assign({wanted});
    consumer.seek(wanted, offset);
    co_return Result<void>{};
  }
  std::vector<std::string> topics;
  if (const auto topic = options.get("topic")) {
    topics.push_back(*topic);
  } else {
    const re2::RE2 pattern(*options.get("include"), re2::RE2::Quiet);
    if (!pattern.ok()) co_return fail(ErrorCode::kInvalidRegularExpression, fmt::format("{} is an invalid regex.", *options.get("include")));
    auto asked = co_await cluster.refresh_all();
    while (!asked && is_outage(asked.error()) && !options.has("timeout-ms")) asked = co_await cluster.refresh_all();
    if (!asked) co_return fail(is_outage(asked.error()) ? ErrorCode::kRequestTimedOut : asked.error().code, asked.error().message);
    for (const auto& [name, info] : cluster.topics()) {
      if (!info.internal && re2::RE2::FullMatch(name, pattern)) topics.push_back(name);
    }
  }
  consumer.subscribe(std::move(topics));
  co_return Result<void>{};
}

// As Java's tool says that no record came within --timeout-ms.
void say_timed_out(ToolContext& context) {
  context.console.log("ERROR", "Error processing message, terminating consumer process: \norg.apache.kafka.common.errors.TimeoutException");
}

struct Limits {
  int64_t max_messages;                // -1: none.
  std::chrono::milliseconds timeout;   // Without a record.
  bool skip_errors;
};

class Printer {
 public:
  Printer(ToolContext& context, client::Consumer& consumer, Formatter& formatter, Limits limits)
      : context_(context), consumer_(consumer), formatter_(formatter), limits_(limits), progress_(context, "records", std::max<int64_t>(0, limits.max_messages)) {}

  // Runs until a limit, an interruption or an error ends it. The exit code.
  io::Task<int> run() {
    const int code = co_await loop();
    progress_.finish();
    context_.console.flush();
    co_return code;
  }
  [[nodiscard]] int64_t count() const { return count_; }

 private:
  [[nodiscard]] bool done() const { return limits_.max_messages >= 0 && count_ >= limits_.max_messages; }

  io::Task<int> loop() {
    auto& clock = context_.world.loop;
    auto last = clock.now();
    while (!done() && !context_.console.interrupted()) {
      auto records = co_await consumer_.poll(std::min(limits_.timeout, std::chrono::milliseconds(200)));
      if (!records && is_outage(records.error())) {
        co_await io::sleep_for(clock, std::chrono::milliseconds(50));
        records = std::vector<client::ConsumedRecord>{};
      }
      if (!records) {
        context_.console.log("ERROR", "Error processing message, terminating consumer process: \n" + exception_text(records.error()));
        co_return 0;
      }
      if (!records->empty()) last = clock.now();
      if (records->empty() && clock.now() >= io::after(last, limits_.timeout)) {
        say_timed_out(context_);
        co_return 0;
      }
      if (!print(*records)) co_return failed_ ? 1 : 0;
    }
    co_return 0;
  }

  // False: stop. What was not printed is given back, so that it is not committed.
  bool print(const std::vector<client::ConsumedRecord>& records) {
    std::string text;
    size_t next = 0;
    for (; next < records.size() && !done() && !failed_; ++next) {
      ++count_;
      const auto written = formatter_.format(records[next], text);
      if (written) continue;
      context_.console.log("ERROR", fmt::format("{}: \n{}", limits_.skip_errors ? "Error processing message, skipping this message" : "Unknown error when running consumer",
                                               written.error().text()));
      failed_ = !limits_.skip_errors;
    }
    std::map<TopicPartition, Offset> unread;
    for (size_t i = next; i < records.size(); ++i) unread.emplace(TopicPartition{records[i].topic, records[i].partition}, records[i].offset);
    for (const auto& [partition, offset] : unread) consumer_.seek(partition, offset);
    progress_.add(static_cast<int64_t>(next));
    if (!context_.console.write(text)) {
      context_.console.write_error("Unable to write to standard out, closing consumer.\n");
      return false;
    }
    if (next < 100) context_.console.flush();
    return !failed_;
  }

  ToolContext& context_;
  client::Consumer& consumer_;
  Formatter& formatter_;
  Limits limits_;
  Progress progress_;
  int64_t count_ = 0;
  bool failed_ = false;
};

}  // namespace

io::Task<int> run_console_consumer(ToolContext& context, Arguments arguments) {
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text(), options);
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto partition = options.integer("partition"); !partition) co_return refuse(context, partition.error().text());
  if (const auto valid = check(context, options); !valid) co_return refuse(context, valid.error().text(), options);
  const auto properties = consumer_properties(context, options);
  if (!properties) {
    const bool wrong_words = properties.error().code == ErrorCode::kInvalidRequest;
    co_return wrong_words ? refuse(context, properties.error().text(), options) : refuse(context, properties.error().text());
  }
  if (const auto offset = start_offset(options); !offset) co_return refuse(context, offset.error().text(), options);
  const auto timeout = options.number("timeout-ms");
  if (!timeout) co_return refuse(context, timeout.error().text());
  auto formatter = formatter_of(context, options);
  if (!formatter) co_return refuse(context, formatter.error().text(), options);
  if (const auto single = options.single(); !single) co_return refuse(context, single.error().text());
  const auto unknown = [&context](const Error& error) {
    context.console.log("ERROR", "Unknown error when running consumer: \n" + error.text());
    return 1;
  };
  const auto config = consumer_config(*properties);
  if (!config) co_return unknown(config.error());
  const bool endless = !*timeout || **timeout < 0 || **timeout > INT32_MAX;
  std::map<std::string, std::string> settings{{"client.id", properties->at("client.id")}};
  // Nothing is tried for longer than a record is waited for, and the pause after a try that it ends with.
  if (!endless) settings["default.api.timeout.ms"] = std::to_string(std::clamp<int64_t>(**timeout + 100, 500, 60'000));
  auto cluster = open_cluster(context, *options.get("bootstrap-server"), settings, false,
                              fmt::format("Consumer clientId={}, groupId={}", properties->at("client.id"), properties->at("group.id")));
  if (!cluster) co_return unknown({cluster.error().code, "Failed to construct kafka consumer\nCaused by: " + cluster.error().text()});

  client::Consumer consumer(**cluster, *config);
  if (const auto begun = co_await begin(**cluster, consumer, options); !begun) {
    if (begun.error().code != ErrorCode::kRequestTimedOut) co_return unknown(begun.error());
    say_timed_out(context);
    context.console.write_error("Processed a total of 0 messages\n");
    co_return 0;
  }
  const auto maximum = options.integer("max-messages");
  if (!maximum) {
    context.console.write_error("Processed a total of 0 messages\n");
    co_return unknown(maximum.error());
  }
  // Leaves its group and commits where it is before it ends.
  context.console.mind_interrupts();
  Printer printer(context, consumer, **formatter,
                  {maximum->value_or(-1), endless ? std::chrono::milliseconds(INT32_MAX) : std::chrono::milliseconds(**timeout), options.has("skip-message-on-error")});
  const int code = co_await printer.run();
  co_await consumer.close();
  context.console.write_error(fmt::format("Processed a total of {} messages\n", printer.count()));
  if (options.has("enable-systest-events")) context.console.write("shutdown_complete\n");
  co_return code;
}

}  // namespace samsa::tool
