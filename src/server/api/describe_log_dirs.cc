// DescribeLogDirs: the node's log directories, their room and the size of the partitions in them (KIP-113, 827).
#include "protocol/api/describe_log_dirs.h"

#include <map>
#include <set>

#include "server/api/common.h"
#include "server/topic_configs.h"

namespace samsa::server {

namespace {

struct Found {
  int directory = 0;
  TopicPartition partition;
  int64_t size = 0;
  int64_t lag = 0;
  bool future = false;
};

// Which partitions are asked for; nothing: all.
using Wanted = std::optional<std::set<TopicPartition>>;

std::vector<Found> look_at(Shard& shard, const Wanted& wanted) {
  std::vector<Found> found;
  shard.logs().for_each([&](storage::Log& log) {
    if (wanted && !wanted->contains(log.partition())) return;
    const int64_t lag = std::max<int64_t>(0, log.high_watermark() - log.log_end_offset());
    found.push_back({shard.logs().directory_of(log.partition()), log.partition(), static_cast<int64_t>(log.size_bytes()), lag});
  });
  shard.logs().for_each_future([&](storage::Log& log) {
    if (wanted && !wanted->contains(log.partition())) return;
    const storage::Log* current = shard.logs().find(log.partition());
    const int64_t lag = current == nullptr ? 0 : std::max<int64_t>(0, current->log_end_offset() - log.log_end_offset());
    found.push_back({shard.logs().future_directory_of(log.partition()), log.partition(), static_cast<int64_t>(log.size_bytes()), lag, true});
  });
  return found;
}

}  // namespace

io::Task<> handle_describe_log_dirs(RequestContext& context, protocol::DescribeLogDirsRequest& request,
                                    protocol::DescribeLogDirsResponse& response) {
  if (!context.authorized(Operation::kDescribe, ResourceType::kCluster, kClusterResource)) {
    response.error_code = to_wire(ErrorCode::kClusterAuthorizationFailed);
    co_return;
  }
  Wanted wanted;
  if (request.topics) {
    wanted.emplace();
    for (const auto& topic : *request.topics) {
      for (const auto partition : topic.partitions) wanted->insert({topic.topic.str(), partition});
    }
  }
  Node& node = context.shard.node();
  std::vector<std::vector<Found>> parts(static_cast<size_t>(node.shard_count()));
  std::vector<int> all;
  for (int i = 0; i < node.shard_count(); ++i) all.push_back(i);
  auto part = [&](int shard) -> io::Task<> {
    parts[static_cast<size_t>(shard)] = look_at(node.shard(shard), wanted);
    co_return;
  };
  co_await on_shards(context.shard.loop(), node.worlds(), all, part);

  const auto cordoned = cordoned_directories(context.shard.settings(), *context.shard.image());
  for (size_t directory = 0; directory < node.directories().size(); ++directory) {
    const auto& about = node.directories().at(directory);
    auto& answer = response.results.emplace_back();
    answer.log_dir = about.path;
    answer.is_cordoned = cordoned[directory];
    if (about.offline) {
      answer.error_code = to_wire(ErrorCode::kKafkaStorageError);
      continue;
    }
    if (const auto space = context.shard.world().disk.space(about.path)) {
      answer.total_bytes = static_cast<int64_t>(space->total_bytes);
      answer.usable_bytes = static_cast<int64_t>(space->usable_bytes);
    }
    std::map<std::string, std::map<PartitionIndex, const Found*>> topics;
    for (const auto& found : parts) {
      for (const auto& one : found) {
        if (one.directory == static_cast<int>(directory)) topics[one.partition.topic][one.partition.partition] = &one;
      }
    }
    for (const auto& [name, partitions] : topics) {
      auto& topic = answer.topics.emplace_back();
      topic.name = name;
      for (const auto& [index, found] : partitions) {
        auto& entry = topic.partitions.emplace_back();
        entry.partition_index = index;
        entry.partition_size = found->size;
        entry.offset_lag = found->lag;
        entry.is_future_key = found->future;
      }
    }
  }
}

}  // namespace samsa::server
