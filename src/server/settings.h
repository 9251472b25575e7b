// NodeSettings: what a node reads of its configuration, as plain values, made once from config::ServerConfig. Names in comments are
// Kafka's settings.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "coordinator/group/config.h"
#include "io/network.h"
#include "io/process.h"
#include "raft/voter_set.h"
#include "replication/follower_fetcher.h"

namespace samsa::server {

struct ListenerSettings {
  std::string name;                       // "PLAINTEXT"
  io::Address bind;                       // listeners
  std::optional<io::Address> advertised;  // advertised.listeners; otherwise what is bound.
  int16_t security_protocol = 0;          // listener.security.protocol.map: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
  bool controller = false;                // In controller.listener.names.
};

struct NodeSettings {
  int32_t node_id = 1;                   // node.id
  bool broker = true;                    // process.roles
  bool controller = true;
  std::vector<ListenerSettings> listeners;
  std::vector<std::string> log_dirs;     // log.dirs
  std::string metadata_log_dir;          // metadata.log.dir; empty: the first of log.dirs.
  std::optional<std::string> rack;       // broker.rack
  std::string controller_listener = "CONTROLLER";  // First of controller.listener.names.
  std::string inter_broker_listener = "PLAINTEXT";  // inter.broker.listener.name
  raft::VoterSet static_voters;          // controller.quorum.voters
  std::vector<io::Address> bootstrap_servers;  // controller.quorum.bootstrap.servers
  bool auto_format = false;              // Formats empty directories at start (no configuration file was given).

  std::optional<io::Address> metrics_listener;   // samsa.metrics.listener (ours)
  bool metrics_listener_given = false;           // Not the default: that it cannot be bound is an error then.
  std::string version;                           // Of the program, for metrics.
  std::function<io::ProcessFigures()> process;   // What the system says of the process; none in a simulation.

  int32_t num_partitions = 1;                    // num.partitions
  int16_t default_replication_factor = 1;        // default.replication.factor
  bool auto_create_topics = true;                // auto.create.topics.enable
  int32_t offsets_topic_partitions = 50;         // offsets.topic.num.partitions
  int16_t offsets_topic_replication_factor = 3;  // offsets.topic.replication.factor
  int32_t offsets_topic_segment_bytes = 100 * 1024 * 1024;  // offsets.topic.segment.bytes
  std::string offsets_topic_compression = "producer";       // offsets.topic.compression.codec, by name
  int32_t transaction_topic_partitions = 50;         // transaction.state.log.num.partitions
  int16_t transaction_topic_replication_factor = 3;  // transaction.state.log.replication.factor
  int32_t transaction_topic_segment_bytes = 100 * 1024 * 1024;  // transaction.state.log.segment.bytes
  int32_t transaction_topic_min_isr = 2;             // transaction.state.log.min.isr

  int32_t socket_request_max_bytes = 104'857'600;      // socket.request.max.bytes
  int64_t queued_max_request_bytes = -1;               // queued.max.request.bytes
  std::chrono::milliseconds connections_max_idle{600'000};  // connections.max.idle.ms
  int64_t fetch_max_bytes = 57'671'680;                // fetch.max.bytes
  int32_t fetch_session_slots = 1000;                  // max.incremental.fetch.session.cache.slots
  int32_t max_request_partitions = 2000;               // max.request.partition.size.limit
  std::chrono::milliseconds request_timeout{30'000};   // request.timeout.ms

  int64_t producer_id_expiration_ms = 86'400'000;      // producer.id.expiration.ms
  std::chrono::milliseconds retention_check{300'000};  // log.retention.check.interval.ms
  std::chrono::milliseconds checkpoint_interval{60'000};       // log.flush.offset.checkpoint.interval.ms
  std::chrono::milliseconds high_watermark_interval{5000};     // replica.high.watermark.checkpoint.interval.ms
  // Of the quorum and of the brokers' standing with it.
  std::chrono::milliseconds broker_session_timeout{9000};      // broker.session.timeout.ms
  std::chrono::milliseconds broker_heartbeat_interval{2000};   // broker.heartbeat.interval.ms
  std::chrono::milliseconds registration_timeout{60'000};      // initial.broker.registration.timeout.ms
  std::chrono::milliseconds election_timeout{1000};            // controller.quorum.election.timeout.ms
  std::chrono::milliseconds quorum_fetch_timeout{2000};        // controller.quorum.fetch.timeout.ms
  std::chrono::milliseconds election_backoff_max{1000};        // controller.quorum.election.backoff.max.ms
  std::chrono::milliseconds quorum_request_timeout{2000};      // controller.quorum.request.timeout.ms
  std::chrono::milliseconds quorum_retry_backoff{20};          // controller.quorum.retry.backoff.ms
  bool quorum_auto_join = false;                               // controller.quorum.auto.join.enable
  int32_t quorum_fetch_max_bytes = 1024 * 1024;                // controller.quorum.fetch.max.bytes
  int32_t quorum_snapshot_max_bytes = 1024 * 1024;             // controller.quorum.fetch.snapshot.max.bytes
  int64_t metadata_segment_bytes = 1024 * 1024 * 1024;         // metadata.log.segment.bytes
  int64_t metadata_segment_ms = 604'800'000;                   // metadata.log.segment.ms
  int64_t metadata_retention_bytes = 104'857'600;              // metadata.max.retention.bytes
  int64_t metadata_retention_ms = 604'800'000;                 // metadata.max.retention.ms
  int64_t snapshot_bytes = 20'971'520;                         // metadata.log.max.record.bytes.between.snapshots
  std::chrono::milliseconds snapshot_interval{3'600'000};      // metadata.log.max.snapshot.interval.ms
  std::chrono::milliseconds max_idle_interval{500};            // metadata.max.idle.interval.ms
  bool auto_leader_rebalance = true;                           // auto.leader.rebalance.enable
  std::chrono::milliseconds leader_imbalance_interval{300'000};   // leader.imbalance.check.interval.seconds
  std::chrono::milliseconds unclean_election_interval{300'000};   // unclean.leader.election.interval.ms

  replication::FetcherSettings fetchers;               // num.replica.fetchers, replica.fetch.*
  bool rack_aware_reads = false;                       // replica.selector.class is Kafka's RackAwareReplicaSelector.
  std::chrono::milliseconds replica_lag{30'000};       // replica.lag.time.max.ms
  size_t open_files = 4000;                            // samsa.open.files
  bool controlled_shutdown = true;                     // controlled.shutdown.enable
  std::chrono::milliseconds controlled_shutdown_timeout{30'000};

  int64_t max_transaction_timeout_ms = 900'000;        // transaction.max.timeout.ms
  coordinator::GroupConfig group;                      // group.*, offsets.*
  std::shared_ptr<const config::ServerConfig> config;  // All that was given, for DescribeConfigs and for topics' defaults.

  // Everything above from a checked server.properties.
  static Result<NodeSettings> from(std::shared_ptr<const config::ServerConfig> config);
};

}  // namespace samsa::server
