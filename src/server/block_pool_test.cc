#include "server/block_pool.h"

#include <string>

#include <gtest/gtest.h>

#include "io/sim/world.h"

namespace samsa::server {
namespace {

class BlockPoolTest : public testing::Test {
 protected:
  static constexpr size_t kLimit = 1 << 20;

  // Asks for a block and keeps it in `blocks_`; its name is noted when it comes.
  void ask(size_t size, char name) {
    const auto request = [](BlockPoolTest& test, size_t bytes, char said) -> io::Task<> {
      test.blocks_.push_back(co_await test.pool_.acquire(bytes));
      test.served_ += said;
    };
    io::spawn_now(loop(), request(*this, size, name));
  }
  void settle() { world_.run_for(std::chrono::milliseconds(1)); }
  io::Loop& loop() { return node_.worlds()[0].loop; }

  io::sim::SimWorld world_{1};
  io::sim::SimNode& node_{world_.add_node("node", 1)};
  BlockPool pool_{loop(), kLimit};
  std::vector<Block> blocks_;
  std::string served_;
};

TEST_F(BlockPoolTest, WhoComesFirstIsServedFirst) {
  ask(kLimit / 2, 'a');
  ask(kLimit, 'b');      // Does not fit beside a.
  ask(kLimit / 4, 'c');  // Would, but b came before.
  settle();
  EXPECT_EQ(served_, "a");
  blocks_.clear();
  settle();
  EXPECT_EQ(served_, "ab");
  blocks_.clear();
  settle();
  EXPECT_EQ(served_, "abc");
}

TEST_F(BlockPoolTest, MoreThanTheLimitIsServedAlone) {
  const Block head = pool_.take(4096);  // As every connection has one.
  ask(2 * kLimit, 'a');
  EXPECT_EQ(served_, "a");
  ask(1, 'b');
  settle();
  EXPECT_EQ(served_, "a");
  EXPECT_TRUE(pool_.take(1)) << "the start of a frame is read whatever the limit says";
  blocks_.clear();
  settle();
  EXPECT_EQ(served_, "ab");
}

TEST_F(BlockPoolTest, ABlockIsKeptForTheNext) {
  const uint8_t* first = nullptr;
  {
    const Block block = pool_.take(10'000);
    first = block.data();
    EXPECT_EQ(pool_.bytes_free(), 0U);
  }
  EXPECT_EQ(pool_.bytes_in_use(), 0U);
  EXPECT_GE(pool_.bytes_free(), 10'000U);
  EXPECT_EQ(pool_.take(10'000).data(), first);
}

// Connections that ask again as soon as they have what they asked for, as a flood does.
TEST_F(BlockPoolTest, AFloodThatAsksAgainDoesNotOvertake) {
  const auto flood = [this]() -> io::Task<> {
    for (int i = 0; i < 20; ++i) {
      const Block block = co_await pool_.acquire(kLimit / 2);
      served_ += 'f';
      co_await io::sleep_for(loop(), std::chrono::microseconds(10));
    }
  };
  for (int i = 0; i < 4; ++i) io::spawn_now(loop(), flood());
  ask(kLimit, 'q');  // Behind the two that wait, and the most difficult to serve of all.
  settle();
  EXPECT_EQ(served_.find('q'), 4U) << served_;
  blocks_.clear();
  EXPECT_TRUE(world_.run_until([this] { return served_.size() == 81; }, std::chrono::seconds(1)));
  settle();
}

TEST_F(BlockPoolTest, WithoutALimitNobodyWaits) {
  BlockPool pool(loop(), -1);
  std::vector<Block> blocks;
  const auto all = [](BlockPool& from, std::vector<Block>& into) -> io::Task<> {
    for (int i = 0; i < 10; ++i) into.push_back(co_await from.acquire(10 * kLimit));
  };
  io::spawn_now(loop(), all(pool, blocks));
  EXPECT_EQ(blocks.size(), 10U);
  EXPECT_GE(pool.bytes_in_use(), 100 * kLimit);
}

TEST_F(BlockPoolTest, ABlockIsInUseWhileAnyHandleHoldsIt) {
  Block first = pool_.take(5000);
  EXPECT_FALSE(first.shared());
  Block second = first;
  EXPECT_TRUE(first.shared());
  EXPECT_EQ(first.data(), second.data());
  const size_t held = pool_.bytes_in_use();
  first = Block();
  EXPECT_FALSE(second.shared());
  EXPECT_EQ(pool_.bytes_in_use(), held);
  second = Block();
  EXPECT_EQ(pool_.bytes_in_use(), 0U);
}

// Four classes to each power of two: at most a quarter more than was asked for. Larger ones are as asked for, and not kept.
TEST_F(BlockPoolTest, BlocksAreLittleLargerThanAskedFor) {
  for (size_t size = 1; size <= 4 << 20; size += 1 + size / 7) {
    const size_t capacity = pool_.take(size).capacity();
    EXPECT_GE(capacity, size);
    EXPECT_LE(capacity, std::max<size_t>(4096, size + size / 4)) << size;
  }
  BlockPool large(loop(), -1);
  EXPECT_EQ(large.take((2 << 20) + 1).capacity(), (2U << 20) + 1);
  EXPECT_EQ(large.bytes_free(), 0U);
}

TEST_F(BlockPoolTest, NoMoreThanItsShareIsKept) {
  BlockPool pool(loop(), -1, 100'000);
  std::vector<Block> blocks;
  for (int i = 0; i < 50; ++i) blocks.push_back(pool.take(10'000));
  blocks.clear();
  EXPECT_GT(pool.bytes_free(), 80'000U);
  EXPECT_LE(pool.bytes_free(), 100'000U);
}

}  // namespace
}  // namespace samsa::server
