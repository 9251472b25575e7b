// Which files a log keeps open.
#include "storage/file_pool.h"

#include <gtest/gtest.h>

#include "storage/test_world.h"

namespace samsa::storage {
namespace {

class OpenFiles : public testing::Test {
 protected:
  std::unique_ptr<Log> open() {
    OpenLog options;
    options.directory = "/data/topic-0";
    options.partition = {"topic", 0};
    options.topic_id = Uuid{7, 700};
    options.config.index_interval_bytes = 1;
    options.clean = true;
    return world.loop.run(Log::open(world.context, options)).value();
  }
  void append(Log& log, int batches) {
    for (int i = 0; i < batches; ++i) {
      Buffer batch = make_batch({});
      ASSERT_TRUE(log.append_as_leader(batch, {}).has_value());
    }
  }
  void idle() {
    for (int i = 0; i < 100; ++i) {
      world.loop.advance(1000);
      world.pool.close_idle(world.loop.now());
    }
  }
  TestWorld world;
};

TEST_F(OpenFiles, AnEmptyLogHasNone) {
  auto log = open();
  EXPECT_EQ(world.disk.open_files, 0u);
  EXPECT_TRUE(world.disk.exists("/data/topic-0/00000000000000000000.log"));
  EXPECT_TRUE(world.disk.exists("/data/topic-0/00000000000000000000.index"));
  append(*log, 1);
  EXPECT_EQ(world.disk.open_files, 1u);
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
  EXPECT_EQ(world.disk.open_files, 0u);
  log = open();
  EXPECT_EQ(log->log_end_offset(), 1);
  EXPECT_EQ(world.disk.open_files, 0u);
}

TEST_F(OpenFiles, IdleOnesAreClosedUnlessSomethingIsNotSynced) {
  auto log = open();
  append(*log, 1000);  // The indexes are written now and then.
  EXPECT_EQ(world.disk.open_files, 2u);
  idle();
  EXPECT_EQ(world.disk.open_files, 1u) << "the records are not synced";
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  EXPECT_EQ(world.disk.open_files, 3u);
  idle();
  EXPECT_EQ(world.disk.open_files, 0u);
  auto read = world.loop.run(log->read_bytes({5, 1, 1000, true}));
  ASSERT_TRUE(read.has_value() && !read->empty());
  append(*log, 1);
  EXPECT_EQ(log->log_end_offset(), 1001);
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
}

TEST_F(OpenFiles, WhatIsUsedStaysOpen) {
  auto log = open();
  append(*log, 1000);
  ASSERT_TRUE(world.loop.run(log->flush()).has_value());
  for (int i = 0; i < 100; ++i) {
    world.loop.advance(1000);
    ASSERT_TRUE(world.loop.run(log->read_bytes({5 + i * 3, 1, 1000, true})).has_value());
    world.pool.close_idle(world.loop.now());
    EXPECT_GE(world.disk.open_files, 2u) << "log and offset index";
  }
  EXPECT_EQ(world.disk.open_files, 2u);
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
}

}  // namespace
}  // namespace samsa::storage
