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

}  // namespace
}  // namespace samsa::server
