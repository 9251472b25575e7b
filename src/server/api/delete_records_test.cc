#include "protocol/api/delete_records.h"

#include "server/test_cluster.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

protocol::DeleteRecordsRequest request_of(const std::string& topic, Offset offset, int32_t timeout_ms = 10'000, PartitionIndex partition = 0) {
  protocol::DeleteRecordsRequest request;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  auto& part = wanted.partitions.emplace_back();
  part.partition_index = partition;
  part.offset = offset;
  request.timeout_ms = timeout_ms;
  return request;
}

TEST(DeleteRecords, MovesTheLogStart) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await site.produce("events", 0, {"a", "b", "c"}), 0);
    const auto one = co_await site.call(request_of("events", 2), 2);
    EXPECT_EQ(one.topics.at(0).partitions.at(0).error_code, 0);
    EXPECT_EQ(one.topics.at(0).partitions.at(0).low_watermark, 2);
    const auto lower = co_await site.call(request_of("events", 1), 2);
    EXPECT_EQ(lower.topics.at(0).partitions.at(0).low_watermark, 2);
    const auto all = co_await site.call(request_of("events", -1), 2);
    EXPECT_EQ(all.topics.at(0).partitions.at(0).low_watermark, 3);
  });
}

// An empty cleanup.policy: this is the only way to make room.
TEST(DeleteRecords, WorksWithoutAPolicy) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("kept", 1, {{"cleanup.policy", ""}});
    EXPECT_EQ(co_await site.produce("kept", 0, {"a", "b", "c"}), 0);
    const auto answer = co_await site.call(request_of("kept", 2), 2);
    EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, 0);
    EXPECT_EQ(answer.topics.at(0).partitions.at(0).low_watermark, 2);
  });
}

TEST(DeleteRecords, Refusals) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    co_await site.create("compacted", 1, {{"cleanup.policy", "compact"}});
    const auto refused = [&](protocol::DeleteRecordsRequest request) -> io::Task<int16_t> {
      const auto answer = co_await site.call(request, 2);
      EXPECT_EQ(answer.topics.at(0).partitions.at(0).low_watermark, -1);
      co_return answer.topics.at(0).partitions.at(0).error_code;
    };
    EXPECT_EQ(co_await refused(request_of("none", 0)), code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(co_await refused(request_of("events", 0, 100, 5)), code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(co_await refused(request_of("events", 1)), code(ErrorCode::kOffsetOutOfRange));
    EXPECT_EQ(co_await refused(request_of("events", -2)), code(ErrorCode::kOffsetOutOfRange));
    EXPECT_EQ(co_await refused(request_of("compacted", 0)), code(ErrorCode::kPolicyViolation));
  });
}

// The answer says that the records are gone from every live replica, or that this took too long.
TEST(DeleteRecords, WaitsForTheReplicas) {
  TestCluster cluster(11, {"broker,controller", "broker,controller", "broker,controller"});
  TestClient client(cluster.client->worlds()[0], cluster.brokers());
  cluster.start_all();
  ASSERT_TRUE(cluster.sim.run_until([&] { return cluster.all_started(); }, 60s));
  ClusterProducer producer(client, "events", 1);
  bool created = false;
  ASSERT_TRUE(cluster.sim.run_task(client.world().loop, create_topic(client, "events", 1, 3, "1", created), 60s));
  io::spawn(client.world().loop, producer.run());
  ASSERT_TRUE(cluster.sim.run_until([&] { return producer.count >= 20; }, 60s));
  producer.stopping = true;
  ASSERT_TRUE(cluster.sim.run_until([&] { return producer.stopped && cluster.whole("events"); }, 60s));

  const auto starts = [&] {
    std::vector<Offset> all;
    for (auto& member : cluster.members) {
      auto& node = *member.node;
      const auto replica = node.shard(node.shard_of("events", 0)).partition(cluster.image()->topic("events")->id, 0);
      all.push_back((*replica)->log().log_start_offset());
    }
    return all;
  };
  protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult told;
  const auto remove = [&](Offset offset, int32_t timeout_ms) -> io::Task<> {
    const auto leader = co_await client.leader("events", 0);
    EXPECT_TRUE(leader);
    const auto answer = co_await client.call(*leader, request_of("events", offset, timeout_ms), 2);
    EXPECT_TRUE(answer);
    told = (*answer)->topics.at(0).partitions.at(0);
  };
  ASSERT_TRUE(cluster.sim.run_task(client.world().loop, remove(10, 10'000), 60s));
  EXPECT_EQ(told.error_code, 0);
  EXPECT_EQ(told.low_watermark, 10);
  EXPECT_EQ(starts(), (std::vector<Offset>{10, 10, 10}));

  ASSERT_TRUE(cluster.sim.run_task(client.world().loop, remove(15, 0), 60s));
  EXPECT_EQ(told.error_code, code(ErrorCode::kRequestTimedOut));
  EXPECT_EQ(told.low_watermark, 10);
}

}  // namespace
}  // namespace samsa::server
