// Disks that are slow or full, in whole simulated nodes: a partition that recovers for long holds up no other one, and a follower without room
// pauses, leaves the ISR, loses nothing and comes back; or that cannot be read: nothing wrong is answered, the directory goes offline.
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/delete_records.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/list_offsets.h"
#include "server/test_cluster.h"
#include "server/test_site.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

struct Troubles {
  explicit Troubles(const std::vector<std::string>& roles, config::Properties more = {})
      : cluster(11, roles, std::move(more)), client(cluster.client->worlds()[0], cluster.brokers()) {
    cluster.start_all();
    EXPECT_TRUE(cluster.sim.run_until([&] { return cluster.all_started(); }, 60s)) << cluster.sim.trace().recent(60);
  }
  template <class T>
  void run(io::Task<T> task, io::Duration limit = 120s) {
    EXPECT_TRUE(cluster.sim.run_task(client.world().loop, std::move(task), limit)) << cluster.sim.trace().recent(60);
  }
  void create(std::string name, std::vector<std::vector<int32_t>> assignments) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = topic.replication_factor = -1;
    for (size_t i = 0; i < assignments.size(); ++i) {
      auto& part = topic.assignments.emplace_back();
      part.partition_index = static_cast<int32_t>(i);
      for (const int32_t replica : assignments[i]) part.broker_ids.push_back(replica);
    }
    request.timeout_ms = 10'000;
    run([](Troubles& self, protocol::CreateTopicsRequest& request) -> io::Task<> {
      const auto answer = co_await self.client.call_any(request, 7);
      EXPECT_TRUE(answer && (*answer)->topics.at(0).error_code == 0);
    }(*this, request));
    cluster.sim.run_for(1s);
  }
  // The error of one batch, acks=all; the connection's error where there is no answer.
  io::Task<> produce(size_t node, int partition, std::string value, ErrorCode& error) {
    auto batch = protocol::single_record_batch({}, client.world().loop.wall_ms(), std::nullopt, as_bytes(value));
    const auto answer =
        co_await client.call({"n" + std::to_string(node + 1), 9092}, produce_request("events", partition, std::move(*batch), -1, 2500), 9);
    if (!answer) {
      error = answer.error().code;
      co_return;
    }
    const auto& outcome = (*answer)->responses.at(0).partition_responses.at(0);
    error = error_from_wire(outcome.error_code);
    if (error == ErrorCode::kNone) acknowledged[partition][outcome.base_offset] = value;
  }
  ErrorCode produce(size_t node, int partition, std::string value) {
    ErrorCode error = ErrorCode::kUnknownServerError;
    run(produce(node, partition, std::move(value), error));
    return error;
  }
  io::Task<> delete_topic() {
    for (int attempt = 0; attempt < 2; ++attempt) {
      protocol::DeleteTopicsRequest request;
      request.topic_names.emplace_back("events");
      request.timeout_ms = 10'000;
      const auto answer = co_await client.call_any(request, 5);
      if (!answer) continue;  // The connection of before a crash.
      EXPECT_EQ((*answer)->responses.at(0).error_code, 0);
      co_return;
    }
    ADD_FAILURE() << "not deleted";
  }
  // What the replica has is what was acknowledged, and perhaps more.
  void check(size_t node, int partition) {
    std::map<Offset, std::string> found;
    run(read_replica(client, {"n" + std::to_string(node + 1), 9092}, "events", partition, false, found));
    for (const auto& [offset, value] : acknowledged[partition]) EXPECT_EQ(found[offset], value) << "node " << node + 1 << " offset " << offset;
  }

  TestCluster cluster;
  TestClient client;
  std::map<int, std::map<Offset, std::string>> acknowledged;
};

// While writes stand, what a connection sends without waiting is appended in its order, in each partition; another client is not held up, and
// nothing is lost or twice.
TEST(DiskTroubles, WritesThatStandKeepTheOrderOfAConnection) {
  constexpr int kPartitions = 3;
  constexpr int kRequests = 60;
  TestSite site;
  site.run([&]() -> io::Task<> { co_await site.create("events", kPartitions); });
  site.sim.faults().standing_write = 0.7;
  site.run([&]() -> io::Task<> {
    const int first = site.client->correlation();
    // Each request is for all partitions, beginning with another one.
    for (int i = 0; i < kRequests; ++i) {
      protocol::ProduceRequest request;
      for (int part = i; part < i + kPartitions; ++part) {
        auto batch = protocol::single_record_batch({}, 1'700'000'000'000, std::nullopt, as_bytes(std::to_string(i)));
        auto one = produce_request("events", part % kPartitions, std::move(*batch));
        if (part == i) {
          request = std::move(one);
        } else {
          request.topic_data[0].partition_data.push_back(std::move(one.topic_data[0].partition_data[0]));
        }
      }
      EXPECT_TRUE(co_await site.client->send_request(request, 9));
    }
    for (int i = 0; i < kRequests; ++i) {
      auto frame = co_await site.client->receive();
      EXPECT_TRUE(frame);
      const auto produced = RawClient::parse<protocol::ProduceRequest>(*frame, 9, first + 1 + i);
      EXPECT_TRUE(produced);
      for (const auto& part : produced->responses.at(0).partition_responses) EXPECT_EQ(part.base_offset, i) << "partition " << part.index;
    }
  });
  // Of two connections each keeps its order in one partition, and the log has all.
  site.run([&]() -> io::Task<> {
    auto other = co_await site.connect();
    for (int i = 0; i < kRequests; ++i) {
      for (auto* client : {site.client.get(), other.get()}) {
        const std::string value = (client == other.get() ? "b" : "a") + std::to_string(100 + i);
        auto batch = protocol::single_record_batch({}, 1'700'000'000'000, std::nullopt, as_bytes(value));
        EXPECT_TRUE(co_await client->send_request(produce_request("events", 0, std::move(*batch)), 9));
      }
    }
    for (int i = 0; i < kRequests; ++i) {
      EXPECT_TRUE(co_await site.client->receive());
      EXPECT_TRUE(co_await other->receive());
    }
    other->close();
  });
  const auto replica = site.replica("events", 0);
  EXPECT_EQ(replica->log().log_end_offset(), 3 * kRequests);
  std::map<char, std::string> last;
  site.run([&]() -> io::Task<> {
    const auto answer = co_await site.call(TestSite::fetch_request("events", 0, kRequests), 12);
    for (const std::string& value : values_of(answer)) {
      EXPECT_LT(last[value[0]], value);
      last[value[0]] = value;
    }
  });
  EXPECT_EQ(last['a'], "a159");
  EXPECT_EQ(last['b'], "b159");
}

TEST(DiskTroubles, APartitionThatRecoversForLongHoldsUpNoOther) {
  Troubles t({"broker,controller"});
  t.create("events", {{1}, {1}, {1}});
  for (int i = 0; i < 30; ++i) EXPECT_EQ(t.produce(0, i % 3, "value " + std::to_string(i)), ErrorCode::kNone);
  io::sim::Faults kill;
  kill.power_fails = false;
  t.cluster.sim.faults() = kill;
  t.cluster.crash(0);
  auto& slow = t.cluster.members[0].machine->files().slow_reads;
  slow["/events-1/"] = 60s;
  t.cluster.restart(0);
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.all_started(2); }, 20s)) << "the start waits for the slow one";
  const auto start = t.cluster.sim.elapsed();
  // The first call finds the connection of before the crash.
  (void)t.produce(0, 0, "perhaps");
  for (const int partition : {0, 2}) {
    EXPECT_EQ(t.produce(0, partition, "while it recovers"), ErrorCode::kNone);
    t.check(0, partition);
  }
  // What every client takes for a reason to ask again.
  EXPECT_EQ(t.produce(0, 1, "too early"), ErrorCode::kNotLeaderOrFollower);
  EXPECT_LT(t.cluster.sim.elapsed() - start, 30s);
  slow.clear();
  t.cluster.sim.run_for(120s);
  EXPECT_EQ(t.produce(0, 1, "at last"), ErrorCode::kNone);
  EXPECT_EQ(t.acknowledged[1].rbegin()->first, 10);
  t.check(0, 1);
}

// The checkpoint files go by names. What they say of a topic that was deleted is not for the next one that is called so.
TEST(DiskTroubles, ATopicInheritsNothingOfADeletedOneOfItsName) {
  Troubles t({"broker,controller"});
  t.create("events", {{1}});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(t.produce(0, 0, "old " + std::to_string(i)), ErrorCode::kNone);
  t.run([](Troubles& self) -> io::Task<> {
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = 10'000;
    auto& topic = request.topics.emplace_back();
    topic.name = "events";
    topic.partitions.emplace_back().offset = 15;
    const auto answer = co_await self.client.call_any(request, 2);
    EXPECT_TRUE(answer && (*answer)->topics.at(0).partitions.at(0).error_code == 0);
  }(t));
  t.cluster.sim.run_for(130s);  // Checkpoints are written.
  t.run(t.delete_topic());
  t.acknowledged.clear();
  t.create("events", {{1}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(t.produce(0, 0, "new " + std::to_string(i)), ErrorCode::kNone);
  EXPECT_EQ(t.acknowledged[0].begin()->first, 0);
  io::sim::Faults kill;
  kill.power_fails = false;
  t.cluster.sim.faults() = kill;
  t.cluster.crash(0);
  t.cluster.restart(0);
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.all_started(2); }, 20s));
  (void)t.produce(0, 0, "perhaps");  // The first call finds the connection of before the crash.
  EXPECT_EQ(t.produce(0, 0, "new again"), ErrorCode::kNone);
  t.check(0, 0);
  EXPECT_GE(t.acknowledged[0].size(), 6u);
}

TEST(DiskTroubles, ATopicThatIsDeletedWhileItRecoversGoes) {
  Troubles t({"broker,controller"}, {{"log.segment.delete.delay.ms", "1000"}});
  t.create("events", {{1}});
  EXPECT_EQ(t.produce(0, 0, "a value"), ErrorCode::kNone);
  io::sim::Faults kill;
  kill.power_fails = false;
  t.cluster.sim.faults() = kill;
  t.cluster.crash(0);
  auto& disk = t.cluster.members[0].machine->files();
  disk.slow_reads["/events-0/"] = 30s;
  t.cluster.restart(0);
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.all_started(2); }, 20s));
  t.run(t.delete_topic());
  EXPECT_NE(disk.find("/data/events-0"), nullptr);
  t.cluster.sim.run_for(120s);
  EXPECT_EQ(disk.find("/data/events-0"), nullptr);
  for (const auto& [name, inode] : disk.find("/data")->entries) EXPECT_FALSE(name.starts_with("events-0")) << name;
}

// The controller cannot be told of a failed directory: leaders in it would stay there.
TEST(DiskTroubles, ABrokerThatCannotTellOfItsFailedDirectoryEnds) {
  for (const bool cut_off : {true, false}) {
    Troubles t({"controller", "broker", "broker"}, {{"log.dirs", "/data,/other"}, {"log.dir.failure.timeout.ms", "20000"}});
    t.create("events", {{2}, {2}, {2}, {2}});
    auto& broker = t.cluster.members[1];
    broker.may_fail = true;
    if (cut_off) t.cluster.sim.partition(*t.cluster.members[0].machine, *broker.machine);
    EXPECT_TRUE(broker.machine->worlds()[0].disk.create_directories("/other/replication-offset-checkpoint.tmp/x"));
    for (int i = 0; i < 4; ++i) (void)t.produce(1, i, "something for a checkpoint to say");
    t.cluster.sim.run_for(15s);
    EXPECT_EQ(broker.failed, "");
    t.cluster.sim.run_for(20s);
    EXPECT_EQ(broker.failed.find("log.dir.failure.timeout.ms=20000") != std::string::npos, cut_off) << broker.failed;
  }
}

TEST(DiskTroubles, AFollowerWithoutRoomPausesAndComesBack) {
  Troubles t({"broker,controller", "broker"}, {{"replica.lag.time.max.ms", "3000"}});
  t.create("events", {{1, 2}});
  EXPECT_EQ(t.produce(0, 0, "the first"), ErrorCode::kNone);
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.whole("events"); }, 60s));
  auto& disk = t.cluster.members[1].machine->files();
  // Of such a small disk the reserve is a twentieth.
  disk.capacity_bytes = disk.used_bytes() + 600'000;
  const uint64_t reserve = disk.capacity_bytes / 20;
  t.cluster.sim.run_for(2s);  // Real disks do not shrink at once: it is looked at every second.
  const auto isr = [&] { return t.cluster.image()->partition("events", 0)->isr.size(); };
  for (int i = 0; i < 100 && isr() == 2; ++i) (void)t.produce(0, 0, std::string(20'000, static_cast<char>('a' + i % 26)));
  EXPECT_EQ(isr(), 1u) << "it leaves the ISR by itself";
  for (int i = 0; i < 20; ++i) EXPECT_EQ(t.produce(0, 0, std::string(20'000, 'z')), ErrorCode::kNone) << i;
  t.cluster.sim.run_for(10s);
  EXPECT_LT(disk.used_bytes(), disk.capacity_bytes - reserve / 2) << "the reserve is not for followers";
  EXPECT_EQ(t.cluster.members[1].starts, 1);
  EXPECT_FALSE(t.cluster.image()->broker(2)->fenced);
  disk.capacity_bytes = 1ULL << 40;
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.whole("events"); }, 60s)) << "it comes back by itself";
  t.cluster.sim.run_for(1s);
  t.check(1, 0);
  t.check(0, 0);
}

// A follower without room asks with a limit of 0. That the first batch comes whole, however large, is for those who would stand still.
TEST(DiskTroubles, ALeaderSendsNothingToAFollowerThatAsksForNothing) {
  Troubles t({"broker,controller", "broker"});
  t.create("events", {{1, 2}});
  EXPECT_EQ(t.produce(0, 0, "a value"), ErrorCode::kNone);
  const auto bytes = [&](int32_t replica, int32_t limit) {
    size_t found = SIZE_MAX;
    t.run([](Troubles& self, int32_t replica, int32_t limit, size_t& found) -> io::Task<> {
      protocol::FetchRequest request;
      request.replica_id = replica;
      request.max_bytes = 1 << 20;
      request.session_epoch = -1;
      auto& wanted = request.topics.emplace_back();
      wanted.topic = "events";
      wanted.partitions.emplace_back().partition_max_bytes = limit;
      const auto answer = co_await self.client.call({"n1", 9092}, request, 11);
      EXPECT_TRUE(answer && (*answer)->responses.at(0).partitions.at(0).error_code == 0);
      if (answer) found = (*answer)->responses.at(0).partitions.at(0).records.memory.view().size();
    }(t, replica, limit, found));
    return found;
  };
  EXPECT_EQ(bytes(2, 0), 0u);
  EXPECT_GT(bytes(2, 1), 0u);
  EXPECT_GT(bytes(-1, 0), 0u);
}

// The answer to AlterReplicaLogDirs for events-0, and how long it took.
std::pair<ErrorCode, io::Duration> alter(Troubles& t, const std::string& directory) {
  std::pair<ErrorCode, io::Duration> found{ErrorCode::kUnknownServerError, {}};
  t.run([](Troubles& self, std::string directory, std::pair<ErrorCode, io::Duration>& found) -> io::Task<> {
    const io::World world = self.client.world();
    auto connection = co_await client::Connection::open(world, {"n1", 9092}, {});
    EXPECT_TRUE(connection);
    if (!connection) co_return;
    protocol::AlterReplicaLogDirsRequest request;
    auto& wanted = request.dirs.emplace_back();
    wanted.path = protocol::Text(directory);
    auto& topic = wanted.topics.emplace_back();
    topic.name = "events";
    topic.partitions = {0};
    const auto began = world.loop.now();
    const auto answer = co_await (*connection)->call(request);
    EXPECT_TRUE(answer) << answer.error().text();
    if (answer) found = {error_from_wire((*answer)->results.at(0).partitions.at(0).error_code), world.loop.now() - began};
    (*connection)->close();
  }(t, directory, found));
  return found;
}

// A move begun before a crash, whose copy takes long to recover: who asks anew waits for it, but gets an answer while he still listens.
TEST(DiskTroubles, AMoveWhoseCopyRecoversForLongIsAnsweredInTime) {
  Troubles t({"broker,controller"}, {{"log.dirs", "/data,/other"}, {"replica.alter.log.dirs.io.max.bytes.per.second", "1000"}});
  t.create("events", {{1}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(t.produce(0, 0, std::string(1 << 19, 'x')), ErrorCode::kNone);
  auto& disk = t.cluster.members[0].machine->files();
  const std::string to = disk.find("/data/events-0") == nullptr ? "/data" : "/other";
  EXPECT_EQ(alter(t, to).first, ErrorCode::kNone);
  t.cluster.sim.run_for(1s);
  io::sim::Faults kill;
  kill.power_fails = false;
  t.cluster.sim.faults() = kill;
  t.cluster.crash(0);
  disk.slow_reads["-future/"] = 100s;
  t.cluster.restart(0);
  EXPECT_TRUE(t.cluster.sim.run_until([&] { return t.cluster.all_started(2); }, 20s));
  t.cluster.sim.run_for(2s);
  const auto [error, took] = alter(t, to);
  EXPECT_EQ(error, ErrorCode::kReplicaNotAvailable) << error_name(error);
  EXPECT_GT(took, 10s) << "it may still come";
  EXPECT_LT(took, 28s) << "clients give it thirty";
  disk.slow_reads.clear();
  t.cluster.sim.run_for(120s);
  EXPECT_EQ(alter(t, to).first, ErrorCode::kNone);
}

// ---- Disks that cannot be read

constexpr int kSpread = 8;  // Partitions over two directories and two shards.

// Where the partition lies, with a slash.
std::string home_of(TestSite& site, int partition) {
  const std::string name = "events-" + std::to_string(partition);
  return (site.machine.files().find("/data/" + name) != nullptr ? "/data/" : "/other/") + name + "/";
}
bool is_offline(TestSite& site, const std::string& home) {
  const int directory = home.starts_with("/data/") ? 0 : 1;
  return site.node->shard(0).logs().is_offline(directory) && site.node->shard(1).logs().is_offline(directory);
}
// Those of the directory `lost` take nothing any more, the others do.
io::Task<> check_one_is_lost(TestSite& site, std::string lost) {
  co_await io::sleep_for(site.world().loop, 2s);
  EXPECT_TRUE(is_offline(site, lost));
  for (int i = 0; i < kSpread; ++i) {
    const bool gone = home_of(site, i).substr(0, 5) == lost.substr(0, 5);
    EXPECT_EQ(co_await site.produce("events", i, {"afterwards"}) == 0, !gone) << i;
  }
}

// What is fetched from the end was found without a read; the first one is that of the sender, with the head of the answer on its way already.
TEST(DiskTroubles, AReadThatFailsWhileTheAnswerIsSentTakesTheDirectoryOffline) {
  for (int partition = 0; partition < kSpread; ++partition) {
    TestSite site({{"log.dirs", "/data,/other"}});
    site.run([&]() -> io::Task<> {
      co_await site.create("events", kSpread);
      for (int i = 0; i < kSpread; ++i) EXPECT_EQ(co_await site.produce("events", i, {"a value"}), 0);
      const std::string home = home_of(site, partition);
      // Nothing else of this machine is read from its disk meanwhile.
      io::sim::Faults broken;
      broken.read_error = 1;
      site.machine.host().disk_faults = broken;
      auto reader = co_await site.connect();
      EXPECT_FALSE(co_await reader->call(TestSite::fetch_request("events", partition, 0), 12)) << "the bytes were promised";
      site.machine.host().disk_faults.reset();
      co_await check_one_is_lost(site, home);
      reader->close();
    });
  }
}

// A connection that breaks says nothing of the disk.
TEST(DiskTroubles, AReaderThatLeavesTakesNothingOffline) {
  TestSite site({{"log.dirs", "/data,/other"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events", kSpread);
    EXPECT_EQ(co_await site.produce("events", 0, {std::string(900'000, 'x')}), 0);
    for (int i = 0; i < 5; ++i) {
      auto reader = co_await site.connect();
      EXPECT_TRUE(co_await reader->send_request(TestSite::fetch_request("events", 0, 0), 12));
      co_await io::sleep_for(site.world().loop, 1s);
      reader->close();
      co_await io::sleep_for(site.world().loop, 1s);
    }
    for (int i = 0; i < kSpread; ++i) EXPECT_EQ(co_await site.produce("events", i, {"afterwards"}), 0);
  });
}

// Who looks for a time waits for the disk; others of the shard, and of the partition, do not.
TEST(DiskTroubles, ALookUpByTimeOnASlowDiskHoldsUpNobodyElse) {
  constexpr int64_t kThen = 1'700'000'000'000;
  TestSite site;
  site.run([&]() -> io::Task<> {
    co_await site.create("events", 1, {{"segment.bytes", "1048576"}, {"index.interval.bytes", "1000"}, {"retention.ms", "-1"}, {"compression.type", "producer"}});
    // Several segments; of all but the last nothing is remembered.
    for (int i = 0; i < 70; ++i) EXPECT_EQ(co_await site.produce("events", 0, {std::string(50'000, 'x')}, kThen + i), 0);
    auto& slow = site.machine.files().slow_reads;
    slow["/events-0/"] = 10s;
    const auto patient = co_await site.connect();
    for (const int64_t timestamp : {kThen + 30, int64_t{-3}}) {
      protocol::ListOffsetsRequest request;
      request.replica_id = -1;
      auto& topic = request.topics.emplace_back();
      topic.name = "events";
      topic.partitions.emplace_back().timestamp = timestamp;
      const auto began = site.world().loop.now();
      EXPECT_TRUE(co_await patient->send_request(request, 9));
      for (int i = 0; i < 10; ++i) EXPECT_EQ(co_await site.produce("events", 0, {"quick"}, kThen), 0);
      EXPECT_LT(site.world().loop.now() - began, 2s);
      const auto frame = co_await patient->receive();
      if (!frame) co_return (void)(ADD_FAILURE() << frame.error().text());
      EXPECT_GT(site.world().loop.now() - began, 10s);
      const auto answer = RawClient::parse<protocol::ListOffsetsRequest>(*frame, 9, patient->correlation());
      if (!answer) co_return (void)(ADD_FAILURE() << answer.error().text());
      EXPECT_EQ(answer->topics.at(0).partitions.at(0).error_code, 0);
      EXPECT_EQ(answer->topics.at(0).partitions.at(0).offset, timestamp < 0 ? 69 : 30);
    }
    slow.clear();
    patient->close();
  });
}

}  // namespace
}  // namespace samsa::server
