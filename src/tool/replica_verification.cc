// kafka-replica-verification.sh: reads all replicas of topics side by side, and tells where their batches differ.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <set>

#include "client/admin.h"
#include "io/sync.h"
#include "protocol/api/fetch.h"
#include "protocol/record_batch.h"
#include "tool/commands.h"
#include "tool/options.h"
#include "tool/topic_filter.h"

namespace samsa::tool {
namespace {

constexpr int32_t kDebuggingReplica = -2;  // May read from any replica.

Options declare() {
  Options options("Validate that all replicas for a set of topics have the same data.");
  options.value("broker-list", "hostname:port,...,hostname:port", "REQUIRED: The servers to connect to.")
      .value("fetch-size", "bytes", "How much of a partition each request asks for.", "1048576")
      .value("max-wait-ms", "ms", "How long each request may wait for something new.", "1000")
      .value("topics-include", "Java regex (String)", "The topics to look at.", ".*")
      .value("time", "timestamp/-1(latest)/-2(earliest)", "Where to begin: at the first record of this time.", "-1")
      .value("report-interval-ms", "ms", "How often to report.", "30000");
  return options;
}

// "2026-01-31 23:59:59,123", in UTC.
std::string date_text(TimestampMs ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(ms)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss of_day(at - day);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02},{:03}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count(), of_day.subseconds().count());
}

// What one replica gave for a partition in this round.
struct Part {
  Buffer records;
  Offset high_watermark = -1;
};

class Verification {
 public:
  Verification(ToolContext& context, client::Cluster& cluster, int32_t fetch_size, std::chrono::milliseconds max_wait, std::chrono::milliseconds report)
      : context_(context), cluster_(cluster), fetch_size_(fetch_size), max_wait_(max_wait), report_(report) {}

  io::Task<Result<void>> choose(const IncludeList& topics, int64_t time);
  [[nodiscard]] bool nothing() const { return next_.empty(); }
  // Until the replicas' offsets part; otherwise only the end of the program ends it.
  io::Task<> run();

 private:
  using Batches = std::map<int32_t, std::pair<protocol::BatchIterator, const Part*>>;
  io::Task<> fetch(int32_t broker);
  // False: the replicas' offsets part.
  bool verify(const TopicPartition& partition, const std::map<int32_t, Part>& parts);
  enum class Step { kEqual, kEnd, kParted };
  Step step(const TopicPartition& partition, Batches& replicas, Offset& next);
  void say(std::string text);

  ToolContext& context_;
  client::Cluster& cluster_;
  const int32_t fetch_size_;
  const std::chrono::milliseconds max_wait_, report_;
  std::map<TopicPartition, Offset> next_;
  std::map<int32_t, std::set<TopicPartition>> by_broker_;
  std::map<TopicPartition, std::map<int32_t, Part>> round_;
  Offset max_lag_ = -1, at_max_lag_ = -1;
  TopicPartition of_max_lag_;
};

void Verification::say(std::string text) {
  context_.console.write(fmt::format("{}: {}\n", date_text(context_.world.loop.wall_ms()), text));
  context_.console.flush();
}

io::Task<Result<void>> Verification::choose(const IncludeList& topics, int64_t time) {
  CO_TRY(co_await cluster_.refresh_all());
  std::map<TopicPartition, int64_t> wanted;
  for (const auto& [name, topic] : cluster_.topics()) {
    if (!topics.matches(name)) continue;
    for (const auto& partition : topic.partitions) {
      wanted[{name, partition.index}] = time;
      for (const int32_t replica : partition.replicas) by_broker_[replica].insert({name, partition.index});
    }
  }
  if (wanted.empty()) co_return Result<void>{};
  CO_TRY_ASSIGN(const auto found, co_await client::list_offsets(cluster_, wanted));
  for (const auto& [partition, listed] : found) {
    if (listed.error.code != ErrorCode::kNone) co_return fail(listed.error.code, listed.error.text());
    next_[partition] = listed.offset;
  }
  co_return Result<void>{};
}

io::Task<> Verification::fetch(int32_t broker) {
  protocol::FetchRequest request;
  request.max_wait_ms = static_cast<int32_t>(max_wait_.count());
  request.min_bytes = 1;
  request.session_id = 0;
  request.session_epoch = -1;
  std::map<std::string, size_t> at;
  for (const auto& partition : by_broker_[broker]) {
    round_[partition][broker];  // A broker that gives nothing has no batch to compare.
    const auto [slot, fresh] = at.emplace(partition.topic, request.topics.size());
    if (fresh) {
      auto& topic = request.topics.emplace_back();
      topic.topic = protocol::Text(partition.topic);
      topic.topic_id = cluster_.topics().at(partition.topic).id;
    }
    auto& entry = request.topics[slot->second].partitions.emplace_back();
    entry.partition = partition.partition;
    entry.fetch_offset = next_[partition];
    entry.partition_max_bytes = fetch_size_;
  }
  const auto connection = co_await cluster_.broker(broker);
  const auto version = connection ? (*connection)->version_of<protocol::FetchRequest>() : Result<int16_t>(fail(connection.error().code));
  if (!version) co_return co_await io::sleep_for(context_.world.loop, max_wait_);
  if (*version >= 15) request.replica_state.replica_id = kDebuggingReplica;
  if (*version < 15) request.replica_id = kDebuggingReplica;
  const auto reply = co_await (*connection)->call(request, *version, max_wait_);
  if (!reply) co_return co_await io::sleep_for(context_.world.loop, max_wait_);
  for (const auto& topic : (*reply)->responses) {
    const std::string name = *version >= 13 ? cluster_.topic_name(topic.topic_id) : topic.topic.str();
    for (const auto& answer : topic.partitions) {
      const auto found = round_.find({name, answer.partition_index});
      if (found == round_.end() || answer.error_code != 0) continue;
      const Bytes records = answer.records.memory.view();
      found->second[broker] = {Buffer(records.begin(), records.end()), answer.high_watermark};
    }
  }
}

// One batch of each replica, as long as all have one below their high watermark.
Verification::Step Verification::step(const TopicPartition& partition, Batches& replicas, Offset& next) {
  std::optional<protocol::BatchView> first;
  int32_t first_replica = -1;
  bool everywhere = true;
  for (auto& [replica, reading] : replicas) {
    const auto batch = reading.first.next();
    if (!batch || !*batch || (*batch)->last_offset() >= reading.second->high_watermark) {
      everywhere = false;
      continue;
    }
    if (!first) {
      first = **batch;
      first_replica = replica;
    } else if (first->last_offset() != (*batch)->last_offset()) {
      say(fmt::format("partition {}: replica {}'s offset {} doesn't match replica {}'s offset {}", partition.to_string(), first_replica, first->last_offset(),
                      replica, (*batch)->last_offset()));
      return Step::kParted;
    } else if (first->crc() != (*batch)->crc()) {
      say(fmt::format("partition {} has unmatched checksum at offset {}; replica {}'s checksum {}; replica {}'s checksum {}", partition.to_string(),
                      first->last_offset(), first_replica, first->crc(), replica, (*batch)->crc()));
    }
  }
  if (!everywhere || !first) return Step::kEnd;
  next = first->next_offset();
  return Step::kEqual;
}

bool Verification::verify(const TopicPartition& partition, const std::map<int32_t, Part>& parts) {
  Batches replicas;
  Offset high_watermark = -1;
  for (const auto& [replica, part] : parts) {
    replicas.emplace(replica, std::pair(protocol::BatchIterator(part.records), &part));
    high_watermark = std::max(high_watermark, part.high_watermark);
  }
  Offset& next = next_[partition];
  Step outcome = Step::kEqual;
  while (outcome == Step::kEqual) outcome = step(partition, replicas, next);
  if (high_watermark - next > max_lag_) {
    max_lag_ = high_watermark - next;
    at_max_lag_ = next;
    of_max_lag_ = partition;
  }
  return outcome != Step::kParted;
}

io::Task<> Verification::run() {
  say("verification process is started");
  io::MonoTime reported = context_.world.loop.now();
  while (true) {
    round_.clear();
    io::TaskGroup fetching(context_.world.loop);
    for (const auto& [broker, partitions] : by_broker_) fetching.spawn(fetch(broker));
    co_await fetching.join();
    max_lag_ = -1;
    for (const auto& [partition, parts] : round_) {
      if (!verify(partition, parts)) co_return;
    }
    if (context_.world.loop.now() - reported <= report_) continue;
    reported = context_.world.loop.now();
    say(fmt::format("max lag is {} for partition {} at offset {} among {} partitions", max_lag_, of_max_lag_.to_string(), at_max_lag_, round_.size()));
  }
}

io::Task<Result<bool>> run(ToolContext& context, const Options& options) {
  CO_TRY_ASSIGN(const auto fetch_size, options.integer("fetch-size"));
  CO_TRY_ASSIGN(const auto max_wait, options.integer("max-wait-ms"));
  CO_TRY_ASSIGN(const auto time, options.number("time"));
  CO_TRY_ASSIGN(const auto report, options.number("report-interval-ms"));
  CO_TRY_ASSIGN(const auto topics, IncludeList::create(*options.get("topics-include")));
  CO_TRY_ASSIGN(auto cluster, open_cluster(context, *options.get("broker-list"), {{"client.id", "replica-verification"}}));
  Verification verification(context, *cluster, fetch_size.value_or(1 << 20), std::chrono::milliseconds(max_wait.value_or(1000)),
                            std::chrono::milliseconds(report.value_or(30'000)));
  CO_TRY(co_await verification.choose(topics, time.value_or(-1)));
  if (verification.nothing()) {
    context.console.log("ERROR", "No topics found. [topics-include] if specified, is either filtering out all topics or there is no topic.");
    co_return false;
  }
  co_await verification.run();
  co_return false;
}

}  // namespace

io::Task<int> run_replica_verification(ToolContext& context, Arguments arguments) {
  context.console.log("WARN", "This tool is deprecated and may be removed in a future major release.");
  Options options = declare();
  if (const auto parsed = options.parse(arguments); !parsed) co_return refuse(context, parsed.error().text());
  if (const auto code = answer_help(context, arguments, options)) co_return *code;
  if (const auto servers = options.require("broker-list"); !servers) co_return refuse(context, servers.error().text(), options);
  if (!client::parse_bootstrap_servers(*options.get("broker-list"))) {
    co_return refuse(context, "Please provide valid host:port like host1:9091,host2:9092\n ", options);
  }
  const auto outcome = co_await run(context, options);
  if (!outcome) co_return refuse(context, outcome.error().text());
  co_return 1;
}

}  // namespace samsa::tool
