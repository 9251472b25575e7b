#include "tool/time_text.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

TEST(TimeText, Datetimes) {
  EXPECT_EQ(*parse_datetime("1970-01-02T00:00:01.500"), 86'401'500);
  EXPECT_EQ(*parse_datetime("1970-01-01T02:00:00.000+02:00"), 0);
  EXPECT_EQ(*parse_datetime("2024-02-29T12:00:00.000Z"), 1709208000000);
  EXPECT_FALSE(parse_datetime("2023-02-29T12:00:00.000"));
  EXPECT_EQ(*parse_datetime("1970-1-2T0:0:1.5"), 86'401'005);
  EXPECT_EQ(*parse_datetime("1970-01-01T01:00:00.000+0130"), 0);
  for (const char* wrong : {"2020-13-01T00:00:00.000", "2020-00-01T00:00:00.000", "2020-02-30T00:00:00.000", "2020-01-01T24:00:00.000",
                            "2020-01-01T23:60:00.000", "2020-01-01T00:00:00", "2020-01-01T00:00"}) {
    EXPECT_EQ(parse_datetime(wrong).error().message, "java.text.ParseException: Unparseable date: \"" + std::string(wrong) + "Z\"");
  }
  EXPECT_FALSE(parse_datetime("2020-01-01T00:00:00.000+25:00"));
  for (const char* wrong : {"yesterday", "2020-01-01T"}) EXPECT_TRUE(parse_datetime(wrong).error().message.find("does not contain a 'T'") != std::string::npos);
}

TEST(TimeText, Durations) {
  EXPECT_EQ(*parse_duration("PT1H"), 3'600'000);
  EXPECT_EQ(*parse_duration("P1DT2H3M4.5S"), 93'784'500);
  EXPECT_EQ(*parse_duration("-PT1S"), -1000);
  EXPECT_FALSE(parse_duration("1h"));
  EXPECT_FALSE(parse_duration("P"));
  EXPECT_FALSE(parse_duration("P1Y"));
  EXPECT_FALSE(parse_duration("PT"));
}

}  // namespace
}  // namespace samsa::tool
