#include "server/auto_topics.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "protocol/api/create_topics.h"
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

constexpr size_t kReasonsKept = 1000;  // Names come from strangers.

using Created = client::Reply<protocol::CreateTopicsResponse>;

// Asks the active controller, wherever it is; in the client's name, or in this broker's for internal topics. On the metadata shard.
io::Task<Result<Created>> ask(Node& node, metadata::MetadataNode& metadata, const CreateTopicsRequest& request,
                              const std::optional<metadata::ForwardedFor>& who) {
  constexpr int16_t kVersion = 7;
  const metadata::Caller caller{.deadline = io::after(node.worlds()[0].loop.now(), node.settings().request_timeout), .version = kVersion};
  for (;;) {
    Result<Created> answer = fail(ErrorCode::kNotController);
    if (metadata.controller() != nullptr && metadata.controller()->active()) {
      auto own = co_await metadata.controller()->create_topics(request, caller);
      if (own) co_return Created(nullptr, std::move(*own));
      answer = fail(std::move(own).error());
    } else if (who) {
      answer = co_await metadata.channel().forward(request, *who, kVersion);
    } else {
      answer = co_await metadata.channel().ask(request);
    }
    if (answer && !(*answer)->topics.empty() && (*answer)->topics[0].error_code == protocol::to_wire(ErrorCode::kNotController)) {
      answer = fail(ErrorCode::kNotController);
    }
    const bool moved = !answer && (answer.error().code == ErrorCode::kNotController || answer.error().code == ErrorCode::kNetworkException);
    if (!moved || node.worlds()[0].loop.now() >= caller.deadline || node.shard(0).stopping()) co_return answer;
    co_await metadata.channel().wait_change(std::chrono::milliseconds(50));
  }
}

io::Task<> create(Shard& shard, std::vector<std::string> names, std::optional<metadata::ForwardedFor> who) {
  CreateTopicsRequest request;
  request.timeout_ms = static_cast<int32_t>(shard.settings().request_timeout.count());
  for (const auto& name : names) request.topics.push_back(describe(shard.settings(), name));
  Node& node = shard.node();
  auto call = [&](metadata::MetadataNode& metadata) { return ask(node, metadata, request, who); };
  const auto created = co_await node.on_metadata(shard.loop(), call);
  if (!created) {
    if (shard.may_complain()) SAMSA_LOG_WARN("cannot create topic {}: {}", names.front(), created.error().describe());
  } else {
    for (const auto& topic : (*created)->topics) {
      const auto code = error_from_wire(topic.error_code);
      if (code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists) {
        shard.not_created.erase(std::string(topic.name.view()));
        continue;
      }
      // Clients ask several times a second for as long as it does not exist; the same reason is said once.
      const std::string why = fmt::format("{} {}", error_name(code), topic.error_message ? topic.error_message->view() : std::string_view());
      if (shard.not_created.size() > kReasonsKept) shard.not_created.clear();
      if (std::exchange(shard.not_created[std::string(topic.name.view())], why) == why || !shard.may_complain()) continue;
      SAMSA_LOG_WARN("cannot create topic {}: {}", topic.name.view(), why);
    }
  }
  for (const auto& name : names) shard.creating.erase(name);
}

}  // namespace

void create_topics_in_background(Shard& shard, std::vector<std::string> names, std::optional<metadata::ForwardedFor> who) {
  std::erase_if(names, [&](const std::string& name) { return !shard.creating.insert(name).second; });
  if (names.empty() || shard.stopping()) return;
  shard.spawn(create(shard, std::move(names), std::move(who)));
}

}  // namespace samsa::server
