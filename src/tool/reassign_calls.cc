#include "tool/reassign_calls.h"

#include <fmt/format.h>

#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/alter_replica_log_dirs.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_partition_reassignments.h"
#include "tool/java_text.h"

namespace samsa::tool {

namespace {

std::unexpected<Error> fail_as_java(const Error& error) { return fail(error.code, java_exception_text(error)); }

std::map<std::string, std::vector<int32_t>> by_topic(const std::vector<TopicPartition>& partitions) {
  std::map<std::string, std::vector<int32_t>> topics;
  for (const auto& partition : partitions) topics[partition.topic].push_back(partition.partition);
  return topics;
}

}  // namespace

io::Task<Result<OngoingMoves>> list_reassignments(client::Cluster& cluster, const std::optional<std::vector<TopicPartition>>& of) {
  protocol::ListPartitionReassignmentsRequest request;
  const auto asked = of ? by_topic(*of) : std::map<std::string, std::vector<int32_t>>{};
  if (of) request.topics.emplace();
  for (const auto& [name, partitions] : asked) {
    auto& topic = request.topics->emplace_back();
    topic.name = protocol::Text(name);
    topic.partition_indexes = partitions;
  }
  const auto reply = co_await call_admin(cluster, std::move(request));
  if (!reply) co_return fail_as_java(reply.error());
  if ((*reply)->error_code != 0) co_return fail_as_java(answer_error((*reply)->error_code, (*reply)->error_message));
  OngoingMoves ongoing;
  for (const auto& topic : (*reply)->topics) {
    for (const auto& partition : topic.partitions) {
      ongoing[{topic.name.str(), partition.partition_index}] = {partition.replicas, partition.adding_replicas, partition.removing_replicas};
    }
  }
  co_return ongoing;
}

io::Task<Result<std::map<TopicPartition, Error>>> alter_reassignments(client::Cluster& cluster, const ReassignmentWishes& wishes, bool allow_factor_change) {
  protocol::AlterPartitionReassignmentsRequest request;
  request.allow_replication_factor_change = allow_factor_change;
  for (const auto& [partition, replicas] : wishes) {
    if (request.topics.empty() || request.topics.back().name.view() != partition.topic) request.topics.emplace_back().name = protocol::Text(partition.topic);
    auto& one = request.topics.back().partitions.emplace_back();
    one.partition_index = partition.partition;
    one.replicas = replicas;
  }
  const auto reply = co_await client::call_controller(cluster, std::move(request), [](const auto& answer) {
    return error_from_wire(answer.error_code) == ErrorCode::kNotController;
  });
  if (!reply) co_return fail_as_java(reply.error());
  std::map<TopicPartition, Error> errors;
  if ((*reply)->error_code != 0) {
    for (const auto& [partition, replicas] : wishes) errors[partition] = answer_error((*reply)->error_code, (*reply)->error_message);
    co_return errors;
  }
  for (const auto& topic : (*reply)->responses) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != 0) errors[{topic.name.str(), partition.partition_index}] = answer_error(partition.error_code, partition.error_message);
    }
  }
  co_return errors;
}

io::Task<Result<Assignments>> assignments_of(client::Cluster& cluster, const std::set<std::string>& topics) {
  Assignments found;
  if (topics.empty()) co_return found;
  if (const auto asked = co_await cluster.refresh({topics.begin(), topics.end()}); !asked) co_return fail_as_java(asked.error());
  for (const auto& name : topics) {
    const auto topic = cluster.topics().find(name);
    const ErrorCode error = topic == cluster.topics().end() ? ErrorCode::kUnknownTopicOrPartition : topic->second.error;
    if (error != ErrorCode::kNone) {
      co_return fail_as_java({error, error == ErrorCode::kUnknownTopicOrPartition ? fmt::format("Topic {} not found.", name) : std::string()});
    }
    for (const auto& partition : topic->second.partitions) found[{name, partition.index}] = partition.replicas;
  }
  co_return found;
}

io::Task<Result<std::map<ReplicaOf, DirectoryState>>> directories_of(client::Cluster& cluster, const std::vector<ReplicaOf>& replicas) {
  std::map<ReplicaOf, DirectoryState> states;
  std::map<int32_t, std::vector<TopicPartition>> by_broker;
  for (const auto& replica : replicas) by_broker[replica.broker].push_back(replica.partition);
  for (const auto& [broker, partitions] : by_broker) {
    protocol::DescribeLogDirsRequest request;
    request.topics.emplace();
    const auto topics = by_topic(partitions);
    for (const auto& [name, indexes] : topics) {
      auto& topic = request.topics->emplace_back();
      topic.topic = protocol::Text(name);
      topic.partitions = indexes;
    }
    const auto reply = co_await describe_log_dirs(cluster, broker, std::move(request));
    if (!reply) co_return fail_as_java(reply.error());
    for (const auto& partition : partitions) states[{broker, partition}].known = true;
    for (const auto& directory : (*reply)->results) {
      if (directory.error_code != 0) continue;
      for (const auto& topic : directory.topics) {
        for (const auto& partition : topic.partitions) {
          const auto state = states.find({broker, {topic.name.str(), partition.partition_index}});
          if (state != states.end()) (partition.is_future_key ? state->second.future : state->second.current) = directory.log_dir.str();
        }
      }
    }
  }
  co_return states;
}

io::Task<Result<std::vector<ReplicaOf>>> alter_directories(client::Cluster& cluster, const LogDirs& wanted) {
  std::map<int32_t, std::map<std::string, std::vector<TopicPartition>>> by_broker;
  for (const auto& [replica, directory] : wanted) by_broker[replica.broker][directory].push_back(replica.partition);
  std::vector<ReplicaOf> moving;
  for (const auto& [broker, directories] : by_broker) {
    protocol::AlterReplicaLogDirsRequest request;
    std::map<std::string, std::map<std::string, std::vector<int32_t>>> topics_of;  // Keeps the names that the request views.
    for (const auto& [directory, partitions] : directories) topics_of[directory] = by_topic(partitions);
    for (const auto& [directory, topics] : topics_of) {
      auto& dir = request.dirs.emplace_back();
      dir.path = protocol::Text(directory);
      for (const auto& [name, indexes] : topics) {
        auto& topic = dir.topics.emplace_back();
        topic.name = protocol::Text(name);
        topic.partitions = indexes;
      }
    }
    auto connection = co_await cluster.broker(broker);
    if (!connection) co_return fail_as_java(connection.error());
    const auto reply = co_await (*connection)->call(request);
    if (!reply) co_return fail_as_java(reply.error());
    for (const auto& topic : (*reply)->results) {
      for (const auto& partition : topic.partitions) {
        const ReplicaOf replica{broker, {topic.topic_name.str(), partition.partition_index}};
        const ErrorCode code = error_from_wire(partition.error_code);
        if (code == ErrorCode::kNone) moving.push_back(replica);
        else if (code != ErrorCode::kReplicaNotAvailable) co_return fail(code, "Failed to alter dir for " + replica.to_string());
      }
    }
  }
  co_return moving;
}

io::Task<Result<void>> alter_settings(client::Cluster& cluster, const std::vector<SettingsOf>& changes) {
  constexpr int8_t kTopic = 2, kBroker = 4, kSet = 0, kDelete = 1;
  for (const auto& change : changes) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = change.broker ? kBroker : kTopic;
    resource.resource_name = protocol::Text(change.name);
    for (const auto& [name, value] : change.settings) {
      auto& config = resource.configs.emplace_back();
      config.name = protocol::Text(name);
      config.config_operation = value ? kSet : kDelete;
      if (value) config.value = protocol::Text(*value);
      else config.value.reset();
    }
    // A broker checks its own settings.
    auto connection = change.broker && !cluster.config().controllers ? co_await cluster.broker(std::stoi(change.name)) : co_await cluster.controller();
    if (!connection) co_return fail_as_java(connection.error());
    const auto reply = co_await (*connection)->call(request);
    if (!reply) co_return fail_as_java(reply.error());
    for (const auto& answer : (*reply)->responses) {
      if (answer.error_code != 0) co_return fail_as_java(answer_error(answer.error_code, answer.error_message));
    }
  }
  co_return Result<void>{};
}

}  // namespace samsa::tool
