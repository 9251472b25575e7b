#include "server/node.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/features.h"
#include "metadata/format.h"
#include "server/acceptor.h"
#include "server/fanout.h"
#include "server/internal_topics.h"
#include "server/metrics_listener.h"
#include "server/scrape.h"
#include "server/topic_configs.h"

namespace samsa::server {

Node::Node(io::Worlds worlds, NodeSettings settings, std::function<void(Error)> fault)
    : worlds_(std::move(worlds)), settings_(std::move(settings)), fault_(std::move(fault)), background_(worlds_[0].loop) {
  if (settings_.metadata_log_dir.empty() && !settings_.log_dirs.empty()) settings_.metadata_log_dir = settings_.log_dirs.front();
  validator_ = std::make_unique<TopicConfigs>(settings_);
}

Node::~Node() = default;

int Node::shard_of(std::string_view topic, PartitionIndex partition) const {
  return static_cast<int>((std::hash<std::string_view>{}(topic) + static_cast<size_t>(partition)) % worlds_.size());
}

Result<void> Node::bind_listeners() {
  for (const auto& listener : settings_.listeners) {
    auto bound = worlds_[0].network.listen(listener.bind);
    if (!bound) {
      return fail(bound.error().code, fmt::format("listeners: cannot listen on {}://{}: {}", listener.name, listener.bind.to_string(),
                                                  bound.error().text()));
    }
    acceptors_.push_back(std::make_unique<Acceptor>(*this, listener, std::move(*bound), worlds_[0].loop));
    bound_.push_back(acceptors_.back()->bound());
  }
  return {};
}

// The default port may be another node's on the same machine: that is no reason not to start. One that was asked for is.
Result<void> Node::bind_metrics() {
  if (!settings_.metrics_listener) return {};
  auto bound = worlds_[0].network.listen(*settings_.metrics_listener);
  if (bound) {
    metrics_listener_ = std::make_unique<MetricsListener>(worlds_[0], std::move(*bound), [this] { return metrics_page(*this); });
    return {};
  }
  std::string what = fmt::format("samsa.metrics.listener: cannot listen on {}: {}", settings_.metrics_listener->to_string(), bound.error().text());
  if (settings_.metrics_listener_given) return fail(bound.error().code, std::move(what));
  SAMSA_LOG_WARN("{}; no metrics are served. Set another address, or an empty one to turn them off", what);
  return {};
}

std::optional<io::Address> Node::metrics_bound() const {
  if (!metrics_listener_) return std::nullopt;
  return io::Address{settings_.metrics_listener->host, metrics_listener_->bound().port};
}

std::vector<metadata::Endpoint> Node::advertised(bool controller) const {
  std::vector<metadata::Endpoint> endpoints;
  for (size_t i = 0; i < settings_.listeners.size(); ++i) {
    const auto& listener = settings_.listeners[i];
    if (listener.controller != controller) continue;
    io::Address address = listener.advertised.value_or(io::Address{listener.bind.host, bound_[i].port});
    if (address.port == 0) address.port = bound_[i].port;
    if (address.host.empty()) address.host = "localhost";
    endpoints.push_back({listener.name, address.host, address.port, listener.security_protocol});
  }
  return endpoints;
}

Result<void> Node::format(const std::vector<std::string>& unformatted) {
  metadata::FormatOptions options;
  options.node_id = settings_.node_id;
  options.cluster_id = worlds_[0].loop.random().uuid().to_string();
  options.log_dirs = unformatted;
  options.metadata_log_dir = settings_.metadata_log_dir;
  options.ignore_formatted = true;
  if (settings_.static_voters.empty() && settings_.controller) {
    options.voters = metadata::FormatOptions::Voters::kStandalone;
    for (const auto& endpoint : advertised(true)) options.standalone_endpoints.push_back({endpoint.listener, endpoint.host, endpoint.port});
  } else {
    options.kraft_version = 0;
  }
  const auto report = metadata::format_directories(worlds_[0].disk, options, worlds_[0].loop.random());
  if (!report) return fail(report.error());
  return {};
}

namespace {

// With another order of log.dirs, say, the node would begin an empty cluster beside its own.
Result<void> check_metadata_location(io::Disk& disk, const NodeSettings& settings) {
  for (const auto& directory : settings.log_dirs) {
    const std::string path = io::join_path(directory, "__cluster_metadata-0");
    if (directory == settings.metadata_log_dir || !disk.exists(path)) continue;
    return fail(ErrorCode::kInvalidConfig, fmt::format("Found unexpected metadata location in data directory `{}` (the configured metadata directory is {}).",
                                                       path, settings.metadata_log_dir));
  }
  return {};
}

}  // namespace

Result<void> Node::prepare_directories() {
  io::Disk& disk = worlds_[0].disk;
  std::vector<std::string> all = settings_.log_dirs;
  if (std::ranges::find(all, settings_.metadata_log_dir) == all.end()) all.push_back(settings_.metadata_log_dir);
  if (settings_.auto_format) {
    const bool fresh = std::ranges::none_of(all, [&](const auto& dir) { return disk.exists(io::join_path(dir, "meta.properties")); });
    if (fresh) TRY(format(all));
  }
  TRY(check_metadata_location(disk, settings_));
  TRY_ASSIGN(directories_, storage::LogDirectories::open(disk, settings_.log_dirs, NodeId(settings_.node_id), std::nullopt, &worlds_[0].loop.random()));
  cluster_id_ = directories_->cluster_id();
  const auto& paths = settings_.log_dirs;
  if (const auto own = std::ranges::find(paths, settings_.metadata_log_dir); own != paths.end()) {
    const auto& directory = directories_->at(static_cast<size_t>(own - paths.begin()));
    if (directory.offline) {
      return fail(directory.offline->code, fmt::format("the metadata log directory {} cannot be used: {}", directory.path,
                                                       directory.offline->text()));
    }
    metadata_directory_id_ = directory.meta.directory_id.value_or(kZeroUuid);
    return {};
  }
  {  // The same checks; what is missing is filled in.
    TRY_ASSIGN(const auto own, storage::LogDirectories::open(disk, {settings_.metadata_log_dir}, NodeId(settings_.node_id), cluster_id_, &worlds_[0].loop.random()));
    own->release();
  }
  TRY_ASSIGN(metadata_lock_, disk.lock(io::join_path(settings_.metadata_log_dir, ".lock")));
  TRY_ASSIGN(const auto meta, storage::read_meta_properties(disk, settings_.metadata_log_dir));
  metadata_directory_id_ = meta.directory_id.value_or(kZeroUuid);
  return {};
}

metadata::MetadataNodeOptions Node::metadata_options() const {
  metadata::MetadataNodeOptions options;
  raft::RaftConfig& raft = options.raft;
  raft.node_id = settings_.node_id;
  raft.cluster_id = cluster_id_;
  raft.metadata_dir = settings_.metadata_log_dir;
  raft.directory_id = metadata_directory_id_;
  raft.controller = settings_.controller;
  raft.static_voters = settings_.static_voters;
  raft.bootstrap_servers = settings_.bootstrap_servers;
  for (const auto& endpoint : advertised(true)) raft.own_endpoints.push_back({endpoint.listener, endpoint.host, endpoint.port});
  raft.controller_listener = settings_.controller_listener;
  raft.auto_join = settings_.quorum_auto_join;
  raft.election_timeout = settings_.election_timeout;
  raft.fetch_timeout = settings_.quorum_fetch_timeout;
  raft.election_backoff_max = settings_.election_backoff_max;
  raft.request_timeout = settings_.quorum_request_timeout;
  raft.retry_backoff = settings_.quorum_retry_backoff;
  raft.fetch_max_bytes = settings_.quorum_fetch_max_bytes;
  raft.snapshot_fetch_max_bytes = settings_.quorum_snapshot_max_bytes;
  raft.segment_bytes = settings_.metadata_segment_bytes;
  raft.segment_ms = settings_.metadata_segment_ms;
  raft.max_retention_bytes = settings_.metadata_retention_bytes;
  raft.max_retention_ms = settings_.metadata_retention_ms;
  // A part of what clients may not touch, in a file of its own: nobody else can take that.
  options.disk_reserve_bytes = static_cast<uint64_t>(settings_.config->number("samsa.disk.reserve.bytes")) / 4;
  options.snapshot_bytes = settings_.snapshot_bytes;
  options.snapshot_interval = settings_.snapshot_interval;
  options.controller_endpoints = advertised(true);
  options.controller.cluster_id = cluster_id_;
  options.controller.node_id = settings_.node_id;
  options.controller.default_partitions = settings_.num_partitions;
  options.controller.default_replication_factor = settings_.default_replication_factor;
  options.controller.session_timeout = settings_.broker_session_timeout;
  options.controller.max_idle_interval = settings_.max_idle_interval;
  options.controller.auto_leader_rebalance = settings_.auto_leader_rebalance;
  options.controller.leader_imbalance_interval = settings_.leader_imbalance_interval;
  options.controller.unclean_election_interval = settings_.unclean_election_interval;
  options.controller.supported_features = metadata::supported_features();
  if (settings_.broker) {
    metadata::BrokerOptions broker;
    broker.node_id = settings_.node_id;
    broker.cluster_id = cluster_id_;
    broker.incarnation = worlds_[0].loop.random().uuid();
    broker.endpoints = advertised(false);
    broker.rack = settings_.rack;
    broker.heartbeat_interval = settings_.broker_heartbeat_interval;
    broker.registration_timeout = settings_.registration_timeout;
    for (size_t i = 0; i < directories_->size(); ++i) {
      if (!directories_->at(i).offline) broker.log_dirs.push_back(directories_->at(i).meta.directory_id.value_or(kZeroUuid));
    }
    std::ranges::sort(broker.log_dirs);
    broker.features = metadata::supported_features();
    broker.previous_broker_epoch = directories_->previous_broker_epoch();
    options.broker = std::move(broker);
  }
  return options;
}

io::Task<Result<void>> Node::load_logs() {
  CO_TRY_ASSIGN(auto found, directories_->find_logs());
  std::vector<std::vector<storage::FoundLog>> parts(shards_.size());
  for (auto& log : found) {
    parts[static_cast<size_t>(shard_of(log.partition.topic, log.partition.partition))].push_back(std::move(log));
  }
  std::vector<int> all;
  for (int i = 0; i < shard_count(); ++i) all.push_back(i);
  std::vector<Result<void>> results(shards_.size());
  auto load = [&](int index) -> io::Task<> {
    const auto at = static_cast<size_t>(index);
    results[at] = co_await shards_[at]->open_logs(std::move(parts[at]));
  };
  co_await on_shards(worlds_[0].loop, worlds_, all, load);
  for (const auto& result : results) CO_TRY(result);
  if (directories_->has_stale_entries()) co_await write_checkpoints_now(false);
  // What an earlier life was to remove.
  for (size_t i = 0; i < directories_->size(); ++i) shards_[0]->logs().add_doomed(static_cast<int>(i), directories_->at(i).doomed);
  logs_loaded_ = true;
  co_return Result<void>{};
}

io::Task<Result<void>> Node::start() {
  CO_TRY(bind_listeners());
  CO_TRY(bind_metrics());
  CO_TRY(prepare_directories());
  CO_TRY_ASSIGN(metadata_, co_await metadata::MetadataNode::open(worlds_[0], metadata_options(), *validator_, nullptr, fault_));
  for (const auto& world : worlds_) shards_.push_back(std::make_unique<Shard>(*this, world, settings_));
  std::vector<coordinator::GroupCoordinator*> groups;
  for (const auto& shard : shards_) groups.push_back(&shard->groups());
  for (const auto& shard : shards_) {
    shard->groups().connect(groups, [this](PartitionIndex index) { return shard_of(kGroupOffsetsTopic, index); });
  }
  start_senders();
  metadata_started_ = true;
  metadata_->start();
  for (const auto& shard : shards_) metadata_->publisher().subscribe(shard->loop(), *shard);
  // The quorum must be reachable before there is a controller to register with.
  for (const auto& acceptor : acceptors_) {
    if (acceptor->settings().controller) acceptor->start();
  }
  if (metadata_->broker() != nullptr) {
    CO_TRY(co_await metadata_->broker()->register_and_wait_caught_up());
    CO_TRY(co_await load_logs());
    CO_TRY(co_await metadata_->broker()->unfence());
    co_await wait_applied(std::chrono::milliseconds(5000));
  }
  for (const auto& shard : shards_) shard->loop().post_remote([&shard = *shard] { shard.start_timers(); });
  if (logs_loaded_) {  // A controller alone has no partitions.
    background_.spawn(checkpoint_periodically(settings_.checkpoint_interval, false));
    background_.spawn(checkpoint_periodically(settings_.high_watermark_interval, true));
  }
  for (const auto& acceptor : acceptors_) {
    if (!acceptor->settings().controller) acceptor->start();
  }
  if (metrics_listener_) metrics_listener_->start();
  co_return Result<void>{};
}

void Node::start_senders() {
  auto epoch = [this] { return metadata_->broker() == nullptr ? int64_t{-1} : metadata_->broker()->broker_epoch(); };
  auto ask = [this](const protocol::AlterPartitionRequest& request) { return metadata_->channel().alter_partition(request); };
  isr_sender_ = std::make_unique<replication::IsrSender>(worlds_[0].loop, settings_.node_id, std::move(epoch), std::move(ask));
  isr_sender_->start();
  auto assign = [this](const protocol::AssignReplicasToDirsRequest& request) { return metadata_->channel().assign_directories(request); };
  auto broker_epoch = [this] { return metadata_->broker() == nullptr ? int64_t{-1} : metadata_->broker()->broker_epoch(); };
  directory_assigner_ = std::make_unique<DirectoryAssigner>(worlds_[0].loop, settings_.node_id, std::move(broker_epoch), std::move(assign));
  directory_assigner_->start();
}

void Node::tell_cordoned(const std::vector<bool>& cordoned, const metadata::MetadataImage& image) {
  if (metadata_->broker() == nullptr) return;
  std::optional<std::vector<Uuid>> ids;
  if (image.metadata_version() >= metadata::kMvCordoned) {
    ids.emplace();
    for (size_t i = 0; i < cordoned.size(); ++i) {
      if (cordoned[i] && !directories_->at(i).offline) ids->push_back(directories_->at(i).meta.directory_id.value_or(kZeroUuid));
    }
  }
  metadata_->broker()->set_cordoned(std::move(ids));
}

io::Task<> Node::wait_applied(std::chrono::milliseconds limit) {
  const auto deadline = io::after(worlds_[0].loop.now(), limit);
  const Offset wanted = metadata_->raft().high_watermark() - 1;
  while (!stopping_ && metadata_->publisher().applied_offset() < wanted && worlds_[0].loop.now() < deadline) {
    if (!co_await metadata_->publisher().wait_applied(wanted)) break;
  }
}

// ---- Checkpoints

io::Task<std::vector<std::vector<storage::DirectoryCheckpoints>>> Node::gather_checkpoints() {
  std::vector<std::vector<storage::DirectoryCheckpoints>> parts(shards_.size());
  std::vector<int> all;
  for (int i = 0; i < shard_count(); ++i) all.push_back(i);
  auto gather = [&](int index) -> io::Task<> {
    parts[static_cast<size_t>(index)] = shards_[static_cast<size_t>(index)]->logs().checkpoints();
    co_return;
  };
  co_await on_shards(worlds_[0].loop, worlds_, all, gather);
  co_return parts;
}

io::Task<> Node::write_checkpoints() { return write_checkpoints_now(false); }

io::Task<> Node::write_checkpoints_now(bool only_high_watermarks) {
  // One after the other: what is gathered later is written later.
  const auto held = co_await checkpointing_.lock(worlds_[0].loop);
  auto parts = co_await gather_checkpoints();
  std::vector<size_t> online;
  for (size_t i = 0; i < directories_->size(); ++i) {
    if (!directories_->at(i).offline) online.push_back(i);
  }
  const auto written = only_high_watermarks ? co_await directories_->write_high_watermarks(std::move(parts))
                                            : co_await directories_->write_checkpoints(std::move(parts));
  if (!written) SAMSA_LOG_ERROR("cannot write the checkpoint files: {}", written.error().text());
  for (const size_t i : online) {
    if (directories_->at(i).offline && !stopping_) directory_went_offline(i, *directories_->at(i).offline);
  }
}

io::Task<> Node::checkpoint_periodically(std::chrono::milliseconds every, bool only_high_watermarks) {
  io::Loop& loop = worlds_[0].loop;
  while (!stopping_) {
    if (co_await stopping_signal_.wait_until(loop, io::after(loop.now(), every))) break;
    if (!stopping_) co_await write_checkpoints_now(only_high_watermarks);
  }
}

ConnectionLimits Node::connection_limits() const {
  ConnectionLimits limits;
  const auto image = shards_[0]->image();
  limits.total = broker_number(settings_, *image, "max.connections");
  limits.per_ip = broker_number(settings_, *image, "max.connections.per.ip");
  const auto overrides = config::effective_text(config::Kind::kBroker, "max.connections.per.ip.overrides", layers_of(settings_, *image, nullptr));
  if (overrides) limits.parse_overrides(*overrides);
  return limits;
}

bool Node::is_between_brokers(const ListenerSettings& listener) const {
  const auto brokers = std::ranges::count(settings_.listeners, false, &ListenerSettings::controller);
  return !listener.controller && brokers > 1 && listener.name == settings_.config->inter_broker_listener;
}

void Node::directory_failed(int directory, const Error& why) {
  const auto index = static_cast<size_t>(directory);
  if (directories_->at(index).offline) return;
  SAMSA_LOG_ERROR("log directory {} failed: {}", directories_->at(index).path, why.text());
  directories_->take_offline(index, why);
  if (!stopping_) directory_went_offline(index, why);  // Shards that are about to go are not told.
}

void Node::directory_went_offline(size_t index, const Error& why) {
  for (const auto& shard : shards_) {
    shard->loop().post_remote([&shard = *shard, directory = static_cast<int>(index), why] { shard.logs().take_offline(directory, why); });
  }
  bool any = false;
  for (size_t i = 0; i < directories_->size(); ++i) any = any || !directories_->at(i).offline;
  if (!any) {
    fault_(Error{ErrorCode::kKafkaStorageError, "all log directories (log.dirs) have failed"});
  } else if (metadata_->broker() != nullptr) {
    const Uuid id = directories_->at(index).meta.directory_id.value_or(kZeroUuid);
    metadata_->broker()->directory_failed(id);
    if (metadata_started_ && !stopping_) background_.spawn(await_noted(id));
  }
}

// Until the controller knows of it, partitions that are led out of a failed directory get no other leader. A broker that cannot tell it within
// log.dir.failure.timeout.ms ends (KIP-858), which others notice.
io::Task<> Node::await_noted(Uuid directory) {
  io::Loop& loop = worlds_[0].loop;
  const auto limit = std::chrono::milliseconds(std::min<int64_t>(settings_.config->number("log.dir.failure.timeout.ms"), int64_t{1} << 40));
  if (co_await stopping_signal_.wait_until(loop, io::after(loop.now(), limit)) || stopping_) co_return;
  const auto image = shards_[0]->image();
  const auto* self = image->broker(settings_.node_id);
  if (self == nullptr || !self->active() || std::ranges::find(self->log_dirs, directory) == self->log_dirs.end()) co_return;
  fault_(Error{ErrorCode::kKafkaStorageError, fmt::format("the controller could not be told within log.dir.failure.timeout.ms={} that log directory {} failed",
                                                          limit.count(), directory.to_string())});
}

// ---- The end

io::Task<> Node::close_logs() {
  std::vector<std::vector<bool>> clean(shards_.size());
  std::vector<int> all;
  for (int i = 0; i < shard_count(); ++i) all.push_back(i);
  auto stop = [&](int index) -> io::Task<> {
    clean[static_cast<size_t>(index)] = co_await shards_[static_cast<size_t>(index)]->stop();
  };
  io::Loop& loop = worlds_[0].loop;
  co_await on_shards(loop, worlds_, all, stop);
  // What they said of their directories last is on its way to this loop: they must be there until it has come.
  bool all_here = false;
  io::Signal come;
  loop.post_remote([&] {
    all_here = true;
    come.notify_all();
  });
  while (!all_here) co_await come.wait(loop);
  if (!logs_loaded_) co_return;
  co_await write_checkpoints_now(false);
  const int64_t epoch = metadata_->broker() == nullptr ? -1 : metadata_->broker()->broker_epoch();
  for (size_t directory = 0; directory < directories_->size(); ++directory) {
    const bool all_clean = std::ranges::all_of(clean, [&](const auto& shard) { return directory >= shard.size() || shard[directory]; });
    if (!all_clean || directories_->at(directory).offline) continue;
    if (const auto marked = directories_->mark_clean(directory, epoch); !marked) {
      SAMSA_LOG_ERROR("cannot mark {} as cleanly shut down: {}", directories_->at(directory).path, marked.error().text());
    }
  }
}

io::Task<> Node::stop() {
  if (metadata_started_ && metadata_->broker() != nullptr && settings_.controlled_shutdown) {
    co_await metadata_->broker()->controlled_shutdown(io::after(worlds_[0].loop.now(), settings_.controlled_shutdown_timeout));
  }
  stopping_ = true;
  stopping_signal_.notify_all();
  for (const auto& acceptor : acceptors_) co_await acceptor->stop();
  if (metrics_listener_) co_await metrics_listener_->stop();
  co_await background_.join();
  if (metadata_started_) {
    // First of all, as others may be waiting for a commit that does not come any more when a whole cluster stops.
    if (metadata_->controller() != nullptr) co_await metadata_->controller()->stop();
    co_await isr_sender_->stop();
    co_await directory_assigner_->stop();
    co_await metadata_->publisher().stop();
    co_await close_logs();
    co_await metadata_->stop();
  }
  shards_.clear();
  metadata_.reset();
  if (directories_) directories_->release();
  metadata_lock_.reset();
}

}  // namespace samsa::server
