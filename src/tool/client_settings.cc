#include "tool/client_settings.h"

#include <fmt/format.h>

#include <charconv>

namespace samsa::tool {
namespace {

// Reads settings one by one; the first error stays.
class Reader {
 public:
  explicit Reader(const ClientProperties& properties) : properties_(properties) {}

  // `type` is the setting's type in Kafka; complaints name it.
  template <class T>
  void number(const char* name, T& into, int64_t min, int64_t max, const char* type = "INT") {
    const auto found = properties_.find(name);
    if (found == properties_.end()) return;
    int64_t value = 0;
    const auto& text = found->second;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return wrong(name, text, fmt::format("Not a number of type {}", type));
    if (value < min) return wrong(name, text, fmt::format("Value must be at least {}", min));
    if (value > max) return wrong(name, text, fmt::format("Value must be no more than {}", max));
    into = static_cast<T>(value);
  }
  void duration(const char* name, std::chrono::milliseconds& into, const char* type = "INT") {
    int64_t value = into.count();
    number(name, value, 0, INT64_MAX / 4, type);
    into = std::chrono::milliseconds(value);
  }
  void flag(const char* name, bool& into) {
    const auto found = properties_.find(name);
    if (found == properties_.end()) return;
    if (found->second != "true" && found->second != "false") return wrong(name, found->second, "Expected value to be either true or false");
    into = found->second == "true";
  }
  void text(const char* name, std::string& into) {
    if (const auto found = properties_.find(name); found != properties_.end()) into = found->second;
  }
  template <class T>
  void choice(const char* name, T& into, std::initializer_list<std::pair<const char*, T>> choices) {
    const auto found = properties_.find(name);
    if (found == properties_.end()) return;
    std::string names;
    for (const auto& [word, value] : choices) {
      if (found->second == word) {
        into = value;
        return;
      }
      names += std::string(names.empty() ? "" : ", ") + word;
    }
    wrong(name, found->second, "String must be one of: " + names);
  }
  [[nodiscard]] const ClientProperties& properties() const { return properties_; }
  void wrong(const char* name, const std::string& value, const std::string& why) {
    if (error_.empty()) error_ = fmt::format("Invalid value {} for configuration {}: {}", value, name, why);
  }
  template <class T>
  Result<T> result(T value) const {
    if (!error_.empty()) return fail(ErrorCode::kInvalidConfig, error_);
    return value;
  }

 private:
  const ClientProperties& properties_;
  std::string error_;
};

}  // namespace

Result<client::ProducerConfig> producer_config(const ClientProperties& properties) {
  client::ProducerConfig config;
  Reader read(properties);
  read.choice<int16_t>("acks", config.acks, {{"all", -1}, {"-1", -1}, {"0", 0}, {"1", 1}});
  read.number("batch.size", config.batch_size, 0, INT32_MAX);
  read.duration("linger.ms", config.linger, "LONG");
  using protocol::Codec;
  read.choice<Codec>("compression.type", config.codec, {{"none", Codec::kNone}, {"gzip", Codec::kGzip}, {"snappy", Codec::kSnappy},
                                                        {"lz4", Codec::kLz4}, {"zstd", Codec::kZstd}});
  if (config.codec == Codec::kGzip) read.number("compression.gzip.level", config.level, -1, 9);
  if (config.codec == Codec::kLz4) read.number("compression.lz4.level", config.level, 1, 17);
  if (config.codec == Codec::kZstd) read.number("compression.zstd.level", config.level, -131072, 22);
  read.flag("enable.idempotence", config.idempotence);
  read.number("retries", config.retries, 0, INT32_MAX);
  read.duration("delivery.timeout.ms", config.delivery_timeout);
  read.duration("request.timeout.ms", config.request_timeout);
  read.duration("max.block.ms", config.max_block, "LONG");
  read.duration("retry.backoff.ms", config.retry_backoff, "LONG");
  read.number("max.request.size", config.max_request_size, 0, INT32_MAX);
  read.number("buffer.memory", config.buffer_memory, 0, INT64_MAX, "LONG");
  if (config.idempotence && config.acks != -1 && properties.contains("enable.idempotence")) {
    read.wrong("acks", properties.contains("acks") ? properties.at("acks") : "", "Must set acks to all in order to use the idempotent producer");
  }
  return read.result(config);
}

Result<client::ConsumerConfig> consumer_config(const ClientProperties& properties) {
  client::ConsumerConfig config;
  Reader read(properties);
  read.text("group.id", config.group_id);
  read.text("group.instance.id", config.instance_id);
  read.text("client.rack", config.client_rack);
  using client::OffsetReset;
  read.choice<OffsetReset>("auto.offset.reset", config.auto_offset_reset,
                           {{"earliest", OffsetReset::kEarliest}, {"latest", OffsetReset::kLatest}, {"none", OffsetReset::kNone}});
  read.choice<bool>("isolation.level", config.read_committed, {{"read_committed", true}, {"read_uncommitted", false}});
  read.flag("enable.auto.commit", config.enable_auto_commit);
  read.flag("check.crcs", config.check_crcs);
  read.flag("allow.auto.create.topics", config.allow_auto_create_topics);
  read.duration("auto.commit.interval.ms", config.auto_commit_interval);
  read.number("fetch.min.bytes", config.fetch_min_bytes, 0, INT32_MAX);
  read.number("fetch.max.bytes", config.fetch_max_bytes, 0, INT32_MAX);
  read.number("max.partition.fetch.bytes", config.max_partition_fetch_bytes, 0, INT32_MAX);
  read.number("max.poll.records", config.max_poll_records, 1, INT32_MAX);
  read.duration("fetch.max.wait.ms", config.fetch_max_wait);
  read.duration("session.timeout.ms", config.session_timeout);
  read.duration("heartbeat.interval.ms", config.heartbeat_interval);
  read.duration("max.poll.interval.ms", config.max_poll_interval);
  std::string strategies;
  read.text("partition.assignment.strategy", strategies);
  if (!strategies.empty()) {
    config.assignors.clear();
    if (strategies.find("RangeAssignor") != std::string::npos) config.assignors.push_back(client::Assignor::kRange);
    if (strategies.find("RoundRobinAssignor") != std::string::npos) config.assignors.push_back(client::Assignor::kRoundRobin);
    if (strategies.find(".StickyAssignor") != std::string::npos) config.assignors.push_back(client::Assignor::kSticky);
    if (config.assignors.empty()) read.wrong("partition.assignment.strategy", strategies, "no assignor that is known here");
  }
  return read.result(config);
}

ClientProperties parse_key_values(const std::vector<std::string>& pairs) {
  ClientProperties properties;
  for (const auto& pair : pairs) {
    const size_t equals = pair.find('=');
    properties[pair.substr(0, equals)] = equals == std::string::npos ? "" : pair.substr(equals + 1);
  }
  return properties;
}

}  // namespace samsa::tool
