#include "client/group_member.h"

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/api/heartbeat.h"
#include "protocol/api/join_group.h"
#include "protocol/api/leave_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/record/consumer_protocol_assignment.h"
#include "protocol/record/consumer_protocol_subscription.h"

namespace samsa::client {
namespace {

constexpr std::string_view kNames[] = {"range", "roundrobin", "sticky"};
constexpr int16_t kSubscriptionVersion = 3;

Result<Buffer> encode_subscription(const std::vector<std::string>& topics, const std::vector<TopicPartition>& owned, int32_t generation) {
  protocol::ConsumerProtocolSubscription subscription;
  for (const auto& topic : topics) subscription.topics.emplace_back(topic);
  std::map<std::string, std::vector<int32_t>> by_topic;
  for (const auto& partition : owned) by_topic[partition.topic].push_back(partition.partition);
  for (auto& [topic, partitions] : by_topic) {
    auto& entry = subscription.owned_partitions.emplace_back();
    entry.topic = topic;
    entry.partitions = std::move(partitions);
  }
  subscription.generation_id = generation;
  return protocol::encode_record(subscription, kSubscriptionVersion);
}

Result<MemberSubscription> decode_subscription(std::string member_id, std::string instance_id, Bytes metadata) {
  TRY_ASSIGN(const auto subscription, protocol::decode_record<protocol::ConsumerProtocolSubscription>(metadata));
  MemberSubscription member{std::move(member_id), std::move(instance_id), {}, {}};
  for (const auto& topic : subscription.topics) member.topics.push_back(topic.str());
  for (const auto& entry : subscription.owned_partitions) {
    for (const int32_t partition : entry.partitions) member.owned.push_back({entry.topic.str(), partition});
  }
  return member;
}

Result<Buffer> encode_assignment(const std::vector<TopicPartition>& partitions) {
  protocol::ConsumerProtocolAssignment assignment;
  std::map<std::string, std::vector<int32_t>> by_topic;
  for (const auto& partition : partitions) by_topic[partition.topic].push_back(partition.partition);
  for (auto& [topic, list] : by_topic) {
    auto& entry = assignment.assigned_partitions.emplace_back();
    entry.topic = topic;
    entry.partitions = std::move(list);
  }
  return protocol::encode_record(assignment, kSubscriptionVersion);
}

bool means_new_coordinator(ErrorCode code) {
  return code == ErrorCode::kNotCoordinator || code == ErrorCode::kCoordinatorNotAvailable || code == ErrorCode::kNetworkException;
}

protocol::NullableText nullable(const std::string& text) {
  return text.empty() ? protocol::NullableText{} : protocol::NullableText{protocol::Text(text)};
}

}  // namespace

GroupMember::GroupMember(Cluster& cluster, GroupMemberConfig config)
    : cluster_(cluster), config_(std::move(config)), tasks_(cluster.world().loop) {}
GroupMember::~GroupMember() = default;

void GroupMember::subscribe(std::vector<std::string> topics) {
  topics_ = std::move(topics);
  rejoin_ = true;
}

void GroupMember::on_group_error(ErrorCode code) {
  if (means_new_coordinator(code)) cluster_.forget_coordinator(CoordinatorType::kGroup, config_.group_id);
  if (code == ErrorCode::kUnknownMemberId || code == ErrorCode::kIllegalGeneration || code == ErrorCode::kFencedInstanceId) {
    generation_ = -1;
    if (code == ErrorCode::kUnknownMemberId) member_id_.clear();
    rejoin_ = true;
  }
  if (code == ErrorCode::kRebalanceInProgress) rejoin_ = true;
}

io::Task<Result<bool>> GroupMember::ensure_joined(std::function<io::Task<>()> before_rebalance) {
  if (!rejoin_) co_return false;
  if (generation_ >= 0 && !assignment_.empty() && before_rebalance) co_await before_rebalance();
  const auto deadline = cluster_.api_deadline();
  while (true) {
    bool joined = false;
    const auto outcome = co_await join_once(joined);
    if (joined) break;
    if (!outcome) {
      on_group_error(outcome.error().code);
      const ErrorCode code = outcome.error().code;
      const bool again = error_is_retriable(code) || means_new_coordinator(code) || code == ErrorCode::kUnknownMemberId ||
                         code == ErrorCode::kIllegalGeneration || code == ErrorCode::kRebalanceInProgress;
      if (!again) co_return fail(outcome.error());
      if (!co_await cluster_.back_off(deadline)) co_return fail(outcome.error());
    }
  }
  rejoin_ = false;
  if (!beating_) {
    beating_ = true;
    tasks_.spawn(heartbeats());
  }
  co_return true;
}

io::Task<Result<void>> GroupMember::join_once(bool& joined) {
  CO_TRY_ASSIGN(auto connection, co_await cluster_.coordinator(CoordinatorType::kGroup, config_.group_id));
  protocol::JoinGroupRequest request;
  request.group_id = config_.group_id;
  request.session_timeout_ms = static_cast<int32_t>(config_.session_timeout.count());
  request.rebalance_timeout_ms = static_cast<int32_t>(config_.rebalance_timeout.count());
  request.member_id = member_id_;
  request.group_instance_id = nullable(config_.instance_id);
  request.protocol_type = "consumer";
  CO_TRY_ASSIGN(const Buffer metadata, encode_subscription(topics_, assignment_, generation_));
  for (const Assignor assignor : config_.assignors) {
    auto& entry = request.protocols.emplace_back();
    entry.name = kNames[static_cast<size_t>(assignor)];
    entry.metadata = protocol::Blob::view_of(metadata);
  }
  auto reply = co_await connection->call(request, INT16_MAX, config_.rebalance_timeout);
  if (!reply) co_return fail(reply.error());
  const auto& answer = **reply;
  const ErrorCode code = error_from_wire(answer.error_code);
  if (code == ErrorCode::kMemberIdRequired) {
    member_id_ = answer.member_id.str();
    co_return Result<void>{};
  }
  if (code != ErrorCode::kNone) co_return fail(code);
  member_id_ = answer.member_id.str();
  generation_ = answer.generation_id;
  const std::string protocol = answer.protocol_name ? answer.protocol_name->str() : std::string();
  std::vector<MemberSubscription> members;
  if (answer.leader == member_id_ && !answer.skip_assignment) {
    for (const auto& member : answer.members) {
      CO_TRY_ASSIGN(auto decoded, decode_subscription(member.member_id.str(), member.group_instance_id ? member.group_instance_id->str() : "",
                                                      member.metadata.view()));
      members.push_back(std::move(decoded));
    }
  }
  co_return co_await sync(protocol, std::move(members), joined);
}

io::Task<Result<GroupAssignment>> GroupMember::compute(const std::string& protocol, std::vector<MemberSubscription> members) {
  std::vector<std::string> names;
  for (const auto& member : members) {
    for (const auto& topic : member.topics) {
      if (std::find(names.begin(), names.end(), topic) == names.end()) names.push_back(topic);
    }
  }
  CO_TRY(co_await cluster_.refresh(names));
  std::map<std::string, int32_t> counts;
  for (const auto& name : names) {
    const auto topic = cluster_.topics().find(name);
    if (topic != cluster_.topics().end() && topic->second.error == ErrorCode::kNone) {
      counts[name] = static_cast<int32_t>(topic->second.partitions.size());
    }
  }
  if (protocol == "roundrobin") co_return assign_round_robin(std::move(members), counts);
  if (protocol == "sticky") co_return assign_sticky(std::move(members), counts);
  co_return assign_range(std::move(members), counts);
}

io::Task<Result<void>> GroupMember::sync(std::string protocol, std::vector<MemberSubscription> members, bool& synced) {
  protocol::SyncGroupRequest request;
  request.group_id = config_.group_id;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.group_instance_id = nullable(config_.instance_id);
  request.protocol_type = protocol::NullableText{"consumer"};
  request.protocol_name = protocol::NullableText{protocol::Text(protocol)};
  if (!members.empty()) {
    CO_TRY_ASSIGN(const auto assignment, co_await compute(protocol, std::move(members)));
    for (const auto& [member, partitions] : assignment) {
      auto& entry = request.assignments.emplace_back();
      entry.member_id = member;
      CO_TRY_ASSIGN(Buffer bytes, encode_assignment(partitions));
      entry.assignment = protocol::Blob(std::move(bytes));
    }
  }
  CO_TRY_ASSIGN(auto connection, co_await cluster_.coordinator(CoordinatorType::kGroup, config_.group_id));
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request, INT16_MAX, config_.rebalance_timeout));
  if (reply->error_code != 0) co_return fail(error_from_wire(reply->error_code));
  assignment_.clear();
  if (!reply->assignment.empty()) {
    CO_TRY_ASSIGN(const auto assigned, protocol::decode_record<protocol::ConsumerProtocolAssignment>(reply->assignment.view()));
    for (const auto& entry : assigned.assigned_partitions) {
      for (const int32_t partition : entry.partitions) assignment_.push_back({entry.topic.str(), partition});
    }
  }
  synced = true;
  co_return Result<void>{};
}

io::Task<> GroupMember::heartbeats() {
  auto& loop = cluster_.world().loop;
  while (!leaving_) {
    co_await changed_.wait_until(loop, io::after(loop.now(), config_.heartbeat_interval));
    if (leaving_) co_return;
    if (generation_ < 0 || rejoin_) continue;
    auto connection = co_await cluster_.coordinator(CoordinatorType::kGroup, config_.group_id);
    if (!connection) continue;
    protocol::HeartbeatRequest request;
    request.group_id = config_.group_id;
    request.generation_id = generation_;
    request.member_id = member_id_;
    request.group_instance_id = nullable(config_.instance_id);
    const int32_t asked_in = generation_;
    auto reply = co_await (*connection)->call(request);
    if (generation_ != asked_in) continue;  // Joined anew meanwhile.
    on_group_error(reply ? error_from_wire((*reply)->error_code) : reply.error().code);
  }
}

io::Task<> GroupMember::leave() {
  leaving_ = true;
  changed_.notify_all();
  if (generation_ >= 0 && config_.instance_id.empty()) {
    auto connection = co_await cluster_.coordinator(CoordinatorType::kGroup, config_.group_id);
    if (connection) {
      protocol::LeaveGroupRequest request;
      request.group_id = config_.group_id;
      const auto version = (*connection)->version_of<protocol::LeaveGroupRequest>();
      if (version && *version >= 3) {
        auto& member = request.members.emplace_back();
        member.member_id = member_id_;
        member.reason = protocol::NullableText{"the consumer is being closed"};
      } else {
        request.member_id = member_id_;
      }
      (void)co_await (*connection)->call(request);
    }
  }
  generation_ = -1;
  co_await tasks_.join();
}

}  // namespace samsa::client
