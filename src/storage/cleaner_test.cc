#include "storage/cleaner.h"

#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "storage/compaction_world.h"

namespace samsa::storage {
namespace {

TEST(KeyMap, KeepsTheGreatestOffsetAndFillsUp) {
  KeyMap map(24 * 1000, {1, 2});
  int stored = 0;
  while (map.put(as_bytes("key" + std::to_string(stored)), stored)) ++stored;
  EXPECT_EQ(stored, 900);
  EXPECT_TRUE(map.put(as_bytes("key7"), 5000));
  EXPECT_EQ(map.get(as_bytes("key7")), 5000);
  EXPECT_EQ(map.get(as_bytes("key8")), 8);
  EXPECT_EQ(map.get(as_bytes("none")), -1);
}

TEST(KeyMap, SipHashHasTheReferenceValue) {
  // SipHash-2-4-128 of the empty string with the key 00 01 .. 0f (the authors' vectors).
  const Hash128 hash = sip_hash({}, {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL});
  EXPECT_EQ(hash.high, 0xe6a825ba047f81a3ULL);
  EXPECT_EQ(hash.low, 0x930255c71472f66dULL);
}

TEST(Cleaner, KeepsTheLastOfEveryKeyAndMergesSegments) {
  Compaction run(1);
  run.open(true);
  for (int i = 0; i < 300; ++i) run.write({{"key" + std::to_string(i % 10), "value" + std::to_string(i) + std::string(50, 'x')}});
  const size_t segments = run.log->segment_count();
  ASSERT_GT(segments, 5u);
  const Offset active = run.log->segment_base_of(299);
  auto stats = run.clean();
  ASSERT_TRUE(stats.has_value()) << stats.error().describe();
  EXPECT_EQ(stats->clean_to, active);
  EXPECT_EQ(stats->records_kept, 10);
  EXPECT_EQ(run.log->segment_count(), segments) << "full segments are not merged before they have shrunk";
  EXPECT_EQ(run.log->log_end_offset(), 300);
  run.check();
  EXPECT_EQ(run.clean().error().code, ErrorCode::kOperationNotAttempted);
  for (int i = 0; i < 60; ++i) run.write({{"key" + std::to_string(i % 10), std::string(50, 'y')}});
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_LT(run.log->segment_count(), 5u);
  run.check();
}

TEST(Cleaner, RetentionBySizeGoesOnBehindAnEmptiedSegment) {
  Compaction run(1);
  run.config.cleanup_delete = true;
  run.open(true);
  for (int i = 0; i < 5; ++i) run.fill();
  ASSERT_TRUE(run.clean().has_value());
  const size_t segments = run.log->segment_count();
  ASSERT_GT(segments, 3u);
  run.config.retention_bytes = 10;
  run.log->update_config(run.config);
  EXPECT_EQ(run.log->delete_old_segments().value(), segments - 1);
}

// Compaction leaves offsets out at the ends of segments, too. A recovery must not take that for loss because the topic's policy is another one now.
TEST(Cleaner, GapsOfALogThatIsNoLongerCompactedAreNoLoss) {
  Compaction run(3);
  run.open(true);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) run.write({{"key" + std::to_string(i % 40), "value" + std::to_string(i) + std::string(50, 'x')}});
    ASSERT_TRUE(run.clean().has_value());
  }
  ASSERT_GT(run.log->segment_count(), 3u);
  run.config.cleanup_compact = false;
  run.config.cleanup_delete = true;
  const size_t segments = run.log->segment_count();
  run.world.loop.run(run.log->abandon());
  run.open(false);
  EXPECT_EQ(run.log->log_end_offset(), 600);
  EXPECT_EQ(run.log->segment_count(), segments);
  run.check();
}

// A rename over a file frees it, for which the loop would wait for the device: what a round left goes before the next takes its names.
TEST(Cleaner, WhatARoundReplacesHasItsDeletedNameForItself) {
  Compaction run(1);
  run.config.file_delete_delay_ms = 60'000;
  run.open(true);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 200; ++i) run.write({{"key" + std::to_string(i % 10), "value" + std::to_string(i) + std::string(50, 'x')}});
    ASSERT_TRUE(run.clean().has_value());
  }
  run.world.loop.advance(60'001);
  const auto files = run.log->take_deleted_files();
  const std::set<std::string> names(files.begin(), files.end());
  EXPECT_EQ(names.size(), files.size());
  EXPECT_THAT(files, testing::Contains(testing::EndsWith(".snapshot.deleted")));
  for (const auto& file : files) EXPECT_TRUE(run.world.disk.exists(file)) << file;
  run.check();
}

TEST(Cleaner, TombstonesGoAfterTheirHorizonOnly) {
  Compaction run(1);
  run.open(true);
  run.write({{"gone", "v"}, {"kept", "v"}});
  run.write({{"gone", std::nullopt}});
  for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_EQ(run.read().at(2).value, std::nullopt);
  EXPECT_FALSE(run.read().contains(0));
  const auto more = [&] {
    for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  };
  more();
  run.world.loop.advance(9'000);
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_TRUE(run.read().contains(2)) << "the horizon is never moved, and not reached";
  more();
  run.world.loop.advance(1'001);
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_FALSE(run.read().contains(2));
  run.check();
}

TEST(Cleaner, AbortedDataGoesAndMarkersFollow) {
  Compaction run(1);
  run.open(true);
  run.write({{"a", "aborted"}}, 100, true);
  run.end(100, false);
  run.write({{"b", "committed"}}, 101, true);
  run.end(101, true);
  run.write({{"z", "z"}}, 100);
  run.write({{"z", "z"}}, 101);
  const auto more = [&] {
    for (int i = 0; i < 60; ++i) run.write({{"fill", std::string(80, 'x')}});
  };
  more();
  ASSERT_TRUE(run.clean().has_value());
  run.check();
  EXPECT_EQ(run.log->aborted_transactions(0, 100)->size(), 1u) << "the marker stays with its entry for one more round";
  more();
  ASSERT_TRUE(run.clean().has_value());
  EXPECT_EQ(run.log->aborted_transactions(0, 100)->size(), 0u);
  more();
  run.world.loop.advance(10'001);
  ASSERT_TRUE(run.clean().has_value());
  auto bytes = run.world.loop.run(run.log->read_bytes({0, 1000, run.log->log_end_offset(), true}));
  EXPECT_EQ(protocol::BatchHeader(bytes->data()).base_offset(), 2) << "both the data and the marker are gone";
  run.check();
}

TEST(Cleaner, LagAndOpenTransactionsHoldBack) {
  Compaction run(1);
  run.open(true);
  run.config.min_compaction_lag_ms = 5'000;
  run.log->update_config(run.config);
  for (int i = 0; i < 60; ++i) run.write({{"k", std::string(80, 'x')}});
  EXPECT_EQ(run.clean().error().code, ErrorCode::kOperationNotAttempted);
  run.world.loop.advance(5'001);
  run.write({{"t", "t"}}, 100, true);
  for (int i = 0; i < 120; ++i) run.write({{"k", std::string(80, 'x')}});
  run.world.loop.advance(5'001);
  auto stats = run.clean();
  ASSERT_TRUE(stats.has_value());
  EXPECT_LE(stats->clean_to, 60) << "the open transaction begins at 60";
  run.check();
}

TEST(Cleaner, SmallMapTakesSeveralRounds) {
  Compaction run(3);
  run.open(true);
  for (int i = 0; i < 600; ++i) run.write({{"key" + std::to_string(i % 150), std::string(40, 'x')}});
  Offset before = 0;
  for (int round = 0; round < 50; ++round) {
    auto stats = run.clean(24 * 60);
    if (!stats) break;
    EXPECT_GT(stats->clean_to, before);
    before = stats->clean_to;
    run.check();
  }
  EXPECT_GT(before, 400);
}

// ---- Rounds that fail ----

// A round that comes to nothing once, then the same again without the fault, until the tombstone's horizon is long past.
void fail_one_round(const std::function<void(Compaction&)>& damage, const std::function<void(Compaction&)>& mend) {
  Compaction run(1);
  run.open(true);
  run.write({{"gone", "v"}});
  run.fill();
  ASSERT_TRUE(run.clean_dirtiest());
  const Offset clean_to = run.log->first_dirty_offset();
  ASSERT_GT(clean_to, 0);
  run.write({{"gone", std::nullopt}});
  run.fill();
  damage(run);
  run.clean_dirtiest();
  EXPECT_FALSE(run.clean_dirtiest()) << "not at once again";
  EXPECT_EQ(run.logs->checkpoints().front().cleaner.at({"topic", 0}), clean_to) << "what the round did not read is not clean";
  mend(run);
  if (testing::Test::HasFatalFailure()) return;
  EXPECT_EQ(run.log->first_dirty_offset(), clean_to);
  run.fill();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(run.clean_dirtiest());
    run.world.loop.advance(10'001);
    run.fill();
  }
  EXPECT_FALSE(run.read().contains(0));
  run.check();
}

TEST(CleanerFailure, AShortageIsTriedAgainAfterAWhile) {
  for (const char* words : {io::kNoSpaceWords, "Disk quota exceeded", "Too many open files", "Cannot allocate memory"}) {
    SCOPED_TRACE(words);
    fail_one_round(
        [words](Compaction& run) {
          run.world.disk.fault = [words](std::string_view operation, const std::string& path) {
            return operation == "write" && path.ends_with(".log.cleaned") ? words : nullptr;
          };
        },
        [](Compaction& run) {
          EXPECT_FALSE(run.logs->any_offline());
          EXPECT_EQ(run.logs->uncleanable(0).partitions, 0u);
          run.world.disk.fault = nullptr;
          run.world.loop.advance(60'000);
        });
  }
}

// Nothing was short and no device failed: waiting does not mend it, whatever the words are.
TEST(CleanerFailure, WhatIsNoShortageIsNotTriedAgain) {
  std::shared_ptr<io::File> file;
  Buffer all;
  fail_one_round(
      [&](Compaction& run) {
        const std::string path = fmt::format("/data/topic-0/{:020}.log", run.log->segment_base_of(run.log->first_dirty_offset()));
        file = run.world.disk.open(path, io::OpenMode::kReadWrite).value();
        all = run.world.disk.content(path);
        ASSERT_TRUE(file->truncate(100).has_value());
      },
      [&](Compaction& run) {
        EXPECT_FALSE(run.logs->any_offline());
        EXPECT_EQ(run.logs->uncleanable(0).partitions, 1u);
        ASSERT_TRUE(file->write_at(all, 0).has_value());
        file = nullptr;  // The disk goes before this test does.
        run.restart();
      });
}

TEST(CleanerFailure, FailingDeviceTakesTheDirectoryOffline) {
  for (const char* what : {"read", "write", "sync", "open"}) {
    SCOPED_TRACE(what);
    fail_one_round(
        [what](Compaction& run) {
          run.world.disk.fault = [what](std::string_view operation, const std::string& path) {
            const bool here = path.ends_with(operation == "read" ? ".log" : ".log.cleaned");
            return operation == what && here ? "Input/output error" : nullptr;
          };
        },
        [](Compaction& run) {
          EXPECT_TRUE(run.logs->is_offline(0));
          run.restart();
        });
  }
}

TEST(CleanerFailure, DamagedBatchMakesTheLogUncleanable) {
  std::shared_ptr<io::File> file;
  Buffer byte(1);
  const auto flip = [&] {
    byte[0] ^= 1;
    ASSERT_TRUE(file->write_at(byte, 1000).has_value());
  };
  fail_one_round(
      [&](Compaction& run) {
        file = run.world.disk.open(fmt::format("/data/topic-0/{:020}.log", run.log->segment_base_of(run.log->first_dirty_offset())), io::OpenMode::kReadWrite).value();
        ASSERT_TRUE(file->read_at(byte, 1000).has_value());
        flip();
      },
      [&](Compaction& run) {
        EXPECT_FALSE(run.logs->any_offline());
        EXPECT_EQ(run.logs->uncleanable(0).partitions, 1u);
        EXPECT_GT(run.logs->uncleanable(0).bytes, 5000u);
        run.world.loop.advance(3'600'000);
        EXPECT_FALSE(run.clean_dirtiest());
        flip();
        file = nullptr;
        run.restart();
        EXPECT_EQ(run.logs->uncleanable(0).partitions, 0u);
      });
}

// The copy took the sources' place and then the disk failed: what stands there is all there is.
TEST(CleanerFailure, CopyInPlaceIsNeverRemoved) {
  for (const char* words : {"Input/output error", io::kNoSpaceWords}) {
    SCOPED_TRACE(words);
    Compaction run(1);
    run.open(true);
    run.write({{"kept", "v"}});
    run.fill();
    run.config.file_delete_delay_ms = 60'000;
    run.log->update_config(run.config);
    run.world.disk.fault = [words](std::string_view operation, const std::string& path) {
      return operation == "rename" && path.ends_with(".swap") ? words : nullptr;
    };
    run.clean_dirtiest();
    EXPECT_NE(run.logs->any_offline(), run.logs->uncleanable(0).partitions == 1);
    if (!run.logs->any_offline()) run.check();
    run.restart();
    run.check();
    run.fill();
    EXPECT_TRUE(run.clean_dirtiest());
    run.check();
  }
}

// Compaction would need room for its copy: it waits until that is there without the reserve.
TEST(CleanerFailure, ReserveOfTheDiskIsLeftAlone) {
  constexpr uint64_t kReserve = 5000;
  Compaction run(1, kReserve);
  run.config.file_delete_delay_ms = 60'000;
  run.open(true);
  run.world.disk.put("/others/file", Buffer(200'000));  // The reserve is no more than a twentieth of the disk.
  for (int i = 0; i < 200; ++i) run.write({{"key" + std::to_string(i), std::string(80, 'x')}});
  TestDisk& disk = run.world.disk;
  disk.capacity = 1 << 30;
  const uint64_t before = disk.used();
  disk.capacity = before + kReserve + 2000;  // A segment has 4000 bytes.
  bool copied = false;
  disk.fault = [&](std::string_view, const std::string& path) {
    copied = copied || path.ends_with(".cleaned");
    return nullptr;
  };
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_FALSE(copied);
  EXPECT_FALSE(run.logs->is_full(0)) << "what it asked for in vain is not refused to others";
  EXPECT_EQ(run.log->first_dirty_offset(), 0);
  EXPECT_FALSE(run.clean_dirtiest());
  // Room for a copy, but others write meanwhile.
  disk.capacity = before + kReserve + 20'000;
  uint64_t least = kReserve;
  disk.fault = [&](std::string_view operation, const std::string& path) {
    if (operation == "open" && path.ends_with(".log.cleaned")) disk.capacity = disk.used() + kReserve + 1000;
    least = std::min(least, disk.capacity - disk.used());
    copied = copied || path.ends_with(".cleaned");
    return nullptr;
  };
  run.world.loop.advance(60'000);
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_TRUE(copied);
  EXPECT_EQ(least, kReserve) << "not even that copy took of it";
  EXPECT_EQ(disk.used(), before);
  EXPECT_EQ(run.log->first_dirty_offset(), 0);
  disk.fault = nullptr;
  disk.capacity = 1 << 30;
  run.world.loop.advance(119'999);
  EXPECT_FALSE(run.clean_dirtiest()) << "the pause is doubled";
  run.world.loop.advance(1);
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_GT(run.log->first_dirty_offset(), 0);
  run.check();
}

// ---- Nearly full disks ----

// A log whose segments are half garbage on a disk with so many bytes above the reserve, and the least that was left of these.
class TightDisk {
 public:
  explicit TightDisk(uint64_t room) : run(1, kReserve) {
    run.config.file_delete_delay_ms = 60'000;
    run.open(true);
    run.world.disk.put("/others/file", Buffer(200'000));  // The reserve is no more than a twentieth of the disk.
    for (int i = 0; i < 300; ++i) run.write({{i % 2 == 0 ? "again" : "key" + std::to_string(i), std::string(80, 'x')}});
    TestDisk& disk = run.world.disk;
    disk.capacity = 1 << 30;
    before = disk.used();
    set_room(room);
    disk.fault = [this](std::string_view, const std::string&) {
      least = std::min(least, run.world.disk.capacity - run.world.disk.used());
      return nullptr;
    };
  }
  void set_room(uint64_t room) { run.world.disk.capacity = run.world.disk.used() + kReserve + room; }

  static constexpr uint64_t kReserve = 5000;
  Compaction run;
  uint64_t before = 0;
  uint64_t least = UINT64_MAX;
};

TEST(CleanerRoom, ALogThatDoesNotFitTwiceIsCompactedSegmentBySegment) {
  TightDisk tight(2600);  // A segment has 4000 bytes, of which some 2000 stay.
  Compaction& run = tight.run;
  const size_t segments = run.log->segment_count();
  ASSERT_GT(segments, 8u);
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_EQ(run.log->first_dirty_offset(), run.log->segment_base_of(299));
  EXPECT_GE(tight.least, TightDisk::kReserve);
  run.check();
  run.world.loop.advance(60'000);
  run.log->remove_deleted_files();
  EXPECT_LT(run.world.disk.used(), tight.before - 12'000);
  // The shrunk segments are copied one by one as long as there is room for no more, and all of them at the end.
  run.world.disk.capacity = 1 << 30;
  run.fill();
  tight.set_room(2600);
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_GE(tight.least, TightDisk::kReserve);
  EXPECT_EQ(run.log->first_dirty_offset(), run.log->segment_base_of(run.log->log_end_offset() - 1));
  run.check();
  run.world.disk.capacity = 1 << 30;
  run.fill();
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_LT(run.log->segment_count(), segments);
  run.restart();
  run.check();
}

TEST(CleanerRoom, NoCopyIsBegunInVain) {
  TightDisk tight(1500);
  Compaction& run = tight.run;
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_EQ(tight.least, TightDisk::kReserve + 1500);
  EXPECT_EQ(run.log->first_dirty_offset(), 0);
  EXPECT_FALSE(run.logs->is_full(0));
  tight.set_room(2600);
  run.world.loop.advance(60'000);
  EXPECT_TRUE(run.clean_dirtiest());
  EXPECT_GT(run.log->first_dirty_offset(), 0);
  run.check();
}

TEST(CleanerRoom, WhatSomebodyReadsIsNotFreed) {
  TightDisk tight(2600);
  Compaction& run = tight.run;
  run.world.disk.slow_reads = "00000000000000000000.log";
  std::optional<Result<LogRead>> read;
  io::spawn_now(run.world.loop, [](Compaction& of, std::optional<Result<LogRead>>& into) -> io::Task<> {
    into.emplace(co_await of.log->read({3, 1000, of.log->log_end_offset(), true}));
  }(run, read));
  run.world.disk.slow_reads.clear();
  run.clean_dirtiest();
  EXPECT_FALSE(read.has_value());
  run.world.loop.advance(10'000);
  ASSERT_TRUE(read.has_value());
  ASSERT_TRUE(read->has_value()) << read->error().describe();
  EXPECT_EQ((*read)->first_batch_offset, 3);
  EXPECT_GE(tight.least, TightDisk::kReserve);
  run.world.loop.advance(60'000);
  run.log->remove_deleted_files();
  for (int i = 0; i < 3 && run.log->first_dirty_offset() == 0; ++i) {
    run.world.loop.advance(3'600'000);
    run.clean_dirtiest();
  }
  EXPECT_GT(run.log->first_dirty_offset(), 0);
  run.check();
}

// ---- What others do while a directory is synced ----

// Compacts a log and does something while its directory is synced for the `at`th time; then what a start finds must be as it stands here.
// False: there were not so many syncs.
bool disturb(int at, const std::function<void(Compaction&)>& action, bool power, Offset below = INT64_MAX) {
  Compaction run(1);
  run.config.file_delete_delay_ms = 60'000;
  run.open(true);
  for (int i = 0; i < 200; ++i) run.write({{"key" + std::to_string(i % 10), std::string(80, 'x')}});
  EXPECT_TRUE(run.world.loop.run(run.log->flush()).has_value());
  int syncs = 0;
  run.world.disk.during_directory_sync = [&] {
    if (++syncs == at) action(run);
  };
  const size_t blocking = run.world.disk.blocking_syncs;
  run.clean_dirtiest();
  EXPECT_EQ(run.world.disk.blocking_syncs, blocking) << "the loop stood still";
  run.world.disk.during_directory_sync = nullptr;
  if (syncs < at) return false;
  EXPECT_FALSE(run.logs->any_offline() && !run.world.disk.dead);
  if (run.world.disk.dead) {
    run.restart(power);
    EXPECT_LE(run.log->log_end_offset(), below);
    return true;
  }
  const Offset start = run.log->log_start_offset();
  const Offset end = run.log->log_end_offset();
  const auto before = run.read();
  run.restart(power);
  EXPECT_LE(run.log->log_end_offset(), end);  // A compacted segment that was cut may end before.
  for (const auto& [offset, record] : run.read()) {
    if (offset >= start) EXPECT_TRUE(before.contains(offset)) << offset << " is back";
  }
  for (const auto& name : run.world.disk.names("/data/topic-0")) EXPECT_FALSE(name.ends_with(".swap") || name.ends_with(".cleaned")) << name;
  return true;
}

void disturb_everywhere(const std::function<void(Compaction&)>& action, Offset below = INT64_MAX) {
  for (const bool power : {false, true}) {
    int at = 1;
    while (disturb(at, action, power, below) && !testing::Test::HasFailure()) ++at;
    EXPECT_GT(at, 10) << "three of each group";
  }
}

TEST(CleanerMeanwhile, ATruncationTakesWhatItTakes) {
  for (const Offset to : {0, 10, 30, 150}) {
    SCOPED_TRACE(to);
    disturb_everywhere([to](Compaction& run) {
      io::spawn(run.world.loop, [](Compaction& of, Offset offset) -> io::Task<> {
        EXPECT_TRUE((co_await of.log->truncate_to(offset)).has_value());
      }(run, to));
    });
  }
}

// The machine dies as soon as the truncation is done.
TEST(CleanerMeanwhile, WhatATruncationTookNeverComesBack) {
  for (const Offset to : {0, 10, 30, 150}) {
    SCOPED_TRACE(to);
    disturb_everywhere(
        [to](Compaction& run) {
          run.world.disk.directory_sync_turns = 500;
          io::spawn(run.world.loop, [](Compaction& of, Offset offset) -> io::Task<> {
            of.world.disk.directory_sync_turns = 10;
            EXPECT_TRUE((co_await of.log->truncate_to(offset)).has_value());
            of.world.disk.fail_at = of.world.disk.steps;
          }(run, to));
        },
        to);
  }
}

TEST(CleanerMeanwhile, AStartAnewTakesAll) {
  disturb_everywhere([](Compaction& run) {
    io::spawn(run.world.loop, [](Compaction& of) -> io::Task<> {
      EXPECT_TRUE((co_await of.log->truncate_fully_and_start_at(5000)).has_value());
    }(run));
  });
}

TEST(CleanerMeanwhile, DeletedRecordsAreDeleted) {
  disturb_everywhere([](Compaction& run) {
    EXPECT_TRUE(run.log->advance_log_start(70).has_value());
    EXPECT_TRUE(run.log->delete_old_segments().has_value());
  });
}

// A round that waits for its share of the disk meets something, and is over soon. Where it had come to: nothing has moved on, no file is left.
void end_throttled(double rate, std::chrono::seconds after, const std::function<void(Compaction&)>& action) {
  Compaction run(1);
  run.config.cleanup_delete = true;
  run.open(true);
  for (int i = 0; i < 400; ++i) run.write({{"key" + std::to_string(i % 10), std::string(80, 'x')}});
  run.logs->set_cleaner_limits({.max_bytes_per_second = rate, .io_bytes = 8192});
  std::optional<bool> ended;
  io::spawn_now(run.world.loop, [](Compaction& of, std::optional<bool>& into) -> io::Task<> { into = co_await of.logs->clean_dirtiest(); }(run, ended));
  run.world.loop.advance(after / std::chrono::milliseconds(1));
  ASSERT_FALSE(ended.has_value());
  action(run);
  run.world.loop.advance(2);
  ASSERT_TRUE(ended.has_value()) << "it sleeps on";
  EXPECT_FALSE(*ended);
  EXPECT_EQ(run.logs->uncleanable(0).partitions, 0u);
  for (const auto& name : run.world.disk.names("/data/topic-0")) EXPECT_FALSE(name.ends_with(".swap") || name.ends_with(".cleaned")) << name;
  run.log = run.logs->find({"topic", 0});
  if (run.log != nullptr) EXPECT_EQ(run.log->first_dirty_offset(), 0);
}

TEST(CleanerMeanwhile, ARoundThatWaitsForItsTurnEndsAtOnce) {
  const auto remove_to = [](Offset to) {
    return [to](Compaction& run) {
      EXPECT_TRUE(run.log->advance_log_start(to).has_value());
      EXPECT_GT(run.log->delete_old_segments().value(), 0u);
    };
  };
  for (const auto after : {std::chrono::seconds(5), std::chrono::seconds(50)}) {  // While the map is made, and while it copies.
    SCOPED_TRACE(after.count());
    end_throttled(1000, after, remove_to(400));
    end_throttled(1000, after, remove_to(150));
    end_throttled(1000, after, [](Compaction& run) { run.logs->end_cleaning(); });
    end_throttled(1000, after, [](Compaction& run) { EXPECT_TRUE(run.world.loop.run(run.logs->remove({"topic", 0})).has_value()); });
    end_throttled(1000, after, [](Compaction& run) { EXPECT_TRUE(run.world.loop.run(run.log->truncate_to(100)).has_value()); });
  }
  end_throttled(1e-9, std::chrono::seconds(5), [](Compaction& run) { run.logs->end_cleaning(); });
}

TEST(CleanerMeanwhile, RetentionWaitsForTheRoundWhileThereIsRoomAndTheRateIsThatOfTheMoment) {
  Compaction run(1);
  run.open(true);
  for (int i = 0; i < 400; ++i) run.write({{"key" + std::to_string(i % 10), std::string(80, 'x')}});
  run.logs->set_cleaner_limits({.max_bytes_per_second = 10, .io_bytes = 8192});
  std::optional<bool> ended;
  io::spawn_now(run.world.loop, [](Compaction& of, std::optional<bool>& into) -> io::Task<> { into = co_await of.logs->clean_dirtiest(); }(run, ended));
  run.world.loop.advance(5'000);
  EXPECT_TRUE(run.log->advance_log_start(150).has_value());
  EXPECT_EQ(run.world.loop.run(run.logs->delete_old_segments()), 0u);
  ASSERT_FALSE(ended.has_value());
  run.logs->set_cleaner_limits({});
  run.world.loop.advance(2'000);
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(*ended);
  EXPECT_GT(run.log->first_dirty_offset(), 0);
  run.check();
}

// A machine that died while the files of an exchange that was given up were being removed, the log's first.
TEST(CleanerMeanwhile, IndexesOfAnExchangeThatWasGivenUpAreDropped) {
  Compaction run(1);
  run.open(true);
  run.fill();
  const std::string index = "/data/topic-0/00000000000000000000.index";
  ASSERT_TRUE(run.world.loop.run(run.log->flush()).has_value());
  const Buffer content = run.world.disk.content(index);
  ASSERT_FALSE(content.empty());
  run.world.disk.put(index + ".swap", Buffer(content.size(), 7));
  run.restart();
  EXPECT_EQ(run.world.disk.content(index), content);
  EXPECT_FALSE(run.world.disk.exists(index + ".swap"));
  run.check();
}

TEST(CleanerMeanwhile, AClosedLogIsLeftAlone) {
  disturb_everywhere([](Compaction& run) { io::spawn(run.world.loop, run.log->abandon()); });
}

// A replica that has the compacted log without snapshots builds its producers from it: the last batch of a producer is empty and tells
// sequence, epoch and time.
TEST(Cleaner, EmptyBatchKeepsTheTimeOfItsProducer) {
  for (const bool stamped : {false, true}) {
    Compaction run(1);
    run.config.log_append_time = stamped;
    run.open(true);
    run.write({{"k", "v"}}, 100);
    const TimestampMs written = run.log->active_producers().front().last_timestamp;
    run.world.loop.advance(5'000);
    run.write({{"k", "replaced"}});
    run.fill();
    ASSERT_TRUE(run.clean_dirtiest());
    EXPECT_FALSE(run.read().contains(0));
    for (const auto& name : run.world.disk.names("/data/topic-0")) {
      if (name.ends_with(".snapshot")) ASSERT_TRUE(run.world.disk.remove_file("/data/topic-0/" + name).has_value());
    }
    run.restart();
    ASSERT_EQ(run.log->active_producers().size(), 1u);
    EXPECT_EQ(run.log->active_producers().front().last_timestamp, written);
    run.log->expire_producers();
    run.sequences[100] = 0;
    const Offset end = run.log->log_end_offset();
    run.write({{"k", "v"}}, 100);
    EXPECT_EQ(run.log->log_end_offset(), end) << "it was there before";
  }
}

// ---- Seeds ----

// The disk fails a round at random: want of room or an error of the device, at any operation.
void arm(Compaction& run) {
  const uint64_t odds = run.random.between(5, 300);
  const bool full = run.random.one_in(2);
  run.world.disk.fault = [&run, odds, full](std::string_view operation, const std::string&) -> const char* {
    if (!run.random.one_in(odds)) return nullptr;
    const bool takes_room = operation != "read" && operation != "list" && operation != "remove" && operation != "truncate";
    if (full) return takes_room ? io::kNoSpaceWords : nullptr;
    return "Input/output error";
  };
}

void run_seed(uint64_t seed) {
  Compaction run(seed);
  run.open(true);
  for (int life = 0; life < 4; ++life) {
    bool crash = false;
    for (uint64_t rounds = run.random.between(1, 3); rounds > 0 && !crash && !run.logs->any_offline(); --rounds) {
      const uint64_t steps = run.random.between(20, 120);
      for (uint64_t i = 0; i < steps; ++i) run.random_step();
      ASSERT_TRUE(run.world.loop.run(run.log->flush()).has_value());
      crash = run.random.one_in(3);
      if (crash) {
        run.world.disk.fail_at = run.world.disk.steps + run.random.below(60);
      } else if (run.random.one_in(2)) {
        arm(run);
      }
      run.clean_dirtiest(run.random.one_in(3) ? 24 * 30 : 1 << 20);
      run.world.disk.fault = nullptr;
      if (run.random.one_in(2)) run.world.loop.advance(1'000'000);
    }
    const auto before = run.log->active_producers();
    const Offset end = run.log->log_end_offset();
    run.restart(crash || run.random.one_in(4));
    if (testing::Test::HasFatalFailure()) return;
    EXPECT_EQ(run.log->log_end_offset(), end);
    run.check();
    const auto after = run.log->active_producers();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].last_sequence, before[i].last_sequence);
      EXPECT_EQ(after[i].transaction_start, before[i].transaction_start);
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Cleaner, SeedsWithCrashesAndFaultsAtAnyStep) {
  const char* more = std::getenv("SAMSA_CRASH_SEEDS");
  const char* one = std::getenv("SAMSA_CRASH_SEED");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : more != nullptr ? std::strtoull(more, nullptr, 10) : 300;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    run_seed(seed);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "seed " << seed << ": SAMSA_CRASH_SEED=" << seed << " repeats it";
      return;
    }
  }
}

}  // namespace
}  // namespace samsa::storage
