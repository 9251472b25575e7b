// Connections of a node against peers that are slow, silent or gone.
#include "server/connection.h"

#include "protocol/api/api_versions.h"
#include "protocol/api/metadata.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

const config::Properties kImpatient = {{"connections.max.idle.ms", "10000"}};

// Connections that the node holds, without the one that the site has.
int64_t strangers(TestSite& site) { return site.node->connection_quota(false).total() - 1; }

// The site's own connection speaks now and then; gives up to `limit` for the strangers to be gone.
io::Task<bool> are_gone(TestSite& site, std::chrono::milliseconds limit) {
  const auto deadline = io::after(site.world().loop.now(), limit);
  while (strangers(site) > 0 && site.world().loop.now() < deadline) {
    co_await io::sleep_for(site.world().loop, 1s);
    (void)co_await site.call(protocol::ApiVersionsRequest{}, 0);
  }
  co_return strangers(site) == 0;
}

TEST(Connection, TheIdleAreClosedTheBusyStay) {
  TestSite site(kImpatient);
  site.run([&]() -> io::Task<> {
    const auto idle = co_await site.connect();
    EXPECT_TRUE(co_await idle->call(protocol::ApiVersionsRequest{}, 0));
    EXPECT_TRUE(co_await are_gone(site, 15s));
    EXPECT_FALSE(co_await idle->receive());
    EXPECT_TRUE(co_await site.client->call(protocol::ApiVersionsRequest{}, 0));
  });
}

TEST(Connection, AHalfFrameIsIdleToo) {
  TestSite site(kImpatient);
  site.run([&]() -> io::Task<> {
    const auto small = co_await site.connect();
    EXPECT_TRUE(co_await small->send(Buffer{0, 0, 0, 40, 0, 3}));
    const auto large = co_await site.connect();
    EXPECT_TRUE(co_await large->send(Buffer{0, 0x50, 0, 0, 0, 3}));
    EXPECT_TRUE(co_await are_gone(site, 15s));
  });
}

// A frame that comes byte by byte for longer than the limit is served all the same: something comes.
TEST(Connection, ASlowFrameIsNotIdle) {
  TestSite site(kImpatient);
  site.run([&]() -> io::Task<> {
    protocol::Encoder encoder;
    EXPECT_TRUE(protocol::encode_request_frame({18, 0, 1, "slow"}, protocol::ApiVersionsRequest{}, encoder));
    Buffer whole;
    for (const auto& chunk : encoder.chunks()) whole.insert(whole.end(), chunk.memory.begin(), chunk.memory.end());
    const auto slow = co_await site.connect();
    for (const uint8_t byte : whole) {
      EXPECT_TRUE(co_await slow->send(Buffer{byte}));
      co_await io::sleep_for(site.world().loop, 3s);
    }
    EXPECT_TRUE(co_await slow->receive());
    slow->close();
    EXPECT_FALSE(co_await site.client->receive());  // The site's own was silent meanwhile.
    site.client = co_await site.connect();
  });
}

// Who asks for a wait of hours does not hold its connection for hours.
TEST(Connection, ARequestThatWaitsIsIdleToo) {
  TestSite site(kImpatient);
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    const auto waiting = co_await site.connect();
    EXPECT_TRUE(co_await waiting->send_request(TestSite::fetch_request("events", 0, 0, 7'200'000), 12));
    const auto began = site.world().loop.now();
    EXPECT_FALSE(co_await waiting->receive());
    EXPECT_LT(site.world().loop.now() - began, 15s);
    site.client = co_await site.connect();
    // It still counts as one that is there until the fetch ends, which a record brings about.
    EXPECT_EQ(co_await site.produce("events", 0, {"x"}), 0);
    EXPECT_TRUE(co_await are_gone(site, 15s));
  });
}

// A peer that asks and asks and takes no answers: its memory is given back.
TEST(Connection, APeerThatTakesNoAnswers) {
  TestSite site(kImpatient);
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"max.message.bytes", "4000000"}});
    EXPECT_EQ(co_await site.produce("events", 0, {std::string(700'000, 'x')}), 0);
    const auto deaf = co_await site.connect();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(co_await deaf->send_request(TestSite::fetch_request("events", 0, 0), 12));
    co_await io::sleep_for(site.world().loop, 2s);
    EXPECT_EQ(strangers(site), 1);
    EXPECT_TRUE(co_await are_gone(site, 30s));
  });
}

// An answer of more than one part arrives whole.
TEST(Connection, ALargeAnswerGoesOutInParts) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"max.message.bytes", "9000000"}, {"compression.type", "producer"}});
    std::string value(3'000'000, 'x');
    for (size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>('a' + i * 7919 % 26);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(co_await site.produce("events", 0, {value}), 0);
    auto request = TestSite::fetch_request("events", 0, 0);
    request.max_bytes = request.topics[0].partitions[0].partition_max_bytes = 50'000'000;
    const auto answer = co_await site.call(request, 12);
    protocol::BatchIterator batches(answer.responses.at(0).partitions.at(0).records.memory.view());
    int count = 0;
    protocol::Scratch scratch;
    while (auto batch = *batches.next()) {
      EXPECT_TRUE(batch->crc_matches());
      ++count;
    }
    EXPECT_EQ(count, 5);
  });
}

// The client's machine vanishes without a word: nobody says goodbye, and the node lets go of it all the same.
TEST(Connection, HalfOpenOnesEnd) {
  TestSite site(kImpatient);
  auto& far = site.sim.add_node("far");
  std::unique_ptr<RawClient> gone;
  const auto connect = [&]() -> io::Task<> {
    auto opened = co_await RawClient::connect(far.worlds()[0], {"node", 9092});
    EXPECT_TRUE(opened);
    gone = std::move(*opened);
    EXPECT_TRUE(co_await gone->call(protocol::ApiVersionsRequest{}, 0));
    // A fetch that waits when the machine goes.
    EXPECT_TRUE(co_await gone->send_request(TestSite::fetch_request("events", 0, 0, 3000), 12));
  };
  ASSERT_TRUE(site.sim.run_task(far.worlds()[0].loop, connect(), 60s));
  site.sim.run_for(100ms);
  EXPECT_EQ(strangers(site), 1);
  [[maybe_unused]] static RawClient* const dead = gone.release();  // It dies with its machine: nothing of it runs any more.
  site.sim.crash(far);
  site.run([&]() -> io::Task<> { EXPECT_TRUE(co_await are_gone(site, 60s)); });
}

TEST(Connection, ManyThatComeAndGoLeaveNothing) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    for (int i = 0; i < 200; ++i) {
      const auto one = co_await site.connect();
      if (i % 3 == 0) EXPECT_TRUE(co_await one->send_request(protocol::MetadataRequest{}, 9));
      if (i % 3 == 1) EXPECT_TRUE(co_await one->send(Buffer{0, 0, 0, 9, 1}));
      one->close();
    }
    EXPECT_TRUE(co_await are_gone(site, 5s));
  });
}

// ---- Moving

size_t on_shard(TestSite& site, int shard) { return site.node->shard(shard).connection_count(); }

// A connection, and a partition of "events" that lies on the shard where it does not.
struct Abroad {
  std::unique_ptr<RawClient> client;
  int shard = 0;  // The partition's.
  PartitionIndex partition = 0;
  size_t there_before = 0;
  [[nodiscard]] bool has_moved(TestSite& site) const { return on_shard(site, shard) == there_before + 1; }
};

io::Task<Abroad> go_abroad(TestSite& site) {
  Abroad abroad;
  const size_t before = on_shard(site, 0);
  abroad.client = co_await site.connect();
  EXPECT_TRUE(co_await abroad.client->call(protocol::ApiVersionsRequest{}, 0));
  abroad.shard = on_shard(site, 0) > before ? 1 : 0;
  while (site.node->shard_of("events", abroad.partition) != abroad.shard) ++abroad.partition;
  abroad.there_before = on_shard(site, abroad.shard);
  co_return abroad;
}

Buffer one_record(const std::string& value) {
  return *protocol::single_record_batch({}, 1'700'000'000'000, std::nullopt, as_bytes(value));
}

// Requests that are under way, and half received, are answered in their order all the while.
TEST(Connection, MovesToTheShardOfItsPartition) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 16);
    const Abroad abroad = co_await go_abroad(site);
    const int first = abroad.client->correlation() + 1;
    constexpr int kRequests = 200;
    constexpr int kUnderWay = 7;
    for (int i = 0; i < kRequests + kUnderWay; ++i) {
      if (i < kRequests) EXPECT_TRUE(co_await abroad.client->send_request(produce_request("events", abroad.partition, one_record(std::to_string(i))), 9));
      if (i < kUnderWay) continue;
      const auto frame = co_await abroad.client->receive();
      if (!frame) co_return (void)(ADD_FAILURE() << "answer " << i - kUnderWay << ": " << frame.error().text());
      const auto answer = RawClient::parse<protocol::ProduceRequest>(*frame, 9, first + i - kUnderWay);
      EXPECT_TRUE(answer && answer->responses.at(0).partition_responses.at(0).base_offset == i - kUnderWay);
    }
    EXPECT_TRUE(abroad.has_moved(site));
    EXPECT_EQ(strangers(site), 1);
    abroad.client->close();
    EXPECT_TRUE(co_await are_gone(site, 5s));
    EXPECT_EQ(on_shard(site, 0) + on_shard(site, 1), 1u);
  });
}

TEST(Connection, MovesWithItsFetchSession) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 16);
    const Abroad abroad = co_await go_abroad(site);
    auto request = TestSite::fetch_request("events", abroad.partition, 0);
    request.session_epoch = 0;
    const auto opened = co_await abroad.client->call(request, 12);
    EXPECT_TRUE(opened && opened->session_id != 0);
    request.session_id = opened->session_id;
    request.topics.clear();
    for (int i = 0; i < 100; ++i) {
      ++request.session_epoch;
      const auto answer = co_await abroad.client->call(request, 12);
      EXPECT_TRUE(answer && answer->error_code == 0 && answer->session_id == request.session_id) << i;
    }
    EXPECT_TRUE(abroad.has_moved(site));
    EXPECT_EQ(site.node->shard(abroad.shard).fetch_sessions().size(), 1u);
    EXPECT_EQ(site.node->shard(1 - abroad.shard).fetch_sessions().size(), 0u);
  });
}

// All clients of one partition do not end up on its shard: it serves no more of them than the others, unless it has little to do.
TEST(Connection, MovesOnlyWhereThereIsRoom) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 16);
    std::vector<Abroad> all;
    for (int i = 0; i < 9; ++i) all.push_back(co_await go_abroad(site));
    for (int i = 0; i < 100; ++i) {
      for (const auto& one : all) EXPECT_TRUE(co_await one.client->call(produce_request("events", all[0].partition, one_record("x")), 9));
    }
    EXPECT_EQ(on_shard(site, all[0].shard), 6u);  // Of ten: the last that came found as many on both.
  });
}

// A node stops while connections move.
TEST(Connection, MovesOfANodeThatStopsEnd) {
  for (int requests = 25; requests < 45; ++requests) {
    TestSite site;
    std::unique_ptr<RawClient> left;
    site.run([&]() -> io::Task<> {
      co_await site.create("events", 16);
      Abroad abroad = co_await go_abroad(site);
      for (int i = 0; i < requests; ++i) {
        EXPECT_TRUE(co_await abroad.client->send_request(produce_request("events", abroad.partition, one_record("x")), 9));
      }
      left = std::move(abroad.client);
    });
  }
}

}  // namespace
}  // namespace samsa::server
