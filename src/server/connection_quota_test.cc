#include "server/connection_quota.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/api/api_versions.h"
#include "server/test_node.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

TEST(ConnectionQuota, CountsByAddress) {
  ConnectionLimits limits{.total = 3, .per_ip = 2};
  limits.parse_overrides("10.0.0.9:1, localhost:0,[::2]:5,nonsense");
  EXPECT_EQ(limits.overrides.size(), 4u);
  EXPECT_EQ(ConnectionQuota::limit_of("::2", limits), 5);
  ConnectionQuota quota;
  EXPECT_FALSE(quota.admit("127.0.0.1", limits));
  EXPECT_TRUE(quota.admit("10.0.0.9", limits));
  EXPECT_FALSE(quota.admit(connection_ip("::ffff:10.0.0.9"), limits));
  EXPECT_TRUE(quota.admit("10.0.0.1", limits));
  EXPECT_TRUE(quota.admit("10.0.0.1", limits));
  EXPECT_FALSE(quota.admit("10.0.0.1", limits));
  EXPECT_EQ(quota.total(), 3);
  EXPECT_FALSE(quota.has_room(limits, false));
  EXPECT_TRUE(quota.has_room(limits, true));
  quota.left("10.0.0.1");
  EXPECT_TRUE(quota.has_room(limits, false));
  EXPECT_TRUE(quota.admit("10.0.0.1", limits));
}

// Asks once, keeps the connection until told to let go.
struct Client {
  bool answered = false;
  bool refused = false;
  bool let_go = false;

  static io::Task<> run(Client& self, io::World world) {
    auto client = co_await RawClient::connect(world, {"server", 9092});
    if (!client) {
      self.refused = true;
      co_return;
    }
    const auto answer = co_await (*client)->call(protocol::ApiVersionsRequest{}, 0);
    self.answered = answer.has_value();
    self.refused = !answer.has_value();
    while (!self.let_go) co_await io::sleep_for(world.loop, 10ms);
    (*client)->close();
  }
};

struct Site {
  io::sim::SimWorld sim{3};
  io::sim::SimNode& server{sim.add_node("server", 2)};
  io::sim::SimNode& near{sim.add_node("near")};
  io::sim::SimNode& far{sim.add_node("far")};
  Client clients[4];
  bool started = false;
  bool stopping = false;
  bool stopped = false;

  explicit Site(config::Properties more) {
    more["listeners"] = "PLAINTEXT://server:9092,CONTROLLER://server:9093";
    io::spawn(server.worlds()[0].loop, serve(*this, test_settings("/data", more)));
    EXPECT_TRUE(sim.run_until([&] { return started; }, 60s));
  }
  ~Site() {
    stopping = true;
    EXPECT_TRUE(sim.run_until([&] { return stopped; }, 60s));
    sim.crash(near);
    sim.crash(far);
    sim.crash(server);
  }
  static io::Task<> serve(Site& self, NodeSettings settings) {
    Node node(self.server.worlds(), std::move(settings), [](Error error) { ADD_FAILURE() << error.text(); });
    EXPECT_TRUE(co_await node.start());
    self.started = true;
    while (!self.stopping) co_await io::sleep_for(self.server.worlds()[0].loop, 10ms);
    co_await node.stop();
    self.stopped = true;
  }
  void connect(int client, io::sim::SimNode& from) {
    io::spawn(from.worlds()[0].loop, Client::run(clients[client], from.worlds()[0]));
    sim.run_for(2s);
  }
};

TEST(ConnectionQuota, AnAddressThatHasEnoughIsRefused) {
  Site site({{"max.connections.per.ip", "2"}});
  for (int i = 0; i < 3; ++i) site.connect(i, site.near);
  site.connect(3, site.far);
  EXPECT_TRUE(site.clients[0].answered);
  EXPECT_TRUE(site.clients[1].answered);
  EXPECT_TRUE(site.clients[2].refused);
  EXPECT_TRUE(site.clients[3].answered);
}

TEST(ConnectionQuota, AFullNodeLetsThemWait) {
  Site site({{"max.connections", "2"}});
  for (int i = 0; i < 3; ++i) site.connect(i, site.near);
  EXPECT_TRUE(site.clients[0].answered && site.clients[1].answered);
  EXPECT_FALSE(site.clients[2].answered || site.clients[2].refused);
  site.clients[0].let_go = true;
  site.sim.run_for(2s);
  EXPECT_TRUE(site.clients[2].answered);
}

}  // namespace
}  // namespace samsa::server
