// A log directory that fails where nobody was reading or writing a record: at its checkpoint files.
#include "server/test_site.h"

namespace samsa::server {
namespace {

constexpr int kPartitions = 8;

io::Task<int> writable(TestSite& site) {
  int count = 0;
  for (int i = 0; i < kPartitions; ++i) count += co_await site.produce("events", i, {"a value"}) == 0 ? 1 : 0;
  co_return count;
}

TEST(DirectoryFailure, AtTheCheckpointsIsHeardOfByShardsAndController) {
  TestSite site({{"log.dirs", "/data,/other"}, {"replica.high.watermark.checkpoint.interval.ms", "500"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events", kPartitions);
    EXPECT_EQ(co_await writable(site), kPartitions);
    // In the way of the file: it cannot be opened, which is no lack of room.
    EXPECT_TRUE(site.machine.worlds()[0].disk.create_directories("/other/replication-offset-checkpoint.tmp/x"));
    EXPECT_EQ(co_await writable(site), kPartitions);  // Something for a checkpoint to say.
    co_await io::sleep_for(site.world().loop, std::chrono::seconds(5));
    const int left = co_await writable(site);
    EXPECT_GT(left, 0);
    EXPECT_LT(left, kPartitions);
    int led = 0;
    const auto image = site.node->shard(0).image();
    for (int i = 0; i < kPartitions; ++i) led += image->partition("events", i)->leader >= 0 ? 1 : 0;
    EXPECT_EQ(led, left);
  });
}

}  // namespace
}  // namespace samsa::server
