// The compaction workload: writers change the values of a few keys, or delete them, in compacted topics with tiny segments, while the
// cleaner runs all the time. In the end each key has the value that was last acknowledged, or a later one.
#include <fmt/format.h>

#include "sim/traffic.h"

namespace samsa::sim {
namespace {

using namespace std::chrono_literals;

class CompactWorkload final : public Workload {
 public:
  void adjust(ClusterPlan& plan, io::Random& random) override {
    plan.properties["log.cleaner.backoff.ms"] = std::to_string(random.between(100, 2000));
    plan.properties["log.retention.check.interval.ms"] = "1000";
    plan.properties["log.initial.task.delay.ms"] = "100";
  }

  std::vector<TopicPlan> topics(io::Random& random) override {
    std::vector<TopicPlan> plans;
    const auto count = random.between(1, 2);
    for (int i = 0; i < count; ++i) {
      TopicPlan plan{fmt::format("compact-{}", i), static_cast<int>(random.between(1, 2)), 3, tiny_segments(random)};
      plan.configs.emplace_back("cleanup.policy", "compact");
      plan.configs.emplace_back("min.cleanable.dirty.ratio", random.one_in(2) ? "0.01" : "0.3");
      // Longer than the last read takes: one that has seen a value must come to its tombstone within this time, as in Kafka.
      plan.configs.emplace_back("delete.retention.ms", std::to_string(random.between(15'000, 20'000)));
      plan.configs.emplace_back("segment.ms", std::to_string(random.between(500, 10'000)));
      for (int p = 0; p < plan.partitions; ++p) partitions_.push_back({plan.name, p});
      plans.push_back(std::move(plan));
    }
    keys_ = random.between(1, 200);
    return plans;
  }

  void start(SimCluster& /*cluster*/, ClientSide& clients) override {
    const auto writers = clients.random().between(1, 3);
    for (int i = 0; i < writers; ++i) clients.spawn(write(clients, i));
    clients.spawn(read(clients));
  }

  std::vector<TopicPartition> final_partitions() override { return partitions_; }
  Model model() const override { return {.read_committed = false, .compacted = true}; }

 private:
  io::Task<> write(ClientSide& clients, int writer) {
    auto& random = clients.random();
    const int id = clients.next_client();
    const auto cluster = clients.connect(fmt::format("keeper-{}", writer));
    client::ProducerConfig config;
    config.batch_size = static_cast<size_t>(random.between(50, 2000));
    config.codec = random.one_in(2) ? protocol::Codec::kNone : protocol::Codec::kLz4;
    config.delivery_timeout = 20s;
    config.request_timeout = 2s;
    config.retry_backoff = 50ms;
    client::Producer producer(*cluster, config);
    while (!clients.stopping) {
      const auto burst = random.between(1, 10);
      for (int i = 0; i < burst; ++i) co_await send_one(clients, producer, id, writer);
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(random.between(5, 100)));
    }
    co_await producer.close();
  }

  // Each writer has keys of its own, so that the order of a key's values is the order of its sends.
  io::Task<> send_one(ClientSide& clients, client::Producer& producer, int id, int writer) {
    auto& random = clients.random();
    const TopicPartition partition = partitions_[random.below(partitions_.size())];
    const size_t at = clients.history().sends.size();
    Send& send = clients.begin_send(id, partition);
    send.key = fmt::format("w{}-{}", writer, random.below(static_cast<uint64_t>(keys_)));
    send.tombstone = random.one_in(8);
    client::ProducerRecord record;
    record.topic = partition.topic;
    record.partition = partition.partition;
    record.key = send.key;
    if (!send.tombstone) record.value = text_of_value(send.value, random.below(60));
    auto delivery = [&clients, at](const Result<client::RecordMetadata>& outcome) {
      Send& done = clients.history().sends[at];
      done.ended = clients.now_ns();
      if (!outcome) return;
      done.outcome = Outcome::kOk;
      done.offset = outcome->offset;
      ++clients.progress;
    };
    (void)co_await producer.send(std::move(record), std::move(delivery));
  }

  io::Task<> read(ClientSide& clients) {
    const int id = clients.next_client();
    const auto cluster = clients.connect("watcher");
    client::ConsumerConfig config;
    config.auto_offset_reset = client::OffsetReset::kEarliest;
    client::Consumer consumer(*cluster, config);
    consumer.assign(partitions_);
    const int session = clients.next_session();
    while (!clients.stopping) {
      const int64_t began = clients.now_ns();
      const auto records = co_await consumer.poll(500ms);
      if (!records) co_await io::sleep_for(clients.loop(), 50ms);
      if (records && !records->empty()) clients.history().polls.push_back(poll_of(*records, id, session, began, clients.now_ns()));
    }
    co_await consumer.close();
  }

  std::vector<TopicPartition> partitions_;
  int64_t keys_ = 1;
};

}  // namespace

std::unique_ptr<Workload> make_compact_workload() { return std::make_unique<CompactWorkload>(); }

}  // namespace samsa::sim
