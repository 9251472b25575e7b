#include "server/auto_topics.h"

#include "base/log.h"
#include "protocol/api/create_topics.h"
#include "server/controller_call.h"
#include "server/internal_topics.h"
#include "server/node.h"

namespace samsa::server {

namespace {

using protocol::CreateTopicsRequest;

void set(CreateTopicsRequest::CreatableTopic& topic, const char* name, const std::string& value) {
  auto& config = topic.configs.emplace_back();
  config.name = name;
  config.value = protocol::Text(value);
}

CreateTopicsRequest::CreatableTopic describe(const NodeSettings& settings, const std::string& name) {
  CreateTopicsRequest::CreatableTopic topic;
  topic.name = name;
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  if (name == kGroupOffsetsTopic) {
    topic.num_partitions = settings.offsets_topic_partitions;
    topic.replication_factor = settings.offsets_topic_replication_factor;
    set(topic, "cleanup.policy", "compact");
    set(topic, "segment.bytes", std::to_string(settings.offsets_topic_segment_bytes));
    set(topic, "compression.type", settings.offsets_topic_compression);
  } else if (name == kTransactionStateTopic) {
    topic.num_partitions = settings.transaction_topic_partitions;
    topic.replication_factor = settings.transaction_topic_replication_factor;
    set(topic, "cleanup.policy", "compact");
    set(topic, "compression.type", "uncompressed");
    set(topic, "segment.bytes", std::to_string(settings.transaction_topic_segment_bytes));
    set(topic, "min.insync.replicas", std::to_string(settings.transaction_topic_min_isr));
    set(topic, "unclean.leader.election.enable", "false");
  }
  return topic;
}

io::Task<> create(Shard& shard, std::vector<std::string> names) {
  CreateTopicsRequest request;
  request.timeout_ms = static_cast<int32_t>(shard.settings().request_timeout.count());
  for (const auto& name : names) request.topics.push_back(describe(shard.settings(), name));
  const metadata::Caller caller{.deadline = io::after(shard.loop().now(), shard.settings().request_timeout), .version = 7};
  std::vector<std::shared_ptr<void>> kept;
  const auto created = co_await ask_controller(shard.node(), shard.loop(), request, &metadata::ControllerRuntime::create_topics, caller, true, kept);
  if (!created) {
    if (shard.may_complain()) SAMSA_LOG_WARN("cannot create topic {}: {}", names.front(), created.error().describe());
  } else {
    for (const auto& topic : created->topics) {
      const auto code = error_from_wire(topic.error_code);
      if (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists || !shard.may_complain()) continue;
      SAMSA_LOG_WARN("cannot create topic {}: {} {}", topic.name.view(), error_name(code),
                     topic.error_message ? topic.error_message->view() : std::string_view());
    }
  }
  for (const auto& name : names) shard.creating.erase(name);
}

}  // namespace

void create_topics_in_background(Shard& shard, std::vector<std::string> names) {
  std::erase_if(names, [&](const std::string& name) { return !shard.creating.insert(name).second; });
  if (names.empty() || shard.stopping()) return;
  shard.spawn(create(shard, std::move(names)));
}

}  // namespace samsa::server
