// Look-ups in logs whose files are not in the page cache: nothing is read on the loop.
#include "storage/log.h"

#include <gmock/gmock.h>

#include "protocol/control_batch.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr TimestampMs kT0 = 1'700'000'000'000;
constexpr Offset kEnd = 3000;

class ColdLog : public testing::Test {
 protected:
  ColdLog() {
    config.segment_bytes = 150'000;
    config.index_interval_bytes = 100;  // Indexes of several pages.
    auto log = open("/data/topic-0");
    for (Offset i = 0; i < kEnd; ++i) append(*log, i);
    EXPECT_GE(log->segment_count(), 3u);
    EXPECT_TRUE(world.loop.run(log->close()).has_value());
  }
  std::unique_ptr<Log> open(const std::string& directory, Offset recovery_point = 0) {
    OpenLog options;
    options.directory = directory;
    options.partition = {"topic", 0};
    options.topic_id = Uuid{1, 200};
    options.config = config;
    options.clean = true;
    options.recovery_point = recovery_point;
    options.high_watermark = recovery_point;
    auto log = world.loop.run(Log::open(world.context, options));
    EXPECT_TRUE(log.has_value()) << log.error().describe();
    return std::move(*log);
  }
  static void append(Log& log, Offset i) {
    Buffer batch = make_batch({.count = 1, .timestamp = kT0 + i, .value_size = 100});
    EXPECT_TRUE(log.append_as_leader(batch, {}).has_value());
  }
  // Nothing is remembered and nothing is in the page cache.
  std::unique_ptr<Log> open_cold() {
    auto log = open("/data/topic-0", kEnd);
    world.disk.drop_caches();
    return log;
  }
  void end(std::unique_ptr<Log>& log) {
    EXPECT_THAT(world.disk.cold_reads, testing::IsEmpty());
    world.loop.run(log->abandon());
  }

  TestWorld world;
  LogConfig config;
};

TEST_F(ColdLog, ReadsNothingOnTheLoopWhereAFetchBegins) {
  for (const Offset from : {Offset{0}, Offset{1}, Offset{700}, Offset{1500}, Offset{2200}, kEnd - 1}) {
    for (const Offset bound : {from + 1, from + 50, kEnd - 1, kEnd}) {
      if (bound <= from || bound > kEnd) continue;
      auto log = open_cold();
      const auto read = world.loop.run(log->read({from, 3000, bound, true}));
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->first_batch_offset, from);
      EXPECT_GT(read->size(), 0u);
      end(log);
    }
  }
}

// A read that is tried again with another bound, and others between: both its places are known when it is answered.
TEST_F(ColdLog, ReadsNothingOnTheLoopWhereTheBoundMoves) {
  auto log = open_cold();
  for (const Offset from : {Offset{100}, Offset{700}, Offset{100}, Offset{1500}}) {
    for (const Offset bound : {from + 50, from + 400, from + 51, from + 50}) {
      world.disk.drop_caches();
      const auto read = world.loop.run(log->read({from, 3000, bound, true}));
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->first_batch_offset, from);
      EXPECT_TRUE(world.disk.cold_reads.empty()) << from << " to " << bound;
    }
  }
  end(log);
}

TEST_F(ColdLog, ReadsNothingOnTheLoopWhereATimeIsLookedFor) {
  for (const Offset at : {Offset{0}, Offset{3}, Offset{700}, Offset{1499}, Offset{2200}, kEnd - 1, kEnd}) {
    auto log = open_cold();
    const auto found = world.loop.run(log->offset_for_timestamp(kT0 + at));
    ASSERT_TRUE(found.has_value());
    ASSERT_EQ(found->has_value(), at < kEnd);
    if (*found) EXPECT_EQ((*found)->offset, at);
    end(log);
  }
  auto log = open_cold();
  const auto newest = world.loop.run(log->offset_of_max_timestamp());
  ASSERT_TRUE(newest.has_value() && newest->has_value());
  EXPECT_EQ((*newest)->offset, kEnd - 1);
  end(log);
}

// Waiters are told how much has come; that is called within an append.
TEST_F(ColdLog, ReadsNothingForAnEstimate) {
  auto log = open_cold();
  const uint64_t one = log->size_bytes() / kEnd;
  EXPECT_EQ(log->bytes_between(0, kEnd), log->size_bytes());
  EXPECT_NEAR(static_cast<double>(log->bytes_between(100, 1700)), static_cast<double>(1600 * one), 1000);
  EXPECT_EQ(log->bytes_between(500, 500), 0u);
  end(log);
}

TEST_F(ColdLog, OthersAreServedMeanwhile) {
  auto log = open_cold();
  auto other = open("/data/topic-1");
  world.disk.slow_reads = "/data/topic-0/";
  bool done = false;
  const auto look = [](Log& log, bool& done) -> io::Task<> {
    const auto found = co_await log.offset_for_timestamp(kT0 + 1500);
    EXPECT_TRUE(found && *found && (*found)->offset == 1500);
    done = true;
  };
  spawn(world.loop, look(*log, done));
  world.loop.run_ready();
  for (Offset i = 0; i < 10; ++i) append(*other, i);
  EXPECT_TRUE(world.loop.run(other->flush()).has_value());
  EXPECT_FALSE(done);
  for (int i = 0; i < 1000 && !done; ++i) world.loop.advance(1000);
  EXPECT_TRUE(done);
  world.disk.slow_reads.clear();
  world.loop.run(other->abandon());
  end(log);
}

// What is looked through is cut, or goes, while a slow disk is waited for.
TEST_F(ColdLog, TheLogMayChangeMeanwhile) {
  for (const bool cut : {true, false}) {
    auto log = open_cold();
    log->set_high_watermark(kEnd);
    world.disk.slow_reads = ".timeindex";
    std::optional<Result<std::optional<TimestampOffset>>> found;
    const auto look = [](Log& log, auto& found) -> io::Task<> { found = co_await log.offset_for_timestamp(kT0 + (1500)); };
    spawn(world.loop, look(*log, found));
    world.loop.run_ready();
    ASSERT_FALSE(found);
    if (cut) {
      ASSERT_TRUE(world.loop.run(log->truncate_to(1000)).has_value());
    } else {
      ASSERT_TRUE(log->advance_log_start(1600).has_value());
      EXPECT_GT(*log->delete_old_segments(), 0u);
    }
    for (int i = 0; i < 1000 && !found; ++i) world.loop.advance(1000);
    world.disk.slow_reads.clear();
    ASSERT_TRUE(found && found->has_value()) << (*found).error().describe();
    if (cut) EXPECT_FALSE((*found)->has_value());
    else EXPECT_EQ((**found)->offset, 1600);
    if (cut) {  // As it was, for the other round.
      for (Offset i = 1000; i < kEnd; ++i) append(*log, i);
      ASSERT_TRUE(world.loop.run(log->close()).has_value());
    } else {
      world.loop.run(log->abandon());
    }
  }
}

// On a full disk. The old records must not come back behind new ones: nothing is appended before the cut is durable.
TEST(LogTruncation, ThatIsNotDurableTakesNoAppends) {
  io::Random random(3);
  for (int seed = 0; seed < 40; ++seed) {
    const bool again = seed % 2 == 0;  // The caller comes again, or appends.
    TestWorld world;
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    auto log = *world.loop.run(Log::open(world.context, options));
    const auto append = [&] {
      Buffer batch = make_batch({});
      return log->append_as_leader(batch, {});
    };
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(append().has_value());
    ASSERT_TRUE(world.loop.run(log->flush()).has_value());
    world.disk.fault = [](std::string_view operation, const std::string&) { return operation == "sync" ? io::kNoSpaceWords : nullptr; };
    for (int i = 0; i < 2; ++i) {
      const auto cut = world.loop.run(log->truncate_to(4));
      ASSERT_FALSE(cut.has_value());
      EXPECT_TRUE(io::is_no_space(cut.error())) << cut.error().text();
      EXPECT_EQ(log->log_end_offset(), 4);
      const auto appended = append();
      ASSERT_FALSE(appended.has_value());
      EXPECT_TRUE(io::is_no_space(appended.error())) << appended.error().text();
      Buffer batch = make_batch({});
      protocol::set_base_offset(batch, 4);
      EXPECT_FALSE(log->append_as_follower(batch, 0).has_value());
      world.loop.run_ready();
    }
    world.disk.fault = nullptr;
    if (again) {
      ASSERT_TRUE(world.loop.run(log->truncate_to(4)).has_value());
    } else {
      EXPECT_FALSE(append().has_value());
      world.loop.run_ready();
    }
    const int more = seed / 2 % 3;
    for (int i = 0; i < more; ++i) ASSERT_TRUE(append().has_value());
    world.loop.run(log->abandon());
    log.reset();
    world.disk.crash(random);
    options.recovery_point = 4;
    log = *world.loop.run(Log::open(world.context, options));
    EXPECT_GE(log->log_end_offset(), 4) << seed;
    EXPECT_LE(log->log_end_offset(), 4 + more) << seed;
    world.loop.run(log->abandon());
  }
}

}  // namespace
}  // namespace samsa::storage
