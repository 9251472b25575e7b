#include "server/room.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

// A shard that has been idle for a given part of the time.
struct Busy {
  Room room;
  io::MonoTime now;
  io::Duration idle{};
  void pass(std::chrono::milliseconds time, double idle_share) {
    now = io::after(now, time);
    idle += io::Duration(static_cast<int64_t>(static_cast<double>(io::Duration(time).count()) * idle_share));
  }
  bool take(size_t here = 2, size_t there = 1) { return room.take(now, idle, here, there); }
};

TEST(Room, IsWhereNoMoreAreServed) {
  Busy shard;
  shard.pass(1000ms, 0);
  EXPECT_TRUE(shard.take(3, 3));
  EXPECT_TRUE(shard.take(2, 3));
  EXPECT_FALSE(shard.take(4, 3));
}

TEST(Room, IsWhereLittleIsToBeDone) {
  Busy shard;
  shard.pass(1000ms, 0.4);
  EXPECT_FALSE(shard.take());
  shard.pass(1000ms, 0.6);
  EXPECT_TRUE(shard.take());
}

// Of ten that ask at once the first is taken, and the others as long as it leaves time for more.
TEST(Room, IsTakenByOneAtATime) {
  Busy shard;
  shard.pass(1000ms, 1);
  EXPECT_TRUE(shard.take());
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(shard.take());
  shard.pass(Room::kLoadShows - 1ms, 0.9);
  EXPECT_FALSE(shard.take());
  shard.pass(1ms, 0.9);
  EXPECT_TRUE(shard.take());
  shard.pass(Room::kLoadShows, 0.3);
  EXPECT_FALSE(shard.take());
}

// What it did a second ago says nothing of a shard that is busy now.
TEST(Room, IsOfTheLastWhile) {
  Busy shard;
  shard.pass(1000ms, 1);
  shard.room.note(shard.now, shard.idle);
  shard.pass(5ms, 0);
  EXPECT_FALSE(shard.take());
}

}  // namespace
}  // namespace samsa::server
