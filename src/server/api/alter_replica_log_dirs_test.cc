#include "protocol/api/alter_replica_log_dirs.h"

#include "server/test_site.h"

namespace samsa::server {
namespace {

io::Task<int16_t> alter(TestSite& site, std::string topic, int32_t partition, std::string directory) {
  protocol::AlterReplicaLogDirsRequest request;
  auto& wanted = request.dirs.emplace_back();
  wanted.path = protocol::Text(directory);
  auto& one = wanted.topics.emplace_back();
  one.name = protocol::Text(topic);
  one.partitions = {partition};
  const auto answer = co_await site.call(request, 2);
  co_return answer.results.at(0).partitions.at(0).error_code;
}

int directory_of(TestSite& site, const std::string& topic, PartitionIndex partition) {
  return site.node->shard(site.node->shard_of(topic, partition)).logs().directory_of({topic, partition});
}

// Kafka remembers the wish too, and says the same.
TEST(AlterReplicaLogDirs, AReplicaThatIsNotHereYetWillLieThere) {
  TestSite site({{"log.dirs", "/data,/other,/third"}});
  site.run([&]() -> io::Task<> {
    for (int i = 0; i < 6; ++i) EXPECT_EQ(co_await alter(site, "events", i, "/third"), code(ErrorCode::kReplicaNotAvailable));
    EXPECT_EQ(co_await alter(site, "events", 5, "/other"), code(ErrorCode::kReplicaNotAvailable)) << "another wish";
    co_await site.create("events", 6);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(directory_of(site, "events", i), i == 5 ? 1 : 2) << i;
    // It counts once, and nobody else's.
    co_await site.create("others", 4);
    for (int i = 0; i < 4; ++i) EXPECT_NE(directory_of(site, "others", i), 2) << i;
    EXPECT_EQ(co_await alter(site, "events", 0, "/third"), 0) << "it is there";
    EXPECT_EQ(co_await alter(site, "events", -1, "/third"), code(ErrorCode::kReplicaNotAvailable));
    EXPECT_EQ(co_await alter(site, "more", 0, "/nowhere"), code(ErrorCode::kLogDirNotFound));
  });
}

}  // namespace
}  // namespace samsa::server
