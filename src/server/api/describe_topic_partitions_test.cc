// DescribeTopicPartitions, DescribeLogDirs, DescribeProducers, OffsetForLeaderEpoch: what a partition tells of itself.
#include "protocol/api/describe_topic_partitions.h"

#include "protocol/api/describe_log_dirs.h"
#include "protocol/api/describe_producers.h"
#include "protocol/api/offset_for_leader_epoch.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

TEST(DescribeTopicPartitions, PageByPage) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("a", 2);
    co_await site.create("b", 3);
    co_await site.create("c", 1);
    protocol::DescribeTopicPartitionsRequest request;
    request.response_partition_limit = 2;
    std::vector<std::string> seen;
    for (int page = 0; page < 10; ++page) {
      const auto answer = co_await site.call(request, 0);
      size_t partitions = 0;
      for (const auto& topic : answer.topics) {
        EXPECT_EQ(topic.error_code, 0);
        for (const auto& partition : topic.partitions) seen.push_back(topic.name->str() + std::to_string(partition.partition_index));
        partitions += topic.partitions.size();
      }
      EXPECT_LE(partitions, 2u);
      if (!answer.next_cursor) break;
      auto& cursor = request.cursor.emplace();
      cursor.topic_name = answer.next_cursor->topic_name.str();
      cursor.partition_index = answer.next_cursor->partition_index;
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"a0", "a1", "b0", "b1", "b2", "c0"}));
  });
}

TEST(DescribeTopicPartitions, WhatIsNotThere) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    protocol::DescribeTopicPartitionsRequest request;
    request.topics.emplace_back().name = "absent";
    request.topics.emplace_back().name = "not legal";
    const auto answer = co_await site.call(request, 0);
    EXPECT_EQ(answer.topics.at(0).error_code, code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(answer.topics.at(1).error_code, code(ErrorCode::kInvalidTopicException));
  });
}

TEST(DescribeLogDirs, SizesOfWhatIsAskedFor) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("a", 2);
    co_await site.create("b");
    EXPECT_EQ(co_await site.produce("a", 1, {std::string(500, 'x')}), 0);
    protocol::DescribeLogDirsRequest request;
    request.topics.reset();
    const auto all = co_await site.call(request, 4);
    EXPECT_EQ(all.results.size(), 1u);
    EXPECT_EQ(all.results.at(0).topics.size(), 2u);
    EXPECT_GT(all.results.at(0).total_bytes, 0);
    auto& topic = request.topics.emplace().emplace_back();
    topic.topic = "a";
    topic.partitions = {1, 7};
    const auto some = co_await site.call(request, 4);
    EXPECT_EQ(some.results.at(0).topics.size(), 1u);
    EXPECT_EQ(some.results.at(0).topics.at(0).partitions.size(), 1u);
    EXPECT_GT(some.results.at(0).topics.at(0).partitions.at(0).partition_size, 500);
  });
}

TEST(DescribeProducers, WhoWrites) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    protocol::RecordBatchBuilder builder({.producer_id = 40, .producer_epoch = 2, .base_sequence = 0});
    builder.append(1, std::nullopt, as_bytes("a"));
    builder.append(1, std::nullopt, as_bytes("b"));
    (void)co_await site.call(produce_request("events", 0, *builder.build()), 9);
    protocol::DescribeProducersRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "events";
    topic.partition_indexes = {0, 3};
    const auto answer = co_await site.call(request, 0);
    const auto& partition = answer.topics.at(0).partitions.at(0);
    EXPECT_EQ(partition.active_producers.size(), 1u);
    EXPECT_EQ(partition.active_producers.at(0).producer_id, 40);
    EXPECT_EQ(partition.active_producers.at(0).producer_epoch, 2);
    EXPECT_EQ(partition.active_producers.at(0).last_sequence, 1);
    EXPECT_EQ(partition.active_producers.at(0).current_txn_start_offset, -1);
    EXPECT_EQ(answer.topics.at(0).partitions.at(1).error_code, code(ErrorCode::kUnknownTopicOrPartition));
  });
}

TEST(OffsetForLeaderEpoch, EndsOfEpochs) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    EXPECT_EQ(co_await site.produce("events", 0, {"a", "b"}), 0);
    const auto replica = site.replica("events", 0);
    metadata::PartitionImage state = *site.node->shard(0).image()->partition("events", 0);
    state.leader_epoch = 5;
    state.partition_epoch = 5;
    EXPECT_TRUE(replica->apply(state, 1));
    EXPECT_EQ(co_await site.produce("events", 0, {"c"}), 0);
    const auto end_of = [&](LeaderEpoch epoch, LeaderEpoch current) -> io::Task<std::tuple<int16_t, LeaderEpoch, Offset>> {
      protocol::OffsetForLeaderEpochRequest request;
      request.replica_id = -1;
      auto& topic = request.topics.emplace_back();
      topic.topic = "events";
      auto& partition = topic.partitions.emplace_back();
      partition.partition = 0;
      partition.current_leader_epoch = current;
      partition.leader_epoch = epoch;
      const auto answer = co_await site.call(request, 4);
      const auto& found = answer.topics.at(0).partitions.at(0);
      co_return std::tuple(found.error_code, found.leader_epoch, found.end_offset);
    };
    using Told = std::tuple<int16_t, LeaderEpoch, Offset>;
    EXPECT_EQ(co_await end_of(0, -1), Told(0, 0, 2));
    EXPECT_EQ(co_await end_of(3, 5), Told(0, 0, 2));
    EXPECT_EQ(co_await end_of(5, 5), Told(0, 5, 3));
    EXPECT_EQ(co_await end_of(6, 5), Told(0, -1, -1));
    EXPECT_EQ(std::get<0>(co_await end_of(0, 4)), code(ErrorCode::kFencedLeaderEpoch));
    EXPECT_EQ(std::get<0>(co_await end_of(0, 6)), code(ErrorCode::kUnknownLeaderEpoch));
  });
}

}  // namespace
}  // namespace samsa::server
