#include "replication/throttle.h"

#include <gtest/gtest.h>

namespace samsa::replication {
namespace {

using namespace std::chrono_literals;

TEST(Throttle, MovesAtItsRate) {
  Throttle throttle;
  io::MonoTime now{0};
  EXPECT_TRUE(throttle.open(now));
  throttle.set_rate(1000, now);
  uint64_t moved = 0;
  for (int i = 0; i < 1000; ++i, now = io::after(now, 10ms)) {
    if (!throttle.open(now)) continue;
    throttle.moved(300, now);
    moved += 300;
  }
  EXPECT_NEAR(static_cast<double>(moved), 10'000, 600);  // Ten seconds.
}

TEST(Throttle, SaysWhenItOpens) {
  Throttle throttle;
  io::MonoTime now{0};
  throttle.set_rate(1000, now);
  now = io::after(now, 5s);
  EXPECT_TRUE(throttle.open(now));
  throttle.moved(1500, now);  // It had gathered a second's worth.
  EXPECT_FALSE(throttle.open(now));
  const io::MonoTime at = throttle.opens_at(now);
  EXPECT_FALSE(throttle.open(io::after(now, 490ms)));
  EXPECT_TRUE(throttle.open(io::after(at, 1ms)));
  throttle.set_rate(INT64_MAX, now);
  EXPECT_TRUE(throttle.open(now));
}

TEST(Throttle, ListsNameReplicas) {
  EXPECT_TRUE(names_replica("*", 3, 4));
  EXPECT_TRUE(names_replica("0:1,3:4", 3, 4));
  EXPECT_TRUE(names_replica("0:1, 3:4", 3, 4));
  EXPECT_FALSE(names_replica("0:1,13:4", 3, 4));
  EXPECT_FALSE(names_replica("", 3, 4));
}

}  // namespace
}  // namespace samsa::replication
