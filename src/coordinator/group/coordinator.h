// GroupCoordinator: the front of the consumer groups, what the server's handlers call. It finds the `__consumer_offsets` partition of a
// group, hops to the shard that leads it, runs the request on the partition's state machine and gives the whole response.
//
// One object per shard of the node (so no locks); connect() tells each about the others. A handler calls the object of its own shard.
// Requests may view the connection's buffer: they are not kept past the call. Responses own what they hold.
// Parked calls (JoinGroup, SyncGroup) end at the latest when their rebalance times out or resign() is called; nothing has to be done
// when the client goes away.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "coordinator/group/config.h"
#include "coordinator/group/stats.h"
#include "coordinator/log.h"
#include "coordinator/runtime.h"
#include "io/loop.h"
#include "io/task.h"

namespace samsa::metadata {
struct MetadataImage;
}  // namespace samsa::metadata

namespace samsa::protocol {
struct ConsumerGroupDescribeRequest;
struct ConsumerGroupDescribeResponse;
struct ConsumerGroupHeartbeatRequest;
struct ConsumerGroupHeartbeatResponse;
struct DeleteGroupsRequest;
struct DeleteGroupsResponse;
struct DescribeGroupsRequest;
struct DescribeGroupsResponse;
struct HeartbeatRequest;
struct HeartbeatResponse;
struct JoinGroupRequest;
struct JoinGroupResponse;
struct LeaveGroupRequest;
struct LeaveGroupResponse;
struct ListGroupsRequest;
struct ListGroupsResponse;
struct OffsetCommitRequest;
struct OffsetCommitResponse;
struct OffsetDeleteRequest;
struct OffsetDeleteResponse;
struct OffsetFetchRequest;
struct OffsetFetchResponse;
struct SyncGroupRequest;
struct SyncGroupResponse;
struct TxnOffsetCommitRequest;
struct TxnOffsetCommitResponse;
}  // namespace samsa::protocol

namespace samsa::coordinator {

class GroupMachine;
struct Caller;
struct GroupEnvironment;

// What a request may see and what the topics are at this moment: the handler makes it from the metadata image, the authorizer and the
// connection's principal. Called only on the handler's own shard, during the call. Which operation "allowed" means is the API's:
// READ or DESCRIBE or DELETE on the group, READ (commit, delete) or DESCRIBE (fetch) on the topic.
class RequestScope {
 public:
  virtual ~RequestScope() = default;
  [[nodiscard]] virtual bool group_allowed(std::string_view group) const = 0;
  [[nodiscard]] virtual bool topic_allowed(std::string_view topic) const = 0;
  [[nodiscard]] virtual std::optional<Uuid> topic_id(std::string_view name) const = 0;
  [[nodiscard]] virtual std::optional<std::string> topic_name(const Uuid& id) const = 0;
  [[nodiscard]] virtual bool partition_exists(std::string_view topic, PartitionIndex partition) const = 0;
  // The bits of DescribeGroups' authorized_operations; asked only when the request wants them.
  [[nodiscard]] virtual int32_t group_operations(std::string_view group) const = 0;
};

struct RequestInfo {
  int16_t api_version = 0;
  std::string_view client_id;    // Empty where the client gave none.
  std::string_view client_host;  // Java's text of the address: "/127.0.0.1".
  const RequestScope& scope;
};

class GroupCoordinator {
 public:
  // Which shard leads a partition of __consumer_offsets; pure, callable on any shard.
  using ShardOf = std::function<int(PartitionIndex)>;

  GroupCoordinator(io::Loop& loop, GroupConfig config);
  ~GroupCoordinator();

  // `all[i]` is the object of shard i, this one among them. Before the first request.
  void connect(std::vector<GroupCoordinator*> all, ShardOf shard_of);
  // Settings that changed; counts from the next decision on.
  void set_config(const GroupConfig& config);

  // Topics, racks and group settings as they are now: what KIP-848 groups assign. Without one those groups are refused
  // (UNSUPPORTED_VERSION), as they are while the feature group.version is 0. On each shard.
  void set_image(std::shared_ptr<const metadata::MetadataImage> image);

  // ---- The topic __consumer_offsets. On each shard: ----
  // How many partitions the topic has (0: it does not exist, requests get COORDINATOR_NOT_AVAILABLE).
  void set_partition_count(int32_t partitions);
  // The partition that a group belongs to (FindCoordinator); none while the topic does not exist.
  [[nodiscard]] std::optional<PartitionIndex> partition_of(std::string_view group) const;

  // ---- Leadership. On the partition's shard: ----
  // Starts to load; requests get COORDINATOR_LOAD_IN_PROGRESS until it is done. A smaller or equal epoch than the present one's is
  // ignored. Returns when the loading has ended (callers may spawn it).
  io::Task<Result<void>> become_leader(PartitionIndex partition, LeaderEpoch epoch, std::shared_ptr<CoordinatorLog> log);
  // Drops the state; what is parked is answered NOT_COORDINATOR. Nothing happens where it is not led here.
  void resign(PartitionIndex partition);
  // All partitions of this shard, at shutdown.
  void resign_all();
  // Topics are gone: removes the offsets that groups of this shard committed for them.
  io::Task<> topics_deleted(std::vector<std::string> topics);
  // WriteTxnMarkers for a partition of __consumer_offsets. Errors as the marker's sender understands them (14, 15, 16 become 6).
  io::Task<Result<void>> complete_transaction(PartitionIndex partition, ProducerStamp producer, int32_t coordinator_epoch, bool commit);

  // ---- Requests, on the caller's shard. Authorization by info.scope included; throttle_time_ms is left to the caller. ----
  io::Task<protocol::JoinGroupResponse> join_group(RequestInfo info, const protocol::JoinGroupRequest& request);
  io::Task<protocol::SyncGroupResponse> sync_group(RequestInfo info, const protocol::SyncGroupRequest& request);
  io::Task<protocol::HeartbeatResponse> heartbeat(RequestInfo info, const protocol::HeartbeatRequest& request);
  io::Task<protocol::LeaveGroupResponse> leave_group(RequestInfo info, const protocol::LeaveGroupRequest& request);
  io::Task<protocol::ConsumerGroupHeartbeatResponse> consumer_group_heartbeat(RequestInfo info,
                                                                              const protocol::ConsumerGroupHeartbeatRequest& request);
  io::Task<protocol::ConsumerGroupDescribeResponse> consumer_group_describe(RequestInfo info,
                                                                            const protocol::ConsumerGroupDescribeRequest& request);
  io::Task<protocol::OffsetCommitResponse> offset_commit(RequestInfo info, const protocol::OffsetCommitRequest& request);
  io::Task<protocol::TxnOffsetCommitResponse> txn_offset_commit(RequestInfo info, const protocol::TxnOffsetCommitRequest& request);
  io::Task<protocol::OffsetFetchResponse> offset_fetch(RequestInfo info, const protocol::OffsetFetchRequest& request);
  io::Task<protocol::OffsetDeleteResponse> offset_delete(RequestInfo info, const protocol::OffsetDeleteRequest& request);
  io::Task<protocol::ListGroupsResponse> list_groups(RequestInfo info, const protocol::ListGroupsRequest& request);
  io::Task<protocol::DescribeGroupsResponse> describe_groups(RequestInfo info, const protocol::DescribeGroupsRequest& request);
  io::Task<protocol::DeleteGroupsResponse> delete_groups(RequestInfo info, const protocol::DeleteGroupsRequest& request);

  // Of the partitions of this shard, now.
  [[nodiscard]] GroupStats stats() const;
  // The state of a partition led here, for tests.
  [[nodiscard]] const GroupMachine& machine_for_test(PartitionIndex partition) const;

 private:
  using Partition = CoordinatorPartition<GroupMachine>;
  using PartitionPtr = std::shared_ptr<Partition>;
  struct Led {
    LeaderEpoch epoch;
    PartitionPtr partition;
  };
  // Where a group lives.
  struct Home {
    GroupCoordinator* owner;
    PartitionIndex partition;
  };

  // COORDINATOR_NOT_AVAILABLE while the topic does not exist; INVALID_GROUP_ID for an empty id where the API wants one.
  Result<Home> home_of(std::string_view group, bool empty_id_allowed) const;
  // The runtime of a partition led by this very shard; NOT_COORDINATOR.
  Result<PartitionPtr> led(PartitionIndex partition) const;

  // The same requests on the group's own shard, already checked against the scope.
  io::Task<protocol::JoinGroupResponse> join_here(PartitionIndex partition, Caller caller, const protocol::JoinGroupRequest& request);
  io::Task<protocol::SyncGroupResponse> sync_here(PartitionIndex partition, Caller caller, const protocol::SyncGroupRequest& request);
  io::Task<ErrorCode> heartbeat_here(PartitionIndex partition, const protocol::HeartbeatRequest& request);
  io::Task<Result<protocol::ConsumerGroupHeartbeatResponse>> consumer_heartbeat_here(
      PartitionIndex partition, Caller caller, const protocol::ConsumerGroupHeartbeatRequest& request);
  [[nodiscard]] bool consumer_groups_enabled() const;
  io::Task<Result<protocol::LeaveGroupResponse>> leave_here(PartitionIndex partition, const protocol::LeaveGroupRequest& request);
  io::Task<Result<protocol::OffsetCommitResponse>> commit_here(PartitionIndex partition, Caller caller,
                                                               const protocol::OffsetCommitRequest& request);
  io::Task<Result<protocol::TxnOffsetCommitResponse>> txn_commit_here(PartitionIndex partition,
                                                                      const protocol::TxnOffsetCommitRequest& request);
  io::Task<Result<protocol::OffsetDeleteResponse>> offset_delete_here(PartitionIndex partition,
                                                                      const protocol::OffsetDeleteRequest& request);
  // The ones that speak in nested structs of the messages, which cannot be named here.
  struct Fetches;
  struct Admin;

  io::Loop& loop_;
  std::shared_ptr<GroupEnvironment> environment_;
  std::vector<GroupCoordinator*> all_;
  ShardOf shard_of_;
  int32_t partition_count_ = 0;
  std::map<PartitionIndex, Led> led_;
  GroupTotals resigned_totals_;
};

}  // namespace samsa::coordinator
