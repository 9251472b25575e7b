// What a start does to the files that it finds. Where a file that is removed or cut gives a block back, some disks take a millisecond, so a start
// does neither: thousands of partitions wait for it.
#include "storage/log_loader.h"

#include <gtest/gtest.h>

#include "storage/test_world.h"

namespace samsa::storage {
namespace {

class Starts : public testing::Test {
 protected:
  std::unique_ptr<Log> open(bool clean) {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.config.index_interval_bytes = 200;
    options.clean = clean;
    options.recovery_point = recovery_point;
    return world.loop.run(Log::open(world.context, options)).value();
  }
  void append(Log& log, int batches) {
    for (int i = 0; i < batches; ++i) {
      world.loop.advance(10);
      Buffer batch = make_batch({.timestamp = world.loop.wall_ms(), .producer_id = 7, .producer_epoch = 0, .base_sequence = sequence++});
      ASSERT_TRUE(log.append_as_leader(batch, {}).has_value());
    }
  }
  void close(std::unique_ptr<Log> log) {
    ASSERT_TRUE(world.loop.run(log->close()).has_value());
    recovery_point = log->recovery_point();
  }
  size_t snapshots() {
    return static_cast<size_t>(std::ranges::count_if(world.disk.names("/data/topic-0"), [](const auto& name) { return name.ends_with(".snapshot"); }));
  }

  TestWorld world;
  Offset recovery_point = 0;
  int32_t sequence = 0;
};

TEST_F(Starts, AnEmptyLogHasNoSnapshot) {
  close(open(true));
  EXPECT_EQ(snapshots(), 0U);
  auto log = open(true);
  append(*log, 3);
  close(std::move(log));
  EXPECT_EQ(snapshots(), 1U);
}

TEST_F(Starts, AfterACleanStopNothingIsRemoved) {
  auto log = open(true);
  for (int round = 0; round < 4; ++round) {
    append(*log, 5);
    close(std::move(log));
    EXPECT_EQ(snapshots(), round == 0 ? 1U : 2U) << "of this stop and of the one before";
    const size_t removed = world.disk.removed, emptied = world.disk.emptied;
    log = open(true);
    EXPECT_EQ(snapshots(), 1U);
    EXPECT_EQ(log->producer_count(), 1U);
    EXPECT_EQ(world.disk.removed, removed);
    EXPECT_EQ(world.disk.emptied, emptied);
    log->remove_deleted_files();
    EXPECT_EQ(world.disk.removed, removed + (round == 0 ? 0 : 1)) << "when there is time";
  }
  close(std::move(log));
}

// A start that ended before the files went.
TEST_F(Starts, WhatWasSetAsideIsRemovedByTheNextStart) {
  auto log = open(true);
  append(*log, 5);
  close(std::move(log));
  log = open(true);
  append(*log, 5);
  close(std::move(log));
  world.loop.run(open(true)->abandon());
  const auto set_aside = [&] { return std::ranges::count_if(world.disk.names("/data/topic-0"), [](const auto& name) { return name.ends_with(".deleted"); }); };
  EXPECT_EQ(set_aside(), 1);
  log = open(false);
  log->remove_deleted_files();
  EXPECT_EQ(set_aside(), 0);
  close(std::move(log));
}

TEST_F(Starts, AfterAKillIndexesAreWrittenOver) {
  for (const int batches : {1, 3, 40}) {
    SCOPED_TRACE(batches);
    auto log = open(true);
    append(*log, batches);
    close(std::move(log));
    world.loop.run(open(true)->abandon());
    world.disk.kill();
    const size_t emptied = world.disk.emptied;
    log = open(false);
    EXPECT_EQ(world.disk.emptied, emptied);
    EXPECT_EQ(log->segment_count(), 1U);
    const TimestampMs newest = world.loop.run(log->offset_of_max_timestamp()).value()->timestamp;
    EXPECT_EQ(newest, world.loop.wall_ms());
    close(std::move(log));
  }
}

}  // namespace
}  // namespace samsa::storage
