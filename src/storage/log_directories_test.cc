#include "storage/log_directories.h"

#include <gmock/gmock.h>

#include "storage/log_manager.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

const Uuid kDirectoryA{1, 1000};
const Uuid kDirectoryB{2, 2000};

std::string text(const Buffer& bytes) { return std::string(as_text(bytes)); }

TEST(CheckpointFile, BytesAndErrors) {
  const OffsetMap entries{{{"a-b", 3}, 7}, {{"c", 0}, 0}};
  EXPECT_EQ(format_offset_checkpoint(entries), "0\n2\na-b 3 7\nc 0 0\n");
  EXPECT_EQ(parse_offset_checkpoint("0\n2\na-b 3 7\nc 0 0\n").value(), entries);
  EXPECT_TRUE(parse_offset_checkpoint("")->empty());
  EXPECT_FALSE(parse_offset_checkpoint("1\n0\n").has_value());
  EXPECT_FALSE(parse_offset_checkpoint("0\n2\na 0 1\n").has_value());
  EXPECT_FALSE(parse_offset_checkpoint("0\n1\na 0\n").has_value());
  EXPECT_FALSE(parse_offset_checkpoint("0\n1\na x 1\n").has_value());
  EXPECT_EQ(format_epoch_checkpoint({{0, 0}, {3, 17}}), "0\n2\n0 0\n3 17\n");
  EXPECT_EQ(parse_epoch_checkpoint("0\n1\n0 0\n").value(), (EpochEntries{{0, 0}}));
}

TEST(MetaPropertiesFile, ReadsAndWritesJavaProperties) {
  auto parsed = parse_meta_properties("#\n#Mon Jan 01 00:00:00 UTC 2026\ncluster.id=4L6g3nShT-eMCtK--X86sw\ndirectory.id : " +
                                      kDirectoryA.to_string() + "\nnode.id=1\nversion=1\nextra=x\n");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->cluster_id, "4L6g3nShT-eMCtK--X86sw");
  EXPECT_EQ(parsed->directory_id, kDirectoryA);
  EXPECT_EQ(parsed->node_id, NodeId(1));
  auto again = parse_meta_properties(format_meta_properties(*parsed));
  EXPECT_EQ(again->directory_id, parsed->directory_id);
  EXPECT_EQ(parse_meta_properties("version=0\nbroker.id=4\n")->node_id, NodeId(4));
  EXPECT_EQ(parse_meta_properties("version=2\n").error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(parse_meta_properties("version=1\nnode.id=x\n").error().code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(parse_meta_properties("version=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n").error().code, ErrorCode::kInvalidConfig);
}

TEST(PartitionDirectory, Names) {
  EXPECT_EQ(parse_partition_directory("a-b-3"), (TopicPartition{"a-b", 3}));
  EXPECT_FALSE(parse_partition_directory("a-").has_value());
  EXPECT_FALSE(parse_partition_directory("-3").has_value());
  EXPECT_FALSE(parse_partition_directory("plain").has_value());
  const std::string name = renamed_directory({std::string(249, 't'), 12}, Uuid{1, 2}, "-delete");
  EXPECT_EQ(name.size(), 255u);
  EXPECT_TRUE(name.ends_with("-12.00000000000000010000000000000002-delete"));
}

class DirectoriesTest : public testing::Test {
 protected:
  void format(const std::string& path, Uuid id, const std::string& cluster = "cluster-of-22-letters-", int node = 1) {
    MetaProperties meta;
    meta.cluster_id = cluster;
    meta.node_id = NodeId(node);
    meta.directory_id = id;
    ASSERT_TRUE(world.disk.create_directories(path).has_value());
    ASSERT_TRUE(write_meta_properties(world.disk, path, meta).has_value());
  }
  bool put(const std::string& path, std::string_view content) { return io::write_file_atomically(world.disk, path, as_bytes(content)).has_value(); }
  Result<std::unique_ptr<LogDirectories>> open() { return LogDirectories::open(world.disk, {"/a", "/b"}, NodeId(1), {}, &world.loop.random()); }
  std::unique_ptr<LogManager> manager(LogDirectories& directories) {
    auto made = std::make_unique<LogManager>(world.loop, world.disk, LogManagerConfig());
    made->set_directories(directories.paths());
    auto found = directories.find_logs();
    EXPECT_TRUE(found.has_value()) << found.error().describe();
    EXPECT_TRUE(world.loop.run(made->load(*found, [this](const std::string&) { return config; })).has_value());
    for (size_t i = 0; i < directories.size(); ++i) made->add_doomed(static_cast<int>(i), directories.at(i).doomed);
    return made;
  }
  void append(Log& log, int count) {
    for (int i = 0; i < count; ++i) {
      Buffer batch = make_batch({});
      ASSERT_TRUE(log.append_as_leader(batch, {}).has_value());
    }
    log.set_high_watermark(log.log_end_offset());
  }

  TestWorld world;
  LogConfig config;
};

TEST_F(DirectoriesTest, IdentitiesAreChecked) {
  EXPECT_THAT(open().error().message, testing::HasSubstr("No readable meta.properties files found"));
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  {
    auto directories = open();
    ASSERT_TRUE(directories.has_value()) << directories.error().describe();
    EXPECT_EQ((*directories)->index_of(kDirectoryA), 0);
    auto second = open();
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message, testing::HasSubstr("in use"));
  }
  format("/b", kDirectoryB, "another-cluster");
  EXPECT_THAT(open().error().message, testing::HasSubstr("another cluster"));
  format("/b", kDirectoryB, "cluster-of-22-letters-", 2);
  EXPECT_THAT(open().error().message, testing::HasSubstr("node.id"));
  format("/b", kDirectoryA);
  EXPECT_THAT(open().error().message, testing::HasSubstr("directory.id"));
}

// A disk that is not mounted, say: what lies there is not to be begun anew, and the other directories stay as they were stopped.
TEST_F(DirectoriesTest, ADirectoryThatIsNotFormattedIsRefused) {
  format("/a", kDirectoryA);
  ASSERT_TRUE(put("/a/.kafka_cleanshutdown", "{\"version\":0,\"brokerEpoch\":7}"));
  EXPECT_THAT(open().error().message, testing::StartsWith("No `meta.properties` found in /b (have you run `kafka-storage.sh`"));
  EXPECT_FALSE(world.disk.exists("/b"));
  ASSERT_TRUE(world.disk.create_directories("/b").has_value());
  EXPECT_THAT(open().error().message, testing::StartsWith("No `meta.properties` found in /b "));
  for (const std::string_view noise : {"", "\x01 noise\xff\x02\n"}) {
    ASSERT_TRUE(put("/b/meta.properties", noise));
    EXPECT_EQ(open().error().message, "Error: node ID not found in /b");
  }
  ASSERT_TRUE(put("/b/meta.properties", "version=1\nnode.id=1\n"));
  EXPECT_EQ(open().error().message, "Error: cluster ID not found in /b");
  ASSERT_TRUE(put("/b/meta.properties", "version=1\nnode.id=1\ncluster.id=cluster-of-22-letters-\n"));
  auto directories = open();
  ASSERT_TRUE(directories.has_value()) << directories.error().describe();
  EXPECT_TRUE((*directories)->at(1).meta.directory_id.has_value()) << "the only thing that is filled in";
  EXPECT_TRUE((*directories)->at(0).clean) << "refused starts changed nothing";
}

TEST_F(DirectoriesTest, CleanStopAndStart) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  {
    auto directories = open().value();
    EXPECT_EQ(directories->previous_broker_epoch(), -1);
    auto logs = manager(*directories);
    for (int i = 0; i < 4; ++i) {
      auto log = world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config));
      ASSERT_TRUE(log.has_value()) << log.error().describe();
      append(**log, i + 1);
    }
    EXPECT_EQ(logs->directory_of({"topic", 0}), 0);
    EXPECT_EQ(logs->directory_of({"topic", 1}), 1);
    const auto clean = world.loop.run(logs->close());
    EXPECT_EQ(clean, (std::vector<bool>{true, true}));
    ASSERT_TRUE(world.loop.run(directories->write_checkpoints({logs->checkpoints()})).has_value());
    for (size_t i = 0; i < 2; ++i) ASSERT_TRUE(directories->mark_clean(i, 42).has_value());
  }
  EXPECT_EQ(text(world.disk.content("/a/.kafka_cleanshutdown")), "{\"version\":0,\"brokerEpoch\":42}");
  EXPECT_EQ(text(world.disk.content("/a/recovery-point-offset-checkpoint")), "0\n2\ntopic 0 1\ntopic 2 3\n");
  EXPECT_EQ(text(world.disk.content("/b/replication-offset-checkpoint")), "0\n2\ntopic 1 2\ntopic 3 4\n");
  EXPECT_EQ(text(world.disk.content("/a/log-start-offset-checkpoint")), "0\n0\n");
  auto directories = open().value();
  EXPECT_EQ(directories->previous_broker_epoch(), 42);
  EXPECT_FALSE(world.disk.exists("/a/.kafka_cleanshutdown"));
  auto logs = manager(*directories);
  EXPECT_EQ(logs->size(), 4u);
  EXPECT_EQ(logs->find({"topic", 3})->log_end_offset(), 4);
  EXPECT_EQ(logs->find({"topic", 3})->high_watermark(), 4);
  EXPECT_EQ(logs->find({"topic", 3})->topic_id(), (Uuid{7, 700}));
  world.loop.run(logs->close());
}

TEST_F(DirectoriesTest, OneCopyOfAPartitionIsKept) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  const TopicPartition partition{"topic", 0};
  const std::string first = "/a/" + renamed_directory(partition, Uuid{1, 1}, "-future");
  const std::string second = "/b/" + renamed_directory(partition, Uuid{1, 2}, "-future");
  for (const std::string& path : {std::string("/b/topic-0"), first, second}) ASSERT_TRUE(world.disk.create_directories(path).has_value());
  auto directories = open().value();
  const auto found = directories->find_logs().value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(std::ranges::count_if(found, &FoundLog::future), 1);
  EXPECT_THAT(directories->at(0).doomed, testing::IsEmpty());
  EXPECT_THAT(directories->at(1).doomed, testing::ElementsAre(second));
}

TEST_F(DirectoriesTest, RemovedPartitionsGoAfterTheDelay) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  append(**world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config)), 1);
  append(**world.loop.run(logs->get_or_create({"stray", 0}, Uuid{8, 700}, config, 0)), 1);
  ASSERT_TRUE(world.loop.run(logs->remove({"topic", 0})).has_value());
  ASSERT_TRUE(world.loop.run(logs->set_aside_as_stray({"stray", 0})).has_value());
  EXPECT_EQ(logs->find({"topic", 0}), nullptr);
  EXPECT_THAT(world.disk.names("/a"), testing::Contains(testing::EndsWith("-delete")));
  // A new partition of the same name is made meanwhile.
  append(**world.loop.run(logs->get_or_create({"topic", 0}, Uuid{9, 900}, config, 0)), 2);
  world.loop.advance(config.file_delete_delay_ms);
  world.loop.run(logs->remove_deleted_files());
  EXPECT_THAT(world.disk.names("/a"), testing::Not(testing::Contains(testing::EndsWith("-delete"))));
  EXPECT_THAT(world.disk.names("/a"), testing::Contains(testing::EndsWith("-stray")));
  world.loop.run(logs->close());
}

// A disk that was mounted read-only after an error refuses the lock: that is no mistake of the operator.
TEST_F(DirectoriesTest, ADirectoryThatCannotBeLockedIsOffline) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  world.disk.failing_under = "/b/.lock";
  auto directories = open();
  ASSERT_TRUE(directories.has_value()) << directories.error().describe();
  EXPECT_FALSE((*directories)->at(0).offline);
  EXPECT_TRUE((*directories)->at(1).offline);
}

TEST_F(DirectoriesTest, CheckpointsOfPartitionsThatAreGoneAreNoticed) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  for (const bool gone : {false, true}) {
    auto directories = open().value();
    auto logs = manager(*directories);
    EXPECT_FALSE(directories->has_stale_entries());
    append(**world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 0)), 1);
    ASSERT_TRUE(world.loop.run(directories->write_checkpoints({logs->checkpoints()})).has_value());
    if (gone) ASSERT_TRUE(world.loop.run(logs->remove({"topic", 0})).has_value());
    (void)world.loop.run(logs->close());
  }
  auto directories = open().value();
  (void)manager(*directories);
  EXPECT_TRUE(directories->has_stale_entries());
}

TEST_F(DirectoriesTest, AFailingDirectoryGoesOfflineAlone) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  append(**world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 0)), 1);
  append(**world.loop.run(logs->get_or_create({"topic", 1}, Uuid{7, 700}, config, 1)), 1);
  int offline = -1;
  logs->on_offline([&](int directory) { offline = directory; });
  world.disk.failing = true;
  Buffer batch = make_batch({});
  EXPECT_FALSE(logs->find({"topic", 0})->append_as_leader(batch, {}).has_value());
  world.disk.failing = false;
  world.loop.run_ready();
  EXPECT_EQ(offline, 0);
  EXPECT_EQ(logs->find({"topic", 0}), nullptr);
  append(*logs->find({"topic", 1}), 1);
  EXPECT_EQ(world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config)).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(world.loop.run(logs->close()), (std::vector<bool>{false, true}));
}

TEST_F(DirectoriesTest, ManyLogsCloseWithOneSyncAndSurviveAPowerCut) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  {
    auto directories = open().value();
    auto logs = manager(*directories);
    for (int i = 0; i < 100; ++i) append(**world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config)), 1 + i % 5);
    const size_t syncs = world.disk.syncs;
    EXPECT_EQ(world.loop.run(logs->close()), (std::vector<bool>{true, true}));
    EXPECT_EQ(world.disk.syncs, syncs) << "no file is synced by itself";
    ASSERT_TRUE(world.loop.run(directories->write_checkpoints({logs->checkpoints()})).has_value());
    for (size_t i = 0; i < 2; ++i) ASSERT_TRUE(directories->mark_clean(i, 42).has_value());
    directories->release();
    io::Random random(5);
    world.disk.crash(random);
  }
  auto directories = open().value();
  EXPECT_EQ(directories->previous_broker_epoch(), 42);
  auto logs = manager(*directories);
  ASSERT_EQ(logs->size(), 100u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(logs->find({"topic", i})->log_end_offset(), 1 + i % 5);
    EXPECT_EQ(logs->find({"topic", i})->recovery_point(), 1 + i % 5);
  }
  world.loop.run(logs->close());
}

TEST_F(DirectoriesTest, ProduceIsRefusedBeforeTheDiskIsFull) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  LogManagerConfig small;
  small.reserve_bytes = 5000;
  LogManager logs(world.loop, world.disk, small);
  logs.set_directories(directories->paths());
  world.disk.capacity = 100'000;
  Log* log = *world.loop.run(logs.get_or_create({"topic", 0}, Uuid{7, 700}, config, 0));
  int accepted = 0;
  logs.check_space();
  for (;; ++accepted) {  // Faster than any timer: the log looks by itself.
    Buffer batch = make_batch({.count = 1, .value_size = 1000});
    auto info = log->append_as_leader(batch, {});
    if (info) continue;
    EXPECT_TRUE(error_is_retriable(info.error().code));
    break;
  }
  EXPECT_GT(accepted, 80);
  EXPECT_LT(world.disk.used(), 100'000u) << "the reserve is not touched by clients";
  EXPECT_TRUE(logs.is_full(0));
  Buffer own = make_batch({});
  EXPECT_TRUE(log->append_as_leader(own, {.origin = AppendOrigin::kCoordinator}).has_value());
  log->set_high_watermark(log->log_end_offset());
  LogConfig none = config;
  none.retention_ms = 0;
  none.file_delete_delay_ms = 0;
  log->update_config(none);
  world.loop.advance(10);
  EXPECT_EQ(world.loop.run(logs.delete_old_segments()), 1u);
  logs.check_space();
  append(*log, 1);
  world.loop.run(logs.close());
}

// Killed with records that no checkpoint knows, started on a disk without a byte: everything is read, and when there is room the service goes on
// and what could not be written at the start is written.
TEST_F(DirectoriesTest, StartsOnACompletelyFullDisk) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  config.index_interval_bytes = 1;
  config.segment_bytes = 20'000;
  {
    auto directories = open().value();
    auto logs = manager(*directories);
    for (int i = 0; i < 3; ++i) {
      Log* log = *world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config, 0));
      for (int j = 0; j < 300; ++j) {
        Buffer batch = make_batch({.value_size = 100, .producer_id = 5, .producer_epoch = 0, .base_sequence = j});
        ASSERT_TRUE(log->append_as_leader(batch, {}).has_value());
      }
    }
    for (int i = 0; i < 3; ++i) world.loop.run(logs->find({"topic", i})->abandon());
    world.disk.kill();
  }
  ASSERT_TRUE(world.disk.remove_file("/a/topic-1/00000000000000000000.index").has_value());
  world.disk.capacity = 1;
  auto directories = open().value();
  auto logs = manager(*directories);
  EXPECT_FALSE(logs->any_offline());
  logs->check_space();
  for (int i = 0; i < 3; ++i) {
    Log* log = logs->find({"topic", i});
    ASSERT_NE(log, nullptr) << i;
    EXPECT_EQ(log->log_end_offset(), 300);
    EXPECT_EQ(log->producer_count(), 1u);
    for (const Offset offset : {Offset{0}, Offset{17}, Offset{150}, Offset{299}}) {
      auto read = world.loop.run(log->read_bytes({offset, 1, 300, true}));
      ASSERT_TRUE(read.has_value() && !read->empty()) << offset;
    }
    Buffer batch = make_batch({});
    EXPECT_EQ(log->append_as_leader(batch, {}).error().code, ErrorCode::kKafkaStorageError);
    EXPECT_FALSE(world.loop.run(log->flush()).has_value());
    log->set_high_watermark(300);
    EXPECT_TRUE(log->advance_log_start(200).value());
    EXPECT_GT(log->delete_old_segments().value(), 0u);
  }
  EXPECT_EQ(world.loop.run(logs->get_or_create({"topic", 3}, Uuid{7, 700}, config, 0)).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(world.loop.run(logs->remove({"topic", 2})).has_value());
  EXPECT_FALSE(logs->any_offline());
  world.disk.capacity = 1 << 30;
  logs->check_space();
  for (int i = 0; i < 2; ++i) {
    append(*logs->find({"topic", i}), 1);
    EXPECT_TRUE(world.loop.run(logs->find({"topic", i})->flush()).has_value());
    EXPECT_EQ(logs->find({"topic", i})->recovery_point(), 301);
  }
  world.loop.run(logs->close());
}

// What is damaged is set aside, for which there is no room: the log waits. Meanwhile its topic is deleted, and made again or not.
TEST_F(DirectoriesTest, ALogThatWaitsForRoomGoesWithItsTopic) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  {
    auto directories = open().value();
    auto logs = manager(*directories);
    for (int i = 0; i < 2; ++i) {
      Log* log = *world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config, 0));
      append(*log, 20);
      ASSERT_TRUE(world.loop.run(log->flush()).has_value());
    }
    ASSERT_TRUE(world.loop.run(directories->write_checkpoints({logs->checkpoints()})).has_value());
    for (int i = 0; i < 2; ++i) world.loop.run(logs->find({"topic", i})->abandon());
  }
  world.disk.kill();
  for (const std::string path : {"/a/topic-0/00000000000000000000.log", "/a/topic-1/00000000000000000000.log"}) {
    Buffer bytes = world.disk.content(path);
    bytes[bytes.size() / 2] ^= 1;
    world.disk.put(path, bytes);
  }
  world.disk.capacity = 1;
  auto directories = open().value();
  auto logs = manager(*directories);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(logs->find({"topic", i}), nullptr);
  EXPECT_FALSE(logs->any_offline());
  ASSERT_TRUE(world.loop.run(logs->remove({"topic", 1})).has_value());
  EXPECT_FALSE(world.disk.exists("/a/topic-1/00000000000000000000.log"));
  world.disk.capacity = 1 << 30;
  logs->check_space();
  for (int i = 0; i < 2; ++i) {
    for (int again = 0; again < 2; ++again) {
      auto made = world.loop.run(logs->get_or_create({"topic", i}, Uuid{9, 900}, config, 0));
      ASSERT_TRUE(made.has_value()) << made.error().describe();
      EXPECT_EQ((*made)->topic_id(), (Uuid{9, 900}));
      EXPECT_EQ((*made)->log_end_offset(), again);
      append(**made, 1);
    }
  }
  world.loop.advance(120'000);
  world.loop.run(logs->remove_deleted_files());
  for (const auto& name : world.disk.names("/a")) EXPECT_EQ(name.find("-delete"), std::string::npos) << name;
  world.loop.run(logs->close());
}

// A disk that can no longer be read: the directory goes offline, the other one serves on.
TEST_F(DirectoriesTest, FailingReadTakesTheDirectoryOffline) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  for (int i = 0; i < 4; ++i) append(**world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config, i % 2)), 5);
  std::vector<int> told;
  logs->on_offline([&](int directory) { told.push_back(directory); });
  world.disk.fault = [](std::string_view operation, const std::string& path) {
    return operation == "read" && path.starts_with("/a/") ? "Input/output error" : nullptr;
  };
  EXPECT_EQ(world.loop.run(logs->find({"topic", 0})->read_bytes({0, 1 << 20, 5, true})).error().code, ErrorCode::kKafkaStorageError);
  world.loop.run_ready();
  EXPECT_EQ(told, std::vector<int>{0});
  for (int i = 0; i < 4; ++i) {
    Log* log = logs->find({"topic", i});
    ASSERT_EQ(log != nullptr, i % 2 == 1);
    if (log == nullptr) continue;
    append(*log, 1);
    EXPECT_FALSE(world.loop.run(log->read_bytes({0, 1 << 20, 6, true}))->empty());
  }
  world.loop.run(logs->close());
}

// log.cleaner.threads, log.cleaner.io.max.bytes.per.second and log.cleaner.io.buffer.size.
TEST_F(DirectoriesTest, CleanersTakeDifferentLogsAndTheirTime) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  config.segment_bytes = 10'000;
  config.cleanup_compact = true;
  auto directories = open().value();
  auto logs = manager(*directories);
  uint64_t bytes = 0;
  for (int i = 0; i < 2; ++i) {
    Log* log = *world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config));
    for (int j = 0; j < 500; ++j) append(*log, 1);
    bytes = (log->segment_count() - 1) * 10'000;  // The active segment is not touched.
  }
  constexpr double kRate = 10'000;
  logs->set_cleaner_limits({.max_bytes_per_second = kRate, .io_bytes = 8192});
  struct Cleaner {
    static io::Task<> run(TestWorld& world, LogManager& logs, io::MonoTime& ended) {
      EXPECT_TRUE(co_await logs.clean_dirtiest());
      ended = world.loop.now();
    }
  };
  const io::MonoTime began = world.loop.now();
  io::MonoTime ended[2] = {};
  for (auto& end : ended) spawn(world.loop, Cleaner::run(world, *logs, end));
  world.loop.run_ready();
  EXPECT_FALSE(world.loop.run(logs->clean_dirtiest())) << "both are being cleaned";
  for (int i = 0; i < 10'000 && (ended[0] == io::MonoTime{} || ended[1] == io::MonoTime{}); ++i) world.loop.advance(100);
  // Each reads its log twice, and writes next to nothing.
  const auto least = std::chrono::duration<double>(2 * static_cast<double>(bytes) / kRate);
  for (const auto& end : ended) {
    EXPECT_GT(end - began, least * 0.8);
    EXPECT_LT(end - began, least * 1.5) << "at the same time";
  }
  for (int i = 0; i < 2; ++i) EXPECT_LT(logs->find({"topic", i})->size_bytes(), 15'000u);
  world.loop.run(logs->close());
}

TEST_F(DirectoriesTest, MovesBetweenDirectories) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  Log* source = *world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 0));
  append(*source, 5);
  source->set_first_dirty_offset(3);
  Log* future = *world.loop.run(logs->get_or_create_future({"topic", 0}, 1));
  EXPECT_THAT(world.disk.names("/b"), testing::Contains(testing::EndsWith("-future")));
  auto bytes = world.loop.run(source->read_bytes({0, 1 << 20, 5, true}));
  ASSERT_TRUE(future->append_as_follower(*bytes, 10).has_value());
  auto promoted = world.loop.run(logs->promote_future({"topic", 0}));
  ASSERT_TRUE(promoted.has_value());
  EXPECT_EQ(logs->directory_of({"topic", 0}), 1);
  EXPECT_EQ(logs->find({"topic", 0})->high_watermark(), 5);
  EXPECT_EQ(logs->find({"topic", 0})->first_dirty_offset(), 3) << "the copy is as clean";
  append(*logs->find({"topic", 0}), 1);
  EXPECT_TRUE(world.disk.exists("/b/topic-0/00000000000000000000.log"));
  EXPECT_THAT(world.disk.names("/a"), testing::Contains(testing::EndsWith("-delete")));
  world.loop.run(logs->close());
}

// Two directories of one name would stop the next start: the old one's is gone for good before the copy gets it, also after a power cut. And
// where that last step fails, what is left of the partition is the copy, not an empty log.
TEST_F(DirectoriesTest, TheLastStepOfAMove) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  append(**world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 0)), 5);
  Log* future = *world.loop.run(logs->get_or_create_future({"topic", 0}, 1));
  const auto bytes = world.loop.run(logs->find({"topic", 0})->read_bytes({0, 1 << 20, 5, true}));
  ASSERT_TRUE(future->append_as_follower(*bytes, 10).has_value());
  bool synced_between = false;
  world.disk.during_directory_sync = [&] { synced_between = synced_between || (!world.disk.exists("/a/topic-0") && !world.disk.exists("/b/topic-0")); };
  world.disk.fault = [](std::string_view operation, const std::string& path) {
    return operation == "rename" && path.ends_with("-future") ? "No space left on device" : nullptr;
  };
  EXPECT_FALSE(world.loop.run(logs->promote_future({"topic", 0})).has_value());
  EXPECT_TRUE(synced_between);
  EXPECT_FALSE(world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 1)).has_value());
  world.disk.fault = nullptr;
  world.disk.during_directory_sync = nullptr;
  const auto later = world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 1));
  ASSERT_TRUE(later.has_value()) << later.error().text();
  EXPECT_EQ((*later)->log_end_offset(), 5);
  EXPECT_EQ(logs->directory_of({"topic", 0}), 1);
  world.loop.run(logs->close());
}

// What is deleted from a copy goes in its time, not when the move is over; what moves is not compacted.
TEST_F(DirectoriesTest, ACopyLosesItsDeletedFilesAndIsNotCompacted) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  config.segment_bytes = 2000;
  config.cleanup_compact = true;
  config.min_cleanable_dirty_ratio = 0;
  config.file_delete_delay_ms = 60'000;
  auto directories = open().value();
  auto logs = manager(*directories);
  Log* source = *world.loop.run(logs->get_or_create({"topic", 0}, Uuid{7, 700}, config, 0));
  for (int i = 0; i < 100; ++i) append(*source, 1);
  Log* future = *world.loop.run(logs->get_or_create_future({"topic", 0}, 1));
  EXPECT_FALSE(world.loop.run(logs->clean_dirtiest()));
  auto bytes = world.loop.run(source->read_bytes({0, 1 << 20, 100, true}));
  ASSERT_TRUE(future->append_as_follower(*bytes, 10).has_value());
  ASSERT_TRUE(world.loop.run(future->truncate_to(1)).has_value());
  const auto deleted = [&] { return std::ranges::count_if(world.disk.names(future->directory()), [](const auto& name) { return name.ends_with(".deleted"); }); };
  ASSERT_TRUE(world.loop.run(future->truncate_fully_and_start_at(7)).has_value());
  EXPECT_GT(deleted(), 0);
  world.loop.advance(60'001);
  world.loop.run(logs->remove_deleted_files());
  EXPECT_EQ(deleted(), 0);
  ASSERT_TRUE(world.loop.run(logs->remove_future({"topic", 0})).has_value());
  EXPECT_TRUE(world.loop.run(logs->clean_dirtiest()));
  world.loop.run(logs->close());
}

TEST_F(DirectoriesTest, ALogIsMadeWhereItWasPreferredOnce) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  auto directories = open().value();
  auto logs = manager(*directories);
  const auto make = [&](int i, int asked) { return world.loop.run(logs->get_or_create({"topic", i}, Uuid{7, 700}, config, asked)).has_value(); };
  for (int i = 0; i < 3; ++i) logs->prefer_directory({"topic", i}, 1);
  logs->prefer_directory({"topic", 2}, 0);
  logs->prefer_directory({"topic", 3}, 2);  // There is none.
  ASSERT_TRUE(make(0, -1) && make(1, 0) && make(2, -1) && make(3, -1));
  EXPECT_EQ(logs->directory_of({"topic", 0}), 1);
  EXPECT_EQ(logs->directory_of({"topic", 1}), 1) << "it wins, as in Kafka";
  EXPECT_EQ(logs->directory_of({"topic", 2}), 0) << "the last word";
  // It is used up; of a log that is there it says nothing.
  logs->prefer_directory({"topic", 0}, 0);
  ASSERT_TRUE(make(0, -1));
  EXPECT_EQ(logs->directory_of({"topic", 0}), 1);
  for (const int i : {0, 1}) ASSERT_TRUE(world.loop.run(logs->remove({"topic", i})).has_value());
  ASSERT_TRUE(make(0, 0) && make(1, 0));
  EXPECT_EQ(logs->directory_of({"topic", 0}), 0);
  EXPECT_EQ(logs->directory_of({"topic", 1}), 0);
  // One that is offline does not count.
  logs->prefer_directory({"topic", 4}, 1);
  logs->take_offline(1, Error{ErrorCode::kKafkaStorageError, "a test"});
  ASSERT_TRUE(make(4, -1));
  EXPECT_EQ(logs->directory_of({"topic", 4}), 0);
  world.loop.run(logs->close());
}

TEST_F(DirectoriesTest, TwoThousandPartitionsKeepFewFilesOpen) {
  format("/a", kDirectoryA);
  format("/b", kDirectoryB);
  world.disk.crashes = false;
  auto directories = open().value();
  LogManagerConfig few;
  few.open_files = 100;
  LogManager logs(world.loop, world.disk, few);
  logs.set_directories(directories->paths());
  for (int i = 0; i < 2000; ++i) append(**world.loop.run(logs.get_or_create({"topic", i}, Uuid{7, 700}, config)), 1);
  EXPECT_LE(world.disk.open_files, 101u);
  for (int i = 0; i < 2000; ++i) append(*logs.find({"topic", i}), 1);
  EXPECT_LE(world.disk.open_files, 101u);
  world.loop.run(logs.close());
}

}  // namespace
}  // namespace samsa::storage
