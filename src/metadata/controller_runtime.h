// ControllerRuntime: runs the Controller on the raft log. One request after the other: decide on the state as of the last record
// appended, append, replay into that state, wait until the records are committed, answer. When leadership is lost everything
// waiting fails with NOT_CONTROLLER and the state goes back to the committed image.
//
// Owner: the metadata shard; every method runs on its loop. A node without the controller role has none.
// Every call fails as a whole with NOT_CONTROLLER where this node is not the active controller (or stops being it before the
// commit), and with REQUEST_TIMED_OUT at `deadline`; what was appended may still be committed then.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/sync.h"
#include "io/world.h"
#include "metadata/config_validator.h"
#include "metadata/controller.h"
#include "metadata/wire_types.h"
#include "raft/raft_node.h"

namespace samsa::metadata {

// Who asks, and until when an answer is of use.
struct Caller {
  std::string principal = "User:ANONYMOUS";
  io::MonoTime deadline = io::kNever;
  int16_t version = 0;  // Of the request, where the answer depends on it.
};

class ControllerRuntime {
 public:
  ControllerRuntime(io::World world, ControllerSettings settings, const ConfigValidator& configs, raft::RaftNode& raft,
                    std::vector<Buffer> bootstrap_records);
  ~ControllerRuntime();
  // Stops the periodic work and fails what waits.
  io::Task<> stop();

  // Whether this node is the active controller and has finished taking over.
  [[nodiscard]] bool active() const;
  // The state that decisions are made on; may hold uncommitted records.
  [[nodiscard]] const MetadataImage& working_image() const;

  template <class T>
  using Answer = io::Task<Result<T>>;
  Answer<BrokerRegistrationResponse> register_broker(const BrokerRegistrationRequest& request, Caller caller);
  Answer<BrokerHeartbeatResponse> heartbeat(const BrokerHeartbeatRequest& request, Caller caller);
  Answer<UnregisterBrokerResponse> unregister_broker(const UnregisterBrokerRequest& request, Caller caller);
  Answer<ControllerRegistrationResponse> register_controller(const ControllerRegistrationRequest& request, Caller caller);
  Answer<CreateTopicsResponse> create_topics(const CreateTopicsRequest& request, Caller caller);
  Answer<DeleteTopicsResponse> delete_topics(const DeleteTopicsRequest& request, Caller caller);
  Answer<CreatePartitionsResponse> create_partitions(const CreatePartitionsRequest& request, Caller caller);
  Answer<AlterPartitionResponse> alter_partition(const AlterPartitionRequest& request, Caller caller);
  Answer<ElectLeadersResponse> elect_leaders(const ElectLeadersRequest& request, Caller caller);
  Answer<AlterPartitionReassignmentsResponse> alter_reassignments(const AlterPartitionReassignmentsRequest& request, Caller caller);
  Answer<ListPartitionReassignmentsResponse> list_reassignments(const ListPartitionReassignmentsRequest& request, Caller caller);
  Answer<AssignReplicasToDirsResponse> assign_directories(const AssignReplicasToDirsRequest& request, Caller caller);
  Answer<IncrementalAlterConfigsResponse> incremental_alter_configs(const IncrementalAlterConfigsRequest& request, Caller caller);
  Answer<AlterConfigsResponse> alter_configs(const AlterConfigsRequest& request, Caller caller);
  Answer<AllocateProducerIdsResponse> allocate_producer_ids(const AllocateProducerIdsRequest& request, Caller caller);
  Answer<UpdateFeaturesResponse> update_features(const UpdateFeaturesRequest& request, Caller caller);

  // The request lives until the answer is there, in all of these.

  // Fences a broker at once because its process is known to be dead (its connections broke); no-op unless active.
  void broker_died(int32_t broker, int64_t broker_epoch);

  // Of the log: called by MetadataNode in log order.
  void on_leader_change(raft::LeaderAndEpoch leader, std::optional<Offset> epoch_start, const ImagePtr& committed, bool in_transaction);
  // The published image holds everything below `end`.
  void on_committed(Offset end);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace samsa::metadata
