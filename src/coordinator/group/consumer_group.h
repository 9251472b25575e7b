// ConsumerGroup: the state of one KIP-848 group, all of it from records: decisions look at it, replay alone changes it.
//
// Three epochs: the group's (what is wanted changed), the target assignment's (computed for that group epoch), each member's (has
// taken over the target of that epoch). A partition that a member holds or is giving up has an epoch here (partition_epoch), so that
// nobody else gets it before it is released.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/uuid.h"
#include "coordinator/group/assignor.h"

namespace samsa::coordinator {

enum class MemberState : int8_t { kStable = 0, kUnrevoked = 1, kUnreleased = 2, kUnknown = 127 };

inline constexpr int32_t kJoinEpoch = 0;
inline constexpr int32_t kLeaveEpoch = -1;
inline constexpr int32_t kStaticLeaveEpoch = -2;  // Left for a while; the assignment is kept for its instance.

// Partitions with the epoch in which each was assigned.
using EpochSet = std::map<Uuid, std::map<PartitionIndex, int32_t>>;
bool contains(const EpochSet& set, const Uuid& topic, PartitionIndex partition);
PartitionSet without_epochs(const EpochSet& set);

struct ConsumerMember {
  std::string id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::string client_id;
  std::string client_host;
  int32_t rebalance_timeout_ms = -1;
  std::set<std::string, std::less<>> subscribed_topics;
  std::optional<std::string> subscribed_regex;  // Kept from records; groups of ours do not resolve it.
  std::optional<std::string> server_assignor;
  int32_t epoch = 0;
  int32_t previous_epoch = 0;
  MemberState state = MemberState::kStable;
  EpochSet assigned;
  EpochSet pending_revocation;

  friend bool operator==(const ConsumerMember&, const ConsumerMember&) = default;
};

class ConsumerGroup {
 public:
  explicit ConsumerGroup(std::string id) : id_(std::move(id)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::map<std::string, ConsumerMember, std::less<>>& members() const { return members_; }
  [[nodiscard]] const ConsumerMember* member(std::string_view id) const;
  [[nodiscard]] const ConsumerMember* static_member(std::string_view instance) const;
  [[nodiscard]] const TargetAssignment& target() const { return target_; }
  [[nodiscard]] bool empty() const { return members_.empty(); }
  // "Empty", "Assigning", "Reconciling", "Stable".
  [[nodiscard]] std::string_view state_name() const;
  [[nodiscard]] bool is_subscribed(std::string_view topic) const;
  // -1: free.
  [[nodiscard]] int32_t partition_epoch(const Uuid& topic, PartitionIndex partition) const;
  // The assignor most members name; none where nobody does.
  [[nodiscard]] static std::optional<std::string> preferred_assignor(const std::map<std::string, ConsumerMember, std::less<>>& members);

  // ---- By replay ----
  void put_member(ConsumerMember member);
  void remove_member(std::string_view id);
  void set_target(const std::string& member, PartitionSet partitions) { target_.insert_or_assign(member, std::move(partitions)); }
  void remove_target(std::string_view member);

  int32_t epoch = 0;
  int32_t assignment_epoch = 0;
  int64_t metadata_hash = 0;
  bool has_partition_metadata = false;  // A record of a retired kind is in the log: a tombstone goes with the group.

 private:
  void add_epochs(const ConsumerMember& member);
  void drop_epochs(const ConsumerMember& member);

  std::string id_;
  std::map<std::string, ConsumerMember, std::less<>> members_;
  std::map<std::string, std::string, std::less<>> static_members_;
  TargetAssignment target_;
  std::map<std::pair<Uuid, PartitionIndex>, std::pair<int32_t, std::string>> partition_epochs_;  // Epoch and holder.
};

// The member's next step towards the target of `target_epoch`. `owned`: what the client says it has; null: it did not say.
ConsumerMember reconcile(const ConsumerGroup& group, const ConsumerMember& member, int32_t target_epoch, const PartitionSet& target,
                         const PartitionSet* owned);

}  // namespace samsa::coordinator
