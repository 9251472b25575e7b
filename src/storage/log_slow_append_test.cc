// Appends whose write is made by the disk's threads: what the log says and does before it is made, and when it is not.
#include "storage/log.h"

#include <gtest/gtest.h>

#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr const char* kBroken = "Input/output error";

class SlowAppendTest : public testing::Test {
 protected:
  void SetUp() override {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.config = config;
    auto opened = world.loop.run(Log::open(world.context, options));
    ASSERT_TRUE(opened.has_value()) << opened.error().describe();
    log = std::move(*opened);
    ASSERT_TRUE(append_at_once().has_value());
  }
  void TearDown() override {
    release();
    if (log) world.loop.run(log->abandon());
  }
  Result<AppendInfo> append_at_once() {
    Buffer batch = make_batch({.value_size = 2000});
    return log->append_as_leader(batch, {});
  }
  // Begins an append that stands until release(); its outcome comes into `outcome`.
  void begin() {
    struct Run {
      static io::Task<> append(SlowAppendTest& test) { test.outcome = co_await test.log->append_as_leader_async(test.slow, {}); }
    };
    world.disk.hold_writes = true;
    slow = make_batch({.value_size = 2000});
    io::spawn(world.loop, Run::append(*this));
    world.loop.run_ready();
  }
  void release() {
    world.disk.hold_writes = false;
    world.disk.writes_go.notify_all();
    world.loop.run_ready();
  }
  size_t readable() {
    auto bytes = world.loop.run(log->read_bytes({0, 1 << 20, log->log_end_offset(), true}));
    EXPECT_TRUE(bytes.has_value());
    return bytes->size();
  }

  LogConfig config;
  TestWorld world;
  std::unique_ptr<Log> log;
  Buffer slow;
  std::optional<Result<AppendInfo>> outcome;
  const std::string path = "/data/topic-0/00000000000000000000.log";
};

TEST_F(SlowAppendTest, IsInTheLogOnceItIsWritten) {
  const size_t before = readable();
  EXPECT_FALSE(log->appends_stand(100'000));
  begin();
  EXPECT_TRUE(log->appends_stand(1)) << "another one must wait for it";
  EXPECT_EQ(log->log_end_offset(), 1);
  EXPECT_EQ(readable(), before);
  EXPECT_EQ(log->delete_old_segments().value(), 0u);
  EXPECT_FALSE(outcome);
  release();
  ASSERT_TRUE(outcome && outcome->has_value());
  EXPECT_EQ((*outcome)->first_offset, 1);
  EXPECT_EQ(log->log_end_offset(), 2);
  EXPECT_EQ(readable(), 2 * before);
  EXPECT_FALSE(log->appends_stand(100'000));
  EXPECT_EQ(append_at_once()->first_offset, 2);
}

// A sync that begins and ends while the bytes are on their way does not count them.
TEST_F(SlowAppendTest, ASyncMeanwhileDoesNotCoverIt) {
  begin();
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  EXPECT_EQ(log->recovery_point(), 1);
  release();
  const size_t syncs = world.disk.syncs;
  ASSERT_TRUE(world.loop.run(log->wait_durable(2)).has_value());
  EXPECT_GT(world.disk.syncs, syncs);
  EXPECT_EQ(world.disk.synced(path).size(), log->size_bytes());
}

TEST_F(SlowAppendTest, CloseWaitsForIt) {
  begin();
  std::optional<Result<void>> closed;
  struct Run {
    static io::Task<> close(Log& log, std::optional<Result<void>>& closed) { closed = co_await log.close(); }
  };
  io::spawn(world.loop, Run::close(*log, closed));
  world.loop.run_ready();
  EXPECT_FALSE(closed);
  release();
  ASSERT_TRUE(closed && closed->has_value());
  EXPECT_EQ(log->recovery_point(), 2);
  EXPECT_EQ(world.disk.synced(path).size(), log->size_bytes());
  log.reset();
}

// The room ahead is made meanwhile, of a segment whose successor had no place: it is not taken for one that is full, whose room goes back by a cut.
TEST_F(SlowAppendTest, RoomMadeMeanwhileIsNotCutOff) {
  config.segment_bytes = 64 << 20;
  log->update_config(config);
  world.disk.hold_reserves = true;
  for (int i = 0; i < 10; ++i) {
    Buffer batch = make_batch({.value_size = 900'000});
    ASSERT_TRUE(log->append_as_leader(batch, {}).has_value());
  }
  world.loop.run_ready();
  EXPECT_TRUE(log->appends_stand(1)) << "room is being made";
  world.disk.fault = [](std::string_view operation, const std::string&) { return operation == "open" ? io::kNoSpaceWords : nullptr; };
  EXPECT_TRUE(io::is_no_space(log->roll().error()));
  world.disk.fault = nullptr;
  begin();
  world.disk.hold_reserves = false;
  world.disk.writes_go.notify_all();
  world.loop.run_ready();
  EXPECT_FALSE(outcome);
  EXPECT_GT(world.disk.reserved(path), log->size_bytes());
  release();
  ASSERT_TRUE(outcome && outcome->has_value());
  EXPECT_EQ(world.disk.content(path).size(), log->size_bytes());
}

// Retention takes the old segments beside it, and leaves the one that is written.
TEST_F(SlowAppendTest, RetentionGoesOnBesideIt) {
  ASSERT_TRUE(log->roll().has_value());
  ASSERT_TRUE(append_at_once().has_value());
  config.retention_bytes = 0;
  log->update_config(config);
  log->set_high_watermark(2);
  begin();
  EXPECT_EQ(log->delete_old_segments().value(), 1u);
  EXPECT_EQ(log->log_start_offset(), 1);
  release();
  ASSERT_TRUE(outcome && outcome->has_value());
  EXPECT_EQ(log->log_end_offset(), 3);
}

// A full disk: nothing of the batch stays, and the next append finds its place.
TEST_F(SlowAppendTest, WithoutRoomNothingOfItStays) {
  const uint64_t size = log->size_bytes();
  begin();
  world.disk.capacity = 1;
  world.disk.capacity = world.disk.used() + 10;
  release();
  ASSERT_TRUE(outcome && !outcome->has_value());
  EXPECT_TRUE(io::is_no_space(outcome->error())) << outcome->error().describe();
  EXPECT_EQ(log->log_end_offset(), 1);
  EXPECT_EQ(world.disk.content(path).size(), size);
  world.disk.capacity = UINT64_MAX;
  EXPECT_EQ(append_at_once()->first_offset, 1);
}

TEST_F(SlowAppendTest, AFailedDiskEndsIt) {
  begin();
  world.disk.fault = [](std::string_view operation, const std::string&) { return operation == "write" ? kBroken : nullptr; };
  release();
  ASSERT_TRUE(outcome && !outcome->has_value());
  EXPECT_EQ(outcome->error().code, ErrorCode::kKafkaStorageError);
  world.disk.fault = nullptr;
  EXPECT_FALSE(append_at_once().has_value()) << "nothing more is written";
}

// A sync that fails meanwhile ends the log; the batch is neither acknowledged nor read though it was written.
TEST_F(SlowAppendTest, ALogThatFailedMeanwhileAcknowledgesNothing) {
  const size_t before = readable();
  begin();
  world.disk.fault = [](std::string_view operation, const std::string&) { return operation == "sync" ? kBroken : nullptr; };
  EXPECT_FALSE(world.loop.run(log->flush()).has_value());
  world.disk.fault = nullptr;
  release();
  ASSERT_TRUE(outcome && !outcome->has_value());
  EXPECT_EQ(log->log_end_offset(), 1);
  EXPECT_EQ(readable(), before);
}

}  // namespace
}  // namespace samsa::storage
