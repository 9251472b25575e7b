// Admin: the calls of tools and of the consumer that need more than one exchange: they find the right broker, split by leader or
// coordinator, and try again while a retriable error says so. For everything else a tool sends the message itself through
// call_any, call_controller or call_coordinator.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cluster.h"

namespace samsa::client {

// What asking one item of many gave.
struct ListedOffset {
  Error error{ErrorCode::kNone, ""};
  Offset offset = -1;                   // -1: none (no record at or after the timestamp).
  TimestampMs timestamp = kNoTimestamp;  // Of the record found; -1 for the special timestamps.
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};

// Special timestamps: -1 latest, -2 earliest, -3 of the largest timestamp, -4 earliest local, -5 latest tiered, -6 earliest pending upload.
// Every partition asked for has an entry.
io::Task<Result<std::map<TopicPartition, ListedOffset>>> list_offsets(Cluster& cluster, std::map<TopicPartition, int64_t> timestamps,
                                                                      bool read_committed = false);

struct GroupOffset {
  Offset offset = -1;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
};
// All offsets that the group has committed. Empty for a group that does not exist.
io::Task<Result<std::map<TopicPartition, GroupOffset>>> group_offsets(Cluster& cluster, std::string group_id);
// The committed offsets of these partitions; -1 where there is none.
io::Task<Result<std::map<TopicPartition, Offset>>> committed_offsets(Cluster& cluster, std::string group_id,
                                                                     std::vector<TopicPartition> partitions);

struct CommitOffset {
  Offset offset = -1;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  std::string metadata;
};
struct CommitIdentity {
  std::string group_id;
  std::string member_id;     // Empty with generation -1: outside of a membership.
  int32_t generation = -1;
  std::string instance_id;
};
// The error of each partition; NONE where it is committed. Tried again while the coordinator moves or loads.
io::Task<Result<std::map<TopicPartition, Error>>> commit_offsets(Cluster& cluster, CommitIdentity identity,
                                                                 std::map<TopicPartition, CommitOffset> offsets);

// What Java's admin client calls the exchange of this request ("CreateTopicsRequest" -> "createTopics"); it stands in errors of timeouts.
std::string call_name(std::string_view request_name);

// Sends to any broker, trying others and again on network errors.
template <class Request>
io::Task<Result<Reply<ResponseOf<Request>>>> call_any(Cluster& cluster, Request request, std::chrono::milliseconds extra_wait = {}) {
  const auto deadline = cluster.api_deadline();
  while (true) {
    auto connection = co_await cluster.any(deadline);
    Error error = connection ? Error{} : connection.error();
    if (error.code == ErrorCode::kNetworkException) error = no_broker_in_time(call_name(Request::kName));
    if (connection) {
      auto reply = co_await (*connection)->call(request, INT16_MAX, extra_wait);
      if (reply) co_return reply;
      error = reply.error();
    }
    if (!error_is_retriable(error.code) || !co_await cluster.back_off(deadline)) co_return fail(error);
  }
}

// Sends to the controller as Metadata names it (a broker that forwards). Not for requests that must not happen twice: after a
// network error they are sent again, as Java's admin client does.
// `moved` says of an answer that the controller was not the active one (NOT_CONTROLLER): then it is tried again too.
template <class Request, class Moved>
io::Task<Result<Reply<ResponseOf<Request>>>> call_controller(Cluster& cluster, Request request, Moved moved, std::chrono::milliseconds extra_wait = {}) {
  const auto deadline = cluster.api_deadline();
  while (true) {
    auto connection = co_await cluster.controller();
    Error error = connection ? Error{ErrorCode::kNotController, ""} : connection.error();
    if (!connection && error.code == ErrorCode::kRequestTimedOut) error = no_broker_in_time(call_name(Request::kName));
    if (connection) {
      auto reply = co_await (*connection)->call(request, INT16_MAX, extra_wait);
      if (reply && !moved(**reply)) co_return reply;
      if (!reply) error = reply.error();
      cluster.forget_controller();
    }
    if (!error_is_retriable(error.code) || !co_await cluster.back_off(deadline)) co_return fail(error);
  }
}

// Sends to the group's coordinator. `error_of` takes the answer and says the error that may call for another try (NOT_COORDINATOR, ...).
template <class Request, class ErrorOf>
io::Task<Result<Reply<ResponseOf<Request>>>> call_coordinator(Cluster& cluster, CoordinatorType type, std::string key, Request request,
                                                              ErrorOf error_of) {
  const auto deadline = cluster.api_deadline();
  while (true) {
    auto connection = co_await cluster.coordinator(type, key);
    if (!connection && connection.error().code == ErrorCode::kRequestTimedOut) {
      co_return fail(no_broker_in_time(call_name(Request::kName) + "(api=FIND_COORDINATOR)"));
    }
    if (!connection) co_return fail(connection.error());
    auto reply = co_await (*connection)->call(request);
    const ErrorCode code = reply ? error_of(**reply) : reply.error().code;
    const bool moved = code == ErrorCode::kNotCoordinator || code == ErrorCode::kCoordinatorNotAvailable || code == ErrorCode::kNetworkException;
    if (!moved && code != ErrorCode::kCoordinatorLoadInProgress) co_return reply;
    if (moved) cluster.forget_coordinator(type, key);
    if (!co_await cluster.back_off(deadline)) co_return reply;
  }
}

}  // namespace samsa::client
