#include "protocol/api/list_offsets.h"

#include "server/test_site.h"

namespace samsa::server {
namespace {

struct Asked {
  int64_t timestamp = -1;
  int16_t version = 9;
  std::string topic = "events";
  PartitionIndex partition = 0;
  LeaderEpoch epoch = -1;
};

struct Told {
  int16_t error = 0;
  Offset offset = -1;
  TimestampMs timestamp = -1;
};

Told ask(TestSite& site, const Asked& asked) {
  Told told;
  site.run([&]() -> io::Task<> {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = asked.topic;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = asked.partition;
    partition.timestamp = asked.timestamp;
    if (asked.version >= 4) partition.current_leader_epoch = asked.epoch;
    const auto answer = co_await site.call(request, asked.version);
    const auto& found = answer.topics.at(0).partitions.at(0);
    told = {found.error_code, found.offset, found.timestamp};
  });
  return told;
}

void fill(TestSite& site) {
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await site.produce("events", 0, {"a", "b"}, 1000), 0);
    EXPECT_EQ(co_await site.produce("events", 0, {"c"}, 3000), 0);
    EXPECT_EQ(co_await site.produce("events", 0, {"d"}, 2000), 0);
  });
}

TEST(ListOffsets, ByTimeAndByTheSpecialTimes) {
  TestSite site;
  fill(site);
  EXPECT_EQ(ask(site, {-1}).offset, 4);
  EXPECT_EQ(ask(site, {-2}).offset, 0);
  EXPECT_EQ(ask(site, {-4}).offset, 0);
  EXPECT_EQ(ask(site, {-5}).offset, -1);
  EXPECT_EQ(ask(site, {-3}).offset, 2);
  EXPECT_EQ(ask(site, {-3}).timestamp, 3000);
  EXPECT_EQ(ask(site, {1}).offset, 0);
  EXPECT_EQ(ask(site, {1001}).offset, 2);
  EXPECT_EQ(ask(site, {3001}).offset, -1);
}

TEST(ListOffsets, Refusals) {
  TestSite site;
  fill(site);
  EXPECT_EQ(ask(site, {.topic = "none"}).error, code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(ask(site, {.partition = 1}).error, code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(ask(site, {.timestamp = -3, .version = 6}).error, code(ErrorCode::kUnsupportedVersion));
  EXPECT_EQ(ask(site, {.timestamp = -7}).error, code(ErrorCode::kUnsupportedVersion));
  EXPECT_EQ(ask(site, {.epoch = 7}).error, code(ErrorCode::kUnknownLeaderEpoch));
}

TEST(ListOffsets, ANewLeaderTellsNoEndThatItDoesNotKnowToBeCommitted) {
  TestSite site;
  fill(site);
  const auto replica = site.replica("events", 0);
  const auto image = site.node->shard(0).image();
  metadata::PartitionImage state = *image->partition("events", 0);
  // A follower that nobody has heard of keeps the high watermark where it is; then the leadership begins anew.
  state.replicas = state.isr = {1, 99};
  ++state.leader_epoch;
  ++state.partition_epoch;
  ASSERT_TRUE(replica->apply(state, 1));
  site.run([&]() -> io::Task<> {
    protocol::RecordBatchBuilder builder;
    builder.append(5000, std::nullopt, as_bytes("e"));
    const auto answer = co_await site.call(produce_request("events", 0, *builder.build(), 1), 9);
    EXPECT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
  });
  EXPECT_EQ(ask(site, {-1}).offset, 4);  // The leader that wrote it knows what is committed.
  ++state.leader_epoch;
  ++state.partition_epoch;
  ASSERT_TRUE(replica->apply(state, 1));
  EXPECT_EQ(ask(site, {-1}).error, code(ErrorCode::kOffsetNotAvailable));
  EXPECT_EQ(ask(site, {-1, 4}).error, code(ErrorCode::kLeaderNotAvailable));
  EXPECT_EQ(ask(site, {4000}).error, code(ErrorCode::kOffsetNotAvailable));
  EXPECT_EQ(ask(site, {1500}).offset, 2);  // Below the high watermark it is certain.
  EXPECT_EQ(ask(site, {-2}).offset, 0);
}

}  // namespace
}  // namespace samsa::server
