#include <gtest/gtest.h>

#include "io/conformance.h"
#include "io/sim/world.h"

namespace samsa::io::sim {
namespace {

using conformance::pattern;

// One node that can be crashed; `restart` opens the file of the next boot.
class SimDiskTest : public testing::Test {
 protected:
  Disk& disk() { return node.worlds()[0].disk; }
  Loop& loop() { return node.worlds()[0].loop; }
  std::shared_ptr<File> open(const std::string& path, OpenMode mode = OpenMode::kCreate) {
    auto file = disk().open(path, mode);
    EXPECT_TRUE(file) << file.error().describe();
    return file ? *file : nullptr;
  }
  void crash_and_restart() {
    sim.crash(node);
    sim.restart(node);
  }
  Buffer content(const std::string& path) {
    auto bytes = read_file(disk(), path);
    return bytes ? *bytes : Buffer();
  }
  // A file that is durable with its name.
  void make_durable(const std::string& path, Bytes bytes) {
    auto file = open(path);
    EXPECT_TRUE(file->write_at(bytes, 0));
    EXPECT_TRUE(file->sync_now());
    EXPECT_TRUE(disk().sync_directory(parent_path(path)));
  }

  SimWorld sim{11};
  SimNode& node = sim.add_node("a");
};

TEST_F(SimDiskTest, SyncedBytesSurviveAndOthersMay) {
  bool lost = false;
  bool kept = false;
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/file" + std::to_string(i);
    const Buffer synced = pattern(3000, static_cast<uint32_t>(i));
    const Buffer more = pattern(3000, static_cast<uint32_t>(i) + 1000);
    make_durable(path, synced);
    EXPECT_TRUE(open(path)->write_at(more, 3000));
    crash_and_restart();
    const Buffer after = content(path);
    ASSERT_GE(after.size(), synced.size());
    EXPECT_TRUE(std::equal(synced.begin(), synced.end(), after.begin()));
    lost |= after.size() == synced.size();
    kept |= after.size() == 6000 && std::equal(more.begin(), more.end(), after.begin() + 3000);
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
}

TEST_F(SimDiskTest, OverwrittenSectorsAreOldNewOrTorn) {
  sim.faults().tear_sector = 0.5;
  bool torn = false;
  for (int i = 0; i < 50; ++i) {
    const std::string path = "/file" + std::to_string(i);
    const Buffer old(4 * kSectorBytes, 1);
    make_durable(path, old);
    EXPECT_TRUE(open(path)->write_at(Buffer(4 * kSectorBytes, 2), 0));
    crash_and_restart();
    const Buffer after = content(path);
    ASSERT_EQ(after.size(), old.size());
    for (size_t at = 0; at < after.size(); at += kSectorBytes) {
      const auto sector = Bytes(after).subspan(at, kSectorBytes);
      const auto cut = std::find(sector.begin(), sector.end(), 1);
      EXPECT_TRUE(std::all_of(cut, sector.end(), [](uint8_t b) { return b == 1; }));
      torn |= cut != sector.begin() && cut != sector.end();
    }
  }
  EXPECT_TRUE(torn);
}

TEST_F(SimDiskTest, TruncationIsDurableOnlyAfterSync) {
  int undone = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string path = "/file" + std::to_string(i);
    const Buffer bytes = pattern(2000, static_cast<uint32_t>(i));
    make_durable(path, bytes);
    EXPECT_TRUE(open(path)->truncate(700));
    crash_and_restart();
    const Buffer after = content(path);
    EXPECT_TRUE(after.size() == 700 || after == bytes);
    undone += after == bytes;
    EXPECT_TRUE(open(path)->truncate(100));
    EXPECT_TRUE(open(path)->sync_now());
    crash_and_restart();
    EXPECT_EQ(content(path).size(), 100u);
  }
  EXPECT_TRUE(undone > 5 && undone < 35) << undone;
}

TEST_F(SimDiskTest, NamesAreDurableOnlyAfterSyncOfTheirDirectory) {
  int lost = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string path = "/name" + std::to_string(i);
    EXPECT_TRUE(open(path)->write_at(as_bytes("x"), 0));
    EXPECT_TRUE(open(path)->sync_now());
    crash_and_restart();
    lost += !disk().exists(path);
    EXPECT_TRUE(write_file_atomically(disk(), path, as_bytes("new")));
    crash_and_restart();
    EXPECT_EQ(as_text(content(path)), "new");
    EXPECT_FALSE(disk().exists(path + ".tmp"));
  }
  EXPECT_TRUE(lost > 5 && lost < 35) << lost;
}

TEST_F(SimDiskTest, RenamesAreAtomic) {
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(disk().create_directories("/a"));
    EXPECT_TRUE(disk().create_directories("/b"));
    EXPECT_TRUE(disk().sync_directory("/"));
    make_durable("/a/file", as_bytes("content"));
    EXPECT_TRUE(disk().rename("/a/file", "/b/file"));
    if (i % 2 == 0) EXPECT_TRUE(disk().sync_directory("/b"));
    crash_and_restart();
    const bool before = disk().exists("/a/file");
    EXPECT_NE(before, disk().exists("/b/file"));
    if (i % 2 == 0) EXPECT_FALSE(before);
    EXPECT_EQ(as_text(content(before ? "/a/file" : "/b/file")), "content");
    EXPECT_TRUE(disk().remove_tree("/a"));
    EXPECT_TRUE(disk().remove_tree("/b"));
    EXPECT_TRUE(disk().sync_directory("/"));
  }
}

TEST_F(SimDiskTest, BytesWrittenDuringASyncAreNotPartOfIt) {
  int lost = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string path = "/file" + std::to_string(i);
    make_durable(path, Buffer(kSectorBytes, 1));
    auto file = open(path);
    bool synced = false;
    const auto write_and_sync = [&]() -> Task<> {
      EXPECT_TRUE(file->write_at(Buffer(kSectorBytes, 2), kSectorBytes));
      EXPECT_TRUE(co_await file->sync());
      synced = true;
    };
    spawn(loop(), write_and_sync());
    sim.run_for(std::chrono::microseconds(100));
    EXPECT_FALSE(synced);
    EXPECT_TRUE(file->write_at(Buffer(kSectorBytes, 3), 2 * kSectorBytes));
    EXPECT_TRUE(sim.run_until([&] { return synced; }, 1s));
    crash_and_restart();
    const Buffer after = content(path);
    ASSERT_GE(after.size(), 2 * kSectorBytes);
    EXPECT_EQ(after[kSectorBytes], 2);
    lost += after.size() < 3 * kSectorBytes || after[2 * kSectorBytes] != 3;
  }
  EXPECT_TRUE(lost > 5 && lost < 38) << lost;
}

TEST_F(SimDiskTest, CrashesDuringASyncKeepWhatWasDurable) {
  for (int i = 0; i < 40; ++i) {
    const std::string path = "/file" + std::to_string(i);
    make_durable(path, Buffer(2 * kSectorBytes, 1));
    auto file = open(path);
    const auto overwrite = [&]() -> Task<> {
      EXPECT_TRUE(file->write_at(Buffer(kSectorBytes, 2), 0));
      co_await file->sync();
    };
    spawn(loop(), overwrite());
    sim.run_for(std::chrono::microseconds(100));
    crash_and_restart();
    const Buffer after = content(path);
    ASSERT_EQ(after.size(), 2 * kSectorBytes);
    EXPECT_TRUE(after[0] == 1 || after[0] == 2);
    EXPECT_EQ(after[kSectorBytes], 1);
  }
}

TEST_F(SimDiskTest, FailedSyncsLoseBytesThatLaterSyncsDoNotSave) {
  int lost = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string path = "/file" + std::to_string(i);
    make_durable(path, {});
    auto file = open(path);
    EXPECT_TRUE(file->write_at(Buffer(kSectorBytes, 2), 0));
    sim.faults().sync_error = 1;
    EXPECT_FALSE(file->sync_now());
    sim.faults().sync_error = 0;
    EXPECT_TRUE(file->sync_now());
    EXPECT_EQ(content(path)[0], 2);
    crash_and_restart();
    const Buffer after = content(path);
    lost += after.empty() || after[0] != 2;
  }
  EXPECT_TRUE(lost > 5 && lost < 35) << lost;
}

TEST_F(SimDiskTest, FullDisksRefuseUntilSpaceIsFreed) {
  node.files().capacity_bytes = 10'000;
  auto file = open("/file");
  EXPECT_TRUE(file->write_at(Buffer(9'000), 0));
  const auto full = file->write_at(Buffer(2'000), 9'000);
  ASSERT_FALSE(full);
  EXPECT_TRUE(is_no_space(full.error()));
  EXPECT_EQ(file->size().value(), 9'000u);
  EXPECT_EQ(disk().space("/").value().usable_bytes, 1'000u);
  EXPECT_TRUE(file->write_at(Buffer(9'000), 0));  // Overwriting needs no space.
  EXPECT_TRUE(file->truncate(0));
  EXPECT_TRUE(file->write_at(Buffer(10'000), 0));
  EXPECT_TRUE(disk().remove_file("/file"));
  EXPECT_EQ(disk().space("/").value().usable_bytes, 10'000u);
}

TEST_F(SimDiskTest, InjectedErrors) {
  make_durable("/file", pattern(1000));
  auto file = open("/file");
  Buffer into(1000);
  sim.faults().read_error = 1;
  EXPECT_EQ(file->read_at(into, 0).error().code, ErrorCode::kKafkaStorageError);
  sim.faults() = {};
  sim.faults().write_error = 1;
  const auto failed = file->write_at(into, 0);
  EXPECT_EQ(failed.error().code, ErrorCode::kKafkaStorageError);
  EXPECT_FALSE(is_no_space(failed.error()));
  sim.faults() = {};
  EXPECT_TRUE(file->write_at(pattern(1000), 0));
  sim.faults().bit_rot = 1;
  EXPECT_EQ(file->read_at(into, 0).value(), 1000u);
  EXPECT_NE(into, pattern(1000));
  sim.faults() = {};
  EXPECT_EQ(content("/file"), into);  // For good.
  sim.faults().misdirected_write = 1;
  EXPECT_TRUE(file->write_at(Buffer(10, 7), 500));
}

TEST_F(SimDiskTest, LocksEndWithTheNode) {
  auto held = disk().lock("/.lock");
  EXPECT_TRUE(held);
  EXPECT_TRUE(disk().sync_directory("/"));
  crash_and_restart();
  auto again = disk().lock("/.lock");
  EXPECT_TRUE(again);
  held->reset();  // The old one frees nothing any more.
  EXPECT_FALSE(disk().lock("/.lock"));
}

}  // namespace
}  // namespace samsa::io::sim
