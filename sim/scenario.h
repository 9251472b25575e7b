// Scenario: a small vocabulary for tests of clusters in the simulated world. For tests only (GoogleTest). Nodes go by their id, from 1.
//
//   Scenario s(1);
//   s.topic("t");
//   s.write(20);
//   const int old = s.leader();
//   s.away(old);                 // from the other nodes; clients still reach it
//   s.expect_leader_other_than(old);
//   s.write(20);
//   s.heal();
//   s.expect_all_read();
//
// Every wait has a limit in virtual time; what does not come in time is a failure of the test, with the latest events.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "client/connection.h"
#include "protocol/api/create_topics.h"
#include "sim/invariants.h"
#include "sim/workload.h"

namespace samsa::sim {

class Scenario {
 public:
  explicit Scenario(uint64_t seed, ClusterPlan plan = {}) : cluster(seed, std::move(plan)), clients(cluster, history), invariants(cluster) {
    cluster.start_all();
    whole();
  }
  ~Scenario() {
    EXPECT_EQ(invariants.broken(), std::vector<std::string>{});
    for (const auto& member : cluster.members()) EXPECT_FALSE(member.ended && !member.stopping) << "n" << member.id << " " << *member.ended;
  }

  // ---- Time
  void wait(io::Duration time) {
    (void)until([] { return false; }, time);
  }
  bool until(const std::function<bool()>& done, io::Duration limit) {
    const int64_t end = cluster.now_ns() + limit.count();
    while (!done() && cluster.now_ns() < end) {
      cluster.world().run_for(std::chrono::milliseconds(10));
      invariants.look();
    }
    return done();
  }
  void expect(const std::function<bool()>& done, const char* what, io::Duration limit = std::chrono::seconds(60)) {
    EXPECT_TRUE(until(done, limit)) << what << cluster.what_is_missing() << "\n" << cluster.world().trace().recent(60);
  }

  // ---- What clients do
  void topic(const std::string& name, int partitions = 1, std::vector<std::pair<std::string, std::string>> configs = {}) {
    for (int i = 0; i < partitions; ++i) partitions_.push_back({name, i});
    bool done = false;
    clients.spawn(create(0, name, partitions, std::move(configs), done));
    expect([&] { return done && cluster.whole(); }, "a topic is created");
  }
  // A topic, asked for at that node only; nobody waits for it.
  void ask_for_topic(int node, const std::string& name) { clients.spawn(create(node, name, 1, {}, ignored_)); }
  // So many values, by turns to all partitions; returns when they are acknowledged.
  void write(int count) {
    const int64_t wanted = clients.progress + count;
    clients.spawn(send(count));
    expect([&] { return clients.progress >= wanted; }, "what was written is acknowledged");
  }
  // The same without waiting for it.
  void begin_write(int count) { clients.spawn(send(count)); }
  // A reader of all partitions that goes on reading until the end.
  void follow() { clients.spawn(read()); }

  // ---- What befalls nodes
  void away(int node) {
    for (size_t i = 0; i < cluster.size(); ++i) {
      if (&machine(node) != cluster.member(i).machine) cluster.world().partition(machine(node), *cluster.member(i).machine);
    }
  }
  void heal() { cluster.world().heal_all(); }
  void crash(int node) { cluster.crash(cluster.index_of(node)); }
  void power_off(int node) { cluster.crash(cluster.index_of(node), CrashKind::kPower); }
  // A controlled shutdown.
  void stop(int node) { cluster.stop(cluster.index_of(node)); }
  void restart(int node) { cluster.restart(cluster.index_of(node)); }

  // ---- What is expected
  [[nodiscard]] int leader(size_t partition = 0) const { return cluster.leader(partitions_[partition].topic, partitions_[partition].partition); }
  [[nodiscard]] int controller() const { return cluster.active_controller() < 0 ? -1 : cluster.member(static_cast<size_t>(cluster.active_controller())).id; }
  void expect_leader_other_than(int node, size_t partition = 0) {
    expect([&] { return leader(partition) >= 0 && leader(partition) != node; }, "another leader");
  }
  // Another controller, seen by the nodes other than that one.
  void expect_controller_other_than(int node) {
    expect([&] {
      for (const auto& member : cluster.members()) {
        if (member.id == node || !member.serves()) continue;
        auto* runtime = member.node->metadata().controller();
        if (runtime != nullptr && runtime->active()) return true;
      }
      return false;
    }, "another controller");
  }
  void whole() {
    expect([&] { return cluster.whole(); }, "the cluster is whole");
  }
  // Everything is in sync again, every acknowledged value is read, once and in order, and no checker finds anything.
  void expect_all_read() {
    whole();
    clients.stopping = true;
    expect([&] { return clients.running() == 0; }, "clients end", std::chrono::seconds(120));
    bool read = false;
    clients.spawn(clients.read_all(partitions_, true, read));
    expect([&] { return read; }, "everything is read");
    invariants.compare_logs(-1);
    for (const auto& anomaly : check(history)) EXPECT_TRUE(anomaly.allowed) << anomaly.kind << ": " << anomaly.text;
  }

  [[nodiscard]] io::sim::SimNode& machine(int node) { return *cluster.member(cluster.index_of(node)).machine; }

  History history;
  SimCluster cluster;
  ClientSide clients;
  Invariants invariants;

 private:
  io::Task<> create(int node, std::string name, int partitions, std::vector<std::pair<std::string, std::string>> configs, bool& done) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 2000;
    auto& topic = request.topics.emplace_back();
    topic.name = protocol::Text(name);
    topic.num_partitions = partitions;
    topic.replication_factor = -1;
    for (const auto& [key, value] : configs) {
      auto& config = topic.configs.emplace_back();
      config.name = protocol::Text(key);
      config.value = protocol::Text(value);
    }
    client::ConnectionConfig config;
    config.request_timeout = std::chrono::seconds(3);
    for (int tries = 0; tries < (node > 0 ? 1 : 50); ++tries) {
      const auto brokers = cluster.brokers();
      const auto at = static_cast<size_t>(node > 0 ? node - 1 : tries) % brokers.size();
      const auto connection = co_await client::Connection::open(clients.world(), brokers[at], config);
      if (connection) {
        const auto reply = co_await (*connection)->call(request);
        if (reply && (*reply)->topics.at(0).error_code == 0) break;
      }
      co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(100));
    }
    done = true;
  }
  io::Task<> send(int count) {
    const auto connected = clients.connect("writer");
    client::ProducerConfig config;
    config.request_timeout = std::chrono::seconds(2);
    config.linger = std::chrono::milliseconds(0);
    client::Producer producer(*connected, config);
    const int id = clients.next_client();
    for (int i = 0; i < count; ++i) {
      const size_t at = history.sends.size();
      const TopicPartition partition = partitions_[static_cast<size_t>(i) % partitions_.size()];
      Send& send = clients.begin_send(id, partition);
      auto delivery = [this, at](const Result<client::RecordMetadata>& outcome) {
        Send& done = history.sends[at];
        done.ended = clients.now_ns();
        if (!outcome) return;
        done.outcome = Outcome::kOk;
        done.offset = outcome->offset;
        ++clients.progress;
      };
      const std::string text = text_of_value(send.value, 10);
      (void)co_await producer.send({partition.topic, partition.partition, std::nullopt, "key-" + std::to_string(i % 5), text, {}}, std::move(delivery));
    }
    co_await producer.close();
  }
  io::Task<> read() {
    const auto connected = clients.connect("reader");
    client::ConsumerConfig config;
    config.auto_offset_reset = client::OffsetReset::kEarliest;
    client::Consumer consumer(*connected, config);
    consumer.assign(partitions_);
    const int id = clients.next_client();
    const int session = clients.next_session();
    while (!clients.stopping) {
      const int64_t began = clients.now_ns();
      const auto records = co_await consumer.poll(std::chrono::milliseconds(200));
      if (!records) co_await io::sleep_for(clients.loop(), std::chrono::milliseconds(50));
      if (records && !records->empty()) history.polls.push_back(poll_of(*records, id, session, began, clients.now_ns()));
    }
    co_await consumer.close();
  }

  std::vector<TopicPartition> partitions_;
  bool ignored_ = false;
};

}  // namespace samsa::sim
