#include "protocol/api/fetch.h"

#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

int16_t error_of(const protocol::FetchResponse& answer) { return answer.responses.at(0).partitions.at(0).error_code; }
size_t bytes_of(const protocol::FetchResponse& answer, size_t partition = 0) {
  return answer.responses.at(0).partitions.at(partition).records.memory.view().size();
}

TEST(Fetch, RefusalsPerPartition) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await site.produce("events", 0, {"a"}), 0);
    EXPECT_EQ(error_of(co_await site.call(TestSite::fetch_request("none", 0, 0), 12)), code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(error_of(co_await site.call(TestSite::fetch_request("events", 3, 0), 12)), code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(error_of(co_await site.call(TestSite::fetch_request("events", 0, 1), 12)), 0);
    EXPECT_EQ(error_of(co_await site.call(TestSite::fetch_request("events", 0, 2), 12)), code(ErrorCode::kOffsetOutOfRange));
    auto ahead = TestSite::fetch_request("events", 0, 0);
    ahead.topics[0].partitions[0].current_leader_epoch = 9;
    EXPECT_EQ(error_of(co_await site.call(ahead, 12)), code(ErrorCode::kUnknownLeaderEpoch));
    auto by_id = TestSite::fetch_request("", 0, 0);
    by_id.topics[0].topic_id = Uuid::parse("abcdefghijklmnopqrstuA").value();
    EXPECT_EQ(error_of(co_await site.call(by_id, 13)), code(ErrorCode::kUnknownTopicId));
  });
}

TEST(Fetch, TheFirstPartitionAlwaysMakesProgress) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 2);
    for (int partition = 0; partition < 2; ++partition) EXPECT_EQ(co_await site.produce("events", partition, {std::string(1000, 'x')}), 0);
    for (const int32_t limit : {0, 10, -5}) {
      auto request = TestSite::fetch_request("events", 0, 0);
      request.max_bytes = limit;
      request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
      request.topics[0].partitions[1].partition = 1;
      const auto answer = co_await site.call(request, 12);
      EXPECT_GT(bytes_of(answer, 0), 1000u) << limit;
      EXPECT_EQ(bytes_of(answer, 1), 0u) << limit;
    }
  });
}

TEST(Fetch, EpochsThatAreNoneOfASession) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    auto request = TestSite::fetch_request("events", 0, 0);
    for (const int32_t epoch : {1, -2, INT32_MIN}) {
      request.session_id = 12345;
      request.session_epoch = epoch;
      EXPECT_EQ((co_await site.call(request, 12)).error_code, code(ErrorCode::kFetchSessionIdNotFound)) << epoch;
    }
    request.session_id = 0;
    request.session_epoch = 0;
    const auto opened = co_await site.call(request, 12);
    EXPECT_GT(opened.session_id, 0);
    for (const int32_t epoch : {2, -2}) {
      request.session_id = opened.session_id;
      request.session_epoch = epoch;
      EXPECT_EQ((co_await site.call(request, 12)).error_code, code(ErrorCode::kInvalidFetchSessionEpoch)) << epoch;
    }
  });
}

// While one partition of a fetch waits for the disk, records come to another that was looked at before: the fetch must see them, not wait
// for more of them.
TEST(Fetch, SeesWhatComesWhileItReads) {
  TestSite site({}, 1);
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 2);
    EXPECT_EQ(co_await site.produce("events", 1, {"there"}), 0);
    auto other = co_await site.connect();
    for (int round = 0; round < 40; ++round) {
      auto request = TestSite::fetch_request("events", 0, round, 30'000);
      request.min_bytes = 1 << 16;  // More than there is to read: it waits after the look at both.
      request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
      request.topics[0].partitions[1].partition = 1;
      request.topics[0].partitions[1].fetch_offset = 0;
      const auto began = site.world().loop.now();
      EXPECT_TRUE(co_await site.client->send_request(request, 12));
      co_await io::sleep_for(site.world().loop, std::chrono::microseconds(50 * round));
      protocol::RecordBatchBuilder builder;
      builder.append(1, std::nullopt, as_bytes(std::string(1 << 17, 'x')));
      const auto produced = co_await other->call(produce_request("events", 0, *builder.build()), 9);
      EXPECT_TRUE(produced);
      EXPECT_TRUE(co_await site.client->receive());
      EXPECT_LT(site.world().loop.now() - began, 5s) << round;
    }
    other->close();
  });
}

}  // namespace
}  // namespace samsa::server
