// GroupCoordinator: the requests about offsets.
#include <algorithm>

#include "coordinator/group/coordinator.h"
#include "coordinator/group/machine.h"

namespace samsa::coordinator {
namespace {

using protocol::Text;

constexpr int16_t kTopicIdVersion = 10;       // OffsetCommit and OffsetFetch name topics by id from here on.
constexpr int16_t kFetchGroupsVersion = 8;    // OffsetFetch asks for several groups.
constexpr int16_t kFetchTopErrorVersion = 2;  // OffsetFetch has an error for the whole response.
constexpr int16_t kTxnTopicIdVersion = 6;     // TxnOffsetCommit likewise.
constexpr int16_t kTxnLoadVersion = 2;        // TxnOffsetCommit: COORDINATOR_LOAD_IN_PROGRESS is understood.

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

// Adds the topic's partitions to a response, all with this error.
template <class Response, class Topic>
void refuse_topic(Response& response, const Topic& topic, ErrorCode code) {
  auto& refused = response.topics.emplace_back();
  refused.name = topic.name.str();
  if constexpr (requires { topic.topic_id; }) refused.topic_id = topic.topic_id;
  for (const auto& partition : topic.partitions) {
    auto& answer = refused.partitions.emplace_back();
    answer.partition_index = partition.partition_index;
    answer.error_code = wire(code);
  }
}

template <class Response, class Request>
void refuse_all(Response& response, const Request& request, ErrorCode code) {
  for (const auto& topic : request.topics) refuse_topic(response, topic, code);
}

// Moves the partitions that do not exist from the topic into the response.
template <class Response, class Topic>
void refuse_unknown_partitions(Response& response, Topic& topic, const RequestScope& scope) {
  Topic unknown = topic;
  std::erase_if(unknown.partitions, [&](const auto& p) { return scope.partition_exists(topic.name, p.partition_index); });
  if (unknown.partitions.empty()) return;
  std::erase_if(topic.partitions, [&](const auto& p) { return !scope.partition_exists(topic.name, p.partition_index); });
  refuse_topic(response, unknown, ErrorCode::kUnknownTopicOrPartition);
}

// The topics of the request that may be committed, with their names; the others are answered in `response`.
template <class Request, class Response>
Request allowed_part(const Request& request, const RequestInfo& info, bool by_id, Response& response) {
  Request allowed = request;
  allowed.topics.clear();
  for (const auto& asked : request.topics) {
    auto topic = asked;
    if constexpr (requires { topic.topic_id; }) {
      if (by_id) {
        const auto name = info.scope.topic_name(topic.topic_id);
        if (!name) {
          refuse_topic(response, topic, ErrorCode::kUnknownTopicId);
          continue;
        }
        topic.name = *name;
      }
    }
    if (!info.scope.topic_allowed(topic.name)) {
      refuse_topic(response, topic, ErrorCode::kTopicAuthorizationFailed);
      continue;
    }
    refuse_unknown_partitions(response, topic, info.scope);
    if (!topic.partitions.empty()) allowed.topics.push_back(std::move(topic));
  }
  return allowed;
}

}  // namespace

// ---- Commit ----

io::Task<protocol::OffsetCommitResponse> GroupCoordinator::offset_commit(RequestInfo info, const protocol::OffsetCommitRequest& request) {
  protocol::OffsetCommitResponse response;
  if (!info.scope.group_allowed(request.group_id)) {
    refuse_all(response, request, ErrorCode::kGroupAuthorizationFailed);
    co_return response;
  }
  const auto allowed = allowed_part(request, info, info.api_version >= kTopicIdVersion, response);
  if (allowed.topics.empty()) co_return response;
  const auto home = home_of(request.group_id, true);
  const Caller caller{info.api_version, info.client_id, info.client_host};
  auto committed =
      home ? co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->commit_here(home->partition, caller, allowed); })
           : Result<protocol::OffsetCommitResponse>(fail(home.error().code));
  if (!committed) {
    refuse_all(response, allowed, committed.error().code);
  } else {
    std::ranges::move(committed->topics, std::back_inserter(response.topics));
  }
  co_return response;
}

io::Task<Result<protocol::OffsetCommitResponse>> GroupCoordinator::commit_here(PartitionIndex partition, Caller caller,
                                                                               const protocol::OffsetCommitRequest& request) {
  CO_TRY_ASSIGN(const auto runtime, led(partition));
  co_return co_await Partition::write(runtime, [&](GroupMachine& machine, Now now) { return machine.commit(caller, request, now); });
}

io::Task<protocol::TxnOffsetCommitResponse> GroupCoordinator::txn_offset_commit(RequestInfo info,
                                                                                const protocol::TxnOffsetCommitRequest& request) {
  protocol::TxnOffsetCommitResponse response;
  if (!info.scope.group_allowed(request.group_id)) {
    refuse_all(response, request, ErrorCode::kGroupAuthorizationFailed);
    co_return response;
  }
  const auto allowed = allowed_part(request, info, info.api_version >= kTxnTopicIdVersion, response);
  if (allowed.topics.empty()) co_return response;
  const auto home = home_of(request.group_id, false);
  auto committed =
      home ? co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->txn_commit_here(home->partition, allowed); })
           : Result<protocol::TxnOffsetCommitResponse>(fail(home.error().code));
  if (!committed) {
    ErrorCode code = committed.error().code;
    if (code == ErrorCode::kCoordinatorLoadInProgress && info.api_version < kTxnLoadVersion) code = ErrorCode::kCoordinatorNotAvailable;
    refuse_all(response, allowed, code);
  } else {
    std::ranges::move(committed->topics, std::back_inserter(response.topics));
  }
  co_return response;
}

io::Task<Result<protocol::TxnOffsetCommitResponse>> GroupCoordinator::txn_commit_here(PartitionIndex partition,
                                                                                      const protocol::TxnOffsetCommitRequest& request) {
  CO_TRY_ASSIGN(const auto runtime, led(partition));
  co_return co_await Partition::write(runtime, [&](GroupMachine& machine, Now now) { return machine.commit_in_transaction(request, now); });
}

// ---- Delete ----

io::Task<protocol::OffsetDeleteResponse> GroupCoordinator::offset_delete(RequestInfo info, const protocol::OffsetDeleteRequest& request) {
  protocol::OffsetDeleteResponse response;
  if (!info.scope.group_allowed(request.group_id)) {
    response.error_code = wire(ErrorCode::kGroupAuthorizationFailed);
    co_return response;
  }
  const auto allowed = allowed_part(request, info, false, response);
  const auto home = home_of(request.group_id, false);
  auto deleted =
      home ? co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->offset_delete_here(home->partition, allowed); })
           : Result<protocol::OffsetDeleteResponse>(fail(home.error().code));
  if (!deleted) {
    response.topics.clear();
    response.error_code = wire(deleted.error().code);
  } else {
    std::ranges::move(deleted->topics, std::back_inserter(response.topics));
  }
  co_return response;
}

io::Task<Result<protocol::OffsetDeleteResponse>> GroupCoordinator::offset_delete_here(PartitionIndex partition,
                                                                                      const protocol::OffsetDeleteRequest& request) {
  CO_TRY_ASSIGN(const auto runtime, led(partition));
  co_return co_await Partition::write(runtime, [&](GroupMachine& machine, Now) { return machine.delete_offsets(request); });
}

// ---- Fetch ----

struct GroupCoordinator::Fetches {
  using AskedGroup = protocol::OffsetFetchRequest::OffsetFetchRequestGroup;
  using FetchedGroup = protocol::OffsetFetchResponse::OffsetFetchResponseGroup;

  static io::Task<Result<FetchedGroup>> fetch_here(GroupCoordinator& self, PartitionIndex partition, const AskedGroup& asked,
                                                   bool require_stable) {
    CO_TRY_ASSIGN(const auto runtime, self.led(partition));
    if (!require_stable) {
      CO_TRY(runtime->check_active());
      co_return runtime->machine().fetch(asked, false, runtime->committed());
    }
    // As a decision without records: it sees everything, and is answered when all of that is committed.
    co_return co_await Partition::write(runtime, [&](GroupMachine& machine, Now) -> Result<Decision<FetchedGroup>> {
      return Decision<FetchedGroup>{machine.fetch(asked, true, INT64_MAX), {}};
    });
  }

  template <class Topic>
  static void refuse(FetchedGroup& group, const Topic& topic, ErrorCode code) {
    auto& refused = group.topics.emplace_back();
    refused.name = topic.name.str();
    refused.topic_id = topic.topic_id;
    for (const PartitionIndex partition : topic.partition_indexes) {
      auto& answer = refused.partitions.emplace_back();
      answer.partition_index = partition;
      answer.committed_offset = -1;
      answer.committed_leader_epoch = -1;
      answer.metadata = Text();
      answer.error_code = wire(code);
    }
  }

  // The part of the group's topics that may be read; the others are answered in `refused`.
  static AskedGroup allowed(const AskedGroup& asked, const RequestInfo& info, FetchedGroup& refused) {
    AskedGroup part = asked;
    if (!asked.topics) return part;
    part.topics->clear();
    for (const auto& wanted : *asked.topics) {
      auto topic = wanted;
      if (info.api_version >= kTopicIdVersion) {
        const auto name = info.scope.topic_name(topic.topic_id);
        if (!name) {
          refuse(refused, topic, ErrorCode::kUnknownTopicId);
          continue;
        }
        topic.name = *name;
      }
      if (!info.scope.topic_allowed(topic.name)) {
        refuse(refused, topic, ErrorCode::kTopicAuthorizationFailed);
        continue;
      }
      part.topics->push_back(std::move(topic));
    }
    return part;
  }

  // All topics were asked for: only those stay that the caller may see and, where ids are spoken, that still exist.
  static void hide(FetchedGroup& group, const RequestInfo& info) {
    std::erase_if(group.topics, [&](auto& topic) {
      if (!info.scope.topic_allowed(topic.name)) return true;
      if (info.api_version < kTopicIdVersion) return false;
      const auto id = info.scope.topic_id(topic.name);
      if (id) topic.topic_id = *id;
      return !id;
    });
  }

  static io::Task<FetchedGroup> fetch(GroupCoordinator& self, const RequestInfo& info, const AskedGroup& asked, bool require_stable) {
    FetchedGroup refused;
    const auto home = self.home_of(asked.group_id, true);
    Result<FetchedGroup> fetched;
    if (!info.scope.group_allowed(asked.group_id)) {
      fetched = fail(ErrorCode::kGroupAuthorizationFailed);
    } else if (!home) {
      fetched = fail(home.error().code);
    } else {
      const AskedGroup part = allowed(asked, info, refused);
      fetched = co_await io::call_on(self.loop_, home->owner->loop_,
                                     [&] { return fetch_here(*home->owner, home->partition, part, require_stable); });
    }
    if (!fetched) {
      FetchedGroup failed;
      failed.group_id = asked.group_id.str();
      failed.error_code = wire(fetched.error().code);
      co_return failed;
    }
    if (!asked.topics) hide(*fetched, info);
    std::ranges::move(refused.topics, std::back_inserter(fetched->topics));
    co_return std::move(*fetched);
  }

  // A single group in the form of the versions before 8.
  static AskedGroup from_old(const protocol::OffsetFetchRequest& request) {
    AskedGroup asked;
    asked.group_id = request.group_id;
    if (!request.topics) {
      asked.topics.reset();
      return asked;
    }
    asked.topics.emplace();
    for (const auto& topic : *request.topics) {
      auto& to = asked.topics->emplace_back();
      to.name = topic.name;
      to.partition_indexes = topic.partition_indexes;
    }
    return asked;
  }

  static protocol::OffsetFetchResponse to_old(FetchedGroup group, const AskedGroup& asked, int16_t version) {
    protocol::OffsetFetchResponse response;
    if (group.error_code != 0 && version < kFetchTopErrorVersion && asked.topics) {
      for (const auto& topic : *asked.topics) refuse(group, topic, error_from_wire(group.error_code));
    }
    response.error_code = group.error_code;
    for (auto& topic : group.topics) {
      auto& to = response.topics.emplace_back();
      to.name = std::move(topic.name);
      for (auto& partition : topic.partitions) {
        auto& answer = to.partitions.emplace_back();
        answer.partition_index = partition.partition_index;
        answer.committed_offset = partition.committed_offset;
        answer.committed_leader_epoch = partition.committed_leader_epoch;
        answer.metadata = std::move(partition.metadata);
        answer.error_code = partition.error_code;
      }
    }
    return response;
  }
};

io::Task<protocol::OffsetFetchResponse> GroupCoordinator::offset_fetch(RequestInfo info, const protocol::OffsetFetchRequest& request) {
  if (info.api_version < kFetchGroupsVersion) {
    const auto asked = Fetches::from_old(request);
    auto fetched = co_await Fetches::fetch(*this, info, asked, request.require_stable);
    co_return Fetches::to_old(std::move(fetched), asked, info.api_version);
  }
  protocol::OffsetFetchResponse response;
  for (const auto& asked : request.groups) {
    response.groups.push_back(co_await Fetches::fetch(*this, info, asked, request.require_stable));
  }
  co_return response;
}

}  // namespace samsa::coordinator
