// Topics that come into being because somebody names them, whichever node is asked.
#include "server/auto_topics.h"

#include "protocol/api/find_coordinator.h"
#include "server/test_cluster.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

void expect_topics_through_each_broker(std::vector<std::string> roles) {
  TestCluster cluster(5, roles);
  TestClient client(cluster.client->worlds()[0], cluster.brokers());
  cluster.start_all();
  ASSERT_TRUE(cluster.sim.run_until([&] { return cluster.all_started(); }, 60s));
  const auto name_it = [&](io::Address broker, std::string topic) -> io::Task<> {
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = protocol::Text(topic);
    int16_t error = -1;
    for (int i = 0; i < 200 && error != 0; ++i) {
      const auto answer = co_await client.call(broker, request, 9);
      EXPECT_TRUE(answer) << answer.error().text();
      if (!answer) co_return;
      error = (*answer)->topics.at(0).error_code;
      co_await io::sleep_for(client.world().loop, 50ms);
    }
    EXPECT_EQ(error, 0) << topic;
  };
  for (const auto& broker : cluster.brokers()) {
    ASSERT_TRUE(cluster.sim.run_task(client.world().loop, name_it(broker, "by-" + broker.host), 60s));
  }
}

TEST(AutoTopics, ThroughBrokersThatAreControllersToo) { expect_topics_through_each_broker({"broker,controller", "broker,controller", "broker,controller"}); }
TEST(AutoTopics, ThroughBrokersOnly) { expect_topics_through_each_broker({"controller", "broker", "broker"}); }

}  // namespace
}  // namespace samsa::server
