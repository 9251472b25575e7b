#include "protocol/api/metadata.h"

#include "protocol/api/describe_cluster.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

protocol::MetadataRequest naming(const std::string& name) {
  protocol::MetadataRequest request;
  request.topics.emplace().emplace_back().name = protocol::Text(name);
  request.allow_auto_topic_creation = false;
  return request;
}

TEST(Metadata, AllSomeAndNone) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("one");
    co_await site.create("two", 3);
    protocol::MetadataRequest all;
    all.topics.reset();
    EXPECT_EQ((co_await site.call(all, 9)).topics.size(), 2u);
    protocol::MetadataRequest none;
    none.topics.emplace();
    EXPECT_EQ((co_await site.call(none, 9)).topics.size(), 0u);
    EXPECT_EQ((co_await site.call(none, 0)).topics.size(), 2u);  // Version 0 has no null.
    auto twice = naming("two");
    twice.topics->emplace_back().name = protocol::Text("two");
    const auto answer = co_await site.call(twice, 9);
    EXPECT_EQ(answer.topics.size(), 1u);
    EXPECT_EQ(answer.topics.at(0).partitions.size(), 3u);
    EXPECT_EQ(answer.topics.at(0).partitions.at(0).leader_id, 1);
    EXPECT_EQ(answer.brokers.size(), 1u);
    EXPECT_EQ(answer.brokers.at(0).host.view(), "node");
    EXPECT_EQ(answer.controller_id, 1);  // A broker: clients cannot reach controllers.
  });
}

TEST(Metadata, ByIdFromVersion12On) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("one");
    const Uuid id = site.node->shard(0).image()->topic("one")->id;
    protocol::MetadataRequest request;
    auto& topic = request.topics.emplace().emplace_back();
    topic.topic_id = id;
    topic.name.reset();
    const auto found = co_await site.call(request, 12);
    EXPECT_EQ(found.topics.at(0).error_code, 0);
    EXPECT_EQ(found.topics.at(0).name->view(), "one");
    request.topics->at(0).topic_id = Uuid::parse("abcdefghijklmnopqrstuA").value();
    const auto unknown = co_await site.call(request, 12);
    EXPECT_EQ(unknown.topics.at(0).error_code, code(ErrorCode::kUnknownTopicId));
    EXPECT_FALSE(unknown.topics.at(0).name);
    request.topics->at(0).name = protocol::Text("one");
    EXPECT_EQ((co_await site.call(request, 11)).topics.at(0).error_code, code(ErrorCode::kInvalidRequest));
  });
}

TEST(Metadata, WhatIsNoTopic) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    EXPECT_EQ((co_await site.call(naming("absent"), 9)).topics.at(0).error_code, code(ErrorCode::kUnknownTopicOrPartition));
    for (const std::string name : {"", ".", "..", "a b", "a/b", "\xc3\xa4"}) {
      EXPECT_EQ((co_await site.call(naming(name), 9)).topics.at(0).error_code, code(ErrorCode::kInvalidTopicException)) << name;
    }
    EXPECT_EQ((co_await site.call(naming(std::string(250, 'a')), 9)).topics.at(0).error_code, code(ErrorCode::kInvalidTopicException));
    EXPECT_EQ(site.node->shard(0).image()->topics.size(), 0u);  // Nobody asked for them to be made.
  });
}

TEST(DescribeCluster, KindsOfEndpoints) {
  TestSite site;
  site.run([&]() -> io::Task<> {
    protocol::DescribeClusterRequest request;
    const auto answer = co_await site.call(request, 1);
    EXPECT_EQ(answer.error_code, 0);
    EXPECT_EQ(answer.brokers.size(), 1u);
    EXPECT_EQ(answer.cluster_id.view(), site.node->cluster_id());
    request.endpoint_type = 2;
    EXPECT_EQ((co_await site.call(request, 1)).error_code, code(ErrorCode::kMismatchedEndpointType));
    request.endpoint_type = 9;
    EXPECT_EQ((co_await site.call(request, 1)).error_code, code(ErrorCode::kUnsupportedEndpointType));
  });
}

}  // namespace
}  // namespace samsa::server
