// What an index file holds while its entries are built again.
#include "storage/index_file.h"

#include <gtest/gtest.h>

#include "storage/test_world.h"

namespace samsa::storage {
namespace {

constexpr const char* kPath = "/data/00000000000000000000.index";

class IndexFileAgain : public testing::Test {
 protected:
  IndexFileAgain() {
    EXPECT_TRUE(world.disk.create_directories("/data").has_value());
    append(0, 500);
    EXPECT_TRUE(file.write_out().has_value());
  }
  void append(uint64_t from, uint64_t to) {
    for (uint64_t i = from; i < to; ++i) {
      uint8_t entry[8];
      store_be<uint64_t>(entry, i);
      EXPECT_TRUE(file.append(Bytes(entry, 8)).has_value());
    }
  }
  // Of the file, then of the index.
  void expect(const std::vector<uint64_t>& values) {
    Buffer bytes(values.size() * 8);
    for (size_t i = 0; i < values.size(); ++i) store_be<uint64_t>(bytes.data() + i * 8, values[i]);
    EXPECT_EQ(world.disk.content(kPath), bytes);
    EXPECT_EQ(file.count(), values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      uint8_t entry[8];
      ASSERT_TRUE(file.read(i, entry).has_value());
      EXPECT_EQ(load_be<uint64_t>(entry), values[i]);
    }
  }
  static std::vector<uint64_t> range(uint64_t from, uint64_t to) {
    std::vector<uint64_t> values;
    for (uint64_t i = from; i < to; ++i) values.push_back(i);
    return values;
  }

  TestWorld world;
  IndexFile file{world.pool, kPath, 8};
};

TEST_F(IndexFileAgain, TheSameEntries) {
  ASSERT_TRUE(file.clear().has_value());
  EXPECT_EQ(file.count(), 0U);
  EXPECT_FALSE(file.last().value().has_value());
  append(0, 500);
  ASSERT_TRUE(file.write_out().has_value());
  expect(range(0, 500));
  EXPECT_EQ(world.disk.cut, 0U);
}

TEST_F(IndexFileAgain, WhatDoesNotComeAgainIsCutOff) {
  file.rebuild_from(400);
  append(400, 450);
  EXPECT_EQ(world.disk.content(kPath).size(), 500U * 8) << "not before";
  ASSERT_TRUE(file.write_out().has_value());
  expect(range(0, 450));
  ASSERT_TRUE(file.clear().has_value());
  ASSERT_TRUE(world.loop.run(file.sync()).has_value());
  expect({});
}

TEST_F(IndexFileAgain, MoreEntriesThanBefore) {
  file.rebuild_from(100);
  append(100, 900);
  ASSERT_TRUE(file.write_out().has_value());
  expect(range(0, 900));
  EXPECT_EQ(world.disk.cut, 0U);
}

TEST_F(IndexFileAgain, OtherEntriesTakeTheirPlace) {
  file.rebuild_from(10);
  append(10, 250);  // Some of them are written on the way.
  append(1000, 1100);
  ASSERT_TRUE(file.write_out().has_value());
  auto values = range(0, 250);
  for (const uint64_t value : range(1000, 1100)) values.push_back(value);
  expect(values);
  append(2000, 2001);
  ASSERT_TRUE(file.write_out().has_value());
  values.push_back(2000);
  expect(values);
}

TEST_F(IndexFileAgain, ForgottenTwice) {
  file.rebuild_from(300);
  append(300, 310);
  file.rebuild_from(305);
  file.rebuild_from(20);
  ASSERT_TRUE(file.truncate(15).has_value());
  append(15, 17);
  ASSERT_TRUE(file.write_out().has_value());
  expect(range(0, 17));
}

class IndexFileSearch : public IndexFileAgain {
 protected:
  IndexFileSearch() { append(500, 10'000); }
  // The last entry below `wanted`.
  std::optional<uint64_t> last_below(uint64_t wanted) {
    const auto found = world.loop.run(file.last_below([wanted](const uint8_t* entry) { return load_be<uint64_t>(entry) < wanted; }));
    if (!found.value()) return std::nullopt;
    return load_be<uint64_t>(found.value()->data());
  }
  uint64_t partition_point(uint64_t wanted) {
    return file.partition_point([wanted](const uint8_t* entry) { return load_be<uint64_t>(entry) < wanted; }).value();
  }
};

// In the file, in memory, and wherever the search before ended.
TEST_F(IndexFileSearch, FindsEveryEntryInAnyOrder) {
  ASSERT_TRUE(file.write_out().has_value());
  append(10'000, 10'100);
  EXPECT_EQ(last_below(0), std::nullopt);
  for (uint64_t i = 1; i <= 10'101; ++i) ASSERT_EQ(last_below(i), std::min<uint64_t>(i, 10'100) - 1);
  for (uint64_t i = 0; i < 5'000; ++i) {
    const uint64_t wanted = i * 7'919 % 10'100 + 1;
    ASSERT_EQ(last_below(wanted), wanted - 1);
  }
  file.rebuild_from(300);  // The page of the last search is gone.
  EXPECT_EQ(last_below(10'000), 299U);
  EXPECT_EQ(last_below(0), std::nullopt);
}

// What a search has read beside the loop is all that the same search needs on the loop.
TEST_F(IndexFileSearch, IsRepeatedFromThePageCache) {
  ASSERT_TRUE(file.write_out().has_value());
  for (const uint64_t before : {uint64_t{1}, uint64_t{3'000}, uint64_t{9'999}}) {
    for (uint64_t wanted = 1; wanted < 10'000; wanted += wanted % 256 == 1 ? 254 : 1) {  // On both sides of each page's edge.
      last_below(before);
      world.disk.drop_caches();
      ASSERT_EQ(last_below(wanted), wanted - 1);
      world.disk.cold_reads.clear();
      ASSERT_EQ(partition_point(wanted), wanted);
      ASSERT_TRUE(world.disk.cold_reads.empty()) << wanted << " after " << before;
    }
  }
}

TEST_F(IndexFileSearch, OnTheLoopFindsEveryEntryInAnyOrder) {
  ASSERT_TRUE(file.write_out().has_value());
  append(10'000, 10'100);
  for (uint64_t i = 0; i <= 10'101; ++i) ASSERT_EQ(partition_point(i), std::min<uint64_t>(i, 10'100));
  for (uint64_t i = 0; i < 5'000; ++i) {
    const uint64_t wanted = i * 7'919 % 10'101;
    ASSERT_EQ(partition_point(wanted), wanted);
  }
  file.rebuild_from(300);
  EXPECT_EQ(partition_point(10'000), 300U);
}

// Who reads on looks where it looked before: one read for each search, not one for each halving.
TEST_F(IndexFileSearch, ReadsOnceWhereItGoesOn) {
  ASSERT_TRUE(file.write_out().has_value());
  EXPECT_EQ(last_below(7'500), 7'499U);
  const size_t before = world.disk.reads;
  for (uint64_t wanted = 7'501; wanted < 7'600; ++wanted) ASSERT_EQ(last_below(wanted), wanted - 1);
  EXPECT_EQ(world.disk.reads - before, 99U);
}

// What is there no more when it is read is not below, whatever the search knew of it.
TEST_F(IndexFileSearch, MayBeCutMeanwhile) {
  ASSERT_TRUE(file.write_out().has_value());
  for (const uint64_t known : {uint64_t{1}, uint64_t{5'000}, uint64_t{9'999}}) {
    for (const uint64_t wanted : {uint64_t{200}, uint64_t{5'001}, uint64_t{9'000}}) {
      ASSERT_TRUE(file.truncate(0).has_value());
      append(0, 10'000);
      ASSERT_TRUE(file.write_out().has_value());
      last_below(known);
      std::optional<uint64_t> found;
      bool done = false;
      const auto search = [&]() -> io::Task<> {
        const auto entry = co_await file.last_below([wanted](const uint8_t* e) { return load_be<uint64_t>(e) < wanted; });
        if (entry.value()) found = load_be<uint64_t>(entry.value()->data());
        done = true;
      };
      world.disk.slow_reads = ".index";
      io::TaskGroup group(world.loop);
      group.spawn(search());
      world.loop.advance(15'000);  // In the middle.
      ASSERT_TRUE(file.truncate(300).has_value());
      for (int i = 0; i < 20 && !done; ++i) world.loop.advance(10'000);
      world.disk.slow_reads.clear();
      ASSERT_TRUE(done);
      if (wanted <= 300) {  // What the cut left is found whatever went.
        EXPECT_EQ(found, wanted - 1) << "after " << known;
      } else {
        EXPECT_TRUE(!found || *found == wanted - 1 || *found == 299) << wanted << " after " << known;
      }
      world.loop.run(group.join());
    }
  }
}

}  // namespace
}  // namespace samsa::storage
