#include "coordinator/partitioner.h"

#include <gtest/gtest.h>

namespace samsa::coordinator {
namespace {

// Expected values are Java's String.hashCode.
TEST(JavaStringHash, EqualsJavas) {
  EXPECT_EQ(java_string_hash(""), 0);
  EXPECT_EQ(java_string_hash("a"), 97);
  EXPECT_EQ(java_string_hash("my-group"), -1906497762);
  EXPECT_EQ(java_string_hash("polygenelubricants"), INT32_MIN);
  EXPECT_EQ(java_string_hash("gr\xC3\xBC\xC3\x9F"), 3186062);       // "grüß"
  EXPECT_EQ(java_string_hash("\xF0\x9F\x98\x80"), 1772899);         // U+1F600: two code units
  EXPECT_EQ(java_string_hash("\xE6\x97\xA5\xE6\x9C\xAC"), 835047);  // "日本"
}

TEST(PartitionOfKey, IsNeverNegative) {
  EXPECT_EQ(partition_of_key("polygenelubricants", 50), 0);
  EXPECT_EQ(partition_of_key("a", 50), 47);
  for (const char* key : {"x", "group", "some-other-group", "\xFF\xFE"}) {
    EXPECT_GE(partition_of_key(key, 50), 0);
    EXPECT_LT(partition_of_key(key, 50), 50);
  }
}

}  // namespace
}  // namespace samsa::coordinator
