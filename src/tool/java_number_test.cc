#include "tool/java_number.h"

#include <gtest/gtest.h>

namespace samsa::tool {
namespace {

TEST(JavaNumber, Doubles) {
  EXPECT_EQ(java_double(1024), "1024.0");
  EXPECT_EQ(java_double(0.5), "0.5");
  EXPECT_EQ(java_double(0), "0.0");
  EXPECT_EQ(java_double(10'000'000), "1.0E7");
  EXPECT_EQ(java_double(12'345'678), "1.2345678E7");
  EXPECT_EQ(java_double(0.0001), "1.0E-4");
}

}  // namespace
}  // namespace samsa::tool
