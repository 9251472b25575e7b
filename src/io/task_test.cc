#include "io/task.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "io/network.h"
#include "io/random.h"

namespace samsa::io {
namespace {

TEST(Random, SameSeedSameNumbers) {
  Random a(7);
  Random b(7);
  Random c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t next = a.next();
    EXPECT_EQ(next, b.next());
    differs |= next != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, StaysInItsBounds) {
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LT(random.below(3), 3u);
    const int64_t value = random.between(-2, 2);
    EXPECT_TRUE(value >= -2 && value <= 2);
    const double fraction = random.fraction();
    EXPECT_TRUE(fraction >= 0 && fraction < 1);
    EXPECT_NE(random.uuid().to_string()[0], '-');
  }
  EXPECT_FALSE(random.one_in(0));
  EXPECT_TRUE(random.one_in(1));
  random.between(INT64_MIN, INT64_MAX);
}

TEST(Random, UuidIsVersion4) {
  const std::string text = Random(3).uuid().to_dashed();
  EXPECT_EQ(text[14], '4');
  EXPECT_NE(std::string("89ab").find(text[19]), std::string::npos);
}

TEST(Address, Text) {
  EXPECT_EQ((Address{"localhost", 9092}.to_string()), "localhost:9092");
  EXPECT_EQ((Address{"::1", 9092}.to_string()), "[::1]:9092");
}

TEST(Paths, ParentAndJoin) {
  EXPECT_EQ(parent_path("a/b/c"), "a/b");
  EXPECT_EQ(parent_path("a/b/"), "a");
  EXPECT_EQ(parent_path("c"), ".");
  EXPECT_EQ(parent_path("/c"), "/");
  EXPECT_EQ(parent_path("/"), "/");
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("a/", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
}

TEST(Errors, FullDiskIsTold) {
  EXPECT_TRUE(is_no_space(storage_error("write", "x", kNoSpaceWords)));
  EXPECT_FALSE(is_no_space(storage_error("write", "x", "Input/output error")));
}

TEST(Errors, ShortagePassesAndADeviceErrorDoesNot) {
  for (const char* words : {kNoSpaceWords, "Disk quota exceeded", "Too many open files", "Too many open files in system", "Cannot allocate memory"}) {
    EXPECT_TRUE(is_shortage(storage_error("open", "x", words))) << words;
    EXPECT_FALSE(is_device_error(storage_error("open", "x", words))) << words;
  }
  const Error broken = storage_error("read", "Too many open files", "Input/output error");
  EXPECT_FALSE(is_shortage(broken));
  EXPECT_TRUE(is_device_error(broken));
  // What is no operation of a disk is neither.
  for (const Error& other : {Error{ErrorCode::kKafkaStorageError, "x: shorter than it was"}, Error{ErrorCode::kCorruptMessage, "cannot be read"}}) {
    EXPECT_FALSE(is_shortage(other));
    EXPECT_FALSE(is_device_error(other));
  }
}

}  // namespace
}  // namespace samsa::io
