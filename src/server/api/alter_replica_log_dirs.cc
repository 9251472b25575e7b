// AlterReplicaLogDirs: moves replicas of this node into other log directories (KIP-113). Answers when the moves have begun; DescribeLogDirs
// tells how far they are. A replica that is not here yet will lie where it was to be moved (LogManager::prefer_directory).
#include "protocol/api/alter_replica_log_dirs.h"

#include "server/api/common.h"
#include "server/topic_configs.h"

namespace samsa::server {

namespace {

struct Work {
  int shard = -1;
  Uuid topic_id;
  TopicPartition partition;
  int directory = -1;
  protocol::AlterReplicaLogDirsResponse::AlterReplicaLogDirPartitionResult* answer = nullptr;
};

constexpr std::chrono::seconds kPatience{20};  // For all of a request; clients give it thirty.
constexpr std::chrono::milliseconds kMoment{20};

io::Task<> move_one(Shard& shard, Work& work, io::MonoTime until) {
  const auto refuse = [&work](ErrorCode code) { work.answer->error_code = to_wire(code); };
  auto found = shard.partition(work.topic_id, work.partition.partition);
  // Its log is here: it comes into service, or a copy of an earlier move is just taking its place.
  const auto is_coming = [&] {
    return !found && found.error().code == ErrorCode::kNotLeaderOrFollower &&
           (shard.logs().find(work.partition) != nullptr || shard.logs().find_future(work.partition) != nullptr);
  };
  while (is_coming() && !shard.stopping() && shard.loop().now() < until) {
    co_await shard.pause(kMoment);
    found = shard.partition(work.topic_id, work.partition.partition);
  }
  if (!found && found.error().code == ErrorCode::kKafkaStorageError) co_return refuse(found.error().code);
  if (found && shard.logs().find(work.partition) == nullptr) co_return refuse(ErrorCode::kKafkaStorageError);
  if (shard.logs().is_cordoned(work.directory) && shard.logs().directory_of(work.partition) != work.directory) {
    co_return refuse(ErrorCode::kInvalidReplicaAssignment);
  }
  if (!found) {
    // Its log is made there when it comes. A replica that is not here (yet) has this code of its own in Kafka.
    shard.logs().prefer_directory(work.partition, work.directory);
    co_return refuse(ErrorCode::kReplicaNotAvailable);
  }
  if (const auto begun = co_await shard.mover().move(work.partition, work.directory, until); !begun) refuse(begun.error().code);
}

// The directory's index, or why not.
Result<int> find_directory(const Node& node, std::string_view path) {
  for (size_t i = 0; i < node.directories().size(); ++i) {
    if (node.directories().at(i).path != path) continue;
    if (node.directories().at(i).offline) return fail(ErrorCode::kKafkaStorageError);
    return static_cast<int>(i);
  }
  return fail(ErrorCode::kLogDirNotFound);
}

}  // namespace

io::Task<> handle_alter_replica_log_dirs(RequestContext& context, protocol::AlterReplicaLogDirsRequest& request,
                                         protocol::AlterReplicaLogDirsResponse& response) {
  Node& node = context.shard.node();
  const auto& image = *context.shard.image();
  const bool allowed = context.authorized(Operation::kAlter, ResourceType::kCluster, kClusterResource);
  size_t topics = 0;
  for (const auto& directory : request.dirs) topics += directory.topics.size();
  response.results.reserve(topics);  // The answers stay where they are.
  std::vector<Work> work;
  for (const auto& wanted : request.dirs) {
    const auto directory = allowed ? find_directory(node, wanted.path.view()) : Result<int>(fail(ErrorCode::kClusterAuthorizationFailed));
    for (const auto& topic : wanted.topics) {
      auto& topic_answer = response.results.emplace_back();
      topic_answer.topic_name = topic.name;
      topic_answer.partitions.reserve(topic.partitions.size());
      const auto* found = image.topic(topic.name.view());
      const Uuid id = found == nullptr ? Uuid{} : found->id;
      for (const PartitionIndex partition : topic.partitions) {
        auto& answer = topic_answer.partitions.emplace_back();
        answer.partition_index = partition;
        if (!directory) answer.error_code = to_wire(directory.error().code);
        else work.push_back({node.shard_of(topic.name.view(), partition), id, {topic.name.str(), partition}, *directory, &answer});
      }
    }
  }
  auto part = [&](int shard) -> io::Task<> {
    const auto until = io::after(node.shard(shard).loop().now(), kPatience);
    for (auto& one : work) {
      if (one.shard == shard) co_await move_one(node.shard(shard), one, until);
    }
  };
  co_await on_shards(context.shard.loop(), node.worlds(), shards_of(work), part);
}

}  // namespace samsa::server
