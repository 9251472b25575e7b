#include "tool/java_text.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

TEST(JavaText, HashesAsJava) {
  EXPECT_EQ(java_hash("topic"), 110546223);
  EXPECT_EQ(java_hash(TopicPartition{"topic", 1}), 110546223 + 31 * 32);
  EXPECT_EQ(java_hash(TopicPartition{"", 2}, 3), 31 * (31 * 31 + 2) + 3);
}

TEST(JavaText, OrdersAsAHashMapWalks) {
  std::vector<int32_t> ids{33, 16, 1, 15, 0};
  in_java_hash_order(ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{16, 0, 33, 1, 15}));
  std::vector<int32_t> many;
  for (int32_t id = 12; id >= 0; --id) many.push_back(id);
  many.push_back(17);
  in_java_hash_order(many);
  EXPECT_EQ(many.back(), 17);
  std::vector<int32_t> small{5, 2};
  in_java_hash_order(small, 2);
  EXPECT_EQ(small, (std::vector<int32_t>{5, 2}));
}

TEST(JavaText, NamesExceptions) {
  EXPECT_EQ(java_exception(ErrorCode::kUnknownTopicOrPartition), "org.apache.kafka.common.errors.UnknownTopicOrPartitionException");
  EXPECT_EQ(java_exception(ErrorCode::kInvalidTopicException), "org.apache.kafka.common.errors.InvalidTopicException");
  EXPECT_EQ(java_exception(ErrorCode::kRequestTimedOut), "org.apache.kafka.common.errors.TimeoutException");
  EXPECT_EQ(java_exception_text({ErrorCode::kElectionNotNeeded, "no"}), "org.apache.kafka.common.errors.ElectionNotNeededException: no");
}

TEST(JavaText, QuotesAsJackson) { EXPECT_EQ(json_text("a\"b\\c\n\x01/\xc3\xa4"), "\"a\\\"b\\\\c\\n\\u0001/\xc3\xa4\""); }

}  // namespace
}  // namespace samsa::tool
