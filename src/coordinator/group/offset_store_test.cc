#include "coordinator/group/offset_store.h"

#include <gtest/gtest.h>

namespace samsa::coordinator {
namespace {

CommittedOffset value(Offset offset, Offset record = 0) {
  CommittedOffset v;
  v.offset = offset;
  v.record_offset = record;
  return v;
}
Offset at(const OffsetStore& store, Offset high_watermark, PartitionIndex partition = 0) {
  const auto* found = store.committed("g", "t", partition, high_watermark);
  return found ? found->offset : -1;
}

TEST(OffsetStore, ReadersSeeTheCommittedVersion) {
  OffsetStore store;
  store.put("g", "t", 0, value(10), 5);
  store.put("g", "t", 0, value(20), 6);
  store.erase("g", "t", 0, 7);
  store.put("g", "t", 0, value(30), 8);
  EXPECT_EQ(at(store, 5), -1);
  EXPECT_EQ(at(store, 6), 10);
  EXPECT_EQ(at(store, 7), 20);
  EXPECT_EQ(at(store, 8), -1);
  EXPECT_EQ(at(store, 9), 30);
  EXPECT_EQ(store.latest("g", "t", 0)->offset, 30);
  store.trim(7);
  EXPECT_EQ(at(store, 7), 20);
  EXPECT_EQ(at(store, 8), -1);
  store.trim(100);
  EXPECT_EQ(at(store, 100), 30);
}

TEST(OffsetStore, ForgetsWhatIsDeleted) {
  OffsetStore store;
  store.erase("g", "t", 0, 1);  // Nothing there.
  store.put("g", "t", 0, value(1), 2);
  store.put("g", "t", 1, value(2), 3);
  store.erase("g", "t", 0, 4);
  store.erase("g", "t", 1, 5);
  EXPECT_FALSE(store.has_offsets("g"));
  store.trim(5);
  int groups = 0;
  store.for_each_group([&](const std::string&) { ++groups; });
  EXPECT_EQ(groups, 1);
  EXPECT_EQ(at(store, 5, 1), 2);
  store.trim(6);
  groups = 0;
  store.for_each_group([&](const std::string&) { ++groups; });
  EXPECT_EQ(groups, 0);
}

TEST(OffsetStore, TransactionsWaitForTheirMarker) {
  OffsetStore store;
  store.put_pending(7, "g", "t", 0, value(100, 1));
  store.put_pending(8, "g", "t", 0, value(200, 2));
  EXPECT_TRUE(store.has_pending("g", "t", 0));
  EXPECT_FALSE(store.has_pending("g", "t", 1));
  EXPECT_TRUE(store.has_open_transaction("g"));
  EXPECT_EQ(store.latest("g", "t", 0), nullptr);
  store.end_transaction(8, true, 3);
  EXPECT_EQ(at(store, 4), 200);
  EXPECT_EQ(at(store, 3), -1);
  store.end_transaction(7, true, 4);  // Its commit is older than the one that is there.
  EXPECT_EQ(at(store, 5), 200);
  EXPECT_FALSE(store.has_open_transaction("g"));
  store.put_pending(9, "g", "t", 0, value(300, 5));
  store.end_transaction(9, false, 6);
  EXPECT_EQ(at(store, 7), 200);
  store.end_transaction(9, true, 7);  // Nothing left of it.
  EXPECT_EQ(at(store, 8), 200);
}

TEST(OffsetStore, ATombstoneDropsPendingOffsets) {
  OffsetStore store;
  store.put_pending(7, "g", "t", 0, value(100, 1));
  store.put_pending(7, "g", "t", 1, value(101, 2));
  store.erase("g", "t", 0, 3);
  store.end_transaction(7, true, 4);
  EXPECT_EQ(at(store, 5, 0), -1);
  EXPECT_EQ(at(store, 5, 1), 101);
}

}  // namespace
}  // namespace samsa::coordinator
