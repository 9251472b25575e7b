// A whole node in the simulated world: a producer that never gives up, while the node loses its power and connections break. What was
// acknowledged since the last crash is there; with samsa.durable.appends everything that ever was, and an idempotent producer that
// sends again what was not answered leaves every value once and in order. The same seed is the same run.
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"
#include "server/node.h"
#include "server/test_node.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

constexpr int kPartitions = 3;
constexpr uint16_t kPort = 9092;

// The node runs until it is crashed; its task owns it, so that a crash destroys it.
io::Task<> serve(io::Worlds worlds, NodeSettings settings, int& starts) {
  io::Signal never;
  Node node(worlds, std::move(settings), [](Error error) { ADD_FAILURE() << error.text(); });
  const auto started = co_await node.start();
  EXPECT_TRUE(started) << started.error().text();
  ++starts;
  co_await never.wait(worlds[0].loop);
}

class Producer {
 public:
  Producer(io::World world, bool idempotent) : world_(world), idempotent_(idempotent) {}

  io::Task<> run() {
    while (!stopping) {
      auto client = co_await RawClient::connect(world_, {"server", kPort});
      if (client) co_await talk(**client);
      co_await io::sleep_for(world_.loop, 20ms);
    }
    stopped = true;
  }
  // What was acknowledged, and what is on its way, may be gone from here on, unless it was synced.
  void forget() {
    for (auto& partition : acknowledged) partition.clear();
    ++forgotten_;
  }

  std::map<Offset, std::string> acknowledged[kPartitions];
  int count = 0;
  bool stopping = false;
  bool stopped = false;

 private:
  io::Task<> talk(RawClient& client) {
    protocol::CreateTopicsRequest create;
    auto& topic = create.topics.emplace_back();
    topic.name = "events";
    topic.num_partitions = kPartitions;
    topic.replication_factor = 1;
    create.timeout_ms = 10000;
    if (!co_await client.call(create, 7)) co_return;
    if (idempotent_ && producer_id_ < 0) {
      protocol::InitProducerIdRequest init;
      init.transactional_id.reset();
      const auto answer = co_await client.call(init, 4);
      if (!answer || answer->error_code != 0) co_return;
      producer_id_ = answer->producer_id;
      producer_epoch_ = answer->producer_epoch;
    }
    while (!stopping && co_await produce(client)) {
    }
  }

  // One value. False when the connection is of no more use.
  io::Task<bool> produce(RawClient& client) {
    const int partition = next_ % kPartitions;
    const std::string value = "value " + std::to_string(next_);
    protocol::BatchOptions options;
    if (idempotent_) {
      options.producer_id = producer_id_;
      options.producer_epoch = producer_epoch_;
      options.base_sequence = next_ / kPartitions;
    }
    auto batch = protocol::single_record_batch(options, world_.loop.wall_ms(), std::nullopt, as_bytes(value));
    const auto request = produce_request("events", partition, std::move(*batch));
    if (!idempotent_) ++next_;  // Otherwise the same again until it is acknowledged.
    const int forgotten = forgotten_;
    const auto answer = co_await client.call(request, 9);
    if (!answer) co_return false;
    const auto& outcome = answer->responses.at(0).partition_responses.at(0);
    if (outcome.error_code != 0) {
      EXPECT_TRUE(error_is_retriable(error_from_wire(outcome.error_code))) << error_name(error_from_wire(outcome.error_code));
      co_await io::sleep_for(world_.loop, 20ms);
      co_return true;
    }
    if (idempotent_) ++next_;
    if (forgotten == forgotten_) acknowledged[partition][outcome.base_offset] = value;
    ++count;
    co_return true;
  }
  io::World world_;
  const bool idempotent_;
  int64_t producer_id_ = -1;
  int16_t producer_epoch_ = -1;
  int next_ = 0;
  int forgotten_ = 0;
};

// All records of a partition, by offset.
io::Task<> read_all(io::World world, int partition, std::map<Offset, std::string>& into) {
  auto client = co_await RawClient::connect(world, {"server", kPort});
  EXPECT_TRUE(client);
  Offset next = 0;
  while (client) {
    protocol::FetchRequest request;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.session_epoch = -1;
    auto& wanted = request.topics.emplace_back();
    wanted.topic = "events";
    auto& part = wanted.partitions.emplace_back();
    part.partition = partition;
    part.fetch_offset = next;
    part.partition_max_bytes = 1 << 20;
    const auto answer = co_await (*client)->call(request, 9);
    EXPECT_TRUE(answer) << answer.error().text();
    if (!answer) co_return;
    const auto& found = answer->responses.at(0).partitions.at(0);
    EXPECT_EQ(found.error_code, 0);
    const Offset before = next;
    protocol::BatchIterator batches(found.records.memory.view());
    protocol::Scratch scratch;
    while (auto batch = *batches.next()) {
      EXPECT_TRUE(batch->crc_matches());
      auto reader = protocol::RecordReader::open(*batch, scratch);
      protocol::Record record;
      for (next = batch->base_offset(); *reader->next(record); ++next) into[next] = as_text(*record.value);
    }
    if (next == before) co_return;
  }
}

struct Outcome {
  uint64_t digest = 0;
  int acknowledged = 0;
};

enum class Mode { kPageCache, kDurable, kDurableIdempotent };

Outcome run_seed(uint64_t seed, Mode mode) {
  const bool durable = mode != Mode::kPageCache;
  const bool idempotent = mode == Mode::kDurableIdempotent;
  io::sim::Faults faults;
  faults.reset = 0.002;
  faults.slow = 0.01;
  io::sim::SimWorld sim(seed, faults);
  auto& server = sim.add_node("server", 2);
  auto& client = sim.add_node("client");
  const auto settings = [&] {
    config::Properties more = {{"listeners", "PLAINTEXT://server:9092,CONTROLLER://server:9093"}};
    if (durable) more["samsa.durable.appends"] = "true";
    return test_settings("/data", more);
  };
  Producer producer(client.worlds()[0], idempotent);
  int starts = 0;
  io::spawn(server.worlds()[0].loop, serve(server.worlds(), settings(), starts));
  io::spawn(client.worlds()[0].loop, producer.run());
  const auto lose_power = [&] {
    sim.crash(server);
    if (!durable) producer.forget();
    sim.run_for(100ms);
    sim.restart(server);
    sim.reset_connections(server, client);  // The producer has no timeout of its own.
    io::spawn(server.worlds()[0].loop, serve(server.worlds(), settings(), starts));
  };
  for (int round = 0; round < 4; ++round) {
    const int before = producer.count;
    const int started = starts;
    if (round > 0) {
      sim.run_for(io::Duration(sim.random().between(0, 2'000'000'000)));
      lose_power();
      // Again while it starts, sometimes.
      while (sim.random().one_in(2)) {
        sim.run_for(io::Duration(sim.random().between(0, 200'000'000)));
        lose_power();
      }
    }
    EXPECT_TRUE(sim.run_until([&] { return starts > started && producer.count > before + 20; }, 120s)) << sim.trace().recent(40);
  }
  producer.stopping = true;
  EXPECT_TRUE(sim.run_until([&] { return producer.stopped; }, 60s));
  sim.faults() = {};
  sim.run_for(1s);  // After a start the high watermark is back only when the log was synced once.
  for (int partition = 0; partition < kPartitions; ++partition) {
    std::map<Offset, std::string> found;
    EXPECT_TRUE(sim.run_task(client.worlds()[0].loop, read_all(client.worlds()[0], partition, found), 60s));
    for (const auto& [offset, value] : producer.acknowledged[partition]) {
      const auto there = found.find(offset);
      EXPECT_TRUE(there != found.end() && there->second == value)
          << "partition " << partition << " offset " << offset << ": " << value << " was acknowledged, there is "
          << (there == found.end() ? "nothing" : there->second);
    }
    if (idempotent) {
      int next = partition;
      for (const auto& [offset, value] : found) {
        EXPECT_EQ(value, "value " + std::to_string(next)) << "partition " << partition << " offset " << offset;
        next += kPartitions;
      }
    }
  }
  sim.crash(server);
  return {sim.digest(), producer.count};
}

// How many seeds a test runs: SAMSA_SEEDS, or a few.
uint64_t seeds() {
  const char* wanted = std::getenv("SAMSA_SEEDS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 5;
}

TEST(Simulation, AcknowledgedRecordsAreThere) {
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_GT(run_seed(seed, Mode::kPageCache).acknowledged, 80);
  }
}

TEST(Simulation, DurableRecordsSurvivePowerLoss) {
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_GT(run_seed(seed, Mode::kDurable).acknowledged, 80);
  }
}

TEST(Simulation, IdempotentProducersLeaveEveryValueOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_GT(run_seed(seed, Mode::kDurableIdempotent).acknowledged, 80);
  }
}

TEST(Simulation, SameSeedSameRun) {
  const Outcome first = run_seed(99, Mode::kPageCache);
  const Outcome second = run_seed(99, Mode::kPageCache);
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_EQ(first.acknowledged, second.acknowledged);
  EXPECT_NE(run_seed(100, Mode::kPageCache).digest, first.digest);
}

}  // namespace
}  // namespace samsa::server
