// Files of a partition with anything in them: opening never crashes, hangs or reads beyond, and what opens can be read and written.
#include <cstdlib>

#include <gtest/gtest.h>

#include "protocol/control_batch.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log_directories.h"
#include "storage/producer_snapshot.h"
#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr const char* kDirectory = "/data/topic-0";

OpenLog options_of(bool clean, Offset recovery_point) {
  OpenLog options;
  options.directory = kDirectory;
  options.partition = {"topic", 0};
  options.config.segment_bytes = 3000;
  options.config.index_interval_bytes = 200;
  options.config.file_delete_delay_ms = 0;
  options.clean = clean;
  options.recovery_point = recovery_point;
  return options;
}

// A log with several segments, transactions, snapshots and epochs.
void write_log(TestWorld& world) {
  auto log = world.loop.run(Log::open(world.context, options_of(true, 0))).value();
  int32_t sequences[3] = {};
  for (int i = 0; i < 60; ++i) {
    const int64_t producer = i % 4 - 1;
    BatchSpec spec{.count = 1 + i % 3, .timestamp = world.loop.wall_ms() + i * 10, .value_size = static_cast<size_t>(i % 7) * 30};
    if (producer >= 0) {
      spec.producer_id = 100 + producer;
      spec.producer_epoch = 0;
      spec.base_sequence = sequences[producer];
      spec.transactional = producer == 2;
      sequences[producer] += spec.count;
    }
    Buffer batch = make_batch(spec);
    LeaderAppend append;
    append.leader_epoch = i / 20;
    ASSERT_TRUE(log->append_as_leader(batch, append).has_value());
    if (i % 12 == 11) {
      Buffer marker = protocol::transaction_marker_batch({102, 0, i % 24 == 11, 1}, 0, append.leader_epoch, world.loop.wall_ms());
      append.origin = AppendOrigin::kMarker;
      ASSERT_TRUE(log->append_as_leader(marker, append).has_value());
    }
    world.loop.run_ready();
  }
  ASSERT_TRUE(world.loop.run(log->close()).has_value());
}

void remove_snapshots(TestWorld& world) {
  for (const auto& name : world.disk.names(kDirectory)) {
    if (name.ends_with(".snapshot")) ASSERT_TRUE(world.disk.remove_file(io::join_path(kDirectory, name)).has_value());
  }
}

TEST(LogWithoutSnapshots, IsReadOnceOnly) {
  TestWorld world;
  OpenLog options = options_of(true, 0);
  options.config.segment_bytes = 2'000'000;
  world.disk.crashes = false;
  {
    auto log = world.loop.run(Log::open(world.context, options)).value();
    for (int i = 0; i < 1200; ++i) {
      Buffer batch = make_batch({.value_size = 10'000});
      ASSERT_TRUE(log->append_as_leader(batch, {}).has_value());
    }
    ASSERT_TRUE(world.loop.run(log->flush()).has_value());
    options.recovery_point = log->recovery_point();
    world.loop.run(log->abandon());
  }
  options.clean = false;
  const auto reads_of_a_start = [&] {
    world.disk.kill();
    const size_t before = world.disk.reads;
    auto log = world.loop.run(Log::open(world.context, options)).value();
    EXPECT_EQ(log->log_end_offset(), 1200);
    world.loop.run(log->abandon());
    return world.disk.reads - before;
  };
  remove_snapshots(world);
  const size_t first = reads_of_a_start();
  const size_t second = reads_of_a_start();
  EXPECT_LT(second + 12, first) << "12 MB, a read each";
}

TEST(LogWithoutSnapshots, IsLongToScan) {
  TestWorld world;
  write_log(world);
  constexpr uint64_t kTwoSegments = 2 * 3000;
  OpenLog options = options_of(false, 60);
  {
    auto log = world.loop.run(Log::open(world.context, options));
    ASSERT_TRUE(log.has_value()) << log.error().describe();
    ASSERT_GT((*log)->size_bytes(), 2 * kTwoSegments);
    options.recovery_point = (*log)->log_end_offset();
    world.loop.run((*log)->abandon());
  }
  options.scan_at_most = kTwoSegments;
  ASSERT_TRUE(world.loop.run(Log::open(world.context, options)).has_value());
  remove_snapshots(world);
  EXPECT_EQ(world.loop.run(Log::open(world.context, options)).error().code, ErrorCode::kOperationNotAttempted);
  options.scan_at_most = UINT64_MAX;
  EXPECT_TRUE(world.loop.run(Log::open(world.context, options)).has_value());
}

// Uses everything that reads files.
void use(TestWorld& world, Log& log) {
  log.set_high_watermark(log.log_end_offset());
  Offset at = log.log_start_offset();
  for (int i = 0; i < 1000 && at < log.log_end_offset(); ++i) {
    auto bytes = world.loop.run(log.read_bytes({at, 2000, log.log_end_offset(), true}));
    if (!bytes || bytes->empty()) break;
    protocol::BatchIterator batches(*bytes);
    for (auto next = batches.next(); next && *next; next = batches.next()) at = std::max(at + 1, (*next)->next_offset());
  }
  (void)world.loop.run(log.offset_for_timestamp(world.loop.wall_ms() + 100));
  (void)world.loop.run(log.offset_of_max_timestamp());
  (void)log.aborted_transactions(0, log.log_end_offset());
  (void)log.bytes_between(log.log_start_offset(), log.log_end_offset());
  Buffer batch = make_batch({.count = 2});
  const Offset end = log.log_end_offset();
  auto info = log.append_as_leader(batch, {});
  if (info) EXPECT_EQ(info->first_offset, end);
  (void)world.loop.run(log.truncate_to((log.log_start_offset() + log.log_end_offset()) / 2));
  (void)log.delete_old_segments();
}

void damage(io::Random& random, Buffer& bytes) {
  switch (random.below(7)) {
    case 0: bytes.resize(random.below(bytes.size() + 1)); break;
    case 1: bytes.resize(bytes.size() + random.below(200)); break;
    case 2: bytes.clear(); break;
    case 3:
      for (auto& byte : bytes) {
        if (random.one_in(4)) byte = static_cast<uint8_t>(random.next());
      }
      break;
    default:
      for (uint64_t i = 0; i <= random.below(4) && !bytes.empty(); ++i) {
        bytes[random.below(bytes.size())] = random.one_in(3) ? 0xff : static_cast<uint8_t>(random.next());
      }
      break;
  }
}

void damaged_start(uint64_t seed) {
  io::Random random(seed);
  TestWorld world(seed);
  write_log(world);
  const auto names = world.disk.names(kDirectory);
  for (uint64_t i = 0; i <= random.below(3); ++i) {
    const std::string path = std::string(kDirectory) + "/" + names[random.below(names.size())];
    Buffer bytes = world.disk.content(path);
    if (random.one_in(6)) {
      (void)world.disk.remove_file(path);
      continue;
    }
    damage(random, bytes);
    world.disk.put(path, bytes);
  }
  const Offset point = random.one_in(3) ? 0 : random.between(0, 150);
  auto log = world.loop.run(Log::open(world.context, options_of(random.one_in(2), point)));
  if (!log) return;
  use(world, **log);
  world.loop.run((*log)->abandon());
}

TEST(LogFiles, DamagedInAnyWay) {
  const char* more = std::getenv("SAMSA_CRASH_SEEDS");
  const char* one = std::getenv("SAMSA_CRASH_SEED");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr ? 1 : more != nullptr ? std::strtoull(more, nullptr, 10) : 500;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(seed);
    damaged_start(seed);
    if (HasFailure()) return;
  }
}

TEST(LogFiles, TextsWithAnythingInThem) {
  io::Random random(7);
  const std::string texts[] = {"0\n2\ntopic 0 1\nother-topic 2 3\n", "cluster.id=x\nnode.id=1\nversion=1\n", "0\n1\n0 0\n", "a\\\n=\\"};
  for (int i = 0; i < 20'000; ++i) {
    const std::string& text = texts[random.below(std::size(texts))];
    Buffer bytes(text.begin(), text.end());
    damage(random, bytes);
    (void)parse_offset_checkpoint(as_text(bytes));
    (void)parse_epoch_checkpoint(as_text(bytes));
    (void)parse_meta_properties(as_text(bytes));
    (void)decode_producer_snapshot(bytes);
    (void)parse_partition_directory(as_text(bytes));
  }
}

}  // namespace
}  // namespace samsa::storage
