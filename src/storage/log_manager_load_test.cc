// Start-up: logs with much to recover, or on a bad spot of the disk, hold up nobody else, and lose nothing by that.
#include <gmock/gmock.h>

#include "storage/log_manager.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

using namespace std::chrono_literals;

constexpr int kLogs = 5;
const TopicPartition kSlow{"slow", 0};

class LoadTest : public testing::Test {
 protected:
  void SetUp() override {
    format("/a", Uuid{1, 1000});
    config.segment_bytes = 2000;
    open();
    for (int i = 0; i < kLogs; ++i) write(*world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config)));
    write(*world.loop.run(logs->get_or_create(kSlow, Uuid{8, 800}, config)));
    // Half of it is deleted, which only the checkpoint knows, and half of the rest is synced.
    Log* slow = logs->find(kSlow);
    ASSERT_TRUE(slow->advance_log_start(37).value());
    ASSERT_TRUE(world.loop.run(slow->flush()).has_value());
    ASSERT_TRUE(world.loop.run(directories->write_checkpoints({logs->checkpoints()})).has_value());
    write(slow);
    slow->set_high_watermark(200);
    for (int i = 0; i < kLogs; ++i) world.loop.run(logs->find({"topic", i})->abandon());
    world.loop.run(slow->abandon());
    logs.reset();
    directories.reset();
    world.disk.kill();
  }
  void format(const std::string& path, Uuid id) {
    MetaProperties meta;
    meta.cluster_id = "cluster-of-22-letters-";
    meta.node_id = NodeId(1);
    meta.directory_id = id;
    ASSERT_TRUE(world.disk.create_directories(path).has_value());
    ASSERT_TRUE(write_meta_properties(world.disk, path, meta).has_value());
  }
  void open() {
    directories = LogDirectories::open(world.disk, paths, NodeId(1), {}, &world.loop.random()).value();
    logs = std::make_unique<LogManager>(world.loop, world.disk, LogManagerConfig());
    logs->set_directories(directories->paths());
  }
  void write(Log* log) {
    for (int i = 0; i < 100; ++i) {
      Buffer batch = make_batch({});
      ASSERT_TRUE(log->append_as_leader(batch, {}).has_value());
    }
    log->set_high_watermark(log->log_end_offset());
  }
  // Starts; the task of load() goes on by itself.
  void start(std::optional<std::chrono::milliseconds> patience) {
    open();
    loaded = false;
    spawn(world.loop, load(patience));
    world.loop.run_ready();
  }
  io::Task<> load(std::optional<std::chrono::milliseconds> patience) {
    auto found = directories->find_logs();
    EXPECT_TRUE(found);
    EXPECT_TRUE(co_await logs->load(*std::move(found), [this](const std::string&) { return config; }, patience));
    loaded = true;
  }
  void stop() {
    spawn(world.loop, close());
    world.loop.run_ready();
  }
  io::Task<> close() {
    clean = co_await logs->close();
    const auto written = co_await directories->write_checkpoints({logs->checkpoints()});
    EXPECT_TRUE(written.has_value());
    if (clean->at(0)) EXPECT_TRUE(directories->mark_clean(0, 1).has_value());
    directories->release();
  }

  TestWorld world;
  LogConfig config;
  std::vector<std::string> paths{"/a"};
  std::unique_ptr<LogDirectories> directories;
  std::unique_ptr<LogManager> logs;
  std::optional<std::vector<bool>> clean;
  bool loaded = false;
};

TEST_F(LoadTest, OthersDoNotWaitForASlowOne) {
  world.disk.slow_reads = "/slow-0/";
  start(2000ms);
  std::vector<TopicPartition> later;
  logs->on_loaded([&](const TopicPartition& partition) { later.push_back(partition); });
  EXPECT_FALSE(loaded) << "it is waited for, for a while";
  world.loop.advance(2000);
  EXPECT_TRUE(loaded);
  EXPECT_TRUE(logs->any_loading());
  for (int i = 0; i < kLogs; ++i) {
    ASSERT_NE(logs->find({"topic", i}), nullptr);
    EXPECT_EQ(logs->find({"topic", i})->log_end_offset(), 100);
    write(logs->find({"topic", i}));
  }
  EXPECT_EQ(logs->find(kSlow), nullptr);
  EXPECT_TRUE(logs->is_loading(kSlow));
  EXPECT_EQ(world.loop.run(logs->get_or_create(kSlow, Uuid{8, 800}, config)).error().code, ErrorCode::kKafkaStorageError);
  // A checkpoint that is written now forgets nothing of it.
  const auto checkpoint = logs->checkpoints().at(0);
  EXPECT_EQ(checkpoint.log_start.at(kSlow), 37);
  EXPECT_EQ(checkpoint.recovery_point.at(kSlow), 100);
  EXPECT_EQ(checkpoint.high_watermark.at(kSlow), 100);
  while (logs->any_loading()) world.loop.advance(1000);
  EXPECT_THAT(later, testing::ElementsAre(kSlow));
  EXPECT_EQ(logs->find(kSlow)->log_start_offset(), 37);
  EXPECT_EQ(logs->find(kSlow)->log_end_offset(), 200);
  stop();
  EXPECT_EQ(clean, (std::vector<bool>{true}));
}

TEST_F(LoadTest, AStopDuringRecoveryIsNoCleanOne) {
  world.disk.slow_reads = "/slow-0/";
  start(2000ms);
  world.loop.advance(2000);
  EXPECT_TRUE(loaded);
  stop();
  for (int i = 0; i < 10 && !clean; ++i) world.loop.advance(10'000);
  EXPECT_EQ(clean, (std::vector<bool>{false}));
  world.disk.slow_reads.clear();
  start({});
  EXPECT_TRUE(loaded);
  EXPECT_EQ(logs->find(kSlow)->log_start_offset(), 37);
  EXPECT_EQ(logs->find(kSlow)->log_end_offset(), 200);
  EXPECT_EQ(logs->find({"topic", 0})->log_end_offset(), 100);
  stop();
  EXPECT_EQ(clean, (std::vector<bool>{true}));
}

// Without snapshots the producers come from all the records.
TEST_F(LoadTest, AStopDoesNotWaitForTheProducersOfALongLog) {
  for (const auto& name : world.disk.names("/a/slow-0")) {
    if (name.ends_with(".snapshot")) ASSERT_TRUE(world.disk.remove_file("/a/slow-0/" + name).has_value());
  }
  world.disk.slow_reads = "/slow-0/";
  start(2000ms);
  world.loop.advance(2000);
  EXPECT_TRUE(loaded);
  EXPECT_TRUE(logs->is_loading(kSlow));
  stop();
  EXPECT_FALSE(clean.has_value());
  world.loop.advance(10'000);  // The read that is under way.
  EXPECT_EQ(clean, (std::vector<bool>{false}));
  world.disk.slow_reads.clear();
  start({});
  EXPECT_EQ(logs->find(kSlow)->log_end_offset(), 200);
  stop();
}

TEST_F(LoadTest, WhatWasNotOpenedKeepsItsCheckpoints) {
  world.disk.slow_reads = "/slow-0/";
  start(0ms);
  stop();
  for (int i = 0; i < 10 && !clean; ++i) world.loop.advance(10'000);
  EXPECT_EQ(clean, (std::vector<bool>{false}));
  open();
  auto found = directories->find_logs().value();
  const auto slow = std::ranges::find(found, kSlow, &FoundLog::partition);
  ASSERT_NE(slow, found.end());
  EXPECT_FALSE(slow->clean);
  EXPECT_EQ(slow->log_start_offset, 37);
  EXPECT_EQ(slow->recovery_point, 100);
}

TEST_F(LoadTest, ADirectoryThatFailsMeanwhileHoldsUpNoNewTopicOfTheName) {
  format("/b", Uuid{2, 2000});
  paths.emplace_back("/b");
  world.disk.slow_reads = "/slow-0/";
  start(2000ms);
  world.loop.advance(2000);
  EXPECT_TRUE(logs->any_loading());
  logs->take_offline(0, Error{ErrorCode::kKafkaStorageError, "bad sector"});
  world.loop.run_ready();
  EXPECT_FALSE(logs->any_loading());
  EXPECT_FALSE(logs->is_loading(kSlow));
  // An empty one must not take its place.
  EXPECT_EQ(world.loop.run(logs->get_or_create(kSlow, Uuid{8, 800}, config)).error().code, ErrorCode::kKafkaStorageError);
  const auto made = world.loop.run(logs->get_or_create(kSlow, Uuid{9, 900}, config));
  ASSERT_TRUE(made.has_value()) << made.error().describe();
  for (int i = 0; i < 30; ++i) world.loop.advance(10'000);
  EXPECT_EQ(logs->find(kSlow), *made);
  EXPECT_EQ(logs->directory_of(kSlow), 1);
  stop();
  EXPECT_EQ(clean, (std::vector<bool>{false, true}));
}

}  // namespace
}  // namespace samsa::storage
