// FindCoordinator: which broker leads the partition that a group or transactional id belongs to. A missing topic of groups is created.
//
// This broker coordinates no transactions yet (docs/LIMITS.md). It says so with the one error that every client takes for final (librdkafka
// tries all others again), makes no `__transaction_state`, and names another broker where that one leads the partition, as in a cluster
// with Apache Kafka's brokers.
#include "protocol/api/find_coordinator.h"

#include "coordinator/partitioner.h"
#include "server/api/common.h"
#include "server/auto_topics.h"

namespace samsa::server {

namespace {

constexpr int8_t kGroup = 0, kTransaction = 1;
constexpr const char* kNoTransactions = "This broker does not coordinate transactions yet; producers without a transactional.id are idempotent.";

struct Coordinator {
  ErrorCode error = ErrorCode::kNone;
  std::string text;
  int32_t node = -1;
  std::string host;
  int32_t port = -1;
};

Coordinator refuse(ErrorCode code, std::string text = {}) { return {.error = code, .text = text.empty() ? std::string(error_text(code)) : text}; }

Coordinator find(RequestContext& context, int8_t type, std::string_view key) {
  if (type == kGroup && !context.authorized(Operation::kDescribe, ResourceType::kGroup, key)) {
    return refuse(ErrorCode::kGroupAuthorizationFailed);
  }
  if (type == kTransaction && !context.authorized(Operation::kDescribe, ResourceType::kTransactionalId, key)) {
    return refuse(ErrorCode::kTransactionalIdAuthorizationFailed);
  }
  const std::string_view topic_name = type == kGroup ? kGroupOffsetsTopic : kTransactionStateTopic;
  const auto& image = *context.shard.image();
  const auto* topic = image.topic(topic_name);
  const auto no_transactions = [] { return refuse(ErrorCode::kTransactionalIdAuthorizationFailed, kNoTransactions); };
  if (topic == nullptr && type == kTransaction) return no_transactions();
  if (topic == nullptr) {
    create_topics_in_background(context.shard, {std::string(topic_name)});
    return refuse(ErrorCode::kCoordinatorNotAvailable);
  }
  const auto* partition = topic->partition(coordinator::partition_of_key(key, topic->partition_count()));
  if (type == kTransaction && partition != nullptr && partition->leader == context.shard.settings().node_id) return no_transactions();
  const auto* endpoint = partition == nullptr ? nullptr : live_endpoint(image, partition->leader, context.connection.listener->name);
  if (endpoint == nullptr) return refuse(ErrorCode::kCoordinatorNotAvailable);
  return {.node = partition->leader, .host = endpoint->host, .port = endpoint->port};
}

template <class Answer>
void fill(Answer& answer, const Coordinator& found) {
  answer.error_code = to_wire(found.error);
  answer.node_id = found.node;
  answer.host = found.host;
  answer.port = found.port;
}

}  // namespace

io::Task<> handle_find_coordinator(RequestContext& context, protocol::FindCoordinatorRequest& request,
                                   protocol::FindCoordinatorResponse& response) {
  const bool known_type = request.key_type == kGroup || request.key_type == kTransaction;
  if (context.version() < 4) {
    const auto found = known_type ? find(context, request.key_type, request.key) : refuse(ErrorCode::kInvalidRequest);
    fill(response, found);
    response.error_message = found.error == ErrorCode::kNone ? protocol::Text("NONE") : protocol::Text(found.text);
    co_return;
  }
  for (const auto& key : request.coordinator_keys) {
    const auto found = known_type ? find(context, request.key_type, key) : refuse(ErrorCode::kInvalidRequest);
    auto& answer = response.coordinators.emplace_back();
    answer.key = key;
    fill(answer, found);
    if (found.error == ErrorCode::kNone) {
      answer.error_message = protocol::Text("");
    } else {
      answer.error_message = protocol::Text(found.text);
    }
  }
}

}  // namespace samsa::server
