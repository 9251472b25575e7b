// ClassicGroup: the state of one group of the classic protocol (JoinGroup, SyncGroup): members, generation, protocol, leader, who
// is waited for, and the deadlines. Rules of one group only; what needs records, replies' errors or time is in GroupMachine.
//
// Invariants: awaiting_join() counts the members with a parked JoinGroup; static_members() maps each instance id to exactly one
// member; a leader, where there is one, is a member (after a load the record's word is kept). Members stand in order of their id.
// Soft state: the log has only what the last completed rebalance (or static replacement) wrote.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "coordinator/reply.h"
#include "io/loop.h"
#include "protocol/api/join_group.h"
#include "protocol/api/sync_group.h"
#include "protocol/types.h"

namespace samsa::coordinator {

using JoinReply = Reply<protocol::JoinGroupResponse>;
using SyncReply = Reply<protocol::SyncGroupResponse>;

enum class ClassicState : uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable, kDead };
// "Empty", "PreparingRebalance", ... as ListGroups and DescribeGroups give them.
std::string_view state_name(ClassicState state);

// One assignment strategy that a member offers, with its metadata for it.
struct MemberProtocol {
  std::string name;
  protocol::Blob metadata;  // Owned.
  friend bool operator==(const MemberProtocol&, const MemberProtocol&) = default;
};

struct ClassicMember {
  std::string id;
  std::optional<std::string> instance_id;  // Set: a static member.
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = 0;
  int32_t session_timeout_ms = 0;
  std::vector<MemberProtocol> protocols;  // In the member's order of preference.
  protocol::Blob assignment;              // Empty between rebalances.
  bool is_new = false;                    // Joined in this rebalance and never left it: cannot heartbeat yet.
  JoinReply join;                         // Set while a JoinGroup is parked.
  SyncReply sync;                         // Set while a SyncGroup is parked.
  io::MonoTime session_deadline = io::kNever;

  [[nodiscard]] bool is_static() const { return instance_id.has_value(); }
  // The metadata for a protocol; empty where the member does not offer it.
  [[nodiscard]] protocol::Blob metadata(std::string_view protocol) const;
};

class ClassicGroup {
 public:
  using Members = std::map<std::string, ClassicMember, std::less<>>;

  ClassicGroup(std::string id, TimestampMs created_ms) : id_(std::move(id)), state_timestamp_(created_ms) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] ClassicState state() const { return state_; }
  [[nodiscard]] ClassicState previous_state() const { return previous_; }
  [[nodiscard]] bool in(ClassicState state) const { return state_ == state; }
  [[nodiscard]] int32_t generation() const { return generation_; }
  [[nodiscard]] const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  [[nodiscard]] const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  [[nodiscard]] const std::optional<std::string>& leader() const { return leader_; }
  [[nodiscard]] bool is_leader(std::string_view member) const { return leader_ && *leader_ == member; }
  // When the present state began, ms since 1970; none for records of old versions.
  [[nodiscard]] std::optional<TimestampMs> state_timestamp() const { return state_timestamp_; }
  [[nodiscard]] const Members& members() const { return members_; }
  [[nodiscard]] Members& members() { return members_; }
  [[nodiscard]] ClassicMember* member(std::string_view id);
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& static_members() const { return static_members_; }
  [[nodiscard]] std::optional<std::string> static_member(std::string_view instance) const;
  [[nodiscard]] size_t awaiting_join() const { return awaiting_join_; }
  [[nodiscard]] bool all_joined() const { return members_.size() == awaiting_join_ && pending_.empty(); }
  [[nodiscard]] bool can_rebalance() const {
    return in(ClassicState::kEmpty) || in(ClassicState::kCompletingRebalance) || in(ClassicState::kStable);
  }
  [[nodiscard]] bool is_simple() const { return !protocol_type_ && in(ClassicState::kEmpty) && pending_.empty(); }
  [[nodiscard]] bool uses_consumer_protocol() const;
  // The largest of the members', in ms.
  [[nodiscard]] int32_t rebalance_timeout_ms() const;

  // Whether a member with these protocols fits the group: type and at least one protocol that all others have.
  [[nodiscard]] bool supports(std::string_view type, const std::vector<MemberProtocol>& protocols) const;
  // The protocol most members put first among those all have. At least one member.
  [[nodiscard]] std::string select_protocol() const;
  // UNKNOWN_MEMBER_ID; FENCED_INSTANCE_ID where the instance belongs to another member.
  [[nodiscard]] ErrorCode validate_member(std::string_view member, const protocol::NullableText& instance) const;
  // Topics the members subscribe to; none where unknown (another protocol type, or unreadable subscriptions).
  [[nodiscard]] const std::optional<std::set<std::string, std::less<>>>& subscribed_topics() const { return subscribed_topics_; }
  // Whether committed offsets of the topic are in use; unknown subscriptions of consumers count as yes.
  [[nodiscard]] bool is_subscribed(std::string_view topic) const;

  // ---- Changes ----
  // The group's protocol type must fit (supports()). `reply` may be empty.
  ClassicMember& add(ClassicMember member, std::string_view protocol_type, JoinReply reply);
  // Also forgets it as pending; a parked SyncGroup is answered UNKNOWN_MEMBER_ID. The first member becomes leader where it was.
  void remove(const std::string& member);
  void update(ClassicMember& member, std::vector<MemberProtocol> protocols, int32_t rebalance_timeout_ms, int32_t session_timeout_ms,
              JoinReply reply);
  // The static member gets a new id; the old id's parked calls are answered FENCED_INSTANCE_ID.
  ClassicMember& replace_static(const std::string& instance, const std::string& old_id, const std::string& new_id);
  // Makes the first joined member leader if the present one has not joined. False when nobody has.
  bool elect_joined_leader();
  void transition(ClassicState state, TimestampMs now_ms);
  // Generation + 1, the protocol chosen, CompletingRebalance or Empty.
  void next_generation(TimestampMs now_ms);
  // Answers a parked call; false when there was none.
  bool complete_join(ClassicMember& member, protocol::JoinGroupResponse response);
  bool complete_sync(ClassicMember& member, protocol::SyncGroupResponse response);
  // Parks a SyncGroup. One that was parked before is the same client's and given up by it: it is answered too, so that nobody waits for
  // ever (update() does the same for JoinGroup).
  void park_sync(ClassicMember& member, SyncReply reply);

  // What a GroupMetadata record said (loading).
  void restore(int32_t generation, std::optional<std::string> type, std::optional<std::string> protocol, std::optional<std::string> leader,
               std::optional<TimestampMs> state_timestamp, std::vector<ClassicMember> members);

  // ---- Deadlines, of the machine ----
  struct InitialDelay {
    int64_t delay_ms = 0;
    int64_t remaining_ms = 0;
  };
  io::MonoTime join_deadline = io::kNever;  // The join phase ends, or the initial delay.
  std::optional<InitialDelay> initial;      // Set during the initial delay.
  bool new_member_added = false;            // During the initial delay: extend it.
  io::MonoTime sync_deadline = io::kNever;  // Members that have not synced by then are removed.
  std::set<std::string, std::less<>> pending_sync;
  uint64_t assignment_write = 0;  // Counts the assignments sent to the log, and generations; the last one counts.
  [[nodiscard]] std::map<std::string, io::MonoTime, std::less<>>& pending() { return pending_; }
  [[nodiscard]] bool is_pending(std::string_view member) const { return pending_.find(member) != pending_.end(); }
  // The earliest of all deadlines. Walks the members.
  [[nodiscard]] io::MonoTime earliest_deadline() const;
  io::MonoTime armed = io::kNever;  // Where the machine's index has this group.
  uint64_t sequence = 0;            // Order among groups with the same deadline.

 private:
  void give_up_join(ClassicMember& member);
  void count_protocols(const ClassicMember& member, int by);
  [[nodiscard]] std::optional<std::set<std::string, std::less<>>> compute_subscribed_topics() const;

  std::string id_;
  ClassicState state_ = ClassicState::kEmpty;
  ClassicState previous_ = ClassicState::kDead;
  int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;
  std::optional<TimestampMs> state_timestamp_;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // Instance id to member id.
  std::map<std::string, io::MonoTime, std::less<>> pending_;        // Ids given out, not yet joined, with their deadline.
  std::map<std::string, int, std::less<>> protocol_counts_;         // How many members offer it.
  size_t awaiting_join_ = 0;
  std::optional<std::set<std::string, std::less<>>> subscribed_topics_;
};

}  // namespace samsa::coordinator
