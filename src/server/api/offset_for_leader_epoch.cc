// OffsetForLeaderEpoch: where a leader epoch ends in the leader's log (KIP-101, 320).
#include "protocol/api/offset_for_leader_epoch.h"

#include "server/api/common.h"

namespace samsa::server {

namespace {

struct Work {
  int shard = -1;
  Uuid topic_id;
  LeaderEpoch current_epoch = -1;
  LeaderEpoch epoch = -1;
  protocol::OffsetForLeaderEpochResponse::EpochEndOffset* answer = nullptr;
};

void answer_one(Shard& shard, Work& work) {
  const auto found = shard.partition(work.topic_id, work.answer->partition);
  const auto role = found ? (*found)->check_role(work.current_epoch, true) : Result<void>(fail(found.error()));
  if (!role) {
    work.answer->error_code = to_wire(role.error().code);
    return;
  }
  const auto end = (*found)->log().end_offset_for_epoch(work.epoch);
  work.answer->leader_epoch = end.epoch;
  work.answer->end_offset = end.end_offset;
}

}  // namespace

io::Task<> handle_offset_for_leader_epoch(RequestContext& context, protocol::OffsetForLeaderEpochRequest& request,
                                          protocol::OffsetForLeaderEpochResponse& response) {
  const auto& image = *context.shard.image();
  Node& node = context.shard.node();
  std::vector<Work> work;
  response.topics.reserve(request.topics.size());
  for (const auto& wanted : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.topic = wanted.topic;
    topic_answer.partitions.reserve(wanted.partitions.size());
    const auto* topic = image.topic(wanted.topic.view());
    const bool allowed = context.authorized(Operation::kDescribe, ResourceType::kTopic, wanted.topic);
    for (const auto& partition : wanted.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition = partition.partition;
      if (!allowed || topic == nullptr) {
        answer.error_code = to_wire(allowed ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kTopicAuthorizationFailed);
        continue;
      }
      work.push_back({node.shard_of(topic->name, partition.partition), topic->id, partition.current_leader_epoch, partition.leader_epoch,
                      &answer});
    }
  }
  auto part = [&](int shard) -> io::Task<> {
    for (auto& one : work) {
      if (one.shard == shard) answer_one(node.shard(shard), one);
    }
    co_return;
  };
  co_await on_shards(context.shard.loop(), node.worlds(), shards_of(work), part);
}

}  // namespace samsa::server
