#include "sim/traffic.h"

#include <fmt/format.h>

namespace samsa::sim {

using namespace std::chrono_literals;

namespace {
constexpr protocol::Codec kCodecs[] = {protocol::Codec::kNone, protocol::Codec::kGzip, protocol::Codec::kSnappy, protocol::Codec::kLz4,
                                       protocol::Codec::kZstd};

}  // namespace

std::vector<std::pair<std::string, std::string>> tiny_segments(io::Random& random) {
  return {{"internal.segment.bytes", std::to_string(random.between(300, 20'000))},
          {"segment.index.bytes", std::to_string(random.between(100, 4000))},
          {"index.interval.bytes", std::to_string(random.between(10, 4096))}};
}

std::vector<TopicPlan> Traffic::topics(io::Random& random, int at_most) {
  std::vector<TopicPlan> plans;
  const int count = static_cast<int>(random.between(1, at_most));
  for (int i = 0; i < count; ++i) {
    TopicPlan plan{fmt::format("{}-{}", prefix_, i), static_cast<int>(random.between(1, 3)), 3, tiny_segments(random)};
    if (random.one_in(4)) plan.configs.emplace_back("compression.type", random.one_in(2) ? "zstd" : "lz4");
    if (random.one_in(4)) plan.configs.emplace_back("message.timestamp.type", "LogAppendTime");
    for (int p = 0; p < plan.partitions; ++p) partitions_.push_back({plan.name, p});
    plans.push_back(std::move(plan));
  }
  return plans;
}

void Traffic::start(ClientSide& clients, int64_t writers, int64_t readers) {
  auto& random = clients.random();
  for (int i = 0; i < writers; ++i) {
    TrafficWriter writer;
    writer.config.idempotence = !random.one_in(4);
    writer.config.codec = kCodecs[random.below(std::size(kCodecs))];
    writer.config.batch_size = static_cast<size_t>(random.one_in(2) ? random.between(50, 500) : 16384);
    writer.config.linger = std::chrono::milliseconds(random.between(0, 20));
    writer.config.delivery_timeout = random.one_in(3) ? 5s : 60s;
    writer.config.request_timeout = 2s;
    writer.config.retry_backoff = 50ms;
    if (random.one_in(8)) writer.config.acks = 1;
    writer.pause = std::chrono::milliseconds(random.between(10, 200));
    writer.max_padding = static_cast<size_t>(random.one_in(3) ? 900 : 30);
    clients.spawn(write(clients, writer));
  }
  for (int i = 0; i < readers; ++i) clients.spawn(read(clients));
}

io::Task<> Traffic::write(ClientSide& clients, TrafficWriter writer) {
  const int id = clients.next_client();
  const auto cluster = clients.connect(fmt::format("writer-{}", id));
  client::Producer producer(*cluster, writer.config);
  auto& random = clients.random();
  while (!clients.stopping) {
    const auto burst = random.one_in(10) ? random.between(2, 30) : 1;
    for (int i = 0; i < burst; ++i) co_await send_one(clients, producer, writer, id);
    co_await io::sleep_for(clients.loop(), writer.pause * random.between(1, 4) / 4);
  }
  co_await producer.close();
}

io::Task<> Traffic::send_one(ClientSide& clients, client::Producer& producer, const TrafficWriter& writer, int id) {
  auto& random = clients.random();
  const TopicPartition partition = partitions_[random.below(partitions_.size())];
  const size_t at = clients.history().sends.size();
  Send& send = clients.begin_send(id, partition);
  send.once = writer.config.idempotence && writer.config.acks == -1;
  client::ProducerRecord record;
  record.topic = partition.topic;
  record.partition = partition.partition;
  if (random.one_in(3)) record.key = fmt::format("key-{}", random.below(10));
  record.value = text_of_value(send.value, random.below(writer.max_padding));
  if (random.one_in(10)) record.headers.push_back({"a header", "its value"});
  // Acknowledged by the leader alone is no promise: what became of it is open.
  const bool promised = writer.config.acks == -1;
  auto delivery = [&clients, at, promised](const Result<client::RecordMetadata>& outcome) {
    Send& done = clients.history().sends[at];
    done.ended = clients.now_ns();
    if (!outcome) return;
    ++clients.progress;
    if (!promised) return;
    done.outcome = Outcome::kOk;
    done.offset = outcome->offset;
  };
  (void)co_await producer.send(std::move(record), std::move(delivery));
}

io::Task<> Traffic::read(ClientSide& clients) {
  const int id = clients.next_client();
  auto& random = clients.random();
  const auto cluster = clients.connect(fmt::format("reader-{}", id));
  client::ConsumerConfig config;
  config.auto_offset_reset = client::OffsetReset::kEarliest;
  config.fetch_max_wait = std::chrono::milliseconds(random.between(10, 500));
  config.fetch_max_bytes = static_cast<int32_t>(random.one_in(3) ? random.between(100, 2000) : 1 << 20);
  config.max_partition_fetch_bytes = static_cast<int32_t>(random.one_in(3) ? random.between(100, 2000) : 1 << 20);
  config.max_poll_records = static_cast<size_t>(random.between(1, 100));
  config.read_committed = random.one_in(2);
  client::Consumer consumer(*cluster, config);
  consumer.assign(partitions_);
  const int session = clients.next_session();
  while (!clients.stopping) {
    const int64_t began = clients.now_ns();
    const auto records = co_await consumer.poll(std::chrono::milliseconds(random.between(10, 1000)));
    if (!records) {
      co_await io::sleep_for(clients.loop(), 50ms);
      continue;
    }
    if (!records->empty()) clients.history().polls.push_back(poll_of(*records, id, session, began, clients.now_ns()));
  }
  co_await consumer.close();
}

}  // namespace samsa::sim
