// One replica, with the world around it made up: what is committed, who is told, and what a change of role does to those who wait.
#include "replication/partition.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "storage/test_world.h"

namespace samsa::replication {
namespace {

using storage::make_batch;

constexpr int32_t kSelf = 1;

// The node around the partition: brokers may join or not, and ISR changes are answered when the test says so.
struct FakeHost final : IsrHost {
  explicit FakeHost(io::Loop& on) : loop(on) {}
  [[nodiscard]] bool may_join_isr(int32_t broker, int64_t) const override { return std::ranges::find(away, broker) == away.end(); }
  [[nodiscard]] int64_t broker_epoch(int32_t) const override { return 0; }
  [[nodiscard]] std::chrono::milliseconds lag_limit() const override { return std::chrono::milliseconds(30'000); }
  io::Task<Result<IsrAnswer>> change_isr(IsrProposal proposal) override {
    asked.push_back(proposal);
    co_await answered.wait(loop);
    if (refuse != ErrorCode::kNone) co_return fail(refuse);
    co_return IsrAnswer{proposal.leader_epoch, proposal.partition_epoch + 1, proposal.isr};
  }
  void spawn(io::Task<> task) override { io::spawn(loop, std::move(task)); }

  io::Loop& loop;
  std::vector<int32_t> away;
  std::vector<IsrProposal> asked;
  ErrorCode refuse = ErrorCode::kNone;
  io::Signal answered;
};

class PartitionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    storage::OpenLog options;
    options.directory = "/data/events-0";
    options.partition = {"events", 0};
    auto opened = world.loop.run(storage::Log::open(world.context, options));
    ASSERT_TRUE(opened) << opened.error().describe();
    log = std::move(*opened);
    partition = std::make_shared<Partition>(world.loop, *log, NodeId(kSelf), Uuid{1, 2}, &host);
    state.replicas = {1, 2, 3};
    state.isr = {1, 2, 3};
    state.leader = kSelf;
    state.leader_epoch = 0;
    state.partition_epoch = 0;
    become();
  }
  void TearDown() override {
    partition->close(ErrorCode::kNotLeaderOrFollower);
    host.answered.notify_all();
    world.loop.run_ready();
    partition.reset();
    world.loop.run(log->abandon());
  }
  void become(int32_t min_isr = 1) { ASSERT_TRUE(partition->apply(state, min_isr)); }
  void new_epoch(int32_t leader) {
    state.leader = leader;
    ++state.leader_epoch;
    ++state.partition_epoch;
    become();
  }
  Offset append(int count = 1, int16_t acks = 1) {
    Buffer batch = make_batch({.count = count});
    AppendOptions options;
    options.acks = acks;
    const auto info = partition->append(batch, options);
    return info ? info->last_offset : -static_cast<int64_t>(info.error().code);
  }
  void fetched(int32_t replica, Offset offset, Offset log_start = 0) {
    partition->follower_fetched({replica, 0, offset, log_start, partition->leader_epoch()});
  }
  void answer(ErrorCode refuse = ErrorCode::kNone) {
    host.refuse = refuse;
    host.answered.notify_all();
    world.loop.run_ready();
  }
  // A wait for the commit of `offset` that runs on; the outcome comes into `into`.
  void wait(Offset offset, std::optional<Result<void>>& into, int64_t ms = 1000) {
    struct Run {
      static io::Task<> wait(std::shared_ptr<Partition> partition, Offset offset, io::MonoTime deadline, std::optional<Result<void>>& into) {
        into = co_await partition->wait_committed(offset, partition->leader_epoch(), deadline);
      }
    };
    io::spawn(world.loop, Run::wait(partition, offset, io::after(world.loop.now(), std::chrono::milliseconds(ms)), into));
    world.loop.run_ready();
  }

  storage::TestWorld world;
  FakeHost host{world.loop};
  std::unique_ptr<storage::Log> log;
  std::shared_ptr<Partition> partition;
  metadata::PartitionImage state;
};

// The only replica has all there is: no word of loss.
TEST_F(PartitionTest, AnUncleanElectionIsToldWhereOthersMayHaveMore) {
  std::string told;
  const auto before = set_log_sink([&](LogLevel, std::string_view, std::string_view line) { told += line; });
  for (const bool alone : {true, false}) {
    told.clear();
    if (alone) state.replicas = {kSelf};
    if (!alone) state.replicas = {kSelf, 2};
    state.isr = {kSelf};
    state.recovery = metadata::LeaderRecovery::kRecovering;
    ++state.leader_epoch;
    ++state.partition_epoch;
    become();
    EXPECT_EQ(told.find("unclean") == std::string::npos, alone) << told;
  }
  set_log_sink(before);
}

TEST_F(PartitionTest, CommittedIsWhatAllInSyncHave) {
  EXPECT_EQ(append(3), 2);
  EXPECT_EQ(partition->high_watermark(), 0);
  fetched(2, 3);
  EXPECT_EQ(partition->high_watermark(), 0);
  fetched(3, 2);
  EXPECT_EQ(partition->high_watermark(), 2);
  fetched(3, 3);
  EXPECT_EQ(partition->high_watermark(), 3);
  fetched(3, 1);  // It does not fall.
  EXPECT_EQ(partition->high_watermark(), 3);
}

TEST_F(PartitionTest, AFetchOfAnEarlierEpochCountsForNothing) {
  EXPECT_EQ(append(), 0);
  new_epoch(kSelf);
  partition->follower_fetched({2, 0, 1, 0, 0});
  partition->follower_fetched({3, 0, 1, 0, 0});
  EXPECT_EQ(partition->high_watermark(), 0);
  fetched(2, 1);
  fetched(3, 1);
  EXPECT_EQ(partition->high_watermark(), 1);
}

TEST_F(PartitionTest, WhoLagsLeavesAndUntilThatIsConfirmedStillCounts) {
  fetched(2, 0);
  fetched(3, 0);
  EXPECT_EQ(append(), 0);
  world.loop.advance(31'000);
  fetched(2, 1);
  partition->shrink_isr();
  world.loop.run_ready();
  ASSERT_EQ(host.asked.size(), 1u);
  EXPECT_EQ(host.asked[0].isr, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(partition->high_watermark(), 0);  // The greater set counts.
  answer();
  EXPECT_EQ(partition->isr(), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(partition->high_watermark(), 1);
}

TEST_F(PartitionTest, WhoHasCaughtUpJoinsAndCountsAtOnce) {
  state.isr = {1, 2};
  ++state.partition_epoch;
  become();
  EXPECT_EQ(append(), 0);
  fetched(2, 1);
  EXPECT_EQ(partition->high_watermark(), 1);
  fetched(3, 1);
  world.loop.run_ready();
  ASSERT_EQ(host.asked.size(), 1u);
  EXPECT_EQ(host.asked[0].isr, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(append(), 1);
  fetched(2, 2);
  EXPECT_EQ(partition->high_watermark(), 1);  // The controller may hold 3 for a member already.
  answer(ErrorCode::kIneligibleReplica);
  host.away = {3};
  fetched(2, 2);
  EXPECT_EQ(partition->high_watermark(), 2);
}

TEST_F(PartitionTest, BelowMinIsrNothingIsTakenNorCommitted) {
  state.isr = {1};
  ++state.partition_epoch;
  become(2);
  EXPECT_EQ(append(1, -1), -static_cast<int64_t>(ErrorCode::kNotEnoughReplicas));
  EXPECT_EQ(append(1, 1), 0);
  EXPECT_EQ(partition->high_watermark(), 0);
  partition->set_min_insync_replicas(1);
  host.away = {2, 3};
  fetched(2, 1);
  EXPECT_EQ(partition->high_watermark(), 1);
}

TEST_F(PartitionTest, WaitersHearOfTheCommitTheDeadlineAndTheEnd) {
  std::optional<Result<void>> committed, late, ended;
  EXPECT_EQ(append(), 0);
  wait(0, committed);
  EXPECT_EQ(append(), 1);
  wait(1, late, 500);
  EXPECT_EQ(append(), 2);
  wait(2, ended, 60'000);
  fetched(2, 1);
  fetched(3, 1);
  world.loop.run_ready();
  ASSERT_TRUE(committed);
  EXPECT_TRUE(*committed);
  EXPECT_FALSE(late);
  world.loop.advance(501);
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error().code, ErrorCode::kRequestTimedOut);
  new_epoch(2);
  world.loop.run_ready();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error().code, ErrorCode::kNotLeaderOrFollower);
}

// An append that the disk's threads write: another one comes behind it, a change of role waits for the first and refuses the second.
TEST_F(PartitionTest, SlowAppendsKeepTheirOrderAndTheRoleWaits) {
  struct Run {
    static io::Task<> append(Partition& partition, int count, std::optional<Result<storage::AppendInfo>>& into) {
      Buffer batch = make_batch({.count = count});
      into = co_await partition.append_async(batch, AppendOptions{});
    }
    static io::Task<> become(io::Loop& loop, Partition& partition, metadata::PartitionImage state, bool& became) {
      const auto held = co_await partition.changing().lock(loop);
      became = partition.apply(state, 1).has_value();
    }
  };
  std::optional<Result<storage::AppendInfo>> first, second, third;
  bool became = false;
  world.disk.hold_writes = true;
  io::spawn(world.loop, Run::append(*partition, 3, first));
  io::spawn(world.loop, Run::append(*partition, 2, second));
  world.loop.run_ready();
  EXPECT_TRUE(partition->appends_stand(1));
  state.leader = 2;
  state.leader_epoch = state.partition_epoch = 1;
  io::spawn(world.loop, Run::become(world.loop, *partition, state, became));
  io::spawn(world.loop, Run::append(*partition, 1, third));
  world.loop.run_ready();
  EXPECT_FALSE(first || second || third || became);
  EXPECT_EQ(partition->visible_end(Reader::kFollower), 0);
  world.disk.hold_writes = false;
  world.disk.writes_go.notify_all();
  world.loop.run_ready();
  ASSERT_TRUE(first && second && third && became);
  EXPECT_EQ((*first)->last_offset, 2);
  EXPECT_EQ((*second)->first_offset, 3);
  EXPECT_EQ((*second)->last_offset, 4);
  EXPECT_EQ(third->error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(log->log_end_offset(), 5);
  EXPECT_FALSE(partition->appends_stand(1));
}

TEST_F(PartitionTest, EpochsAreCompared) {
  new_epoch(kSelf);
  EXPECT_EQ(partition->check_role(0, true).error().code, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(partition->check_role(2, true).error().code, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_TRUE(partition->check_role(1, true));
  new_epoch(2);
  EXPECT_EQ(partition->check_role(2, true).error().code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_TRUE(partition->check_role(2, false));
}

TEST_F(PartitionTest, AnImageThatIsOlderChangesNothing) {
  new_epoch(kSelf);
  metadata::PartitionImage old = state;
  old.isr = {1};
  --old.partition_epoch;
  ASSERT_TRUE(partition->apply(old, 1));
  EXPECT_EQ(partition->isr(), (std::vector<int32_t>{1, 2, 3}));
}

TEST_F(PartitionTest, ANewLeaderIsUnsureUntilItsFollowersSpeak) {
  EXPECT_EQ(append(2), 1);
  EXPECT_FALSE(partition->high_watermark_lags());  // It wrote them itself.
  new_epoch(2);
  new_epoch(kSelf);
  EXPECT_TRUE(partition->high_watermark_lags());
  fetched(2, 2);
  fetched(3, 2);
  EXPECT_FALSE(partition->high_watermark_lags());
}

TEST_F(PartitionTest, AFollowerTakesOnlyWhatBelongsToItsEpoch) {
  new_epoch(2);
  Buffer batch = make_batch({.count = 2});
  protocol::set_leader_epoch(batch, 1);
  EXPECT_EQ(partition->append_from_leader(batch, 0, 0, 0).error().code, ErrorCode::kFencedLeaderEpoch);
  ASSERT_TRUE(partition->append_from_leader(batch, 1, 9, 0));
  EXPECT_EQ(log->log_end_offset(), 2);
  EXPECT_EQ(partition->high_watermark(), 2);  // Not beyond what is here.
  new_epoch(kSelf);
  EXPECT_EQ(partition->append_from_leader(batch, state.leader_epoch, 0, 0).error().code, ErrorCode::kFencedLeaderEpoch);
}

TEST_F(PartitionTest, AFollowerCutsWhatItsLeaderDoesNotHave) {
  EXPECT_EQ(append(2), 1);  // Epoch 0, offsets 0 and 1.
  new_epoch(kSelf);
  EXPECT_EQ(append(3), 4);  // Epoch 1, offsets 2 to 4: nobody has them.
  new_epoch(2);
  const auto cut = [&](LeaderEpoch epoch, Offset end) { return world.loop.run(partition->truncate_to_leader({epoch, end}, state.leader_epoch)); };
  const auto none = cut(1, 5);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  ASSERT_TRUE(cut(0, 2));
  EXPECT_EQ(log->log_end_offset(), 2);
  EXPECT_EQ(world.loop.run(partition->truncate_to_leader({0, 1}, 0)).error().code, ErrorCode::kFencedLeaderEpoch);
}

TEST_F(PartitionTest, DeletedIsWhatTheLiveReplicasNoLongerHave) {
  EXPECT_EQ(append(4), 3);
  fetched(2, 4);
  fetched(3, 4);
  EXPECT_EQ(partition->delete_records(5).error().code, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(*partition->delete_records(3), 3);
  EXPECT_EQ(partition->low_watermark(), 0);
  fetched(2, 4, 3);
  EXPECT_EQ(partition->low_watermark(), 0);
  host.away = {3};
  EXPECT_EQ(partition->low_watermark(), 3);
}

}  // namespace
}  // namespace samsa::replication
