// For tests of handlers: one started node on the simulated world, and raw connections to it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"
#include "server/test_node.h"

namespace samsa::server {

// The values of all records in the answer.
inline std::vector<std::string> values_of(const protocol::FetchResponse& response) {
  std::vector<std::string> values;
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      protocol::BatchIterator batches(partition.records.memory.view());
      protocol::Scratch scratch;
      for (;;) {
        auto batch = batches.next();
        EXPECT_TRUE(batch);
        if (!batch || !*batch) break;
        EXPECT_TRUE((*batch)->crc_matches());
        auto reader = protocol::RecordReader::open(**batch, scratch);
        protocol::Record record;
        while (*reader->next(record)) values.emplace_back(as_text(*record.value));
      }
    }
  }
  return values;
}

class TestSite {
 public:
  explicit TestSite(const config::Properties& more = {}, int shards = 2)
      : sim(7), machine(sim.add_node("node", shards)), elsewhere(sim.add_node("client")) {
    config::Properties properties = more;
    properties.try_emplace("listeners", "PLAINTEXT://node:9092,CONTROLLER://node:9093");
    node = std::make_unique<Node>(machine.worlds(), test_settings("/data", properties), [](Error error) { ADD_FAILURE() << error.text(); });
    run_on(machine, [this]() -> io::Task<> {
      const auto started = co_await node->start();
      EXPECT_TRUE(started) << started.error().text();
    });
    run([this]() -> io::Task<> { client = co_await connect(); });
  }
  ~TestSite() {
    if (client) client->close();
    run_on(machine, [this]() -> io::Task<> { co_await node->stop(); });
    node.reset();
    client.reset();
  }

  // Runs the scene, a coroutine without arguments, on the client's machine to its end.
  template <class F>
  void run(F scene) {
    run_on(elsewhere, std::move(scene));
  }
  [[nodiscard]] io::World world() const { return elsewhere.worlds()[0]; }
  io::Task<std::unique_ptr<RawClient>> connect(uint16_t port = 9092) {
    auto connected = co_await RawClient::connect(world(), {"node", port});
    EXPECT_TRUE(connected) << connected.error().text();
    co_return connected ? std::move(*connected) : nullptr;
  }
  // The answer views the client's memory until its next call.
  template <class Request>
  io::Task<typename Request::Response> call(const Request& request, int16_t version) {
    auto answer = co_await client->call(request, version);
    EXPECT_TRUE(answer) << Request::kName << ": " << answer.error().text();
    co_return answer ? std::move(*answer) : typename Request::Response{};
  }

  io::Task<> create(std::string name, int partitions = 1, std::map<std::string, std::string> configs = {}) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.emplace_back();
      config.name = key;
      config.value = protocol::Text(value);
    }
    request.timeout_ms = 10000;
    const auto answer = co_await call(request, 7);
    EXPECT_EQ(answer.topics.at(0).error_code, 0);
  }
  // Appends a batch of these values; gives the error code, and the offset.
  io::Task<int16_t> produce(std::string topic, int partition, std::vector<std::string> values, TimestampMs timestamp = 1'700'000'000'000) {
    protocol::RecordBatchBuilder builder;
    for (const auto& value : values) builder.append(timestamp, std::nullopt, as_bytes(value));
    const auto answer = co_await call(produce_request(topic, partition, *builder.build()), 9);
    produced_at = answer.responses.at(0).partition_responses.at(0).base_offset;
    co_return answer.responses.at(0).partition_responses.at(0).error_code;
  }
  static protocol::FetchRequest fetch_request(const std::string& topic, int partition, Offset offset, int max_wait_ms = 0) {
    protocol::FetchRequest request;
    request.max_wait_ms = max_wait_ms;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.session_epoch = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = topic;
    auto& part = wanted.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = offset;
    part.partition_max_bytes = 1 << 20;
    return request;
  }
  // The replica of a partition, for scenes that bring it into a state that clients cannot.
  std::shared_ptr<replication::Partition> replica(const std::string& topic, PartitionIndex index) {
    const auto image = node->shard(0).image();
    const auto found = node->shard(node->shard_of(topic, index)).partition(image->topic(topic)->id, index);
    EXPECT_TRUE(found);
    return *found;
  }

  io::sim::SimWorld sim;
  io::sim::SimNode& machine;
  io::sim::SimNode& elsewhere;
  std::unique_ptr<Node> node;
  std::unique_ptr<RawClient> client;
  Offset produced_at = -1;

 private:
  template <class F>
  void run_on(io::sim::SimNode& where, F scene) {
    ASSERT_TRUE(sim.run_task(where.worlds()[0].loop, scene(), std::chrono::seconds(3600))) << sim.trace().recent(60);
  }
};

inline constexpr int16_t code(ErrorCode error) { return static_cast<int16_t>(error); }

}  // namespace samsa::server
