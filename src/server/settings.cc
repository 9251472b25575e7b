#include "server/settings.h"

#include <fmt/format.h>

namespace samsa::server {

namespace {

using config::ServerConfig;

std::chrono::milliseconds ms(const ServerConfig& config, std::string_view name) { return std::chrono::milliseconds(config.number(name)); }
int32_t int32(const ServerConfig& config, std::string_view name) { return static_cast<int32_t>(config.number(name)); }

// offsets.topic.compression.codec (0 to 4, Kafka's CompressionType ids) as the compression.type that the topic gets: this node writes
// its records uncompressed, and the topic's own setting does the rest.
std::string codec_of_id(int64_t id) {
  constexpr const char* kNames[] = {"producer", "gzip", "snappy", "lz4", "zstd"};
  return id >= 0 && id < 5 ? kNames[id] : "producer";
}

Result<void> not_served(std::string_view setting, std::string_view value, std::string_view why) {
  return fail(ErrorCode::kInvalidConfig, fmt::format("{}={}: {}", setting, value, why));
}

// What a cluster's safety may rest on and this node does not do yet is refused: to ignore it would serve everybody in the clear.
Result<void> check_served(const ServerConfig& config) {
  for (const auto& listener : config.listeners) {
    if (listener.protocol == config::SecurityProtocol::kPlaintext) continue;
    return not_served("listeners", config.text("listeners"),
                      fmt::format("the listener {} has the security protocol {}, which is not served yet; PLAINTEXT is, by "
                                  "listener.security.protocol.map={}:PLAINTEXT",
                                  listener.name, config::security_protocol_name(listener.protocol), listener.name));
  }
  if (const auto name = config.text("authorizer.class.name"); !name.empty()) {
    return not_served("authorizer.class.name", name, "authorizers are not served yet; without the setting everybody may do everything");
  }
  if (config.flag("remote.log.storage.system.enable")) {
    return not_served("remote.log.storage.system.enable", "true", "tiered storage is not served yet; it has to be false");
  }
  return {};
}

void read_listeners(const ServerConfig& config, NodeSettings& into) {
  for (const auto& listener : config.listeners) {
    ListenerSettings settings;
    settings.name = listener.name;
    settings.bind = {listener.host, static_cast<uint16_t>(listener.port)};
    settings.security_protocol = static_cast<int16_t>(listener.protocol);
    settings.controller = config.is_controller_listener(listener.name);
    for (const auto& advertised : settings.controller ? config.advertised_controller : config.advertised) {
      if (advertised.name == listener.name) settings.advertised = io::Address{advertised.host, static_cast<uint16_t>(advertised.port)};
    }
    into.listeners.push_back(std::move(settings));
  }
}

Result<void> read_quorum(const ServerConfig& config, NodeSettings& into) {
  const std::string listener = config.controller_listener_names.empty() ? "CONTROLLER" : config.controller_listener_names.front();
  into.controller_listener = listener;
  if (const std::string voters = config.text("controller.quorum.voters"); !voters.empty()) {
    TRY_ASSIGN(into.static_voters, raft::parse_static_voters(voters, listener));
  }
  for (const auto& server : config.bootstrap_servers) into.bootstrap_servers.push_back({server.host, static_cast<uint16_t>(server.port)});
  return {};
}

Result<void> read_metrics(const ServerConfig& config, NodeSettings& into) {
  const std::string given = config.text("samsa.metrics.listener");
  if (given.empty()) return {};
  const auto address = config::parse_host_port(given);
  if (!address) {
    return fail(ErrorCode::kInvalidConfig,
                fmt::format("samsa.metrics.listener={}: it is host:port, with port 0 for any free one, or empty for no metrics", given));
  }
  into.metrics_listener = io::Address{address->host, static_cast<uint16_t>(address->port)};
  into.metrics_listener_given = config.is_given("samsa.metrics.listener");
  return {};
}

void read_topics(const ServerConfig& config, NodeSettings& into) {
  into.num_partitions = int32(config, "num.partitions");
  into.default_replication_factor = static_cast<int16_t>(config.number("default.replication.factor"));
  into.auto_create_topics = config.flag("auto.create.topics.enable");
  into.offsets_topic_partitions = int32(config, "offsets.topic.num.partitions");
  into.offsets_topic_replication_factor = static_cast<int16_t>(config.number("offsets.topic.replication.factor"));
  into.offsets_topic_segment_bytes = int32(config, "offsets.topic.segment.bytes");
  into.offsets_topic_compression = codec_of_id(config.number("offsets.topic.compression.codec", 0));
  into.transaction_topic_partitions = int32(config, "transaction.state.log.num.partitions");
  into.transaction_topic_replication_factor = static_cast<int16_t>(config.number("transaction.state.log.replication.factor"));
  into.transaction_topic_segment_bytes = int32(config, "transaction.state.log.segment.bytes");
  into.transaction_topic_min_isr = int32(config, "transaction.state.log.min.isr");
  into.max_transaction_timeout_ms = config.number("transaction.max.timeout.ms");
}

void read_group(const ServerConfig& config, coordinator::GroupConfig& into) {
  into.min_session_timeout = ms(config, "group.min.session.timeout.ms");
  into.max_session_timeout = ms(config, "group.max.session.timeout.ms");
  into.initial_rebalance_delay = ms(config, "group.initial.rebalance.delay.ms");
  into.max_size = int32(config, "group.max.size");
  into.offset_metadata_max_size = static_cast<size_t>(config.number("offset.metadata.max.bytes"));
  into.offsets_retention = std::chrono::minutes(config.number("offsets.retention.minutes"));
  into.offsets_retention_check = ms(config, "offsets.retention.check.interval.ms");
  into.offset_commit_timeout = ms(config, "offsets.commit.timeout.ms");
  into.load_buffer_size = static_cast<size_t>(config.number("offsets.load.buffer.size"));
  into.consumer_session_timeout = ms(config, "group.consumer.session.timeout.ms");
  into.consumer_heartbeat_interval = ms(config, "group.consumer.heartbeat.interval.ms");
  into.consumer_max_size = int32(config, "group.consumer.max.size");
}

void read_cluster(const ServerConfig& config, NodeSettings& into) {
  into.broker_session_timeout = ms(config, "broker.session.timeout.ms");
  into.broker_heartbeat_interval = ms(config, "broker.heartbeat.interval.ms");
  into.registration_timeout = ms(config, "initial.broker.registration.timeout.ms");
  into.election_timeout = ms(config, "controller.quorum.election.timeout.ms");
  into.quorum_fetch_timeout = ms(config, "controller.quorum.fetch.timeout.ms");
  into.election_backoff_max = ms(config, "controller.quorum.election.backoff.max.ms");
  into.quorum_request_timeout = ms(config, "controller.quorum.request.timeout.ms");
  into.quorum_retry_backoff = ms(config, "controller.quorum.retry.backoff.ms");
  into.quorum_auto_join = config.flag("controller.quorum.auto.join.enable");
  into.quorum_fetch_max_bytes = int32(config, "controller.quorum.fetch.max.bytes");
  into.quorum_snapshot_max_bytes = int32(config, "controller.quorum.fetch.snapshot.max.bytes");
  into.metadata_segment_bytes = config.number("metadata.log.segment.bytes");
  into.metadata_segment_ms = config.number("metadata.log.segment.ms");
  into.metadata_retention_bytes = config.number("metadata.max.retention.bytes");
  into.metadata_retention_ms = config.number("metadata.max.retention.ms");
  into.snapshot_bytes = config.number("metadata.log.max.record.bytes.between.snapshots");
  into.snapshot_interval = ms(config, "metadata.log.max.snapshot.interval.ms");
  into.max_idle_interval = ms(config, "metadata.max.idle.interval.ms");
  into.auto_leader_rebalance = config.flag("auto.leader.rebalance.enable");
  into.leader_imbalance_interval = std::chrono::seconds(config.number("leader.imbalance.check.interval.seconds"));
  into.unclean_election_interval = ms(config, "unclean.leader.election.interval.ms");
}

void read_replication(const ServerConfig& config, NodeSettings& into) {
  auto& fetchers = into.fetchers;
  fetchers.node_id = config.node_id.value;
  fetchers.fetchers = int32(config, "num.replica.fetchers");
  fetchers.max_wait = ms(config, "replica.fetch.wait.max.ms");
  fetchers.min_bytes = int32(config, "replica.fetch.min.bytes");
  fetchers.partition_max_bytes = int32(config, "replica.fetch.max.bytes");
  fetchers.response_max_bytes = int32(config, "replica.fetch.response.max.bytes");
  fetchers.backoff = ms(config, "replica.fetch.backoff.ms");
  fetchers.socket_timeout = ms(config, "replica.socket.timeout.ms");
  into.rack_aware_reads = config.text("replica.selector.class") == "org.apache.kafka.common.replica.RackAwareReplicaSelector";
  into.replica_lag = ms(config, "replica.lag.time.max.ms");
}

void read_limits(const ServerConfig& config, NodeSettings& into) {
  into.socket_request_max_bytes = int32(config, "socket.request.max.bytes");
  into.queued_max_request_bytes = config.number("queued.max.request.bytes");
  into.connections_max_idle = ms(config, "connections.max.idle.ms");
  into.fetch_max_bytes = config.number("fetch.max.bytes");
  into.fetch_session_slots = int32(config, "max.incremental.fetch.session.cache.slots");
  into.max_request_partitions = int32(config, "max.request.partition.size.limit");
  into.request_timeout = ms(config, "request.timeout.ms");
  into.producer_id_expiration_ms = config.number("producer.id.expiration.ms");
  into.retention_check = ms(config, "log.retention.check.interval.ms");
  // Both are written together.
  into.checkpoint_interval = std::min(ms(config, "log.flush.offset.checkpoint.interval.ms"), ms(config, "log.flush.start.offset.checkpoint.interval.ms"));
  into.high_watermark_interval = ms(config, "replica.high.watermark.checkpoint.interval.ms");
  into.open_files = static_cast<size_t>(config.number("samsa.open.files"));
  into.controlled_shutdown = config.flag("controlled.shutdown.enable");
}

}  // namespace

Result<NodeSettings> NodeSettings::from(std::shared_ptr<const ServerConfig> config) {
  TRY(check_served(*config));
  NodeSettings settings;
  settings.node_id = config->node_id.value;
  settings.broker = config->is_broker;
  settings.controller = config->is_controller;
  settings.log_dirs = config->log_dirs;
  settings.metadata_log_dir = config->metadata_log_dir;
  settings.rack = config->rack;
  read_listeners(*config, settings);
  TRY(read_quorum(*config, settings));
  TRY(read_metrics(*config, settings));
  read_topics(*config, settings);
  read_limits(*config, settings);
  read_cluster(*config, settings);
  read_replication(*config, settings);
  if (!config->inter_broker_listener.empty()) settings.inter_broker_listener = config->inter_broker_listener;
  read_group(*config, settings.group);
  settings.config = std::move(config);
  return settings;
}

}  // namespace samsa::server
