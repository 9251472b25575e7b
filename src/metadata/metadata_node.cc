#include "metadata/metadata_node.h"

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/features.h"
#include "metadata/format.h"
#include "metadata/node_channel.h"
#include "metadata/replay.h"
#include "protocol/api/controller_registration.h"
#include "storage/reserved_disk.h"

namespace samsa::metadata {

struct MetadataNode::State final : raft::RaftListener {
  State(io::World w, MetadataNodeOptions o, std::function<void(Error)> f)
      : disk(w.loop, w.disk, o.raft.metadata_dir, o.disk_reserve_bytes),
        world{w.loop, disk, w.network},
        options(std::move(o)),
        fault(std::move(f)),
        publisher(w.loop),
        tasks(w.loop) {}

  // raft::RaftListener
  void begin_snapshot(raft::OffsetAndEpoch id, TimestampMs last_contained_log_ms) override;
  Result<void> on_snapshot_batch(const raft::CommittedBatch& batch) override;
  Result<void> end_snapshot() override;
  Result<void> on_commit(const raft::CommittedBatch& batch) override;
  void on_leader_change(raft::LeaderAndEpoch leader, std::optional<Offset> epoch_start) override;

  void publish();
  // Controllers: until the image has this process's registration, asks for it.
  io::Task<> keep_registered();
  void maybe_snapshot(size_t new_bytes);
  io::Task<> write_snapshot(ImagePtr image);
  ImagePtr current() const { return std::make_shared<const MetadataImage>(replay.image()); }

  storage::ReservedDisk disk;
  io::World world;
  MetadataNodeOptions options;
  std::function<void(Error)> fault;
  std::unique_ptr<raft::RaftNode> raft;
  std::unique_ptr<ControllerRuntime> controller;
  std::unique_ptr<BrokerPresence> presence;
  std::unique_ptr<NodeChannel> channel;
  std::unique_ptr<BrokerLifecycle> broker;
  Publisher publisher;
  TransactionReplay replay;
  raft::OffsetAndEpoch snapshot_id;
  TimestampMs snapshot_ms = 0;
  bool caught_up = false;
  bool stopping = false;
  Uuid incarnation;
  io::Signal published;
  int64_t bytes_since_snapshot = 0;
  io::MonoTime snapshot_at;
  bool snapshotting = false;
  io::TaskGroup tasks;
};

MetadataNode::MetadataNode(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetadataNode::~MetadataNode() = default;

io::Task<Result<std::unique_ptr<MetadataNode>>> MetadataNode::open(io::World world, MetadataNodeOptions options, const ConfigValidator& configs,
                                                                   std::unique_ptr<raft::RaftTransport> transport,
                                                                   std::function<void(Error)> fault) {
  auto state = std::make_unique<State>(world, std::move(options), std::move(fault));
  auto& s = *state;
  s.incarnation = world.loop.random().uuid();
  CO_TRY_ASSIGN(auto bootstrap, read_bootstrap(world.disk, s.options.raft.metadata_dir));
  CO_TRY_ASSIGN(s.raft, co_await raft::RaftNode::open(s.world, s.options.raft, std::move(transport)));
  if (s.options.raft.controller) {
    s.controller = std::make_unique<ControllerRuntime>(world, s.options.controller, configs, *s.raft, std::move(bootstrap));
    s.presence = std::make_unique<BrokerPresence>(world, s.options.raft.node_id, [runtime = s.controller.get()](int32_t broker, int64_t epoch) {
      runtime->broker_died(broker, epoch);
    });
  }
  s.channel = std::make_unique<NodeChannel>(world, *s.raft, s.controller.get());
  if (s.options.broker) s.broker = std::make_unique<BrokerLifecycle>(world, *s.options.broker, *s.channel, s.publisher);
  co_return std::unique_ptr<MetadataNode>(new MetadataNode(std::move(state)));
}

void MetadataNode::start() {
  state_->snapshot_at = state_->world.loop.now();
  state_->raft->start(*state_, state_->fault);
  if (state_->controller) state_->tasks.spawn(state_->keep_registered());
}

io::Task<> MetadataNode::stop() {
  auto& s = *state_;
  s.stopping = true;
  s.published.notify_all();
  s.channel->on_leader_change();
  s.channel->close();
  if (s.presence) co_await s.presence->stop();
  // Before the broker, whose heartbeat may be waiting for a commit that does not come any more.
  if (s.controller) co_await s.controller->stop();
  if (s.broker) co_await s.broker->stop();
  co_await s.raft->stop();
  co_await s.tasks.join();
  co_await s.publisher.stop();
}

raft::RaftNode& MetadataNode::raft() { return *state_->raft; }
ControllerRuntime* MetadataNode::controller() { return state_->controller.get(); }
BrokerPresence* MetadataNode::presence() { return state_->presence.get(); }
BrokerLifecycle* MetadataNode::broker() { return state_->broker.get(); }
NodeChannel& MetadataNode::channel() { return *state_->channel; }
Publisher& MetadataNode::publisher() { return state_->publisher; }
const ImagePtr& MetadataNode::image() const { return state_->publisher.image(); }

// ---- The log's state machine

void MetadataNode::State::begin_snapshot(raft::OffsetAndEpoch id, TimestampMs last_contained_log_ms) {
  snapshot_id = id;
  snapshot_ms = last_contained_log_ms;
  replay.reset(MetadataImage{});
}

Result<void> MetadataNode::State::on_snapshot_batch(const raft::CommittedBatch& batch) {
  return replay.replay_batch(batch.values, snapshot_id.offset - 1, snapshot_id.epoch, snapshot_ms);
}

Result<void> MetadataNode::State::end_snapshot() {
  TRY(replay.replay_batch({}, snapshot_id.offset - 1, snapshot_id.epoch, snapshot_ms));
  bytes_since_snapshot = 0;
  publish();
  return {};
}

Result<void> MetadataNode::State::on_commit(const raft::CommittedBatch& batch) {
  if (auto done = replay.replay_batch(batch.values, batch.last_offset, batch.epoch, batch.append_ms); !done) {
    return fail(done.error().code, fmt::format("metadata log at offsets {}-{}: {}", batch.base_offset, batch.last_offset, done.error().text()));
  }
  publish();
  if (controller) controller->on_committed(batch.last_offset + 1);
  maybe_snapshot(batch.size_bytes);
  return {};
}

void MetadataNode::State::publish() {
  // The first image that anybody sees is a whole one: as of what the quorum had committed when this node joined it.
  if (!caught_up) caught_up = raft->high_watermark_learned() && replay.image().provenance.next_offset >= raft->high_watermark();
  if (!caught_up || replay.in_transaction()) return;
  publisher.publish(current());
  if (presence) presence->on_image(publisher.image());
  published.notify_all();
}

io::Task<> MetadataNode::State::keep_registered() {
  ControllerRegistrationRequest request;
  request.controller_id = options.raft.node_id;
  request.incarnation_id = incarnation;
  for (const auto& e : options.controller_endpoints) {
    auto& to = request.listeners.emplace_back();
    to.name = e.listener;
    to.host = e.host;
    to.port = e.port;
    to.security_protocol = e.security_protocol;
  }
  for (const auto& [name, range] : supported_features()) {
    auto& to = request.features.emplace_back();
    to.name = name;
    to.min_supported_version = range.min;
    to.max_supported_version = range.max;
  }
  while (!stopping) {
    const ImagePtr image = publisher.image();
    const ControllerImage* own = image->controllers.find(options.raft.node_id);
    const bool possible = image->metadata_version() >= kMvControllerRegistration && !options.controller_endpoints.empty();
    if (!possible || (own != nullptr && own->incarnation == incarnation)) {
      co_await published.wait(world.loop);
      continue;
    }
    auto answer = co_await channel->register_controller(request);
    if (stopping) break;
    if (!answer) SAMSA_LOG_DEBUG("controller {}: registration: {}", options.raft.node_id, answer.error().describe());
    co_await channel->wait_change(std::chrono::milliseconds(answer ? 100 : 300));
  }
}

void MetadataNode::State::on_leader_change(raft::LeaderAndEpoch leader, std::optional<Offset> epoch_start) {
  SAMSA_LOG_INFO("metadata: leader is {} in epoch {}", leader.leader, leader.epoch);
  if (controller) controller->on_leader_change(leader, epoch_start, current(), replay.in_transaction());
  channel->on_leader_change();
  if (presence) presence->set_active(controller->active());
  if (broker) broker->controller_changed();
}

void MetadataNode::State::maybe_snapshot(size_t new_bytes) {
  bytes_since_snapshot += static_cast<int64_t>(new_bytes);
  if (snapshotting || replay.in_transaction()) return;
  const bool old = options.snapshot_interval.count() > 0 && world.loop.now() >= io::after(snapshot_at, options.snapshot_interval);
  if (bytes_since_snapshot < options.snapshot_bytes && !old) return;
  snapshotting = true;
  bytes_since_snapshot = 0;
  snapshot_at = world.loop.now();
  tasks.spawn(write_snapshot(current()));
}

io::Task<> MetadataNode::State::write_snapshot(ImagePtr image) {
  // Not within the delivery of the batch that asked for it.
  co_await io::yield(world.loop);
  const auto& at = image->provenance;
  const raft::OffsetAndEpoch id{at.next_offset, at.epoch};
  auto written = co_await raft->create_snapshot(id, at.timestamp_ms, [image](raft::SnapshotSink& sink) {
    return image_to_records(*image, [&](std::span<const Buffer> records) { return sink.append(records); });
  });
  if (!written) SAMSA_LOG_WARN("metadata: snapshot at {}: {}", at.next_offset, written.error().describe());
  snapshotting = false;
}

}  // namespace samsa::metadata
