#include "io/real/loop.h"

#include <vector>

#include <gtest/gtest.h>

#include "io/real/world.h"
#include "io/sync.h"

namespace samsa::io::real {
namespace {

using namespace std::chrono_literals;

class Priorities : public testing::Test {
 protected:
  Task<> note_after_yield(int what, Priority priority) {
    co_await yield(loop, priority);
    order.push_back(what);
  }
  // Takes turns until somebody says that it is enough.
  Task<> keep_busy(Priority priority) {
    while (!enough) {
      ++turns;
      co_await yield(loop, priority);
    }
  }
  RealNode node{{.shards = 1}};
  Loop& loop{node.worlds()[0].loop};
  std::vector<int> order;
  bool enough = false;
  int turns = 0;
};

TEST_F(Priorities, HigherOnesRunFirst) {
  int as_it_should_be = 0;
  const auto body = [&]() -> Task<> {
    for (int i = 0; i < 100; ++i) {
      order.clear();
      TaskGroup group(loop);
      group.spawn(note_after_yield(3, Priority::kBackground));
      group.spawn(note_after_yield(2, Priority::kBulk));
      group.spawn(note_after_yield(1, Priority::kNow));
      co_await group.join();
      as_it_should_be += order == std::vector<int>{1, 2, 3} ? 1 : 0;
    }
  };
  node.run_until_done(body());
  // A thread that the system stopped between two rounds has let their time pass, and nobody is to starve.
  EXPECT_GT(as_it_should_be, 50);
}

TEST_F(Priorities, AFloodStarvesNobody) {
  const auto body = [&]() -> Task<> {
    for (const Priority flood : {Priority::kNow, Priority::kBulk}) {
      enough = false;
      turns = 0;
      TaskGroup group(loop);
      for (int i = 0; i < 3; ++i) group.spawn(keep_busy(flood));
      for (int i = 0; i < 5; ++i) {
        co_await yield(loop, Priority::kBulk);
        co_await yield(loop, Priority::kBackground);
      }
      enough = true;
      co_await group.join();
      EXPECT_GT(turns, 5);
    }
  };
  node.run_until_done(body());
}

TEST_F(Priorities, BackgroundWorkLetsOthersGoFirst) {
  int background = 0;
  const auto compaction = [&]() -> Task<> {
    while (!enough) {
      ++background;
      co_await yield(loop, Priority::kBackground);
    }
  };
  const auto body = [&]() -> Task<> {
    TaskGroup group(loop);
    group.spawn(compaction());
    const MonoTime began = loop.now_precise();
    int rounds = 0;
    while (loop.now_precise() - began < 2ms) {
      ++rounds;
      co_await yield(loop);
    }
    // One turn of the loop may pass before the first of its rounds; after that it waits for its time.
    EXPECT_LE(background, 3) << rounds;
    enough = true;
    co_await group.join();
  };
  node.run_until_done(body());
}

TEST_F(Priorities, ABackgroundSliceHasALength) {
  const auto body = [&]() -> Task<> {
    BackgroundSlice slice(loop);
    const MonoTime began = loop.now_precise();
    while (!slice.is_over()) {
    }
    EXPECT_GE(loop.now_precise() - began, BackgroundSlice::kLength);
    co_await slice.pause();
    EXPECT_FALSE(slice.is_over() && loop.now_precise() - began < 2 * BackgroundSlice::kLength);
  };
  node.run_until_done(body());
}

}  // namespace
}  // namespace samsa::io::real
