#include "base/uuid.h"

#include <gtest/gtest.h>

namespace samsa {
namespace {

TEST(Uuid, ReservedIdsHaveKafkasText) {
  EXPECT_EQ(kMetadataTopicId.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
  EXPECT_EQ(kZeroUuid.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
}

TEST(Uuid, TextAndBack) {
  const Uuid id{0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  const auto back = Uuid::parse(id.to_string());
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, id);
  EXPECT_EQ(id.to_hex(), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(id.to_dashed(), "01234567-89ab-cdef-fedc-ba9876543210");
}

TEST(Uuid, BadTextIsRefused) {
  EXPECT_FALSE(Uuid::parse("short"));
  EXPECT_FALSE(Uuid::parse("AAAAAAAAAAAAAAAAAAAA+Q"));
}

}  // namespace
}  // namespace samsa
