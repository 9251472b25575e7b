// GroupCoordinator: the requests of KIP-848 groups.
#include <algorithm>

#include "coordinator/group/coordinator.h"
#include "coordinator/group/machine.h"
#include "metadata/image.h"

namespace samsa::coordinator {
namespace {

using Described = protocol::ConsumerGroupDescribeResponse::DescribedGroup;

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

protocol::ConsumerGroupHeartbeatResponse failed(const Error& error) {
  protocol::ConsumerGroupHeartbeatResponse response;
  response.error_code = wire(error.code);
  if (!error.message.empty()) response.error_message = protocol::Text(error.message);
  return response;
}

io::Task<Result<Described>> describe_here(Result<std::shared_ptr<CoordinatorPartition<GroupMachine>>> led, std::string_view group) {
  CO_TRY_ASSIGN(const auto runtime, std::move(led));
  CO_TRY(runtime->check_active());
  co_return runtime->machine().describe_consumer(group);
}

}  // namespace

bool GroupCoordinator::consumer_groups_enabled() const { return environment_->image && environment_->image->feature("group.version") >= 1; }

io::Task<protocol::ConsumerGroupHeartbeatResponse> GroupCoordinator::consumer_group_heartbeat(
    RequestInfo info, const protocol::ConsumerGroupHeartbeatRequest& request) {
  if (!consumer_groups_enabled()) co_return failed({ErrorCode::kUnsupportedVersion, {}});
  if (!info.scope.group_allowed(request.group_id)) co_return failed({ErrorCode::kGroupAuthorizationFailed, {}});
  if (request.subscribed_topic_names) {
    const bool allowed = std::ranges::all_of(*request.subscribed_topic_names, [&](const auto& t) { return info.scope.topic_allowed(t); });
    if (!allowed) co_return failed({ErrorCode::kTopicAuthorizationFailed, {}});
  }
  const auto home = home_of(request.group_id, true);
  if (!home) co_return failed(home.error());
  const Caller caller{info.api_version, info.client_id, info.client_host};
  auto beat = co_await io::call_on(loop_, home->owner->loop_,
                                   [&] { return home->owner->consumer_heartbeat_here(home->partition, caller, request); });
  if (!beat) co_return failed(beat.error());
  co_return std::move(*beat);
}

io::Task<Result<protocol::ConsumerGroupHeartbeatResponse>> GroupCoordinator::consumer_heartbeat_here(
    PartitionIndex partition, Caller caller, const protocol::ConsumerGroupHeartbeatRequest& request) {
  CO_TRY_ASSIGN(const auto runtime, led(partition));
  co_return co_await Partition::write(runtime,
                                      [&](GroupMachine& machine, Now now) { return machine.consumer_heartbeat(caller, request, now); });
}

io::Task<protocol::ConsumerGroupDescribeResponse> GroupCoordinator::consumer_group_describe(
    RequestInfo info, const protocol::ConsumerGroupDescribeRequest& request) {
  protocol::ConsumerGroupDescribeResponse response;
  for (const auto& id : request.group_ids) {
    const auto home = home_of(id, false);
    Result<Described> described = fail(ErrorCode::kNone);
    if (!consumer_groups_enabled()) {
      described = fail(ErrorCode::kUnsupportedVersion);
    } else if (!info.scope.group_allowed(id)) {
      described = fail(ErrorCode::kGroupAuthorizationFailed);
    } else if (!home) {
      described = fail(home.error().code);
    } else {
      described = co_await io::call_on(loop_, home->owner->loop_, [&] { return describe_here(home->owner->led(home->partition), id); });
    }
    if (!described) {
      auto& refused = response.groups.emplace_back();
      refused.group_id = id.str();
      refused.error_code = wire(described.error().code);
      continue;
    }
    if (request.include_authorized_operations && described->error_code == 0) {
      described->authorized_operations = info.scope.group_operations(id);
    }
    response.groups.push_back(std::move(*described));
  }
  co_return response;
}

}  // namespace samsa::coordinator
