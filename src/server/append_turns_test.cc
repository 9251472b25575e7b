#include "server/append_turns.h"

#include <cctype>
#include <string>

#include <gtest/gtest.h>

#include "io/real/world.h"
#include "io/sim/world.h"
#include "io/sync.h"

namespace samsa::server {
namespace {

class AppendTurnsTest : public testing::Test {
 protected:
  void start(uint64_t connection, uint64_t bytes, char name) {
    const auto request = [](AppendTurnsTest& test, uint64_t from, uint64_t size, char said) -> io::Task<> {
      AppendTurns::Turn turn(test.turns_, from);
      if (turn.must_wait(size)) co_await turn.wait(size);
      if (said == std::toupper(said)) {  // Its append takes a while.
        turn.hold();
        co_await io::sleep_for(test.loop(), std::chrono::milliseconds(5));
      }
      test.appended_ += said;
    };
    ++started_;
    io::spawn_now(loop(), request(*this, connection, bytes, name));
  }
  io::Loop& loop() { return node_.worlds()[0].loop; }

  static constexpr uint64_t kLarge = 1 << 20;
  io::sim::SimWorld world_{1};
  io::sim::SimNode& node_{world_.add_node("node", 1)};
  AppendTurns turns_{loop()};
  std::string appended_;
  size_t started_ = 0;
};

TEST_F(AppendTurnsTest, SmallRequestsPassLargeOnesOfOthers) {
  start(1, kLarge, 'a');  // The first goes at once.
  start(2, kLarge, 'b');
  start(3, kLarge, 'c');
  start(4, 100, 'd');
  EXPECT_EQ(appended_, "ad");
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_, "adbc");
}

TEST_F(AppendTurnsTest, AConnectionKeepsItsOrder) {
  start(1, kLarge, 'a');
  start(2, kLarge, 'b');
  start(2, 100, 'c');
  start(3, 100, 'd');
  start(2, kLarge, 'e');
  start(2, 10, 'f');
  EXPECT_EQ(appended_, "ad");
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_, "adbcef");
}

// Capitals take a while: those of the same connection wait, others pass.
TEST_F(AppendTurnsTest, WhatTakesAWhileHoldsItsConnectionOnly) {
  start(1, 16 << 10, 'A');
  start(1, 100, 'b');
  start(1, 100, 'C');
  start(2, 100, 'x');
  start(1, 100, 'd');
  start(3, 100, 'y');
  EXPECT_EQ(appended_, "xy");
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_, "xyAbCd");
  start(1, 100, 'e');
  EXPECT_EQ(appended_, "xyAbCde");
}

TEST_F(AppendTurnsTest, ModestRequestsOfOneRoundShareIt) {
  for (int i = 0; i < 16; ++i) start(static_cast<uint64_t>(i), 16 << 10, 'a');
  EXPECT_EQ(appended_.size(), 16U);
  start(16, 16 << 10, 'b');
  EXPECT_EQ(appended_.size(), 16U);
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_.back(), 'b');
}

// One that sends again as soon as it is answered, for ever, does not keep another from its turn.
TEST_F(AppendTurnsTest, AFloodThatSendsAgainDoesNotOvertake) {
  for (uint64_t connection = 1; connection <= 3; ++connection) start(connection, kLarge, 'f');
  start(9, kLarge, 'q');
  for (int again = 0; again < 20; ++again) start(1 + static_cast<uint64_t>(again) % 3, kLarge, 'f');
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_.find('q'), 3U);
}

TEST_F(AppendTurnsTest, ANewRoundHasItsShareAgain) {
  start(1, kLarge, 'a');
  const auto later = [this]() -> io::Task<> {
    co_await io::sleep_for(loop(), std::chrono::milliseconds(1));
    start(2, kLarge, 'b');
    EXPECT_EQ(appended_, "ab");
  };
  EXPECT_TRUE(world_.run_task(loop(), later(), std::chrono::seconds(1)));
}

TEST_F(AppendTurnsTest, UpToFourKibibytesIsSmall) {
  start(1, kLarge, 'a');
  start(2, AppendTurns::kSmallBytes, 'b');
  start(3, AppendTurns::kSmallBytes + 1, 'c');
  EXPECT_EQ(appended_, "ab");
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
}

// The real loop, which alone has priorities: it takes one of those that wait a turn, and what arrives before the next turn goes before the
// next of them.
TEST(AppendTurnsOfALoop, OneLargeAppendATurnAndNewcomersComeBetween) {
  io::real::RealNode node{{.shards = 1}};
  io::Loop& loop = node.worlds()[0].loop;
  AppendTurns turns(loop);
  std::string appended;
  const auto request = [&](uint64_t connection, uint64_t bytes, char name) -> io::Task<> {
    AppendTurns::Turn turn(turns, connection);
    if (turn.must_wait(bytes)) co_await turn.wait(bytes);
    appended += name;
  };
  // A newcomer in every round, as long as large ones wait.
  const auto newcomers = [&]() -> io::Task<> {
    for (uint64_t connection = 100; appended.find('d') == std::string::npos; ++connection) {
      co_await request(connection, 100, '.');
      co_await io::yield(loop);
    }
  };
  const auto body = [&]() -> io::Task<> {
    io::TaskGroup group(loop);
    for (uint64_t large = 0; large < 4; ++large) group.spawn(request(large, 1 << 20, static_cast<char>('a' + large)));
    group.spawn(newcomers());
    co_await group.join();
  };
  node.run_until_done(body());
  std::string order;
  for (const char name : appended) {
    if (order.empty() || order.back() != name) order += name;
  }
  EXPECT_EQ(order.substr(0, 7), "a.b.c.d");
}

}  // namespace
}  // namespace samsa::server
