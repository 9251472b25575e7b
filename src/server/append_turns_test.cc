#include "server/append_turns.h"

#include <string>

#include <gtest/gtest.h>

#include "io/sim/world.h"

namespace samsa::server {
namespace {

class AppendTurnsTest : public testing::Test {
 protected:
  void start(uint64_t connection, uint64_t bytes, char name) {
    const auto request = [](AppendTurnsTest& test, uint64_t from, uint64_t size, char said) -> io::Task<> {
      if (test.turns_.must_wait(from, size)) co_await test.turns_.wait(from, size);
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

TEST_F(AppendTurnsTest, ModestRequestsOfOneRoundShareIt) {
  for (int i = 0; i < 16; ++i) start(static_cast<uint64_t>(i), 16 << 10, 'a');
  EXPECT_EQ(appended_.size(), 16U);
  start(16, 16 << 10, 'b');
  EXPECT_EQ(appended_.size(), 16U);
  EXPECT_TRUE(world_.run_until([this] { return appended_.size() == started_; }, std::chrono::seconds(1)));
  EXPECT_EQ(appended_.back(), 'b');
}

}  // namespace
}  // namespace samsa::server
