// Several replicas on the simulated world: elections, replication, failover, snapshots, voters.
#include <gtest/gtest.h>

#include "raft/test_cluster.h"

namespace samsa::raft::test {
namespace {

using namespace std::chrono_literals;

bool all_have(Cluster& c, size_t count) {
  for (auto& r : c.replicas) {
    if (r->running && r->values->values.size() < count) return false;
  }
  return true;
}

void expect_agreement(Cluster& c) {
  const std::vector<std::string>* longest = nullptr;
  for (auto& r : c.replicas) {
    if (r->running && (longest == nullptr || r->values->values.size() > longest->size())) longest = &r->values->values;
  }
  for (auto& r : c.replicas) {
    if (!r->running) continue;
    for (size_t i = 0; i < r->values->values.size(); ++i) ASSERT_EQ(r->values->values[i], (*longest)[i]) << "replica " << r->config.node_id << " at " << i;
    EXPECT_EQ(r->fault, "");
  }
}

TEST(Quorum, ThreeVotersElectOneAndReplicate) {
  for (const bool dynamic : {true, false}) {
    Cluster c(7, 3, dynamic);
    c.start_all();
    ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; })) << c.sim.trace().recent(40);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(c.write(*c.leader(), "value-" + std::to_string(i)));
    ASSERT_TRUE(c.run_until([&] { return all_have(c, 20); }));
    expect_agreement(c);
    for (auto& r : c.replicas) EXPECT_EQ(r->raft->leader(), c.leader()->raft->leader());
  }
}

TEST(Quorum, LeaderCrashIsSurvived) {
  Cluster c(11, 3);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  ASSERT_TRUE(c.write(*c.leader(), "before"));
  Replica& old = *c.leader();
  c.crash(old);
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr && c.leader() != &old; })) << c.sim.trace().recent(50);
  ASSERT_TRUE(c.write(*c.leader(), "after"));
  c.restart(old);
  ASSERT_TRUE(c.run_until([&] { return all_have(c, 2); }));
  expect_agreement(c);
}

TEST(Quorum, OneOfThreeCannotCommit) {
  Cluster c(13, 3);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  Replica& leader = *c.leader();
  c.sim.isolate(*leader.node);
  EXPECT_FALSE(c.write(leader, "lost", 2s));
  // Check-quorum makes it resign; the others elect one of theirs.
  ASSERT_TRUE(c.run_until([&] { return !leader.raft->is_leader(); }));
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr && c.leader() != &leader; }));
  ASSERT_TRUE(c.write(*c.leader(), "kept"));
  c.sim.heal_all();
  ASSERT_TRUE(c.run_until([&] { return all_have(c, 1); }));
  EXPECT_EQ(leader.values->values.front(), "kept");
  expect_agreement(c);
}

TEST(Quorum, RestartedAloneItWaitsForTheOthers) {
  Cluster c(17, 3);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  ASSERT_TRUE(c.write(*c.leader(), "one"));
  for (auto& r : c.replicas) c.crash(*r);
  c.restart(*c.replicas[0]);
  EXPECT_FALSE(c.run_until([&] { return c.leader() != nullptr; }, 10s));
  c.restart(*c.replicas[1]);
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  ASSERT_TRUE(c.run_until([&] { return all_have(c, 1); }));
  expect_agreement(c);
}

io::Task<> snapshot_task(Replica& r, Result<void>& outcome) {
  std::vector<Buffer> all;
  for (const auto& v : r.values->values) all.emplace_back(v.begin(), v.end());
  outcome = co_await r.raft->create_snapshot(r.values->position, 0, [all](SnapshotSink& sink) { return sink.append(all); });
}

TEST(Quorum, ObserverLoadsSnapshotAndFollows) {
  Cluster c(19, 1);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  Replica& leader = *c.leader();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(c.write(leader, "v" + std::to_string(i)));
  Result<void> written = fail(ErrorCode::kRequestTimedOut);
  ASSERT_TRUE(c.run_until([&] { return leader.values->values.size() == 30; }));
  ASSERT_TRUE(c.sim.run_task(leader.node->worlds()[0].loop, snapshot_task(leader, written), 10s));
  ASSERT_TRUE(written) << written.error().describe();
  ASSERT_TRUE(c.write(leader, "later"));

  Replica& observer = c.add(2);
  observer.config.bootstrap_servers = {{"n1", kPort}};
  observer.config.controller = false;
  c.start(observer);
  ASSERT_TRUE(c.run_until([&] { return observer.values->values.size() == 31; })) << c.sim.trace().recent(40);
  EXPECT_EQ(observer.raft->latest_snapshot(), leader.raft->latest_snapshot());
  EXPECT_EQ(observer.raft->kraft_version(), 1);
  ASSERT_TRUE(c.write(leader, "last"));
  ASSERT_TRUE(c.run_until([&] { return observer.values->values.size() == 32; }));
  expect_agreement(c);
}

io::Task<> add_voter_task(Replica& leader, Replica& fresh, int16_t& error) {
  protocol::AddRaftVoterRequest request;
  request.cluster_id = protocol::Text(kCluster);
  request.voter_id = fresh.config.node_id;
  request.voter_directory_id = fresh.config.directory_id;
  for (const auto& e : fresh.config.own_endpoints) {
    auto& to = request.listeners.emplace_back();
    to.name = e.listener;
    to.host = e.host;
    to.port = e.port;
  }
  protocol::AddRaftVoterResponse response;
  co_await leader.raft->handle_add_voter(request, response);
  error = response.error_code;
}

io::Task<> remove_voter_task(Replica& leader, Replica& gone, int16_t& error) {
  protocol::RemoveRaftVoterRequest request;
  request.cluster_id = protocol::Text(kCluster);
  request.voter_id = gone.config.node_id;
  request.voter_directory_id = gone.config.directory_id;
  protocol::RemoveRaftVoterResponse response;
  co_await leader.raft->handle_remove_voter(request, response);
  error = response.error_code;
}

TEST(Quorum, VotersComeAndGo) {
  Cluster c(23, 1);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  Replica& first = *c.replicas[0];
  for (int id : {2, 3}) {
    Replica& fresh = c.add(id);
    fresh.config.bootstrap_servers = {{"n1", kPort}};
    c.start(fresh);
    ASSERT_TRUE(c.run_until([&] { return fresh.raft->high_watermark() >= first.raft->high_watermark(); }));
    int16_t error = protocol::to_wire(ErrorCode::kRequestTimedOut);
    for (int i = 0; i < 5 && error == protocol::to_wire(ErrorCode::kRequestTimedOut); ++i) {
      c.sim.run_for(100ms);  // Until its first fetch at the log's end is known.
      ASSERT_TRUE(c.sim.run_task(first.node->worlds()[0].loop, add_voter_task(first, fresh, error), 10s)) << c.sim.trace().recent(40);
    }
    EXPECT_EQ(error, 0) << id;
  }
  EXPECT_EQ(first.raft->voters().size(), 3u);
  ASSERT_TRUE(c.write(first, "three"));
  // The leader removes itself; another takes over.
  int16_t error = -1;
  ASSERT_TRUE(c.sim.run_task(first.node->worlds()[0].loop, remove_voter_task(first, first, error), 10s)) << c.sim.trace().recent(40);
  EXPECT_EQ(error, 0);
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr && c.leader() != &first; })) << c.sim.trace().recent(40);
  EXPECT_EQ(c.leader()->raft->voters().size(), 2u);
  ASSERT_TRUE(c.write(*c.leader(), "two"));
  expect_agreement(c);
}

// controller.quorum.auto.join.enable: new controllers become voters by themselves; one whose directory was lost takes its own old entry's place.
TEST(Quorum, ControllersJoinByThemselves) {
  Cluster c(29, 1);
  c.start_all();
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }));
  Replica& first = *c.replicas[0];
  ASSERT_TRUE(c.write(first, "alone"));
  const auto join = [&](int id) {
    Replica& fresh = c.add(id);
    fresh.config.bootstrap_servers = {{"n1", kPort}};
    fresh.config.auto_join = true;
    c.start(fresh);
    EXPECT_TRUE(c.run_until([&] { return c.leader() != nullptr && c.leader()->raft->voters().contains({id, fresh.config.directory_id}); }, 60s))
        << c.sim.trace().recent(40);
    return &fresh;
  };
  join(2);
  Replica* third = join(3);
  EXPECT_EQ(first.raft->voters().size(), 3u);
  ASSERT_TRUE(c.write(*c.leader(), "three"));
  const Uuid before = third->config.directory_id;
  c.crash(*third);
  third->config.directory_id = Uuid{0x1234, 2003};
  ASSERT_TRUE(c.write(*c.leader(), "two of three"));
  c.restart(*third);
  ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr && c.leader()->raft->voters().contains({3, third->config.directory_id}); }, 60s))
      << c.sim.trace().recent(40);
  EXPECT_FALSE(c.leader()->raft->voters().contains({3, before}));
  EXPECT_EQ(c.leader()->raft->voters().size(), 3u);
  ASSERT_TRUE(c.write(*c.leader(), "three again"));
  expect_agreement(c);
}

// Crashes, partitions and slow disks at random; whatever was acknowledged stays, in order, and the quorum comes back.
TEST(Quorum, AcknowledgedValuesSurviveAnything) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    Cluster c(seed, 3);
    c.sim.faults().slow = 0.02;
    c.sim.faults().reset = 0.002;
    c.start_all();
    std::vector<std::string> acknowledged;
    int next = 0;
    for (int round = 0; round < 25; ++round) {
      switch (c.sim.random().below(6)) {
        case 0: {
          Replica& victim = *c.replicas[c.sim.random().below(3)];
          if (victim.running) c.crash(victim);
          break;
        }
        case 1: c.sim.isolate(*c.replicas[c.sim.random().below(3)]->node); break;
        case 2: c.sim.heal_all(); break;
        case 3: c.sim.run_for(std::chrono::milliseconds(c.sim.random().below(3000))); break;
        default: break;
      }
      for (auto& r : c.replicas) {
        if (!r->running && c.sim.random().one_in(2)) c.restart(*r);
      }
      if (Replica* leader = c.leader()) {
        const std::string value = "v" + std::to_string(next++);
        if (c.write(*leader, value, 1500ms)) acknowledged.push_back(value);
      } else {
        c.sim.run_for(500ms);
      }
    }
    c.sim.heal_all();
    c.sim.faults().slow = 0;
    c.sim.faults().reset = 0;
    for (auto& r : c.replicas) {
      if (!r->running) c.restart(*r);
    }
    ASSERT_TRUE(c.run_until([&] { return c.leader() != nullptr; }, 60s)) << "seed " << seed << "\n" << c.sim.trace().recent(60);
    ASSERT_TRUE(c.run_until([&] { return c.leader() && c.write(*c.leader(), "end", 5s); }, 60s)) << "seed " << seed;
    const auto& values = c.leader()->values->values;
    auto at = values.begin();
    for (const auto& value : acknowledged) {
      at = std::find(at, values.end(), value);
      ASSERT_NE(at, values.end()) << "seed " << seed << " lost " << value;
    }
    expect_agreement(c);
  }
}

}  // namespace
}  // namespace samsa::raft::test
