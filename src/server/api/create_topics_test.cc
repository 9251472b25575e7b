// CreateTopics, CreatePartitions, DeleteTopics.
#include "protocol/api/create_topics.h"

#include "protocol/api/create_partitions.h"
#include "protocol/api/delete_topics.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

protocol::CreateTopicsRequest creating(const std::string& name, int32_t partitions = 1, int16_t replication = 1) {
  protocol::CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = replication;
  return request;
}

TEST(CreateTopics, Refusals) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    const auto refused = [&](protocol::CreateTopicsRequest request) -> io::Task<int16_t> {
      co_return (co_await site.call(request, 7)).topics.at(0).error_code;
    };
    EXPECT_EQ(co_await refused(creating("events")), 0);
    EXPECT_EQ(co_await refused(creating("events")), code(ErrorCode::kTopicAlreadyExists));
    EXPECT_EQ(co_await refused(creating("a b")), code(ErrorCode::kInvalidTopicException));
    EXPECT_EQ(co_await refused(creating("a.b")), 0);
    EXPECT_EQ(co_await refused(creating("a_b")), code(ErrorCode::kInvalidTopicException));
    EXPECT_EQ(co_await refused(creating("zero", 0)), code(ErrorCode::kInvalidPartitions));
    EXPECT_EQ(co_await refused(creating("wide", 1, 3)), code(ErrorCode::kInvalidReplicationFactor));
    auto twice = creating("twice");
    twice.topics.push_back(twice.topics[0]);
    const auto answer = co_await site.call(twice, 7);
    EXPECT_EQ(answer.topics.size(), 1u);
    EXPECT_EQ(answer.topics.at(0).error_code, code(ErrorCode::kInvalidRequest));
    auto wrong = creating("configured");
    auto& config = wrong.topics[0].configs.emplace_back();
    config.name = "retention.ms";
    config.value = protocol::Text("x");
    EXPECT_EQ(co_await refused(wrong), code(ErrorCode::kInvalidConfig));
  });
}

TEST(CreateTopics, DefaultsAnswersAndTrials) {
  TestSite site({{"num.partitions", "3"}});
  site.run([&]() -> io::Task<> {
    auto trial = creating("events", -1, -1);
    trial.validate_only = true;
    EXPECT_EQ((co_await site.call(trial, 7)).topics.at(0).error_code, 0);
    EXPECT_EQ(site.node->shard(0).image()->topic("events"), nullptr);
    const auto answer = co_await site.call(creating("events", -1, -1), 7);
    const auto& topic = answer.topics.at(0);
    EXPECT_EQ(topic.num_partitions, 3);
    EXPECT_EQ(topic.replication_factor, 1);
    EXPECT_FALSE(topic.topic_id.is_zero());
    EXPECT_TRUE(topic.configs && topic.configs->size() > 20);
    // It is there when the answer is: the next request finds it.
    EXPECT_EQ(co_await site.produce("events", 2, {"x"}), 0);
  });
}

TEST(CreatePartitions, OnlyMore) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 2);
    const auto grown = [&](std::string name, int32_t count) -> io::Task<int16_t> {
      protocol::CreatePartitionsRequest request;
      request.timeout_ms = 10'000;
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.count = count;
      topic.assignments.reset();
      co_return (co_await site.call(request, 3)).results.at(0).error_code;
    };
    EXPECT_EQ(co_await grown("events", 2), code(ErrorCode::kInvalidPartitions));
    EXPECT_EQ(co_await grown("events", 1), code(ErrorCode::kInvalidPartitions));
    EXPECT_EQ(co_await grown("none", 3), code(ErrorCode::kUnknownTopicOrPartition));
    EXPECT_EQ(co_await grown("events", 5), 0);
    EXPECT_EQ(co_await site.produce("events", 4, {"x"}), 0);
  });
}

TEST(DeleteTopics, MayBeForbidden) {
  TestSite site({{"delete.topic.enable", "false"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("kept");
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = 10'000;
    request.topic_names.emplace_back("kept");
    EXPECT_EQ((co_await site.call(request, 5)).responses.at(0).error_code, code(ErrorCode::kTopicDeletionDisabled));
    EXPECT_EQ((co_await site.call(request, 2)).responses.at(0).error_code, code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await site.produce("kept", 0, {"x"}), 0);
  });
}

TEST(DeleteTopics, ByNameAndById) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("one");
    co_await site.create("two");
    protocol::DeleteTopicsRequest by_name;
    by_name.timeout_ms = 10'000;
    by_name.topic_names.emplace_back("one");
    EXPECT_EQ((co_await site.call(by_name, 5)).responses.at(0).error_code, 0);
    EXPECT_EQ((co_await site.call(by_name, 5)).responses.at(0).error_code, code(ErrorCode::kUnknownTopicOrPartition));
    protocol::DeleteTopicsRequest by_id;
    by_id.timeout_ms = 10'000;
    auto& topic = by_id.topics.emplace_back();
    topic.name.reset();
    topic.topic_id = site.node->shard(0).image()->topic("two")->id;
    const auto answer = co_await site.call(by_id, 6);
    EXPECT_EQ(answer.responses.at(0).error_code, 0);
    EXPECT_EQ(answer.responses.at(0).name->view(), "two");
    EXPECT_EQ((co_await site.call(by_id, 6)).responses.at(0).error_code, code(ErrorCode::kUnknownTopicId));
    by_id.topics[0].topic_id = kZeroUuid;
    EXPECT_EQ((co_await site.call(by_id, 6)).responses.at(0).error_code, code(ErrorCode::kInvalidRequest));
    EXPECT_EQ(co_await site.produce("two", 0, {"x"}), code(ErrorCode::kUnknownTopicOrPartition));
    // A topic of the same name is another topic.
    co_await site.create("two");
    EXPECT_EQ(co_await site.produce("two", 0, {"x"}), 0);
    EXPECT_EQ(site.produced_at, 0);
  });
}

}  // namespace
}  // namespace samsa::server
