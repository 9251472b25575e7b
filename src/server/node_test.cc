// A whole node, asked over its own wire, on the real world and on the simulated one.
#include "server/node.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "io/real/world.h"
#include "io/sim/world.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/fetch.h"
#include "protocol/api/find_coordinator.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/list_offsets.h"
#include "protocol/api/metadata.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"
#include "protocol/api/produce.h"
#include "protocol/record_batch.h"
#include "server/test_node.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

struct RealHarness {
  io::real::RealNode real{{.shards = 2}};
  std::string path = ::testing::TempDir() + "samsa-node-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
  RealHarness() { std::filesystem::remove_all(path); }
  ~RealHarness() { std::filesystem::remove_all(path); }
  io::Worlds& worlds() { return real.worlds(); }
  void run(io::Task<> task) { real.run_until_done(std::move(task)); }
};

struct SimHarness {
  io::sim::SimWorld sim{7};
  io::sim::SimNode& node{sim.add_node("node", 2)};
  std::string path = "/data";
  io::Worlds& worlds() { return node.worlds(); }
  void run(io::Task<> task) { ASSERT_TRUE(sim.run_task(worlds()[0].loop, std::move(task), 600s)) << sim.trace().recent(60); }
};

// A started node and a client of it.
struct Site {
  io::World world;
  std::unique_ptr<Node> node;
  std::unique_ptr<RawClient> client;

  io::Task<> start(io::Worlds worlds, NodeSettings settings) {
    node = std::make_unique<Node>(std::move(worlds), std::move(settings), [](Error error) { ADD_FAILURE() << error.text(); });
    const auto started = co_await node->start();
    EXPECT_TRUE(started) << started.error().text();
    if (started) client = co_await connect();
  }
  io::Task<std::unique_ptr<RawClient>> connect() {
    auto connected = co_await RawClient::connect(world, {"127.0.0.1", node->bound()[0].port});
    EXPECT_TRUE(connected) << connected.error().text();
    co_return connected ? std::move(*connected) : nullptr;
  }
  io::Task<> stop() {
    if (client) client->close();
    co_await node->stop();
    node.reset();
  }
  io::Task<> create(std::string name, int partitions, std::map<std::string, std::string> configs = {}) {
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
    auto answer = co_await client->call(request, 7);
    EXPECT_TRUE(answer) << answer.error().text();
    if (answer) {
      EXPECT_EQ(answer->topics.size(), 1u);
      EXPECT_EQ(answer->topics.at(0).error_code, 0) << (answer->topics[0].error_message ? answer->topics[0].error_message->str() : "");
    }
  }
};

Buffer batch_of(const std::vector<std::string>& values) {
  protocol::RecordBatchBuilder builder;
  for (const auto& value : values) builder.append(1700000000000, std::nullopt, as_bytes(value));
  auto built = builder.build();
  EXPECT_TRUE(built);
  return std::move(*built);
}

protocol::FetchRequest fetch_from(const std::string& topic, int partition, Offset offset, int max_wait_ms = 0) {
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

template <class Harness>
class NodeTest : public ::testing::Test {
 protected:
  // Runs `scene(site)` against a started node and stops it.
  template <class F>
  void play(F scene, const config::Properties& more = {}) {
    auto whole = [&]() -> io::Task<> {
      Site site{.world = harness_.worlds()[0]};
      co_await site.start(harness_.worlds(), test_settings(harness_.path, more));
      if (site.client) co_await scene(site);
      co_await site.stop();
    };
    harness_.run(whole());
  }
  Harness harness_;
};

using Harnesses = ::testing::Types<RealHarness, SimHarness>;
TYPED_TEST_SUITE(NodeTest, Harnesses);

TYPED_TEST(NodeTest, SaysWhatItServes) {
  auto scene = [](Site& site) -> io::Task<> {
    const auto answer = co_await site.client->call(protocol::ApiVersionsRequest{}, 0);
    EXPECT_TRUE(answer);
    EXPECT_EQ(answer->error_code, 0);
    const auto produce = std::ranges::find(answer->api_keys, 0, [](const auto& api) { return api.api_key; });
    EXPECT_EQ(produce->min_version, 0);
    const auto metadata = co_await site.client->call(protocol::MetadataRequest{}, 9);
    EXPECT_TRUE(metadata);
    EXPECT_EQ(metadata->brokers.size(), 1u);
    EXPECT_EQ(metadata->brokers.at(0).port, site.node->bound()[0].port);
    EXPECT_EQ(metadata->cluster_id->str(), site.node->cluster_id());
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, AnswersAnUnknownVersionOfApiVersionsInVersionZero) {
  auto scene = [](Site& site) -> io::Task<> {
    // Key 18, version 99, correlation id 7, client id "x", no tags, and a body that nobody looks at.
    const uint8_t frame[] = {0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0, 0xff, 0xff};
    EXPECT_TRUE(co_await site.client->send(frame));
    const auto answer = co_await site.client->receive();
    EXPECT_TRUE(answer);
    const Buffer expected = {0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5};
    EXPECT_EQ(*answer, expected);
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, KeepsWhatIsProduced) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 3);
    for (int partition = 0; partition < 3; ++partition) {
      const auto produced = co_await site.client->call(produce_request("events", partition, batch_of({"one", "two"})), 9);
      EXPECT_TRUE(produced) << produced.error().text();
      const auto& answer = produced->responses.at(0).partition_responses.at(0);
      EXPECT_EQ(answer.error_code, 0);
      EXPECT_EQ(answer.base_offset, 0);
    }
    const auto again = co_await site.client->call(produce_request("events", 1, batch_of({"three"})), 9);
    EXPECT_EQ(again->responses.at(0).partition_responses.at(0).base_offset, 2);
    const auto fetched = co_await site.client->call(fetch_from("events", 1, 0), 12);
    EXPECT_TRUE(fetched) << fetched.error().text();
    EXPECT_EQ(values_of(*fetched), (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(fetched->responses.at(0).partitions.at(0).high_watermark, 3);
    const auto beyond = co_await site.client->call(fetch_from("events", 1, 9), 12);
    EXPECT_EQ(beyond->responses.at(0).partitions.at(0).error_code, protocol::to_wire(ErrorCode::kOffsetOutOfRange));
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, WakesAFetchThatWaits) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 2);
    for (int partition = 0; partition < 2; ++partition) {
      EXPECT_TRUE(co_await site.client->send_request(fetch_from("events", partition, 0, 20'000), 12));
      co_await io::sleep_for(site.world.loop, 50ms);
      auto other = co_await site.connect();
      const auto began = site.world.loop.now();
      EXPECT_TRUE(co_await other->call(produce_request("events", partition, batch_of({"hello"})), 9));
      const auto frame = co_await site.client->receive();
      EXPECT_TRUE(frame);
      EXPECT_LT(site.world.loop.now() - began, 5s);
      const auto fetched = RawClient::parse<protocol::FetchRequest>(*frame, 12, site.client->correlation());
      EXPECT_EQ(values_of(*fetched), (std::vector<std::string>{"hello"}));
      other->close();
    }
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, AnswersPipelinedRequestsInOrder) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 4);
    const int first = site.client->correlation();
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(co_await site.client->send_request(produce_request("events", i % 4, batch_of({std::to_string(i)})), 9));
      if (i % 10 == 0) EXPECT_TRUE(co_await site.client->send_request(protocol::MetadataRequest{}, 9));
    }
    int correlation = first;
    for (int i = 0; i < 100; ++i) {
      auto frame = co_await site.client->receive();
      EXPECT_TRUE(frame);
      const auto produced = RawClient::parse<protocol::ProduceRequest>(*frame, 9, ++correlation);
      EXPECT_TRUE(produced);
      EXPECT_EQ(produced->responses.at(0).partition_responses.at(0).base_offset, i / 4);
      if (i % 10 != 0) continue;
      frame = co_await site.client->receive();
      EXPECT_TRUE(RawClient::parse<protocol::MetadataRequest>(*frame, 9, ++correlation));
    }
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, ClosesTheConnectionOnWhatItCannotRead) {
  auto scene = [](Site& site) -> io::Task<> {
    const std::vector<Buffer> bad = {
        {0xff, 0xff, 0xff, 0xff},                                        // A negative length.
        {0x7f, 0xff, 0xff, 0xff},                                        // A length above the maximum.
        {0, 0, 0, 3, 1, 2, 3},                                           // No room for a header.
        {0, 0, 0, 10, 0x12, 0x34, 0, 0, 0, 0, 0, 1, 0xff, 0xff},         // An unknown api key.
        {0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff},              // A version of Metadata that there is not.
        {0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0, 0, 0},  // An array that does not fit.
        {'G', 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P'},
    };
    for (const auto& bytes : bad) {
      auto client = co_await site.connect();
      EXPECT_TRUE(co_await client->send(bytes));
      EXPECT_FALSE(co_await client->receive());
    }
    // A half frame is no reason to close, and the next connection is served.
    auto half = co_await site.connect();
    EXPECT_TRUE(co_await half->send(Buffer{0, 0, 0, 40, 0, 3}));
    EXPECT_TRUE(co_await site.client->call(protocol::MetadataRequest{}, 9));
    half->close();
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, KnowsAcksZero) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 1);
    EXPECT_TRUE(co_await site.client->send_request(produce_request("events", 0, batch_of({"quiet"}), 0), 9));
    const auto fetched = co_await site.client->call(fetch_from("events", 0, 0, 1000), 12);
    EXPECT_TRUE(fetched) << fetched.error().text();
    EXPECT_EQ(values_of(*fetched), (std::vector<std::string>{"quiet"}));
    EXPECT_TRUE(co_await site.client->send_request(produce_request("nowhere", 0, batch_of({"lost"}), 0), 9));
    EXPECT_FALSE(co_await site.client->receive());
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, CreatesTopicsThatClientsName) {
  auto scene = [](Site& site) -> io::Task<> {
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = protocol::Text("fresh");
    auto answer = co_await site.client->call(request, 9);
    EXPECT_EQ(answer->topics.at(0).error_code, protocol::to_wire(ErrorCode::kUnknownTopicOrPartition));
    for (int i = 0; i < 100 && answer->topics.at(0).error_code != 0; ++i) {
      co_await io::sleep_for(site.world.loop, 20ms);
      answer = co_await site.client->call(request, 9);
    }
    EXPECT_EQ(answer->topics.at(0).error_code, 0);
    EXPECT_EQ(answer->topics.at(0).partitions.size(), 1u);
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, KeepsOffsetsAndRecordsOverARestart) {
  auto first = [](Site& site) -> io::Task<> {
    co_await site.create("events", 1);
    EXPECT_TRUE(co_await site.client->call(produce_request("events", 0, batch_of({"a", "b", "c"})), 9));
    protocol::FindCoordinatorRequest find;
    find.key = "group";
    auto found = co_await site.client->call(find, 3);
    for (int i = 0; i < 100 && found->error_code != 0; ++i) {
      co_await io::sleep_for(site.world.loop, 20ms);
      found = co_await site.client->call(find, 3);
    }
    EXPECT_EQ(found->error_code, 0);
    protocol::OffsetCommitRequest commit;
    commit.group_id = "group";
    auto& topic = commit.topics.emplace_back();
    topic.name = "events";
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = 2;
    const auto committed = co_await site.client->call(commit, 7);
    EXPECT_EQ(committed->topics.at(0).partitions.at(0).error_code, 0);
  };
  this->play(first);
  auto second = [](Site& site) -> io::Task<> {
    const auto fetched = co_await site.client->call(fetch_from("events", 0, 0), 12);
    EXPECT_EQ(values_of(*fetched), (std::vector<std::string>{"a", "b", "c"}));
    protocol::OffsetFetchRequest request;
    request.group_id = "group";
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = "events";
    topic.partition_indexes = {0};
    auto answer = co_await site.client->call(request, 7);
    for (int i = 0; i < 100 && answer->error_code != 0; ++i) {
      co_await io::sleep_for(site.world.loop, 20ms);
      answer = co_await site.client->call(request, 7);
    }
    EXPECT_EQ(answer->topics.at(0).partitions.at(0).committed_offset, 2);
  };
  this->play(second);
}

TYPED_TEST(NodeTest, TellsASessionOnlyWhatIsNew) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 2);
    auto open = fetch_from("events", 0, 0);
    open.session_epoch = 0;
    auto& second = open.topics[0].partitions.emplace_back(open.topics[0].partitions[0]);
    second.partition = 1;
    auto answer = co_await site.client->call(open, 12);
    EXPECT_TRUE(answer);
    EXPECT_GT(answer->session_id, 0);
    EXPECT_EQ(answer->responses.at(0).partitions.size(), 2u);
    const int32_t id = answer->session_id;

    protocol::FetchRequest next;
    next.max_bytes = 1 << 20;
    next.session_id = id;
    next.session_epoch = 1;
    answer = co_await site.client->call(next, 12);
    EXPECT_EQ(answer->error_code, 0);
    EXPECT_TRUE(answer->responses.empty());

    EXPECT_TRUE(co_await site.client->call(produce_request("events", 1, batch_of({"news"})), 9));
    next.session_epoch = 2;
    answer = co_await site.client->call(next, 12);
    EXPECT_EQ(answer->responses.at(0).partitions.size(), 1u);
    EXPECT_EQ(values_of(*answer), (std::vector<std::string>{"news"}));
    answer = co_await site.client->call(next, 12);
    EXPECT_EQ(answer->error_code, protocol::to_wire(ErrorCode::kInvalidFetchSessionEpoch));
    next.session_id = id + 2;
    answer = co_await site.client->call(next, 12);
    EXPECT_EQ(answer->error_code, protocol::to_wire(ErrorCode::kFetchSessionIdNotFound));
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, ClosesIdleConnections) {
  auto scene = [](Site& site) -> io::Task<> {
    EXPECT_TRUE(co_await site.client->call(protocol::MetadataRequest{}, 9));
    const auto began = site.world.loop.now();
    EXPECT_FALSE(co_await site.client->receive());
    EXPECT_GE(site.world.loop.now() - began, 250ms);
  };
  this->play(scene, {{"connections.max.idle.ms", "300"}});
}

TYPED_TEST(NodeTest, RefusesWhatIsWrongWithABatch) {
  auto scene = [](Site& site) -> io::Task<> {
    co_await site.create("events", 1);
    const auto code_of = [](const auto& answer) { return answer->responses.at(0).partition_responses.at(0).error_code; };
    Buffer broken = batch_of({"x"});
    broken.back() ^= 1;
    auto answer = co_await site.client->call(produce_request("events", 0, std::move(broken)), 9);
    EXPECT_EQ(code_of(answer), protocol::to_wire(ErrorCode::kCorruptMessage));
    answer = co_await site.client->call(produce_request("events", 0, {}), 9);
    EXPECT_EQ(code_of(answer), protocol::to_wire(ErrorCode::kInvalidRecord));
    answer = co_await site.client->call(produce_request("events", 0, batch_of({"x"}), 5), 9);
    EXPECT_EQ(code_of(answer), protocol::to_wire(ErrorCode::kInvalidRequiredAcks));
    answer = co_await site.client->call(produce_request("events", 0, batch_of({std::string(2 << 20, 'x')})), 9);
    EXPECT_EQ(code_of(answer), protocol::to_wire(ErrorCode::kMessageTooLarge));
    answer = co_await site.client->call(produce_request("events", 0, batch_of({"good"})), 9);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(answer->responses.at(0).partition_responses.at(0).base_offset, 0);
  };
  this->play(scene);
}

TYPED_TEST(NodeTest, GivesEveryProducerItsOwnId) {
  auto scene = [](Site& site) -> io::Task<> {
    protocol::InitProducerIdRequest request;
    request.transactional_id.reset();
    const auto one = co_await site.client->call(request, 4);
    const auto two = co_await site.client->call(request, 4);
    EXPECT_EQ(one->error_code, 0);
    EXPECT_GE(one->producer_id, 0);
    EXPECT_NE(one->producer_id, two->producer_id);
  };
  this->play(scene);
}

// What works in the background takes its settings from the newest image, never from one that is gone.
TYPED_TEST(NodeTest, SettingsChangeWhileTheCleanerWaits) {
  auto scene = [](Site& site) -> io::Task<> {
    for (int round = 0; round < 8; ++round) {
      protocol::IncrementalAlterConfigsRequest request;
      auto& resource = request.resources.emplace_back();
      resource.resource_type = 4;
      resource.resource_name = "";
      auto& config = resource.configs.emplace_back();
      config.name = "log.cleaner.backoff.ms";
      config.config_operation = round % 2;  // Set, delete.
      config.value = protocol::Text("40");
      const auto answer = co_await site.client->call(request, 1);
      EXPECT_TRUE(answer && answer->responses.at(0).error_code == 0);
      co_await io::sleep_for(site.world.loop, 60ms);
    }
  };
  this->play(scene, {{"log.cleaner.backoff.ms", "50"}});
}

}  // namespace
}  // namespace samsa::server
