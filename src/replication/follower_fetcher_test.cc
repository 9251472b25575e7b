// A follower before a leader that the test plays: what its fetches say of it, and what it takes.
#include "replication/follower_fetcher.h"

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/fetch.h"
#include "protocol/headers.h"
#include "storage/space_left.h"
#include "storage/test_world.h"

namespace samsa::replication {
namespace {

using namespace std::chrono_literals;
using storage::make_batch;

constexpr int32_t kSelf = 1, kLeader = 2;
const Uuid kTopic{1, 2};

// What one partition of one fetch said, and when.
struct Asked {
  Offset offset;
  int32_t max_bytes;
  int64_t at_ms;
  bool synced;  // Whether everything below the offset was synced on the follower's disk then.
};

struct FakeHost final : FetcherHost {
  [[nodiscard]] std::optional<io::Address> address_of(int32_t) const override { return io::Address{"leader", 9092}; }
  [[nodiscard]] int64_t own_broker_epoch() const override { return 7; }
  Throttle* throttle_of(const Partition&) override { return nullptr; }
  void leader_lost(int32_t) override {}
  void leader_found(int32_t) override {}
  [[nodiscard]] int16_t fetch_version() const override { return 17; }
  io::Task<> checkpoint() override { co_return; }
};

class FollowerFetcherTest : public testing::Test {
 protected:
  struct Replica {
    std::unique_ptr<storage::Log> log;
    std::shared_ptr<Partition> partition;
    std::deque<Buffer> to_send;  // Batches, one an answer; the one that the fetch is too small for as well.
    std::vector<Asked> asked;
  };

  void SetUp() override { io::spawn(leader_.worlds()[0].loop, serve(*this)); }
  void TearDown() override {
    run([](FollowerFetcherTest& test) -> io::Task<> {
      if (test.fetchers_) co_await test.fetchers_->stop();
      for (auto& replica : test.replicas_) co_await test.close(replica);
    }(*this));
    sim_.crash(leader_);
  }
  io::World follower() { return follower_.worlds()[0]; }
  void run(io::Task<> task) { ASSERT_TRUE(sim_.run_task(follower().loop, std::move(task), 60s)) << sim_.trace().recent(40); }

  // The log as a start finds it: what was written before, none of it known to be synced.
  void open(bool durable, storage::SpaceLeft* space = nullptr, Offset recovery_point = 0) {
    auto& replica = replicas_.emplace_back();
    const auto index = static_cast<PartitionIndex>(replicas_.size() - 1);
    open_log(replica, index, durable, recovery_point);
    replica.log->set_space(space);
    replica.partition = std::make_shared<Partition>(follower().loop, *replica.log, NodeId(kSelf), kTopic, nullptr);
    metadata::PartitionImage state;
    state.replicas = state.isr = {kSelf, kLeader};
    state.leader = kLeader;
    state.leader_epoch = state.partition_epoch = 0;
    ASSERT_TRUE(replica.partition->apply(state, 1));
  }
  void open_log(Replica& replica, PartitionIndex index, bool durable, Offset recovery_point) {
    storage::OpenLog options;
    options.directory = "/data/events-" + std::to_string(index);
    options.partition = {"events", index};
    options.config.durable = durable;
    options.recovery_point = recovery_point;
    run([](FollowerFetcherTest& test, storage::OpenLog options, Replica& replica) -> io::Task<> {
      auto opened = co_await storage::Log::open(test.context_, options);
      EXPECT_TRUE(opened) << opened.error().describe();
      replica.log = std::move(*opened);
    }(*this, options, replica));
  }
  // Three records that a run before this one wrote into partition 0.
  void written_before() {
    Replica before;
    open_log(before, 0, false, 0);
    ASSERT_TRUE(before.log->append_as_follower(numbered(0, 3), 0));
    run([](Replica& replica) -> io::Task<> { co_await replica.log->abandon(); }(before));
  }
  io::Task<> close(Replica& replica) {
    replica.partition->close(ErrorCode::kNotLeaderOrFollower);
    replica.partition.reset();
    co_await replica.log->abandon();
  }
  static Buffer numbered(Offset base, int count) {
    Buffer batch = make_batch({.count = count});
    protocol::set_base_offset(batch, base);
    protocol::set_leader_epoch(batch, 0);
    return batch;
  }
  void follow() {
    fetchers_ = std::make_unique<FollowerFetchers>(follower(), FetcherSettings{.node_id = kSelf, .max_wait = 100ms}, host_);
    for (auto& replica : replicas_) fetchers_->follow(replica.partition);
  }
  bool until(const std::function<bool()>& done) { return sim_.run_until(done, 60s); }

  // ---- The leader

  static io::Task<> serve(FollowerFetcherTest& test) {
    const io::World world = test.leader_.worlds()[0];
    auto listener = world.network.listen({"", 9092});
    EXPECT_TRUE(listener);
    for (;;) {
      auto accepted = co_await (*listener)->accept();
      if (!accepted) co_return;
      io::spawn(world.loop, answer_all(test, world.network.attach(std::move(*accepted))));
    }
  }
  static io::Task<bool> fill(io::Stream& stream, MutableBytes into) {
    while (!into.empty()) {
      const auto got = co_await stream.read_some(into);
      if (!got || *got == 0) co_return false;
      into = into.subspan(*got);
    }
    co_return true;
  }
  static io::Task<> answer_all(FollowerFetcherTest& test, std::unique_ptr<io::Stream> stream) {
    for (;;) {
      Buffer head(4);
      if (!co_await fill(*stream, head)) co_return;
      Buffer frame(static_cast<size_t>(load_be<int32_t>(head.data())));
      if (!co_await fill(*stream, frame)) co_return;
      protocol::RequestHeader header;
      const auto size = protocol::decode_request_header(frame, header);
      protocol::Encoder encoded;
      if (header.api_key == protocol::ApiVersionsRequest::kApiKey) {
        protocol::ApiVersionsResponse response;
        auto& api = response.api_keys.emplace_back();
        api.api_key = protocol::FetchRequest::kApiKey;
        api.min_version = 13;
        api.max_version = 17;
        EXPECT_TRUE(protocol::encode_response_frame(header, response, encoded));
      } else {
        const auto request = protocol::decode<protocol::FetchRequest>(Bytes(frame).subspan(*size), header.api_version);
        EXPECT_TRUE(request);
        co_await io::sleep_for(test.leader_.worlds()[0].loop, 20ms);
        EXPECT_TRUE(protocol::encode_response_frame(header, test.answer(*request), encoded));
      }
      const auto chunks = encoded.chunks();
      if (!co_await stream->write(chunks)) co_return;
    }
  }
  // Without a session, so that each fetch names all its partitions.
  protocol::FetchResponse answer(const protocol::FetchRequest& request) {
    protocol::FetchResponse response;
    auto& topic = response.responses.emplace_back();
    topic.topic_id = kTopic;
    if (!request.topics.empty()) together_.push_back(request.topics[0].partitions.size());
    for (const auto& wanted : request.topics.empty() ? decltype(request.topics[0].partitions)() : request.topics[0].partitions) {
      auto& replica = replicas_.at(static_cast<size_t>(wanted.partition));
      replica.asked.push_back({wanted.fetch_offset, wanted.partition_max_bytes,
                               std::chrono::duration_cast<std::chrono::milliseconds>(sim_.elapsed()).count(),
                               replica.log->is_durable(wanted.fetch_offset)});
      auto& part = topic.partitions.emplace_back();
      part.partition_index = wanted.partition;
      part.high_watermark = committed_;
      part.log_start_offset = 0;
      if (replica.to_send.empty()) continue;
      if (protocol::BatchHeader(replica.to_send.front().data()).base_offset() < wanted.fetch_offset) replica.to_send.pop_front();
      if (!replica.to_send.empty()) part.records = protocol::Records::of(protocol::Blob(Buffer(replica.to_send.front())));
    }
    return response;
  }

  io::sim::SimWorld sim_{5};
  io::sim::SimNode& follower_{sim_.add_node("follower")};
  io::sim::SimNode& leader_{sim_.add_node("leader")};
  storage::FilePool pool_{follower().disk, 64};
  storage::LogContext context_{follower().loop, follower().disk, pool_};
  FakeHost host_;
  std::deque<Replica> replicas_;
  std::unique_ptr<FollowerFetchers> fetchers_;
  Offset committed_ = 0;
  std::vector<size_t> together_;  // How many partitions each fetch named.
};

// What the leader hears of counts as committed: in a durable topic that is what a power cut does not take.
TEST_F(FollowerFetcherTest, TheFirstFetchAfterAStartNamesOnlyWhatIsSynced) {
  written_before();
  open(true);
  auto& replica = replicas_[0];
  ASSERT_EQ(replica.log->log_end_offset(), 3);
  ASSERT_FALSE(replica.log->is_durable(3)) << "nothing to show";
  follow();
  ASSERT_TRUE(until([&] { return replica.asked.size() >= 2; }));
  for (const auto& asked : replica.asked) {
    EXPECT_EQ(asked.offset, 3);
    EXPECT_TRUE(asked.synced);
  }
}

TEST_F(FollowerFetcherTest, WhatCameIsSyncedBeforeTheNextFetchNamesIt) {
  open(true);
  auto& replica = replicas_[0];
  for (int i = 0; i < 5; ++i) replica.to_send.push_back(numbered(i * 2, 2));
  follow();
  ASSERT_TRUE(until([&] { return !replica.asked.empty() && replica.asked.back().offset == 10; }));
  for (const auto& asked : replica.asked) EXPECT_TRUE(asked.synced) << asked.offset;
}

// The others of the same leader go on; the page cache is enough for them.
TEST_F(FollowerFetcherTest, AReplicaThatCannotBeSyncedIsNotFetchedFor) {
  written_before();
  open(true);
  open(false);
  sim_.faults().sync_error = 1;
  follow();
  ASSERT_TRUE(until([&] { return replicas_[1].asked.size() >= 5; }));
  EXPECT_TRUE(replicas_[0].asked.empty());
}

// While its disk is full a replica only asks for the leader's offsets, once a second, and takes nothing, also of a leader that sends a
// batch whatever the limit says (min_one_batch); the others of the same leader go on.
TEST_F(FollowerFetcherTest, AReplicaWithoutRoomTakesNothingUntilThereIsRoom) {
  uint64_t left = 0;
  storage::SpaceLeft space([&left](uint64_t) { return left; }, 1);
  space.look();
  open(false, &space);
  open(false);
  auto& full = replicas_[0];
  auto& other = replicas_[1];
  full.to_send.push_back(numbered(0, 3));
  for (int i = 0; i < 5; ++i) other.to_send.push_back(numbered(i, 1));
  committed_ = 3;
  follow();
  ASSERT_TRUE(until([&] { return full.asked.size() >= 4; }));
  EXPECT_EQ(other.log->log_end_offset(), 5);
  EXPECT_EQ(full.log->log_end_offset(), 0);
  for (size_t i = 0; i < full.asked.size(); ++i) {
    EXPECT_EQ(full.asked[i].offset, 0);
    EXPECT_EQ(full.asked[i].max_bytes, 0);
    if (i > 0) EXPECT_GE(full.asked[i].at_ms, full.asked[i - 1].at_ms + 1000);
  }
  left = UINT64_MAX;
  space.look();
  ASSERT_TRUE(until([&] { return full.log->log_end_offset() == 3; }));
  EXPECT_GT(full.asked.back().max_bytes, 0);
}

// The disk fills up while a fetch is under way.
TEST_F(FollowerFetcherTest, AReplicaThatRunsOutOfRoomStopsAskingForRecords) {
  uint64_t left = UINT64_MAX;
  storage::SpaceLeft space([&left](uint64_t) { return left; }, 1);
  open(false, &space);
  auto& replica = replicas_[0];
  replica.to_send.push_back(numbered(0, 3));
  follow();
  ASSERT_TRUE(until([&] { return replica.log->log_end_offset() == 3; }));
  left = 0;
  space.look();
  replica.to_send.push_back(numbered(3, 3));
  const size_t before = replica.asked.size();
  ASSERT_TRUE(until([&] { return replica.asked.size() >= before + 4; }));
  EXPECT_EQ(replica.log->log_end_offset(), 3);
  EXPECT_EQ(replica.asked.back().max_bytes, 0);
  left = UINT64_MAX;
  space.look();
  ASSERT_TRUE(until([&] { return replica.log->log_end_offset() == 6; }));
}

// num.replica.fetchers changes: partitions go over to other fetchers, and back, and none is lost on the way.
TEST_F(FollowerFetcherTest, TheNumberOfFetchersChangesWhileTheyWork) {
  constexpr size_t kPartitions = 8;
  for (size_t i = 0; i < kPartitions; ++i) open(false);
  follow();
  ASSERT_TRUE(until([&] { return together_.size() >= 3; }));
  EXPECT_EQ(together_.back(), kPartitions);
  Offset sent = 0;
  for (const int32_t count : {4, 2, 1}) {
    fetchers_->set_fetchers(count);
    sim_.run_for(2s);
    together_.clear();
    for (auto& replica : replicas_) replica.to_send.push_back(numbered(sent, 3));
    sent += 3;
    ASSERT_TRUE(until([&] { return std::ranges::all_of(replicas_, [&](const auto& replica) { return replica.log->log_end_offset() == sent; }); }));
    const size_t most = std::ranges::max(together_);
    if (count == 1) EXPECT_EQ(most, kPartitions);
    if (count > 1) EXPECT_LT(most, kPartitions) << count;
  }
}

}  // namespace
}  // namespace samsa::replication
