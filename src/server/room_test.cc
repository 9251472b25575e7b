#include "server/room.h"

#include <gtest/gtest.h>

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

// A shard that has been idle for a given part of the time. Its clock began when the machine did.
struct Busy {
  Room room;
  io::MonoTime now = io::after(io::MonoTime{}, 1h);
  io::Duration idle{};
  Busy() { room.note(now, idle); }
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
  shard.pass(1000ms, 0);
  EXPECT_TRUE(shard.take(2, 3));
  shard.pass(1000ms, 0);
  EXPECT_FALSE(shard.take(4, 3));
}

TEST(Room, IsWhereLittleIsToBeDone) {
  Busy shard;
  shard.pass(1000ms, 0.4);
  EXPECT_FALSE(shard.take());
  shard.pass(1000ms, 0.6);
  EXPECT_TRUE(shard.take());
}

// Those that were taken and have not come yet are counted.
TEST(Room, IsNotGivenTwice) {
  Busy shard;
  shard.pass(1000ms, 0);
  EXPECT_TRUE(shard.take(10, 11));
  EXPECT_TRUE(shard.take(10, 11));
  EXPECT_FALSE(shard.take(10, 11));
  shard.room.has_come(shard.now, shard.idle);
  EXPECT_FALSE(shard.take(11, 11));
}

// Of ten that ask at once the first is taken, and the next one when it has come and leaves time for more.
TEST(Room, IsTakenByOneAtATime) {
  Busy shard;
  shard.pass(1000ms, 1);
  EXPECT_TRUE(shard.take());
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(shard.take());
  shard.pass(Room::kLoadShows - 1ms, 1);
  shard.room.has_come(shard.now, shard.idle);
  shard.pass(Room::kLoadShows - 1ms, 0.9);
  EXPECT_FALSE(shard.take());
  shard.pass(1ms, 0.9);
  EXPECT_TRUE(shard.take());
  shard.room.has_come(shard.now, shard.idle);
  shard.pass(Room::kLoadShows, 0.3);
  EXPECT_FALSE(shard.take());
}

// What the shard did before its last look says nothing, and a moment says nothing either.
TEST(Room, IsOfTheLastWhile) {
  Busy shard;
  shard.pass(1000ms, 1);
  shard.room.note(shard.now, shard.idle);
  shard.pass(5ms, 0);
  EXPECT_FALSE(shard.take());
  shard.pass(1ms, 1);
  shard.room.note(shard.now, shard.idle);
  EXPECT_FALSE(shard.take());
}

// Before its first look it knows nothing of its load.
TEST(Room, IsNotKnownAtFirst) {
  Room room;
  EXPECT_FALSE(room.take(io::after(io::MonoTime{}, 1h), 1h, 2, 1));
}

}  // namespace
}  // namespace samsa::server
