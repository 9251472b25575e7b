#include "server/turn.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

TEST(Turn, EndsWithSoManyRequestsOfARound) {
  Turn turn;
  for (size_t i = 1; i <= 3 * Turn::kRequests; ++i) {
    turn.count(io::MonoTime{5}, 100);
    EXPECT_EQ(turn.take_over(), i % Turn::kRequests == 0) << i;
  }
}

TEST(Turn, EndsWithSoManyBytesOfARound) {
  Turn turn;
  turn.count(io::MonoTime{5}, Turn::kBytes - 1);
  EXPECT_FALSE(turn.take_over());
  turn.count(io::MonoTime{5}, 1);
  EXPECT_TRUE(turn.take_over());
}

// A client that asks now and then is never bulk work, however long it does so.
TEST(Turn, WhoWaitsBetweenRequestsHasAWholeTurnEachTime) {
  Turn turn;
  for (int64_t i = 1; i <= 1000; ++i) {
    turn.count(io::MonoTime{i}, 10'000);
    EXPECT_FALSE(turn.take_over()) << i;
  }
}

}  // namespace
}  // namespace samsa::server
