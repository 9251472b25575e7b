// DeleteTopics through brokers that have to pass it on, in the versions of old clients too.
#include "protocol/api/delete_topics.h"

#include "server/test_cluster.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

TEST(DeleteTopics, ThroughEveryBrokerInEveryForm) {
  TestCluster cluster(17, {"broker,controller", "broker,controller", "broker,controller"});
  TestClient client(cluster.client->worlds()[0], cluster.brokers());
  cluster.start_all();
  ASSERT_TRUE(cluster.sim.run_until([&] { return cluster.all_started(); }, 60s));
  const auto remove = [&](io::Address broker, std::string topic, int16_t version) -> io::Task<> {
    protocol::DeleteTopicsRequest request;
    request.timeout_ms = 10'000;
    if (version < 6) {
      request.topic_names.emplace_back(topic);
    } else {
      request.topics.emplace_back().name = protocol::Text(topic);
    }
    const auto answer = co_await client.call(broker, request, version);
    EXPECT_TRUE(answer) << broker.host << " version " << version << ": " << answer.error().text();
    if (!answer) co_return;
    EXPECT_EQ((*answer)->responses.size(), 1u);
    if (!(*answer)->responses.empty()) EXPECT_EQ((*answer)->responses[0].error_code, 0) << broker.host << " version " << version;
  };
  for (const int16_t version : {1, 5, 6}) {
    for (const auto& broker : cluster.brokers()) {
      const std::string topic = broker.host + "-" + std::to_string(version);
      bool created = false;
      ASSERT_TRUE(cluster.sim.run_task(client.world().loop, create_topic(client, topic, 1, 1, "1", created), 60s));
      ASSERT_TRUE(cluster.sim.run_task(client.world().loop, remove(broker, topic, version), 60s));
      EXPECT_TRUE(cluster.sim.run_until([&] { return cluster.image()->topic(topic) == nullptr; }, 30s)) << topic;
    }
  }
}

}  // namespace
}  // namespace samsa::server
