// ConsumerGroups: the KIP-848 groups of one partition of __consumer_offsets; the part of GroupMachine that ConsumerGroupHeartbeat
// and ConsumerGroupDescribe speak to.
//
// Everything but the deadlines of sessions and revocations is from records. Names are shared with classic groups: GroupMachine sees
// to it that a name is one or the other. Not here: subscriptions by regular expression, and conversion from and to classic groups
// (as with group.consumer.migration.policy=disabled).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "coordinator/group/config.h"
#include "coordinator/group/consumer_group.h"
#include "coordinator/runtime.h"
#include "io/random.h"
#include "protocol/api/consumer_group_describe.h"
#include "protocol/api/consumer_group_heartbeat.h"

namespace samsa::metadata {
struct MetadataImage;
}  // namespace samsa::metadata

namespace samsa::coordinator {

// Who asks.
struct Caller {
  int16_t api_version = 0;
  std::string_view client_id;
  std::string_view client_host;
};

// What machines see of the world besides requests; changed by the coordinator between decisions.
struct GroupEnvironment {
  GroupConfig config;
  std::shared_ptr<const metadata::MetadataImage> image;  // Null: not known yet.
  uint64_t image_version = 0;                            // Counts the images.
};

class ConsumerGroups {
 public:
  ConsumerGroups(const GroupEnvironment& environment, io::Random& random) : environment_(environment), random_(random) {}

  // `records` are written before the group's own (the end of an empty classic group of this name). Errors: INVALID_REQUEST,
  // UNSUPPORTED_ASSIGNOR, GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, GROUP_MAX_SIZE_REACHED, UNRELEASED_INSTANCE_ID,
  // FENCED_INSTANCE_ID.
  Result<Decision<protocol::ConsumerGroupHeartbeatResponse>> heartbeat(const Caller& caller,
                                                                       const protocol::ConsumerGroupHeartbeatRequest& request, Now now,
                                                                       RecordList records);
  protocol::ConsumerGroupDescribeResponse::DescribedGroup describe(const ConsumerGroup& group) const;

  [[nodiscard]] const ConsumerGroup* find(std::string_view group) const;
  [[nodiscard]] const std::map<std::string, ConsumerGroup, std::less<>>& all() const { return groups_; }

  // A record with a key of type 3 to 8.
  Result<void> replay(const ReplayedRecord& record);
  void erase(std::string_view group);

  void on_loaded(Now now);
  [[nodiscard]] io::MonoTime next_deadline() const { return armed_.empty() ? io::kNever : armed_.begin()->first; }
  // Removes a member whose time is over, if there is one.
  Writes on_deadline(Now now);

 private:
  using Request = protocol::ConsumerGroupHeartbeatRequest;
  using Response = protocol::ConsumerGroupHeartbeatResponse;
  using MemberKey = std::pair<std::string, std::string>;  // Group, member.
  // A decision about one member's heartbeat in the making.
  struct Step {
    const ConsumerGroup& group;
    ConsumerMember before;  // As the group has it; without epoch where it is new.
    ConsumerMember after;
    std::optional<std::string> replaced;  // The id that this static member had.
    RecordList records;
    int32_t group_epoch;
  };
  struct Deadlines {
    io::MonoTime armed = io::kNever;
    io::MonoTime session = io::kNever;
    io::MonoTime rebalance = io::kNever;
    int32_t rebalance_epoch = 0;
  };

  Result<void> validate(const Caller& caller, const Request& request) const;
  Result<ConsumerMember> joining_member(const ConsumerGroup& group, const std::string& id, const Request& request,
                                        std::optional<std::string>& replaced) const;
  void replace_records(Step& step) const;
  void update_member(Step& step, const Caller& caller, const Request& request) const;
  void update_group(Step& step, Now now);
  PartitionSet update_target(Step& step, Now now, int32_t& target_epoch) const;
  Result<Decision<Response>> leave(const Request& request);
  Writes fence(const ConsumerGroup& group, const std::string& member);
  [[nodiscard]] std::map<std::string, ConsumerMember, std::less<>> members_after(const Step& step) const;
  [[nodiscard]] int64_t hash_of(const std::map<std::string, ConsumerMember, std::less<>>& members) const;
  [[nodiscard]] std::chrono::milliseconds setting(std::string_view group, std::string_view name, std::chrono::milliseconds standard) const;

  void refresh_session(const std::string& group, const std::string& member, Now now);
  void set_rebalance_deadline(const std::string& group, const ConsumerMember& member, Now now);
  void arm(const MemberKey& key, Deadlines& deadlines);
  void forget(const MemberKey& key);
  ConsumerGroup& get_or_create(std::string_view group);

  const GroupEnvironment& environment_;
  io::Random& random_;
  std::map<std::string, ConsumerGroup, std::less<>> groups_;
  std::map<std::string, uint64_t, std::less<>> checked_images_;  // The image version a group's hash was last compared with.
  std::map<MemberKey, Deadlines> deadlines_;
  std::set<std::pair<io::MonoTime, MemberKey>> armed_;
};

}  // namespace samsa::coordinator
