// Metadata: brokers, topics and partition leaders as the listener's clients may use them; starts auto-creation of missing topics.
#include "protocol/api/metadata.h"

#include "server/api/common.h"
#include "server/auto_topics.h"
#include "server/controller_call.h"

namespace samsa::server {

namespace {

using TopicAnswer = protocol::MetadataResponse::MetadataResponseTopic;
using PartitionAnswer = protocol::MetadataResponse::MetadataResponsePartition;

class Describing {
 public:
  Describing(RequestContext& context, const protocol::MetadataRequest& request, protocol::MetadataResponse& response)
      : context_(context), request_(request), response_(response), image_(context.shard.image()) {}

  void brokers();
  void all_topics();
  void topics_by_id();
  void topics_by_name();
  void cluster();

 private:
  void describe(const metadata::TopicImage& topic, TopicAnswer& answer);
  void describe(const metadata::PartitionImage& partition, PartitionIndex index, PartitionAnswer& answer);
  void missing(std::string_view name, std::vector<std::string>& to_create);

  RequestContext& context_;
  const protocol::MetadataRequest& request_;
  protocol::MetadataResponse& response_;
  metadata::ImagePtr image_;
};

void Describing::brokers() {
  std::vector<int32_t> alive;
  image_->brokers.for_each([&](int32_t id, const metadata::BrokerImage& broker) {
    if (broker.fenced && !context_.shard.just_died(id)) return;
    if (!broker.fenced) alive.push_back(id);
    const auto* endpoint = broker.endpoint(context_.connection.listener->name);
    if (endpoint == nullptr) return;
    auto& answer = response_.brokers.emplace_back();
    answer.node_id = id;
    answer.host = endpoint->host;
    answer.port = endpoint->port;
    if (broker.rack) answer.rack = protocol::Text(*broker.rack);
  });
  response_.cluster_id = protocol::Text(context_.shard.node().cluster_id());
  // Clients cannot reach controllers; any broker passes their requests on.
  response_.controller_id = alive.empty() ? -1 : alive[context_.shard.loop().random().below(alive.size())];
}

void Describing::describe(const metadata::PartitionImage& partition, PartitionIndex index, PartitionAnswer& answer) {
  answer.partition_index = index;
  answer.leader_id = partition.leader;
  answer.leader_epoch = partition.leader_epoch;
  answer.replica_nodes = partition.replicas;
  answer.isr_nodes = partition.isr;
  answer.offline_replicas = offline_replicas(*image_, partition);
  const auto* leader = image_->broker(partition.leader);
  if (leader == nullptr || leader->fenced) {
    answer.error_code = to_wire(ErrorCode::kLeaderNotAvailable);
    answer.leader_id = metadata::kNoLeader;
  } else if (leader->endpoint(context_.connection.listener->name) == nullptr) {
    answer.error_code = to_wire(context_.version() >= 6 ? ErrorCode::kListenerNotFound : ErrorCode::kLeaderNotAvailable);
    answer.leader_id = metadata::kNoLeader;
  }
}

void Describing::describe(const metadata::TopicImage& topic, TopicAnswer& answer) {
  answer.name = protocol::Text(topic.name);
  answer.topic_id = topic.id;
  answer.is_internal = is_internal_topic(topic.name);
  answer.partitions.reserve(static_cast<size_t>(topic.partition_count()));
  topic.partitions.for_each([&](PartitionIndex index, const metadata::PartitionImage& partition) {
    describe(partition, index, answer.partitions.emplace_back());
  });
  if (request_.include_topic_authorized_operations) {
    answer.topic_authorized_operations = context_.authorized_operations(ResourceType::kTopic, topic.name);
  }
}

void Describing::all_topics() {
  image_->topics.for_each([&](const std::string& name, const metadata::TopicImage& topic) {
    if (context_.authorized(Operation::kDescribe, ResourceType::kTopic, name)) describe(topic, response_.topics.emplace_back());
  });
}

void Describing::topics_by_id() {
  for (const auto& wanted : *request_.topics) {
    if (wanted.topic_id.is_zero()) continue;
    auto& answer = response_.topics.emplace_back();
    const auto* topic = image_->topic(wanted.topic_id);
    answer.topic_id = wanted.topic_id;
    answer.name.reset();
    if (topic == nullptr) {
      answer.error_code = to_wire(ErrorCode::kUnknownTopicId);
    } else if (!context_.authorized(Operation::kDescribe, ResourceType::kTopic, topic->name)) {
      answer.error_code = to_wire(ErrorCode::kTopicAuthorizationFailed);
    } else {
      describe(*topic, answer);
    }
  }
}

void Describing::missing(std::string_view name, std::vector<std::string>& to_create) {
  auto& answer = response_.topics.emplace_back();
  answer.name = protocol::Text(name);
  answer.is_internal = is_internal_topic(name);
  const bool may_create = request_.allow_auto_topic_creation && context_.shard.settings().auto_create_topics;
  if (!is_legal_topic_name(name)) {
    answer.error_code = to_wire(ErrorCode::kInvalidTopicException);
    return;
  }
  answer.error_code = to_wire(ErrorCode::kUnknownTopicOrPartition);
  if (!may_create) return;
  if (context_.authorized(Operation::kCreate, ResourceType::kCluster, kClusterResource) ||
      context_.authorized(Operation::kCreate, ResourceType::kTopic, name)) {
    to_create.emplace_back(name);
  } else {
    answer.error_code = to_wire(ErrorCode::kTopicAuthorizationFailed);
  }
}

void Describing::topics_by_name() {
  std::vector<std::string> to_create;
  std::vector<std::string_view> seen;
  for (const auto& wanted : *request_.topics) {
    const std::string_view name = wanted.name ? wanted.name->view() : std::string_view();
    if (std::ranges::find(seen, name) != seen.end()) continue;
    seen.push_back(name);
    if (!context_.authorized(Operation::kDescribe, ResourceType::kTopic, name)) {
      auto& answer = response_.topics.emplace_back();
      answer.name = protocol::Text(name);
      answer.error_code = to_wire(ErrorCode::kTopicAuthorizationFailed);
    } else if (const auto* topic = image_->topic(name)) {
      describe(*topic, response_.topics.emplace_back());
    } else {
      missing(name, to_create);
    }
  }
  if (!to_create.empty()) create_topics_in_background(context_.shard, std::move(to_create), forwarded_for(context_));
}

void Describing::cluster() {
  if (context_.version() >= 8 && context_.version() <= 10 && request_.include_cluster_authorized_operations) {
    const bool may = context_.authorized(Operation::kDescribe, ResourceType::kCluster, kClusterResource);
    response_.cluster_authorized_operations = may ? context_.authorized_operations(ResourceType::kCluster, kClusterResource) : 0;
  }
}

// Who was told the leaders on this connection, or came by it, not just now: a client that starts asks at once, one that waits for something asks often. What
// is left asks because it lost a broker, or every few minutes.
bool may_have_lost_its_broker(const RequestContext& context) {
  constexpr std::chrono::milliseconds kJustNow(500);
  return context.shard.loop().now() >= io::after(context.connection.told_leaders, kJustNow);
}

io::Task<> new_leaders(RequestContext& context, const protocol::MetadataRequest& request) {
  const WaitTimer waits(context, context.shard.loop());
  const auto image = context.shard.image();
  std::vector<std::string_view> names;
  const bool everything = !request.topics || (context.version() == 0 && request.topics->empty());
  if (!everything) {
    for (const auto& wanted : *request.topics) {
      const auto* by_id = wanted.topic_id.is_zero() ? nullptr : image->topic(wanted.topic_id);
      if (by_id != nullptr) names.push_back(by_id->name);
      if (wanted.name) names.push_back(wanted.name->view());
    }
  }
  const auto* topics = everything ? nullptr : &names;
  if (may_have_lost_its_broker(context)) co_await context.shard.await_lost_leader(topics, context.connection.told_leaders);
  co_await context.shard.await_new_leaders(topics);
}

// Versions 10 and 11 carry ids that nobody may use yet.
bool is_malformed(const protocol::MetadataRequest& request, int16_t version) {
  if (version >= 12 || version < 10 || !request.topics) return false;
  return std::ranges::any_of(*request.topics, [](const auto& topic) { return !topic.name || !topic.topic_id.is_zero(); });
}

}  // namespace

io::Task<> handle_metadata(RequestContext& context, protocol::MetadataRequest& request, protocol::MetadataResponse& response) {
  if (context.shard.has_lost_leaders() || may_have_lost_its_broker(context)) co_await new_leaders(context, request);
  context.connection.told_leaders = context.shard.loop().now();
  Describing describing(context, request, response);
  describing.brokers();
  describing.cluster();
  const bool everything = !request.topics || (context.version() == 0 && request.topics->empty());
  if (everything) {
    describing.all_topics();
  } else if (is_malformed(request, context.version())) {
    for (const auto& wanted : *request.topics) {
      auto& answer = response.topics.emplace_back();
      answer.name = wanted.name ? wanted.name : protocol::Text("");
      answer.topic_id = wanted.topic_id;
      answer.error_code = to_wire(ErrorCode::kInvalidRequest);
    }
  } else if (std::ranges::any_of(*request.topics, [](const auto& topic) { return !topic.topic_id.is_zero(); })) {
    describing.topics_by_id();
  } else {
    describing.topics_by_name();
  }
  co_return;
}

}  // namespace samsa::server
