#include "client/admin.h"

#include <fmt/format.h>

#include <cctype>
#include <utility>

#include "protocol/api/list_offsets.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"

namespace samsa::client {
namespace {

using Timestamps = std::map<TopicPartition, int64_t>;
using Listed = std::map<TopicPartition, ListedOffset>;

// The lowest version of ListOffsets that knows the special timestamp.
int16_t list_offsets_version(int64_t timestamp) {
  switch (timestamp) {
    case -3: return 7;
    case -4: return 8;
    case -5: return 9;
    case -6: return 11;
    default: return 1;
  }
}

protocol::ListOffsetsRequest list_request(const Timestamps& timestamps, bool read_committed) {
  protocol::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = read_committed ? 1 : 0;
  for (const auto& [partition, timestamp] : timestamps) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) request.topics.emplace_back().name = protocol::Text(partition.topic);
    auto& entry = request.topics.back().partitions.emplace_back();
    entry.partition_index = partition.partition;
    entry.timestamp = timestamp;
  }
  return request;
}

// Asks one leader; what may be asked again stays in `left`.
io::Task<> list_from(Cluster& cluster, int32_t leader, Timestamps asked, bool read_committed, Listed& found, Timestamps& left) {
  auto connection = co_await cluster.broker(leader);
  Error problem{ErrorCode::kNone, ""};
  if (connection) {
    const auto version = (*connection)->version_of<protocol::ListOffsetsRequest>();
    for (const auto& [partition, timestamp] : asked) {
      if (version && *version < list_offsets_version(timestamp)) problem = {ErrorCode::kUnsupportedVersion, "the broker does not know this kind of offset"};
    }
    if (problem.code == ErrorCode::kNone) {
      auto reply = co_await (*connection)->call(list_request(asked, read_committed));
      if (reply) {
        for (const auto& topic : (*reply)->topics) {
          for (const auto& answer : topic.partitions) {
            const TopicPartition partition{topic.name.str(), answer.partition_index};
            const ErrorCode code = error_from_wire(answer.error_code);
            found[partition] = {{code, ""}, answer.offset, answer.timestamp, answer.leader_epoch};
            if (code == ErrorCode::kNone || !error_is_retriable(code)) left.erase(partition);
          }
        }
        co_return;
      }
      problem = reply.error();
    }
  } else {
    problem = connection.error();
  }
  for (const auto& [partition, timestamp] : asked) {
    found[partition].error = problem;
    if (!error_is_retriable(problem.code)) left.erase(partition);
  }
}

}  // namespace

std::string call_name(std::string_view request_name) {
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {{"DescribeGroupsRequest", "describeConsumerGroups"},
                                                                       {"DeleteGroupsRequest", "deleteConsumerGroups"},
                                                                       {"OffsetDeleteRequest", "deleteConsumerGroupOffsets"}};
  for (const auto& [request, call] : kOthers) {
    if (request == request_name) return std::string(call);
  }
  if (request_name.ends_with("Request")) request_name.remove_suffix(7);
  std::string name(request_name);
  if (!name.empty()) name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  return name;
}

io::Task<Result<Listed>> list_offsets(Cluster& cluster, Timestamps timestamps, bool read_committed) {
  Listed found;
  Timestamps left = timestamps;
  const auto deadline = cluster.api_deadline();
  while (!left.empty()) {
    std::map<int32_t, Timestamps> by_leader;
    for (const auto& [partition, timestamp] : Timestamps(left)) {
      auto topic = co_await cluster.topic(partition.topic, false, deadline);
      ErrorCode code = topic ? ErrorCode::kNone : topic.error().code;
      if (topic && static_cast<size_t>(partition.partition) >= topic->partitions.size()) code = ErrorCode::kUnknownTopicOrPartition;
      const int32_t leader = code == ErrorCode::kNone ? topic->partitions[static_cast<size_t>(partition.partition)].leader : -1;
      if (leader >= 0) {
        by_leader[leader][partition] = timestamp;
        continue;
      }
      found[partition].error = {code == ErrorCode::kNone ? ErrorCode::kLeaderNotAvailable : code, ""};
      if (!error_is_retriable(found[partition].error.code) || code == ErrorCode::kUnknownTopicOrPartition) left.erase(partition);
    }
    for (auto& [leader, asked] : by_leader) co_await list_from(cluster, leader, std::move(asked), read_committed, found, left);
    if (left.empty()) break;
    for (const auto& [partition, timestamp] : left) cluster.forget_topic(partition.topic);
    if (!co_await cluster.back_off(deadline)) break;
  }
  co_return found;
}

io::Task<Result<std::map<TopicPartition, GroupOffset>>> group_offsets(Cluster& cluster, std::string group_id) {
  protocol::OffsetFetchRequest request;
  CO_TRY_ASSIGN(auto connection, co_await cluster.coordinator(CoordinatorType::kGroup, group_id));
  CO_TRY_ASSIGN(const int16_t version, connection->version_of<protocol::OffsetFetchRequest>(9));
  const bool batched = version >= 8;
  if (batched) {
    auto& group = request.groups.emplace_back();
    group.group_id = group_id;
    group.topics.reset();
  } else {
    request.group_id = group_id;
    request.topics.reset();
  }
  const auto error_of = [batched](const protocol::OffsetFetchResponse& answer) {
    return error_from_wire(batched && !answer.groups.empty() ? answer.groups[0].error_code : answer.error_code);
  };
  std::map<TopicPartition, GroupOffset> offsets;
  const auto deadline = cluster.api_deadline();
  while (true) {
    CO_TRY_ASSIGN(connection, co_await cluster.coordinator(CoordinatorType::kGroup, group_id));
    auto reply = co_await connection->call(request, 9);
    const ErrorCode code = reply ? error_of(**reply) : reply.error().code;
    if (code == ErrorCode::kNone) {
      const auto collect = [&offsets](const auto& topics) {
        for (const auto& topic : topics) {
          for (const auto& partition : topic.partitions) {
            if (partition.committed_offset < 0) continue;
            offsets[{topic.name.str(), partition.partition_index}] = {partition.committed_offset, partition.committed_leader_epoch,
                                                                      partition.metadata ? partition.metadata->str() : std::string()};
          }
        }
      };
      if (batched && !(*reply)->groups.empty()) {
        collect((*reply)->groups[0].topics);
      } else {
        collect((*reply)->topics);
      }
      co_return offsets;
    }
    if (!error_is_retriable(code)) co_return fail(code);
    cluster.forget_coordinator(CoordinatorType::kGroup, group_id);
    if (!co_await cluster.back_off(deadline)) co_return fail(code);
  }
}

io::Task<Result<std::map<TopicPartition, Offset>>> committed_offsets(Cluster& cluster, std::string group_id,
                                                                     std::vector<TopicPartition> partitions) {
  CO_TRY_ASSIGN(const auto all, co_await group_offsets(cluster, std::move(group_id)));
  std::map<TopicPartition, Offset> offsets;
  for (const auto& partition : partitions) {
    const auto found = all.find(partition);
    offsets[partition] = found == all.end() ? -1 : found->second.offset;
  }
  co_return offsets;
}

io::Task<Result<std::map<TopicPartition, Error>>> commit_offsets(Cluster& cluster, CommitIdentity identity,
                                                                 std::map<TopicPartition, CommitOffset> offsets) {
  protocol::OffsetCommitRequest request;
  request.group_id = identity.group_id;
  request.member_id = identity.member_id;
  request.generation_id_or_member_epoch = identity.generation;
  if (!identity.instance_id.empty()) request.group_instance_id = protocol::NullableText{protocol::Text(identity.instance_id)};
  for (const auto& [partition, commit] : offsets) {
    if (request.topics.empty() || request.topics.back().name != partition.topic) request.topics.emplace_back().name = protocol::Text(partition.topic);
    auto& entry = request.topics.back().partitions.emplace_back();
    entry.partition_index = partition.partition;
    entry.committed_offset = commit.offset;
    entry.committed_leader_epoch = commit.leader_epoch;
    entry.committed_metadata = protocol::NullableText{protocol::Text(commit.metadata)};
  }
  const auto deadline = cluster.api_deadline();
  while (true) {
    CO_TRY_ASSIGN(auto connection, co_await cluster.coordinator(CoordinatorType::kGroup, identity.group_id));
    auto reply = co_await connection->call(request, 9);
    std::map<TopicPartition, Error> errors;
    ErrorCode again = reply ? ErrorCode::kNone : reply.error().code;
    if (reply) {
      for (const auto& topic : (*reply)->topics) {
        for (const auto& answer : topic.partitions) {
          const ErrorCode code = error_from_wire(answer.error_code);
          errors[{topic.name.str(), answer.partition_index}] = {code, ""};
          if (code != ErrorCode::kNone && error_is_retriable(code) && code != ErrorCode::kRebalanceInProgress) again = code;
        }
      }
    }
    if (again == ErrorCode::kNone) co_return errors;
    if (!error_is_retriable(again)) co_return fail(reply.error());
    cluster.forget_coordinator(CoordinatorType::kGroup, identity.group_id);
    if (!co_await cluster.back_off(deadline)) co_return reply ? Result<std::map<TopicPartition, Error>>(errors) : fail(reply.error());
  }
}

}  // namespace samsa::client
