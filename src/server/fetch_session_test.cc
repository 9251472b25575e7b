#include "server/fetch_session.h"

#include <gtest/gtest.h>

#include "io/sim/world.h"
#include "server/block_pool.h"

namespace samsa::server {
namespace {

using namespace std::chrono_literals;

class FetchSessionsTest : public ::testing::Test {
 protected:
  FetchPartition partition(const std::string& topic, PartitionIndex index, Offset offset = 0) {
    FetchPartition wanted;
    wanted.topic = topic;
    wanted.partition = index;
    wanted.fetch_offset = offset;
    return wanted;
  }
  io::sim::SimWorld sim_{1};
  io::sim::SimNode& node_{sim_.add_node("node", 2)};
  io::Loop& loop_{node_.worlds()[1].loop};
};

TEST_F(FetchSessionsTest, TakesEpochsInOrderAndOneFetchAtATime) {
  FetchSessions sessions(loop_, 10, 2);
  const auto session = sessions.create(false, false, 1);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->id() % 2, 1) << "the id names its shard";
  EXPECT_EQ(sessions.use(session->id() + 2, 1, false).error().code, ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(sessions.use(session->id(), 2, false).error().code, ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(sessions.use(session->id(), 1, true).error().code, ErrorCode::kFetchSessionTopicIdError);
  EXPECT_TRUE(sessions.use(session->id(), 1, false));
  EXPECT_EQ(sessions.use(session->id(), 1, false).error().code, ErrorCode::kInvalidFetchSessionEpoch);
  session->set_busy(true);
  EXPECT_EQ(sessions.use(session->id(), 2, false).error().code, ErrorCode::kInvalidFetchSessionEpoch);
  session->set_busy(false);
  EXPECT_TRUE(sessions.use(session->id(), 2, false));
}

TEST_F(FetchSessionsTest, RemembersUpdatesAndForgetsPartitions) {
  FetchSessions sessions(loop_, 10, 2);
  const auto session = sessions.create(false, false, 2);
  session->put(partition("a", 0));
  session->put(partition("b", 0));
  session->put(partition("a", 0, 7));
  ASSERT_EQ(session->size(), 2u);
  EXPECT_EQ(session->partitions().front().fetch_offset, 7);
  session->move_to_end(session->partitions().begin());
  EXPECT_EQ(session->partitions().front().topic, "b");
  session->forget("b", kZeroUuid, 0);
  session->forget("c", kZeroUuid, 0);
  EXPECT_EQ(session->size(), 1u);
}

TEST_F(FetchSessionsTest, MakesRoomByAgeSizeAndPrivilege) {
  FetchSessions sessions(loop_, 2, 2);
  const auto small = sessions.create(false, false, 1);
  const auto other = sessions.create(false, false, 1);
  EXPECT_EQ(sessions.create(false, false, 5), nullptr) << "nobody is old enough";
  const auto follower = sessions.create(false, true, 1);
  ASSERT_NE(follower, nullptr) << "a follower replaces a consumer";
  EXPECT_EQ(sessions.size(), 2u);
  // The loop's time is that of its last turn, so something has to happen on it.
  auto pass = [&]() -> io::Task<> { co_await io::sleep_for(loop_, 121s); };
  ASSERT_TRUE(sim_.run_task(loop_, pass(), 200s));
  EXPECT_NE(sessions.create(false, false, 1), nullptr) << "idle for long";
  EXPECT_EQ(sessions.size(), 2u);
}

TEST_F(FetchSessionsTest, BlocksAreUsedAgainAndCounted) {
  BlockPool pool(loop_, -1);
  uint8_t* first = nullptr;
  {
    const Block block = pool.take(100'000);
    first = block.data();
    EXPECT_GE(block.capacity(), 100'000u);
    EXPECT_LT(block.capacity(), 130'000u);
    const Block same = block;
    EXPECT_TRUE(block.shared());
    EXPECT_EQ(pool.bytes_in_use(), block.capacity());
  }
  EXPECT_EQ(pool.bytes_in_use(), 0u);
  EXPECT_EQ(pool.take(99'999).data(), first);
  for (size_t size = 1; size < (8u << 20); size = size * 5 / 4 + 1) EXPECT_GE(pool.take(size).capacity(), size);
}

TEST_F(FetchSessionsTest, ABlockWaitsForRoomBelowTheLimit) {
  BlockPool pool(loop_, 10'000);
  bool got = false;
  Block held;
  auto hold = [&]() -> io::Task<> { held = co_await pool.acquire(8000); };
  auto wait = [&]() -> io::Task<> {
    const Block block = co_await pool.acquire(8000);
    got = true;
  };
  io::spawn(loop_, hold());
  io::spawn(loop_, wait());
  sim_.run_for(1s);
  EXPECT_FALSE(got);
  held = Block();
  sim_.run_for(1s);
  EXPECT_TRUE(got);
}

}  // namespace
}  // namespace samsa::server
