#include "server/log_limiter.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

TEST(LogLimiter, AFewLinesASecondAndACountOfTheOthers) {
  LogLimiter limiter;
  int written = 0;
  for (int i = 0; i < 100; ++i) written += limiter.admit(io::MonoTime{5'000'000'000 + i}) ? 1 : 0;
  EXPECT_EQ(written, LogLimiter::kLinesPerSecond);
  EXPECT_EQ(limiter.take_left_out(), 100u - LogLimiter::kLinesPerSecond);
  EXPECT_EQ(limiter.take_left_out(), 0u);
  EXPECT_TRUE(limiter.admit(io::MonoTime{6'000'000'000}));
  EXPECT_EQ(limiter.take_left_out(), 0u);
}

}  // namespace
}  // namespace samsa::server
