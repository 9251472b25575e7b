#include "io/real/blocking_pool.h"

#include <set>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "io/real/world.h"
#include "io/sync.h"

namespace samsa::io::real {
namespace {

struct Jobs {
  static Task<> one(BlockingPool& pool, Loop& loop, int number, std::multiset<int>& done, int& priority) {
    done.insert(co_await pool.run(loop, [number, &priority] {
      priority = ::getpriority(PRIO_PROCESS, 0);
      return number;
    }));
  }
  static Task<> many(BlockingPool& pool, Loop& loop, int count, std::multiset<int>& done, int& priority) {
    TaskGroup group(loop);
    for (int number = 0; number < count; ++number) group.spawn(one(pool, loop, number, done, priority));
    co_await group.join();
  }
};

// One thread, so that the priority is of a thread that has ended its job before the last one begins.
TEST(BlockingPoolTest, RunsEveryJobOnceBelowTheShards) {
  constexpr int kJobs = 2000;
  BlockingPool pool(1);
  RealNode node{{.shards = 1}};
  std::multiset<int> done;
  int priority = 0;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  node.run_until_done(Jobs::many(pool, node.worlds()[0].loop, kJobs, done, priority));
  EXPECT_EQ(done.size(), kJobs);
  EXPECT_EQ(std::set<int>(done.begin(), done.end()).size(), kJobs);
  EXPECT_EQ(priority, std::min(own + 5, 19));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), own) << "the shard's own thread stays as it was";
  pool.shut_down();
}

}  // namespace
}  // namespace samsa::io::real
