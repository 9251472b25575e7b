#include "coordinator/group/coordinator.h"

#include "base/assert.h"
#include "coordinator/group/machine.h"
#include "coordinator/partitioner.h"

namespace samsa::coordinator {
namespace {

struct Nothing {};

constexpr int16_t kNullableProtocolVersion = 7;  // JoinGroup: protocol_name may be null from here on.
constexpr int16_t kSyncProtocolVersion = 5;      // SyncGroup: protocol type and name are mandatory from here on.

int16_t wire(ErrorCode code) { return static_cast<int16_t>(code); }

// A response that says only this.
template <class R>
R failed(ErrorCode code) {
  R response;
  response.error_code = wire(code);
  return response;
}

}  // namespace

GroupCoordinator::GroupCoordinator(io::Loop& loop, GroupConfig config)
    : loop_(loop),
      environment_(std::make_shared<GroupEnvironment>(GroupEnvironment{config, nullptr, 0})),
      all_{this},
      shard_of_([](PartitionIndex) { return 0; }) {}

GroupCoordinator::~GroupCoordinator() { resign_all(); }

void GroupCoordinator::connect(std::vector<GroupCoordinator*> all, ShardOf shard_of) {
  all_ = std::move(all);
  shard_of_ = std::move(shard_of);
}

void GroupCoordinator::set_config(const GroupConfig& config) { environment_->config = config; }

void GroupCoordinator::set_image(std::shared_ptr<const metadata::MetadataImage> image) {
  environment_->image = std::move(image);
  ++environment_->image_version;
}

// ---- Partitions ----

void GroupCoordinator::set_partition_count(int32_t partitions) { partition_count_ = partitions; }

std::optional<PartitionIndex> GroupCoordinator::partition_of(std::string_view group) const {
  if (partition_count_ <= 0) return std::nullopt;
  return partition_of_key(group, partition_count_);
}

Result<GroupCoordinator::Home> GroupCoordinator::home_of(std::string_view group, bool empty_id_allowed) const {
  if (group.empty() && !empty_id_allowed) return fail(ErrorCode::kInvalidGroupId);
  const auto partition = partition_of(group);
  if (!partition) return fail(ErrorCode::kCoordinatorNotAvailable);
  const auto shard = static_cast<size_t>(shard_of_(*partition));
  SAMSA_ASSERT(shard < all_.size());
  return Home{all_[shard], *partition};
}

Result<GroupCoordinator::PartitionPtr> GroupCoordinator::led(PartitionIndex partition) const {
  const auto found = led_.find(partition);
  if (found == led_.end()) return fail(ErrorCode::kNotCoordinator);
  return found->second.partition;
}

GroupStats GroupCoordinator::stats() const {
  GroupStats stats;
  stats.totals = resigned_totals_;
  for (const auto& [index, led] : led_) {
    switch (led.partition->state()) {
      case PartitionRuntime::State::kLoading:
        ++stats.loading;
        break;
      case PartitionRuntime::State::kActive:
        ++stats.active;
        break;
      case PartitionRuntime::State::kFailed:
        ++stats.failed;
        break;
      case PartitionRuntime::State::kResigned:
        break;
    }
    led.partition->machine().add_to(stats);
  }
  return stats;
}

const GroupMachine& GroupCoordinator::machine_for_test(PartitionIndex partition) const { return led_.at(partition).partition->machine(); }

io::Task<Result<void>> GroupCoordinator::become_leader(PartitionIndex partition, LeaderEpoch epoch, std::shared_ptr<CoordinatorLog> log) {
  if (const auto present = led_.find(partition); present != led_.end()) {
    if (present->second.epoch >= epoch) co_return Result<void>{};
    resign(partition);
  }
  const RuntimeOptions options{environment_->config.offset_commit_timeout, environment_->config.load_buffer_size};
  auto led = std::make_shared<Partition>(loop_, std::move(log), std::make_unique<GroupMachine>(environment_, loop_.random()), options);
  led_.insert_or_assign(partition, Led{epoch, led});
  co_return co_await led->load();
}

void GroupCoordinator::resign(PartitionIndex partition) {
  const auto found = led_.find(partition);
  if (found == led_.end()) return;
  const PartitionPtr leaving = found->second.partition;
  led_.erase(found);
  resigned_totals_ += leaving->machine().totals();
  leaving->resign();
}

void GroupCoordinator::resign_all() {
  while (!led_.empty()) resign(led_.begin()->first);
}

io::Task<> GroupCoordinator::topics_deleted(std::vector<std::string> topics) {
  std::vector<PartitionPtr> here;
  for (const auto& [index, led] : led_) here.push_back(led.partition);
  for (const auto& partition : here) {
    co_await Partition::write(partition, [&](GroupMachine& machine, Now) -> Result<Decision<Nothing>> {
      return Decision<Nothing>{{}, machine.delete_topics(topics)};
    });
  }
}

io::Task<Result<void>> GroupCoordinator::complete_transaction(PartitionIndex partition, ProducerStamp producer, int32_t coordinator_epoch,
                                                              bool commit) {
  auto runtime = led(partition);
  auto result = runtime ? co_await (*runtime)->complete_transaction(producer, coordinator_epoch, commit)
                        : Result<void>(fail(ErrorCode::kNotCoordinator));
  if (result) co_return result;
  switch (result.error().code) {
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
      co_return fail(ErrorCode::kNotLeaderOrFollower);
    default:
      co_return result;
  }
}

// ---- Membership ----

io::Task<protocol::JoinGroupResponse> GroupCoordinator::join_group(RequestInfo info, const protocol::JoinGroupRequest& request) {
  const auto refuse = [&](ErrorCode code) {
    auto response = failed<protocol::JoinGroupResponse>(code);
    if (code != ErrorCode::kGroupAuthorizationFailed) response.member_id = request.member_id.str();
    return response;
  };
  const auto session = std::chrono::milliseconds(request.session_timeout_ms);
  const auto home = home_of(request.group_id, false);
  protocol::JoinGroupResponse response;
  if (!info.scope.group_allowed(request.group_id)) {
    response = refuse(ErrorCode::kGroupAuthorizationFailed);
  } else if (!home) {
    response = refuse(home.error().code);
  } else if (session < environment_->config.min_session_timeout || session > environment_->config.max_session_timeout) {
    response = refuse(ErrorCode::kInvalidSessionTimeout);
  } else {
    const Caller caller{info.api_version, info.client_id, info.client_host};
    response = co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->join_here(home->partition, caller, request); });
  }
  if (info.api_version < kNullableProtocolVersion && !response.protocol_name) response.protocol_name = protocol::Text();
  co_return response;
}

io::Task<protocol::JoinGroupResponse> GroupCoordinator::join_here(PartitionIndex partition, Caller caller,
                                                                  const protocol::JoinGroupRequest& request) {
  const auto runtime = led(partition);
  if (!runtime) co_return failed<protocol::JoinGroupResponse>(runtime.error().code);
  JoinReply reply(loop_);
  const auto decided = co_await Partition::write(*runtime, [&](GroupMachine& machine, Now now) -> Result<Decision<Nothing>> {
    return Decision<Nothing>{{}, machine.join(caller, request, reply, now)};
  });
  if (!decided) reply.resolve(failed<protocol::JoinGroupResponse>(decided.error().code));
  co_return co_await reply.wait();
}

io::Task<protocol::SyncGroupResponse> GroupCoordinator::sync_group(RequestInfo info, const protocol::SyncGroupRequest& request) {
  using Response = protocol::SyncGroupResponse;
  if (info.api_version >= kSyncProtocolVersion && (!request.protocol_type || !request.protocol_name)) {
    co_return failed<Response>(ErrorCode::kInconsistentGroupProtocol);
  }
  if (!info.scope.group_allowed(request.group_id)) co_return failed<Response>(ErrorCode::kGroupAuthorizationFailed);
  const auto home = home_of(request.group_id, false);
  if (!home) co_return failed<Response>(home.error().code);
  const Caller caller{info.api_version, info.client_id, info.client_host};
  co_return co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->sync_here(home->partition, caller, request); });
}

io::Task<protocol::SyncGroupResponse> GroupCoordinator::sync_here(PartitionIndex partition, Caller caller,
                                                                  const protocol::SyncGroupRequest& request) {
  const auto runtime = led(partition);
  if (!runtime) co_return failed<protocol::SyncGroupResponse>(runtime.error().code);
  SyncReply reply(loop_);
  const auto decided = co_await Partition::write(*runtime, [&](GroupMachine& machine, Now now) -> Result<Decision<Nothing>> {
    return Decision<Nothing>{{}, machine.sync(caller, request, reply, now)};
  });
  if (!decided) reply.resolve(failed<protocol::SyncGroupResponse>(decided.error().code));
  co_return co_await reply.wait();
}

io::Task<protocol::HeartbeatResponse> GroupCoordinator::heartbeat(RequestInfo info, const protocol::HeartbeatRequest& request) {
  using Response = protocol::HeartbeatResponse;
  if (!info.scope.group_allowed(request.group_id)) co_return failed<Response>(ErrorCode::kGroupAuthorizationFailed);
  const auto home = home_of(request.group_id, false);
  if (!home) co_return failed<Response>(home.error().code);
  co_return failed<Response>(
      co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->heartbeat_here(home->partition, request); }));
}

io::Task<ErrorCode> GroupCoordinator::heartbeat_here(PartitionIndex partition, const protocol::HeartbeatRequest& request) {
  const auto runtime = led(partition);
  if (!runtime) co_return runtime.error().code;
  const auto decided = co_await Partition::write(*runtime, [&](GroupMachine& machine, Now now) -> Result<Decision<ErrorCode>> {
    return Decision<ErrorCode>{machine.heartbeat(request, now), {}};
  });
  if (decided) co_return *decided;
  // While loading nobody can say; a member must not give up for that.
  const ErrorCode code = decided.error().code;
  co_return code == ErrorCode::kCoordinatorLoadInProgress ? ErrorCode::kNone : code;
}

io::Task<protocol::LeaveGroupResponse> GroupCoordinator::leave_group(RequestInfo info, const protocol::LeaveGroupRequest& request) {
  using Response = protocol::LeaveGroupResponse;
  constexpr int16_t kBatchVersion = 3;
  if (!info.scope.group_allowed(request.group_id)) co_return failed<Response>(ErrorCode::kGroupAuthorizationFailed);
  const auto home = home_of(request.group_id, false);
  if (!home) co_return failed<Response>(home.error().code);
  protocol::LeaveGroupRequest batch = request;
  if (info.api_version < kBatchVersion) batch.members = {{.member_id = request.member_id}};
  auto left = co_await io::call_on(loop_, home->owner->loop_, [&] { return home->owner->leave_here(home->partition, batch); });
  Response response;
  if (left) {
    response = std::move(*left);
  } else if (left.error().code == ErrorCode::kUnknownMemberId) {
    for (const auto& member : batch.members) {
      auto& answer = response.members.emplace_back();
      answer.member_id = member.member_id.str();
      if (member.group_instance_id) answer.group_instance_id = protocol::Text(member.group_instance_id->str());
      answer.error_code = wire(ErrorCode::kUnknownMemberId);
    }
  } else {
    response.error_code = wire(left.error().code);
  }
  if (info.api_version < kBatchVersion) {
    if (!response.members.empty()) response.error_code = response.members.front().error_code;
    response.members.clear();
  }
  co_return response;
}

io::Task<Result<protocol::LeaveGroupResponse>> GroupCoordinator::leave_here(PartitionIndex partition,
                                                                            const protocol::LeaveGroupRequest& request) {
  CO_TRY_ASSIGN(const auto runtime, led(partition));
  co_return co_await Partition::write(
      runtime, [&](GroupMachine& machine, Now now) { return machine.leave(request.group_id, request.members, now); });
}

}  // namespace samsa::coordinator
