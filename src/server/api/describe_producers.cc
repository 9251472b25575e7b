// DescribeProducers: the idempotent and transactional producers that a partition knows of (KIP-664).
#include "protocol/api/describe_producers.h"

#include "server/api/common.h"

namespace samsa::server {

namespace {

struct Work {
  int shard = -1;
  Uuid topic_id;
  protocol::DescribeProducersResponse::PartitionResponse* answer = nullptr;
};

void describe_one(Shard& shard, Work& work) {
  const auto found = shard.partition(work.topic_id, work.answer->partition_index);
  const auto role = found ? (*found)->check_role(kNoLeaderEpoch, true) : Result<void>(fail(found.error()));
  if (!role) {
    work.answer->error_code = to_wire(role.error().code);
    return;
  }
  for (const auto& producer : (*found)->log().active_producers()) {
    auto& state = work.answer->active_producers.emplace_back();
    state.producer_id = producer.producer_id;
    state.producer_epoch = producer.producer_epoch;
    state.last_sequence = producer.last_sequence;
    state.last_timestamp = producer.last_timestamp;
    state.coordinator_epoch = producer.coordinator_epoch;
    state.current_txn_start_offset = producer.transaction_start.value_or(-1);
  }
}

}  // namespace

io::Task<> handle_describe_producers(RequestContext& context, protocol::DescribeProducersRequest& request,
                                     protocol::DescribeProducersResponse& response) {
  Node& node = context.shard.node();
  const auto& image = *context.shard.image();
  std::vector<Work> work;
  response.topics.reserve(request.topics.size());
  for (const auto& wanted : request.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = wanted.name;
    topic_answer.partitions.reserve(wanted.partition_indexes.size());
    const auto* topic = image.topic(wanted.name.view());
    ErrorCode error = ErrorCode::kNone;
    if (!is_legal_topic_name(wanted.name)) {
      error = ErrorCode::kInvalidTopicException;
    } else if (!context.authorized(Operation::kRead, ResourceType::kTopic, wanted.name)) {
      error = ErrorCode::kTopicAuthorizationFailed;
    } else if (topic == nullptr) {
      error = ErrorCode::kUnknownTopicOrPartition;
    }
    for (const auto index : wanted.partition_indexes) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = index;
      answer.error_code = to_wire(error);
      if (error == ErrorCode::kNone) work.push_back({node.shard_of(topic->name, index), topic->id, &answer});
    }
  }
  auto part = [&](int shard) -> io::Task<> {
    for (auto& one : work) {
      if (one.shard == shard) describe_one(node.shard(shard), one);
    }
    co_return;
  };
  co_await on_shards(context.shard.loop(), node.worlds(), shards_of(work), part);
}

}  // namespace samsa::server
