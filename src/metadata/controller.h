// Controller: the state machine over __cluster_metadata, as decide and replay.
//
// decide (the methods named for their API) looks at the state and answers with records and a response; it changes nothing.
// replay (metadata/replay.h) takes one record into the image and does nothing else; the controller, the brokers and the loading of
// a snapshot use the same one. The state that decisions are made on is the image as of the last record APPENDED; it is replaced by
// the last committed one when leadership is lost. Soft state that is not in the log (when a broker was last heard of) is in
// BrokerTracker. No clock and no randomness but what a call hands in.
// Errors are Kafka's, per item where the API has items, with the texts that its tools print.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/random.h"
#include "metadata/broker_tracker.h"
#include "metadata/config_validator.h"
#include "metadata/image.h"
#include "metadata/wire_types.h"

namespace samsa::metadata {

// What a decision gives: records in log order, each framed as in the log, and the response for when they are committed.
template <class Response>
struct Decision {
  std::vector<Buffer> records;
  Response response;
  bool atomic = true;  // All in one batch, or in a metadata transaction where they are too large for one.
};

// The cluster-wide settings that decisions depend on (server.properties of the controllers).
struct ControllerSettings {
  std::string cluster_id;
  int32_t node_id = -1;
  int32_t default_partitions = 1;            // num.partitions
  int16_t default_replication_factor = 1;    // default.replication.factor
  std::chrono::milliseconds session_timeout{9000};            // broker.session.timeout.ms
  std::chrono::milliseconds leader_imbalance_interval{300'000};  // leader.imbalance.check.interval.seconds
  bool auto_leader_rebalance = true;         // auto.leader.rebalance.enable
  std::chrono::milliseconds unclean_election_interval{300'000};  // unclean.leader.election.interval.ms
  std::chrono::milliseconds max_idle_interval{500};              // metadata.max.idle.interval.ms; 0: no NoOp records
  int32_t max_records_per_operation = 10000;
  std::map<std::string, FeatureRange, std::less<>> supported_features;  // Of this node; see features.h.
};

// What a call brings besides its request.
struct CallContext {
  TimestampMs now_ms = 0;            // Wall clock, for records that carry times.
  std::chrono::milliseconds mono{0}; // Monotonic time, for sessions.
  io::Random& random;                // For ids and placement.
  Offset next_offset = 0;            // Where the first record of this decision will be: a broker's epoch.
  std::string principal = "User:ANONYMOUS";
};

class Controller {
 public:
  Controller(ControllerSettings settings, const ConfigValidator& configs);

  // ---- State
  [[nodiscard]] const MetadataImage& image() const { return image_; }
  [[nodiscard]] const ControllerSettings& settings() const { return settings_; }
  [[nodiscard]] BrokerTracker& tracker() { return tracker_; }
  // Takes one framed record of a decision (or of the log) into the state.
  Result<void> replay(Bytes framed, Offset offset);
  // Replaces the state: on gaining leadership, and on losing it (the last committed image).
  void reset(const MetadataImage& image);

  // ---- Brokers (controller_brokers.cc)
  Result<Decision<BrokerRegistrationResponse>> register_broker(const BrokerRegistrationRequest& request, const CallContext& context);
  // Also notes the contact in the tracker, unless the broker's epoch is stale.
  Result<Decision<BrokerHeartbeatResponse>> heartbeat(const BrokerHeartbeatRequest& request, const CallContext& context);
  Result<Decision<UnregisterBrokerResponse>> unregister_broker(const UnregisterBrokerRequest& request, const CallContext& context) const;
  Result<Decision<ControllerRegistrationResponse>> register_controller(const ControllerRegistrationRequest& request, const CallContext& context) const;
  // Fences every unfenced broker whose session has run out; empty where there is none.
  std::vector<Buffer> fence_expired(const CallContext& context) const;
  // Starts the session of every unfenced broker anew; for a controller that has just become active.
  void begin_sessions(std::chrono::milliseconds mono);
  // Fences one broker (its process is known to be dead).
  std::vector<Buffer> fence_broker(int32_t broker) const;

  // ---- Topics (controller_topics.cc)
  Decision<CreateTopicsResponse> create_topics(const CreateTopicsRequest& request, const CallContext& context) const;
  Decision<DeleteTopicsResponse> delete_topics(const DeleteTopicsRequest& request, const CallContext& context) const;
  Decision<CreatePartitionsResponse> create_partitions(const CreatePartitionsRequest& request, const CallContext& context) const;

  // ---- Partitions (controller_partitions.cc)
  Result<Decision<AlterPartitionResponse>> alter_partition(const AlterPartitionRequest& request, int16_t version, const CallContext& context) const;
  Decision<ElectLeadersResponse> elect_leaders(const ElectLeadersRequest& request, const CallContext& context) const;
  Decision<AlterPartitionReassignmentsResponse> alter_reassignments(const AlterPartitionReassignmentsRequest& request, const CallContext& context) const;
  ListPartitionReassignmentsResponse list_reassignments(const ListPartitionReassignmentsRequest& request) const;
  Result<Decision<AssignReplicasToDirsResponse>> assign_directories(const AssignReplicasToDirsRequest& request, const CallContext& context) const;
  // Moves leadership to preferred replicas where they are in sync, at most `limit` partitions.
  std::vector<Buffer> balance_leaders(size_t limit) const;
  // Elects uncleanly where a topic's configuration allows it, at most `limit` partitions.
  std::vector<Buffer> elect_unclean(size_t limit) const;

  // ---- Configs, features, ids (controller_configs.cc)
  Decision<IncrementalAlterConfigsResponse> incremental_alter_configs(const IncrementalAlterConfigsRequest& request, const CallContext& context) const;
  Decision<AlterConfigsResponse> alter_configs(const AlterConfigsRequest& request, const CallContext& context) const;
  Result<Decision<AllocateProducerIdsResponse>> allocate_producer_ids(const AllocateProducerIdsRequest& request, const CallContext& context) const;
  Decision<UpdateFeaturesResponse> update_features(const UpdateFeaturesRequest& request, int16_t version, const CallContext& context) const;

  // What the first active controller of an empty log writes: the bootstrap's records in one metadata transaction.
  std::vector<Buffer> bootstrap(const std::vector<Buffer>& bootstrap_records) const;

 private:
  // Whether a broker that wants to stop leads nothing any more and all others know it.
  [[nodiscard]] bool may_stop(const BrokerImage& broker) const;
  void directories_offline(const BrokerImage& broker, const std::vector<Uuid>& offline, std::vector<Buffer>& records) const;

  ControllerSettings settings_;
  const ConfigValidator& configs_;
  MetadataImage image_;
  BrokerTracker tracker_;
  std::map<int32_t, Offset> registered_at_;  // Offset of each broker's registration.
};

}  // namespace samsa::metadata
