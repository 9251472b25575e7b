#include "io/real/write_watch.h"

#include <thread>

#include <gtest/gtest.h>

namespace samsa::io::real {
namespace {

constexpr size_t kLarge = 64 << 10;

// Waits, as a write does that stands.
void stand() { std::this_thread::sleep_for(2 * WriteWatch::kLong); }
void compute() {
  const auto end = WriteWatch::Clock::now() + 2 * WriteWatch::kLong;
  while (WriteWatch::Clock::now() < end) {
  }
}

TEST(WriteWatchTest, TheSecondWriteThatStandsTells) {
  WriteWatch watch;
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(watch.standing(kLarge));
    const WriteWatch::Look look(watch, kLarge);
    stand();
  }
  EXPECT_TRUE(watch.standing(kLarge));
  EXPECT_FALSE(watch.standing(WriteWatch::kSmallBytes)) << "small ones stay where they are";
}

TEST(WriteWatchTest, SmallWritesAreNotLookedAt) {
  WriteWatch watch;
  for (int i = 0; i < 3; ++i) {
    const WriteWatch::Look look(watch, WriteWatch::kSmallBytes);
    stand();
  }
  EXPECT_FALSE(watch.standing(kLarge));
}

TEST(WriteWatchTest, WhatIsLongWithoutWaitingDoesNotStand) {
  WriteWatch watch;
  for (int i = 0; i < 3; ++i) {
    const WriteWatch::Look look(watch, kLarge);
    compute();
  }
  EXPECT_FALSE(watch.standing(kLarge));
}

TEST(WriteWatchTest, OtherThreadsTellAtOnce) {
  WriteWatch watch;
  bool stood = false;
  {
    const WriteWatch::Elsewhere look(stood);
    compute();
  }
  watch.note(stood);
  EXPECT_FALSE(watch.standing(kLarge));
  {
    const WriteWatch::Elsewhere look(stood);
    stand();
  }
  watch.note(stood);
  EXPECT_TRUE(watch.standing(kLarge));
}

}  // namespace
}  // namespace samsa::io::real
