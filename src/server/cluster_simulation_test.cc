// Clusters of whole nodes in one simulated world: replication, failover, and what was acknowledged is there, once and in order, on every
// replica. The same seed is the same run.
#include <cstdlib>
#include <set>

#include "server/test_cluster.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kThree = {"broker,controller", "broker,controller", "broker,controller"};

uint64_t seeds() {
  const char* wanted = std::getenv("SAMSA_SEEDS");
  return wanted ? std::strtoull(wanted, nullptr, 10) : 3;
}

// Everything acknowledged is on every replica at its offset; every value stands once, in order; replicas do not differ.
void check_replicas(TestCluster& cluster, TestClient& client, const ClusterProducer& producer, const std::string& topic) {
  const int partitions = static_cast<int>(producer.acknowledged.size());
  for (int partition = 0; partition < partitions; ++partition) {
    std::map<Offset, std::string> first;
    for (size_t i = 0; i < cluster.members.size(); ++i) {
      const auto image = cluster.image();
      if (!image->partition(topic, partition)->has_replica(static_cast<int32_t>(i + 1))) continue;
      std::map<Offset, std::string> found;
      const io::Address from{"n" + std::to_string(i + 1), 9092};
      EXPECT_TRUE(cluster.sim.run_task(client.world().loop, read_replica(client, from, topic, partition, false, found), 60s));
      for (const auto& [offset, value] : producer.acknowledged[static_cast<size_t>(partition)]) {
        const auto there = found.find(offset);
        EXPECT_TRUE(there != found.end() && there->second == value)
            << "node " << i + 1 << " partition " << partition << " offset " << offset << ": " << value << " was acknowledged, there is "
            << (there == found.end() ? "nothing" : there->second);
      }
      int next = partition;
      for (const auto& [offset, value] : found) {
        EXPECT_EQ(value, "value " + std::to_string(next)) << "node " << i + 1 << " partition " << partition << " offset " << offset;
        next += partitions;
      }
      if (first.empty()) first = found;
      EXPECT_EQ(first, found) << "node " << i + 1 << " differs in partition " << partition;
    }
  }
}

struct Scenario {
  explicit Scenario(uint64_t seed, std::vector<std::string> roles = kThree, config::Properties more = {}, const io::sim::Faults& faults = {})
      : cluster(seed, roles, std::move(more), faults), client(cluster.client->worlds()[0], cluster.brokers()), producer(client, "events", 3) {
    cluster.start_all();
    EXPECT_TRUE(cluster.sim.run_until([&] { return cluster.all_started(); }, 60s)) << cluster.sim.trace().recent(60);
  }
  void create(int16_t replication, const std::string& min_isr) {
    bool done = false;
    EXPECT_TRUE(cluster.sim.run_task(client.world().loop, create_topic(client, "events", 3, replication, min_isr, done), 60s))
        << cluster.sim.trace().recent(60);
    io::spawn(client.world().loop, producer.run());
  }
  void produce_more(int how_many, io::Duration limit = 60s) {
    const int before = producer.count;
    EXPECT_TRUE(cluster.sim.run_until([&] { return producer.count >= before + how_many; }, limit)) << cluster.sim.trace().recent(60);
  }
  void finish() {
    EXPECT_TRUE(cluster.sim.run_until([&] { return cluster.whole("events"); }, 120s)) << cluster.sim.trace().recent(60);
    produce_more(3);
    producer.stopping = true;
    EXPECT_TRUE(cluster.sim.run_until([&] { return producer.stopped; }, 60s));
    cluster.sim.faults() = {};
    cluster.sim.run_for(2s);
    check_replicas(cluster, client, producer, "events");
  }

  TestCluster cluster;
  TestClient client;
  ClusterProducer producer;
};

TEST(ClusterSimulation, FollowersHaveWhatLeadersHave) {
  Scenario s(1);
  s.create(3, "2");
  s.produce_more(100);
  s.finish();
}

TEST(ClusterSimulation, BrokersAndControllersApart) {
  Scenario s(2, {"controller", "broker", "broker", "broker"});
  s.create(3, "2");
  s.produce_more(100);
  s.finish();
}

TEST(ClusterSimulation, AcknowledgedRecordsSurviveTheLossOfEachNode) {
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    io::sim::Faults faults;
    faults.reset = 0.001;
    faults.slow = 0.005;
    Scenario s(seed, kThree, {}, faults);
    s.create(3, "2");
    for (int round = 0; round < 4 && !testing::Test::HasFailure(); ++round) {
      s.produce_more(20);
      EXPECT_TRUE(s.cluster.sim.run_until([&] { return s.cluster.whole("events"); }, 120s)) << s.cluster.sim.trace().recent(60);
      const auto victim = static_cast<size_t>(s.cluster.sim.random().between(0, 2));
      s.cluster.crash(victim);
      s.produce_more(20);
      s.cluster.sim.run_for(io::Duration(s.cluster.sim.random().between(0, 3'000'000'000)));
      s.cluster.restart(victim);
    }
    s.finish();
  }
}

// A node's process ends; its machine goes on answering. Leaders move at once: no session is waited out, not even that of the controller.
TEST(ClusterSimulation, LeadersMoveAtOnceWhenAProcessDies) {
  io::sim::Faults faults;
  faults.silent_crash = 0;
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario s(seed, kThree, {}, faults);
    s.create(3, "2");
    for (int round = 0; round < 4 && !testing::Test::HasFailure(); ++round) {
      s.produce_more(20);
      EXPECT_TRUE(s.cluster.sim.run_until([&] { return s.cluster.whole("events"); }, 120s)) << s.cluster.sim.trace().recent(60);
      s.cluster.sim.run_for(3s);
      const auto victim = round % 2 == 0 ? static_cast<size_t>(s.cluster.active_controller()) : static_cast<size_t>(s.cluster.leader("events", round % 3) - 1);
      s.producer.measure();
      s.cluster.crash(victim);
      s.produce_more(20);
      EXPECT_LT(s.producer.longest_gap, 500ms) << "round " << round << ": node " << victim + 1 << s.cluster.sim.trace().recent(400);
      s.cluster.sim.run_for(1s);
      s.cluster.restart(victim);
    }
    s.finish();
  }
}

// What a broker answers to a client that asks for the topic: who leads each partition (-1: nobody), and which brokers it names.
struct Told {
  std::vector<int32_t> leaders;
  std::set<int32_t> brokers;
  io::Duration took{};
};

io::Task<> ask(TestClient& client, io::Address of, std::string topic, Told& told) {
  protocol::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().name = protocol::Text(topic);
  request.allow_auto_topic_creation = false;
  const io::MonoTime began = client.world().loop.now();
  const auto reply = co_await client.call(of, request, 12);
  EXPECT_TRUE(reply) << reply.error().text();
  if (!reply) co_return;
  told.took = client.world().loop.now() - began;
  for (const auto& broker : (*reply)->brokers) told.brokers.insert(broker.node_id);
  for (const auto& p : (*reply)->topics.at(0).partitions) told.leaders.push_back(p.leader_id);
}

Told asked(Scenario& s, size_t node) {
  Told told;
  EXPECT_TRUE(s.cluster.sim.run_task(s.client.world().loop, ask(s.client, {"n" + std::to_string(node + 1), 9092}, "events", told), 10s));
  return told;
}

// A client whose leader died asks another broker in that moment: it is told of the new leaders, never of the dead one or of none, and the answer does
// not take long. The dead broker is named for a few seconds more (librdkafka would forget its partitions), then no longer.
TEST(ClusterSimulation, WhoAsksAtTheMomentOfADeathIsToldOfTheNewLeaders) {
  io::sim::Faults faults;
  faults.silent_crash = 0;
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Scenario s(seed, kThree, {}, faults);
    s.create(3, "2");
    s.produce_more(20);
    for (int round = 0; round < 4 && !testing::Test::HasFailure(); ++round) {
      EXPECT_TRUE(s.cluster.sim.run_until([&] { return s.cluster.whole("events"); }, 120s)) << s.cluster.sim.trace().recent(60);
      s.cluster.sim.run_for(3s);
      const auto victim = static_cast<size_t>(s.cluster.leader("events", round % 3) - 1);
      const auto other = (victim + 1 + static_cast<size_t>(round / 2) % 2) % 3;
      EXPECT_EQ(asked(s, other).brokers.size(), 3U);  // The connection is there.
      s.cluster.sim.run_for(1s);
      s.cluster.crash(victim);
      if (round % 2 == 0) s.cluster.sim.run_for(2ms);  // The others' connections break; else the client may be the first to know.
      for (int again = 0; again < 3; ++again) {
        const Told told = asked(s, other);
        for (const int32_t leader : told.leaders) {
          EXPECT_NE(leader, static_cast<int32_t>(victim + 1));
          EXPECT_NE(leader, -1);
        }
        EXPECT_LT(told.took, 500ms);
        EXPECT_EQ(told.brokers.size(), 3U) << "it is still named";
      }
      s.cluster.sim.run_for(6s);
      EXPECT_EQ(asked(s, other).brokers.size(), 2U);
      s.cluster.restart(victim);
      EXPECT_TRUE(s.cluster.sim.run_until([&] { return asked(s, other).brokers.size() == 3; }, 60s));
    }
    s.finish();
  }
}

// Nobody dies: who asks after a rest waits for that news for a moment, and only where nothing has changed since it was told.
TEST(ClusterSimulation, MetadataOfAHealthyClusterWaitsForAMomentAtMost) {
  io::sim::Faults faults;
  faults.max_delay = std::chrono::microseconds(100);
  faults.fragment = 0;
  Scenario s(1, kThree, {}, faults);
  s.create(3, "2");
  s.produce_more(20);
  EXPECT_TRUE(s.cluster.sim.run_until([&] { return s.cluster.whole("events"); }, 120s));
  EXPECT_LT(asked(s, 0).took, 5ms) << "a client that starts";
  EXPECT_LT(asked(s, 0).took, 5ms) << "one that asks often";
  s.cluster.sim.run_for(1s);
  const auto rested = asked(s, 0).took;
  EXPECT_GE(rested, 10ms);
  EXPECT_LT(rested, 15ms);
  bool done = false;
  EXPECT_TRUE(s.cluster.sim.run_task(s.client.world().loop, create_topic(s.client, "another", 3, 3, "2", done), 60s));
  s.cluster.sim.run_for(1s);
  EXPECT_LT(asked(s, 0).took, 5ms) << "there is news";
  s.finish();
}

// Connections break, processes stand still, links fail, each for less than a session: no broker is fenced.
TEST(ClusterSimulation, ABrokerThatLivesIsNotFenced) {
  for (uint64_t seed = 1; seed <= seeds() && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    io::sim::Faults faults;
    faults.reset = 0.002;
    Scenario s(seed, kThree, {}, faults);
    s.create(3, "2");
    s.produce_more(20);
    auto& sim = s.cluster.sim;
    bool fenced = false;
    const auto run = [&](io::Duration time) {
      const auto until = sim.elapsed() + time;
      sim.run_until(
          [&] {
            s.cluster.image()->brokers.for_each([&](int32_t, const metadata::BrokerImage& b) { fenced = fenced || b.fenced; });
            return sim.elapsed() >= until;
          },
          time);
    };
    for (int round = 0; round < 12; ++round) {
      const auto one = static_cast<size_t>(sim.random().between(0, 2));
      auto& a = *s.cluster.members[one].machine;
      auto& b = *s.cluster.members[(one + 1) % 3].machine;
      switch (round % 4) {
        case 0: sim.reset_connections(a, b); break;
        case 1: sim.pause(a); break;
        case 2: sim.partition(a, b); break;
        default: sim.block(a, b); break;
      }
      run(io::Duration(sim.random().between(0, 4'000'000'000)));
      if (round % 4 == 1) sim.resume(a);
      sim.heal_all();
      run(4s);
    }
    EXPECT_FALSE(fenced) << sim.trace().recent(300);
    s.finish();
  }
}

}  // namespace
}  // namespace samsa::server
