#include "tool/topic_filter.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

TEST(TopicPartitionFilter, Ranges) {
  const auto filter = TopicPartitionFilter::parse_list("a:1,b:2-4,c:5-,d:-3,e");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->matches("a", 1));
  EXPECT_FALSE(filter->matches("a", 2));
  EXPECT_TRUE(filter->matches("b", 2));
  EXPECT_FALSE(filter->matches("b", 4));
  EXPECT_TRUE(filter->matches("c", 9));
  EXPECT_FALSE(filter->matches("c", 4));
  EXPECT_TRUE(filter->matches("d", 0));
  EXPECT_FALSE(filter->matches("d", 3));
  EXPECT_TRUE(filter->matches("e", 100));
  EXPECT_FALSE(filter->matches("ee", 0));
  EXPECT_FALSE(TopicPartitionFilter::parse_list("a:x"));
}

TEST(IncludeList, CommasAreAlternatives) {
  const auto list = IncludeList::create("one, t.*");
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->matches("one"));
  EXPECT_TRUE(list->matches("two"));
  EXPECT_FALSE(list->matches("onetwo"));
  EXPECT_FALSE(IncludeList::create("("));
}

}  // namespace
}  // namespace samsa::tool
