// DeleteRecords: moves the log start of partitions forward; answers when all live replicas have followed.
#include "protocol/api/delete_records.h"

#include <chrono>

#include "server/api/common.h"

namespace samsa::server {

namespace {

struct Work {
  int shard = -1;
  Uuid topic_id;
  Offset offset = 0;
  protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult* answer = nullptr;
  std::shared_ptr<replication::Partition> partition;  // While the replicas follow.
};

Result<Offset> delete_one(Shard& shard, Work& work) {
  TRY_ASSIGN(const auto partition, shard.partition(work.topic_id, work.answer->partition_index));
  TRY(partition->check_role(kNoLeaderEpoch, true));
  const auto& policy = partition->log().config();  // With none of the two, nothing else deletes.
  if (policy.cleanup_compact && !policy.cleanup_delete) return fail(ErrorCode::kPolicyViolation);
  TRY_ASSIGN(const Offset start, partition->delete_records(work.offset));
  work.partition = partition;
  return work.offset < 0 ? start : work.offset;
}

// Moves the log starts of the shard's partitions, then waits until the live replicas have followed.
io::Task<> delete_on(Shard& shard, std::vector<Work>& work, std::chrono::milliseconds timeout) {
  const auto deadline = io::after(shard.loop().now(), timeout);
  for (auto& one : work) {
    if (one.shard != shard.index()) continue;
    const auto target = delete_one(shard, one);
    if (target) {
      one.offset = *target;
    } else {
      one.answer->error_code = to_wire(target.error().code);
    }
  }
  for (auto& one : work) {
    if (one.shard != shard.index() || one.partition == nullptr) continue;
    const auto waited = co_await one.partition->wait_low_watermark(one.offset, deadline);
    if (!waited) one.answer->error_code = to_wire(waited.error().code);
    const bool still_leads = waited || waited.error().code == ErrorCode::kRequestTimedOut;
    if (still_leads) one.answer->low_watermark = one.partition->low_watermark();
    one.partition.reset();
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
  const std::chrono::milliseconds timeout(std::max(0, request.timeout_ms));
  auto part = [&](int shard) { return delete_on(node.shard(shard), work, timeout); };
  co_await on_shards(context.shard.loop(), node.worlds(), shards_of(work), part);
}

}  // namespace samsa::server
