#include "protocol/api/alter_replica_log_dirs.h"

#include "protocol/api/delete_records.h"
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

// Batches of three records, of which the first is deleted in part.
TEST(AlterReplicaLogDirs, ALogThatBeginsInsideABatchIsMoved) {
  TestSite site({{"log.dirs", "/data,/other"}});
  site.run([&]() -> io::Task<> {
    co_await site.create("events");
    for (int i = 0; i < 4; ++i) EXPECT_EQ(co_await site.produce("events", 0, {"a", "b", "c"}), 0);
    protocol::DeleteRecordsRequest remove;
    auto& wanted = remove.topics.emplace_back();
    wanted.name = "events";
    wanted.partitions.emplace_back().offset = 4;
    remove.timeout_ms = 10'000;
    EXPECT_EQ((co_await site.call(remove, 2)).topics.at(0).partitions.at(0).error_code, 0);
    const int to = 1 - directory_of(site, "events", 0);
    EXPECT_EQ(co_await alter(site, "events", 0, to == 0 ? "/data" : "/other"), 0);
    for (int i = 0; i < 600 && directory_of(site, "events", 0) != to; ++i) co_await io::sleep_for(site.world().loop, std::chrono::milliseconds(100));
    EXPECT_EQ(directory_of(site, "events", 0), to);
    auto* const log = site.node->shard(site.node->shard_of("events", 0)).logs().find({"events", 0});
    EXPECT_EQ(log->log_start_offset(), 4);
    EXPECT_EQ(log->log_end_offset(), 12);
  });
}

}  // namespace
}  // namespace samsa::server
