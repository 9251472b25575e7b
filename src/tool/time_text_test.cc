#include "tool/time_text.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

TEST(TimeText, Datetimes) {
  EXPECT_EQ(*parse_datetime("1970-01-02T00:00:01.500"), 86'401'500);
  EXPECT_EQ(*parse_datetime("1970-01-01T02:00:00.000+02:00"), 0);
  EXPECT_EQ(*parse_datetime("2024-02-29T12:00:00.000Z"), 1709208000000);
  EXPECT_FALSE(parse_datetime("2023-02-29T12:00:00.000"));
  EXPECT_FALSE(parse_datetime("yesterday"));
}

TEST(TimeText, Durations) {
  EXPECT_EQ(*parse_duration("PT1H"), 3'600'000);
  EXPECT_EQ(*parse_duration("P1DT2H3M4.5S"), 93'784'500);
  EXPECT_EQ(*parse_duration("-PT1S"), -1000);
  EXPECT_FALSE(parse_duration("1h"));
  EXPECT_FALSE(parse_duration("P"));
  EXPECT_FALSE(parse_duration("PT"));
}

}  // namespace
}  // namespace samsa::tool
