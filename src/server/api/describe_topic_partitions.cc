// DescribeTopicPartitions: topics page by page, with eligible leader replicas (KIP-966).
#include "protocol/api/describe_topic_partitions.h"

#include <set>

#include "server/api/common.h"

namespace samsa::server {

namespace {

using Answer = protocol::DescribeTopicPartitionsResponse;

class Paging {
 public:
  Paging(RequestContext& context, Answer& response, int32_t limit)
      : context_(context), response_(response), image_(context.shard.image()), left_(limit) {}

  // False when the page is full.
  bool add(const std::string& name, PartitionIndex from);

 private:
  void fill(const metadata::PartitionImage& partition, PartitionIndex index, Answer::DescribeTopicPartitionsResponsePartition& answer);
  RequestContext& context_;
  Answer& response_;
  metadata::ImagePtr image_;
  int32_t left_;
};

void Paging::fill(const metadata::PartitionImage& partition, PartitionIndex index,
                  Answer::DescribeTopicPartitionsResponsePartition& answer) {
  answer.partition_index = index;
  answer.leader_id = partition.leader;
  answer.leader_epoch = partition.leader_epoch;
  answer.replica_nodes = partition.replicas;
  answer.isr_nodes = partition.isr;
  answer.eligible_leader_replicas = partition.elr;
  answer.last_known_elr = partition.last_known_elr;
  answer.offline_replicas = offline_replicas(*image_, partition);
  if (live_endpoint(*image_, partition.leader, context_.connection.listener->name) != nullptr) return;
  const auto* leader = image_->broker(partition.leader);
  answer.error_code = to_wire(leader == nullptr || leader->fenced ? ErrorCode::kLeaderNotAvailable : ErrorCode::kListenerNotFound);
  answer.leader_id = metadata::kNoLeader;
}

bool Paging::add(const std::string& name, PartitionIndex from) {
  if (left_ <= 0) {
    auto& cursor = response_.next_cursor.emplace();
    cursor.topic_name = name;
    cursor.partition_index = from;
    return false;
  }
  auto& topic_answer = response_.topics.emplace_back();
  topic_answer.name = protocol::Text(name);
  const auto* topic = image_->topic(name);
  if (topic == nullptr) {
    const bool legal = is_legal_topic_name(name);
    topic_answer.error_code = to_wire(legal ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kInvalidTopicException);
    return true;
  }
  topic_answer.topic_id = topic->id;
  topic_answer.is_internal = is_internal_topic(name);
  topic_answer.topic_authorized_operations = context_.authorized_operations(ResourceType::kTopic, name);
  for (PartitionIndex index = from; index < topic->partition_count(); ++index) {
    if (left_-- <= 0) {
      auto& cursor = response_.next_cursor.emplace();
      cursor.topic_name = name;
      cursor.partition_index = index;
      return false;
    }
    fill(*topic->partition(index), index, topic_answer.partitions.emplace_back());
  }
  return true;
}

}  // namespace

io::Task<> handle_describe_topic_partitions(RequestContext& context, protocol::DescribeTopicPartitionsRequest& request,
                                            protocol::DescribeTopicPartitionsResponse& response) {
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.insert(topic.name.str());
  if (request.topics.empty()) {
    context.shard.image()->topics.for_each([&](const std::string& name, const metadata::TopicImage&) { names.insert(name); });
  }
  const std::string first = request.cursor ? request.cursor->topic_name.str() : std::string();
  const PartitionIndex first_partition = request.cursor ? std::max(0, request.cursor->partition_index) : 0;
  const int32_t most = context.shard.settings().max_request_partitions;
  Paging paging(context, response, request.response_partition_limit > 0 ? std::min(request.response_partition_limit, most) : most);
  std::vector<std::string> refused;
  for (auto name = names.lower_bound(first); name != names.end(); ++name) {
    if (!context.authorized(Operation::kDescribe, ResourceType::kTopic, *name)) {
      if (!request.topics.empty()) refused.push_back(*name);
      continue;
    }
    if (!paging.add(*name, *name == first ? first_partition : 0)) break;
  }
  for (const auto& name : refused) {
    auto& answer = response.topics.emplace_back();
    answer.name = protocol::Text(name);
    answer.error_code = to_wire(ErrorCode::kTopicAuthorizationFailed);
  }
  co_return;
}

}  // namespace samsa::server
