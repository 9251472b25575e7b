#include "storage/reserved_disk.h"

#include "storage/test_world.h"

namespace samsa::storage {
namespace {

class ReservedDiskTest : public testing::Test {
 protected:
  ReservedDiskTest() {
    EXPECT_TRUE(world.disk.create_directories("/meta").has_value());
    world.disk.capacity = kCapacity;
  }
  // A stranger who takes every byte that can be had.
  void fill() {
    auto file = *world.disk.open("/filler", io::OpenMode::kCreate);
    const uint64_t left = world.disk.capacity - world.disk.used();
    const Buffer bytes(left);
    ASSERT_TRUE(file->write_at(Bytes(bytes), *file->size()).has_value());
    ASSERT_EQ(world.disk.used(), world.disk.capacity);
  }

  static constexpr uint64_t kCapacity = 50 << 20;
  TestWorld world;
};

TEST_F(ReservedDiskTest, IsGivenUpPieceByPieceAndFilledUpAgain) {
  ReservedDisk disk(world.loop, world.disk, "/meta", 300'000);
  EXPECT_EQ(disk.kept(), 300'000u);
  fill();
  auto file = disk.open("/meta/log", io::OpenMode::kCreate);
  ASSERT_TRUE(file.has_value());
  const Buffer bytes(1000, 7);
  uint64_t at = 0;
  for (; (*file)->write_at(Bytes(bytes), at).has_value(); at += bytes.size()) fill();  // Again and again somebody takes what is over.
  EXPECT_EQ(disk.kept(), 0u);
  EXPECT_GE(at, 4000u) << "each piece that is given up serves at least the write that needed it";
  ASSERT_TRUE(world.disk.remove_file("/filler").has_value());
  world.loop.advance(11'000);
  ASSERT_TRUE((*file)->write_at(Bytes(bytes), at).has_value());
  EXPECT_EQ(disk.kept(), 300'000u);
  EXPECT_EQ(*(*file)->size(), at + bytes.size());
}

TEST_F(ReservedDiskTest, OneWriterAloneHasAllOfIt) {
  ReservedDisk disk(world.loop, world.disk, "/meta", 300'000);
  fill();
  auto file = *disk.open("/meta/log", io::OpenMode::kCreate);
  const Buffer bytes(1000, 7);
  for (uint64_t at = 0; at < 300'000; at += bytes.size()) ASSERT_TRUE(file->write_at(Bytes(bytes), at).has_value()) << at;
  EXPECT_TRUE(io::is_no_space(file->write_at(Bytes(bytes), 300'000).error()));
}

TEST_F(ReservedDiskTest, OutlivesARestartAndKeepsLittleOfASmallDisk) {
  { ReservedDisk disk(world.loop, world.disk, "/meta", 16 << 20); }
  fill();
  ReservedDisk again(world.loop, world.disk, "/meta", 16 << 20);
  EXPECT_EQ(again.kept(), kCapacity / 50);
  ASSERT_TRUE(io::write_file_atomically(again, "/meta/quorum-state", as_bytes("x")).has_value());
  ReservedDisk none(world.loop, world.disk, "/other", 0);
  EXPECT_EQ(none.kept(), 0u);
  EXPECT_FALSE(world.disk.exists("/other/.samsa-reserve"));
}

// The metadata log on a disk without a byte: it is opened, appended to, rolled and synced.
TEST_F(ReservedDiskTest, ALogGoesOnOnIt) {
  ReservedDisk disk(world.loop, world.disk, "/meta", 1 << 20);
  fill();
  FilePool files(disk, 16);
  LogContext context{.loop = world.loop, .disk = disk, .files = files};
  for (int start = 0; start < 3; ++start) {
    OpenLog options;
    options.directory = "/meta/__cluster_metadata-0";
    options.partition = {"__cluster_metadata", 0};
    auto log = world.loop.run(Log::open(context, std::move(options)));
    ASSERT_TRUE(log.has_value()) << log.error().describe();
    EXPECT_EQ((*log)->log_end_offset(), 50 * start);
    for (int i = 0; i < 50; ++i) {
      Buffer batch = make_batch({.value_size = 1000});
      ASSERT_TRUE((*log)->append_as_leader(batch, {.leader_epoch = start, .origin = AppendOrigin::kRaft}).has_value());
    }
    ASSERT_TRUE((*log)->roll().has_value());
    ASSERT_TRUE(world.loop.run((*log)->wait_durable((*log)->log_end_offset())).has_value());
    world.loop.run((*log)->abandon());
    world.disk.kill();
  }
}

}  // namespace
}  // namespace samsa::storage
