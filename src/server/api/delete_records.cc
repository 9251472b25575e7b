// DeleteRecords: moves the log start of partitions forward; answers when all live replicas have followed.
#include "protocol/api/delete_records.h"

#include "server/api/common.h"

namespace samsa::server {

namespace {

struct Work {
  int shard = -1;
  Uuid topic_id;
  Offset offset = 0;
  protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult* answer = nullptr;
};

void delete_one(Shard& shard, Work& work) {
  const auto found = shard.partition(work.topic_id, work.answer->partition_index);
  auto start = found ? (*found)->check_role(kNoLeaderEpoch, true) : Result<void>(fail(found.error()));
  Result<Offset> moved = start ? Result<Offset>(0) : Result<Offset>(fail(start.error()));
  if (start) {
    const auto& config = (*found)->log().config();
    moved = config.cleanup_delete ? (*found)->delete_records(work.offset) : Result<Offset>(fail(ErrorCode::kPolicyViolation));
  }
  if (moved) {
    work.answer->low_watermark = *moved;
  } else {
    work.answer->error_code = to_wire(moved.error().code);
  }
}

ErrorCode check_topic(RequestContext& context, const metadata::TopicImage* topic, std::string_view name) {
  if (!context.authorized(Operation::kDelete, ResourceType::kTopic, name)) return ErrorCode::kTopicAuthorizationFailed;
  if (topic == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  if (is_internal_topic(name)) return ErrorCode::kInvalidTopicException;
  return ErrorCode::kNone;
}

}  // namespace

io::Task<> handle_delete_records(RequestContext& context, protocol::DeleteRecordsRequest& request, protocol::DeleteRecordsResponse& response) {
  Node& node = context.shard.node();
  const auto& image = *context.shard.image();
  std::vector<Work> work;
  response.topics.reserve(request.topics.size());
  for (const auto& wanted : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = wanted.name;
    topic_answer.partitions.reserve(wanted.partitions.size());
    const auto* topic = image.topic(wanted.name.view());
    const ErrorCode error = check_topic(context, topic, wanted.name);
    for (const auto& partition : wanted.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      answer.low_watermark = -1;
      answer.error_code = to_wire(error);
      if (error != ErrorCode::kNone) continue;
      work.push_back({.shard = node.shard_of(topic->name, partition.partition_index),
                      .topic_id = topic->id,
                      .offset = partition.offset,
                      .answer = &answer});
    }
  }
  auto part = [&](int shard) -> io::Task<> {
    for (auto& one : work) {
      if (one.shard == shard) delete_one(node.shard(shard), one);
    }
    co_return;
  };
  co_await on_shards(context.shard.loop(), node.worlds(), shards_of(work), part);
}

}  // namespace samsa::server
