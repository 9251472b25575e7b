// What a start does to the files that it finds. Where a file that is removed or cut gives a block back, some disks take a millisecond, so a start
// does neither: thousands of partitions wait for it.
#include "storage/log_loader.h"

#include <gtest/gtest.h>

#include "protocol/control_batch.h"
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
    auto opened = world.loop.run(Log::open(world.context, options));
    EXPECT_TRUE(opened) << opened.error().describe();
    return opened ? std::move(*opened) : nullptr;
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
    const size_t removed = world.disk.removed, cut = world.disk.cut;
    log = open(true);
    EXPECT_EQ(snapshots(), 1U);
    EXPECT_EQ(log->producer_count(), 1U);
    EXPECT_EQ(world.disk.removed, removed);
    EXPECT_EQ(world.disk.cut, cut);
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
    const size_t cut = world.disk.cut;
    log = open(false);
    EXPECT_EQ(world.disk.cut, cut);
    EXPECT_EQ(log->segment_count(), 1U);
    const TimestampMs newest = world.loop.run(log->offset_of_max_timestamp()).value()->timestamp;
    EXPECT_EQ(newest, world.loop.wall_ms());
    close(std::move(log));
  }
}

// A time index that power loss has torn says nothing of the other indexes: what was aborted stays so.
TEST_F(Starts, ATornTimeIndexHidesNoAbortedTransaction) {
  auto log = open(true);
  Buffer data = make_batch({.timestamp = world.loop.wall_ms(), .producer_id = 9, .producer_epoch = 0, .base_sequence = 0, .transactional = true});
  ASSERT_TRUE(log->append_as_leader(data, {}).has_value());
  Buffer marker = protocol::transaction_marker_batch({9, 0, false, 1}, 0, 0, world.loop.wall_ms());
  ASSERT_TRUE(log->append_as_leader(marker, {.origin = AppendOrigin::kMarker}).has_value());
  append(*log, 20);
  close(std::move(log));
  log = open(true);
  append(*log, 20);
  world.loop.run(log->abandon());
  {
    auto file = world.disk.open("/data/topic-0/00000000000000000000.timeindex", io::OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->truncate(file->size().value() + 5).has_value());
  }
  log = open(false);
  EXPECT_EQ(log->log_end_offset(), 42);
  const auto aborted = log->aborted_transactions(0, 100);
  ASSERT_TRUE(aborted.has_value());
  ASSERT_EQ(aborted->size(), 1U);
  EXPECT_EQ(aborted->front().producer_id, 9);
  close(std::move(log));
}

// What an interrupted removal left makes the room that the log needs to be opened.
TEST_F(Starts, OnAFullDiskUselessFilesMakeRoom) {
  auto log = open(true);
  append(*log, 40);
  close(std::move(log));
  const std::string path = "/data/topic-0/00000000000000000000.log";
  const Buffer bytes = world.disk.content(path);
  auto file = world.disk.open(path, io::OpenMode::kReadWrite).value();
  const auto wrong = static_cast<uint8_t>(~bytes[bytes.size() / 2]);
  ASSERT_TRUE(file->write_at(Bytes(&wrong, 1), bytes.size() / 2).has_value());  // Below the recovery point: what is cut off is kept.
  ASSERT_TRUE(world.disk.remove_file("/data/topic-0/00000000000000000000.index").has_value());  // So all of it is looked at.
  ASSERT_TRUE(world.disk.open(path + ".deleted", io::OpenMode::kCreate).value()->write_at(Bytes(bytes), 0).has_value());
  world.disk.capacity = 0;  // From here on it counts.
  world.disk.capacity = world.disk.used();
  log = open(false);
  ASSERT_NE(log, nullptr);
  EXPECT_LT(log->log_end_offset(), 40);
  EXPECT_GT(log->log_end_offset(), 0);
  EXPECT_FALSE(world.disk.exists(path + ".deleted"));
}

}  // namespace
}  // namespace samsa::storage
