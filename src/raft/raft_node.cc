#include "raft/raft_node.h"

#include <algorithm>

#include <fmt/format.h>

#include "raft/raft_node_state.h"

namespace samsa::raft {

RaftNode::State::State(io::World w, RaftConfig configuration, std::unique_ptr<RaftTransport> peers)
    : world(w),
      config(std::move(configuration)),
      transport(std::move(peers)),
      history(config.static_voters),
      quorum_file(world.disk, io::join_path(io::join_path(config.metadata_dir, "__cluster_metadata-0"), "quorum-state")),
      tasks(world.loop) {}

RaftNode::RaftNode(std::unique_ptr<State> state) : state_(std::move(state)) {}
RaftNode::~RaftNode() = default;

io::Task<Result<std::unique_ptr<RaftNode>>> RaftNode::open(io::World world, RaftConfig config, std::unique_ptr<RaftTransport> transport) {
  if (transport == nullptr) {
    const std::string client_id = "raft-client-" + std::to_string(config.node_id);
    transport = std::make_unique<RaftTransport>(world, client_id, config.request_timeout);
  }
  auto state = std::make_unique<State>(world, std::move(config), std::move(transport));
  CO_TRY(co_await state->load());
  co_return std::unique_ptr<RaftNode>(new RaftNode(std::move(state)));
}

Result<void> RaftNode::State::load_head(OffsetAndEpoch id) {
  TRY_ASSIGN(auto content, read_snapshot(world.disk, log->snapshot_path(id), [](auto, const auto&) { return Result<void>{}; }));
  if (content.head.kraft_version) history.set_kraft_version(id.offset - 1, *content.head.kraft_version);
  if (content.head.voters) history.set_voters(id.offset - 1, std::move(*content.head.voters));
  return {};
}

io::Task<Result<void>> RaftNode::State::load() {
  CO_TRY_ASSIGN(log, co_await StorageRaftLog::open(world, config));
  if (const auto newest = log->latest_snapshot()) {
    CO_TRY(load_head(*newest));
  } else if (log->has_bootstrap_snapshot()) {
    CO_TRY(load_head(StorageRaftLog::kBootstrapId));
  }
  Offset at = std::max(log->start_offset(), log->latest_snapshot() ? log->latest_snapshot()->offset : Offset{0});
  while (at < log->end_offset()) {
    CO_TRY_ASSIGN(const Buffer bytes, co_await log->read(at, log->end_offset(), 4 * 1024 * 1024));
    if (bytes.empty()) break;
    protocol::BatchIterator batches(bytes);
    while (true) {
      CO_TRY_ASSIGN(const auto batch, batches.next());
      if (!batch) break;
      CO_TRY(history.replay(*batch));
      at = batch->next_offset();
    }
  }
  CO_TRY_ASSIGN(stored, quorum_file.read());
  core = std::make_unique<RaftCore>(config, *log, quorum_file, history, world.loop.random());
  // A vote that could not be synced before the start is in the page cache alone, and counts from here on. The only voter writes a new epoch
  // before it does anything.
  const bool alone = core->is_voter() && core->voters().size() == 1;
  if (stored && !alone) {
    auto again = quorum_file.write(*stored, core->kraft_version(), core->voters());
    if (!again && !io::is_no_space(again.error())) co_return again;
  }
  co_return Result<void>{};
}

void RaftNode::State::failed(Error error) {
  if (faulted || stopping) return;
  faulted = true;
  SAMSA_LOG_ERROR("raft: {}", error.describe());
  if (on_fault) on_fault(std::move(error));
}

void RaftNode::start(RaftListener& listener, std::function<void(Error)> fault) {
  auto& s = *state_;
  s.listener = &listener;
  s.on_fault = std::move(fault);
  s.started = true;
  s.core->start(s.stored, s.now());
  s.tasks.spawn(s.drive());
  s.pump();
}

io::Task<> RaftNode::stop() {
  auto& s = *state_;
  if (s.started && !s.faulted) {
    s.core->resign(s.now());
    s.pump();
    if (s.core->role() == Role::kResigned && s.transport && s.core->voters().size() > 1) {
      // One round of EndQuorumEpoch, so that the others need not wait out their timeouts.
      s.wake.notify_all();
      co_await io::sleep_for(s.world.loop, std::chrono::milliseconds(50));
    }
  }
  s.stopping = true;
  s.wake.notify_all();
  s.progress.notify_all();
  if (s.transport) s.transport->close();
  co_await s.tasks.join();
  s.progress.notify_all();
  if (!s.faulted) {
    if (auto closed = co_await s.log->close(); !closed) SAMSA_LOG_WARN("raft: closing the log: {}", closed.error().describe());
  }
}

// ---- Tasks

io::Task<> RaftNode::State::drive() {
  while (!stopping && !faulted) {
    if (!log_busy) core->tick(now());
    for (auto& ask : core->poll(now())) tasks.spawn(send(std::move(ask)));
    pump();
    if (stopping || faulted) break;
    co_await wake.wait_until(world.loop, log_busy ? io::kNever : core->next_deadline(now()));
  }
}

void RaftNode::State::pump() {
  if (!started || faulted) return;
  if (core->fault()) return failed(*core->fault());
  const bool moved = core->high_watermark() != seen_high_watermark || log->end_offset() != seen_end || core->leader() != seen_leader ||
                     core->role() != seen_role;
  if (moved) {
    const bool role_moved = core->leader() != seen_leader || core->role() != seen_role;
    seen_high_watermark = core->high_watermark();
    seen_end = log->end_offset();
    seen_leader = core->leader();
    seen_role = core->role();
    progress.notify_all();
    if (role_moved) wake.notify_all();
  }
  if (!syncing && core->is_leader() && log->durable_offset() < log->end_offset()) {
    syncing = true;
    tasks.spawn(sync());
  }
  if (!delivering && !stopping) {
    if (core->high_watermark() > delivered) {
      delivering = true;
      tasks.spawn(deliver());
    } else {
      tell_leader();
    }
  }
}

io::Task<> RaftNode::State::sync() {
  while (!faulted && log->durable_offset() < log->end_offset()) {
    if (auto synced = co_await log->sync(); !synced) {
      failed(synced.error());
      break;
    }
    core->on_durable(now());
    pump();
  }
  syncing = false;
}

void RaftNode::State::tell_leader() {
  LeaderAndEpoch current = core->leader();
  if (current.leader == config.node_id && !core->is_leader()) current.leader = -1;
  if (told && *told == current) return;
  if (core->is_leader()) {
    // Only when the listener has all that was committed before, and the record of the election itself.
    if (delivered <= core->epoch_start()) return;
    told = current;
    listener->on_leader_change(current, log->end_offset());
    return;
  }
  told = current;
  listener->on_leader_change(current, std::nullopt);
}

io::Task<> RaftNode::State::deliver() {
  while (!stopping && !faulted && delivered < core->high_watermark()) {
    const auto snapshot = log->latest_snapshot();
    if (snapshot && delivered < snapshot->offset && (delivered == 0 || delivered < log->start_offset())) {
      if (auto done = deliver_snapshot(*snapshot); !done) failed(done.error());
      continue;
    }
    if (auto done = co_await deliver_log(core->high_watermark()); !done) failed(done.error());
  }
  delivering = false;
  pump();
}

Result<void> RaftNode::State::deliver_snapshot(OffsetAndEpoch id) {
  SAMSA_LOG_INFO("raft: loading snapshot {}", snapshot_name(id));
  bool begun = false;
  // The header's time is known once the first batch is there.
  TRY_ASSIGN(const auto content, read_snapshot(world.disk, log->snapshot_path(id), [&](std::span<const Bytes> values, const protocol::BatchView& view) {
    if (!begun) listener->begin_snapshot(id, view.max_timestamp());
    begun = true;
    return listener->on_snapshot_batch({.base_offset = view.base_offset(),
                                        .last_offset = view.last_offset(),
                                        .epoch = id.epoch,
                                        .append_ms = view.max_timestamp(),
                                        .size_bytes = view.bytes().size(),
                                        .values = values});
  }));
  if (!begun) listener->begin_snapshot(id, content.head.last_contained_log_ms);
  TRY(listener->end_snapshot());
  delivered = id.offset;
  return {};
}

io::Task<Result<void>> RaftNode::State::deliver_log(Offset until) {
  CO_TRY_ASSIGN(const Buffer bytes, co_await log->read(delivered, until, 1024 * 1024));
  protocol::BatchIterator batches(bytes);
  protocol::Scratch scratch;
  std::vector<Bytes> values;
  bool any = false;
  while (true) {
    CO_TRY_ASSIGN(const auto batch, batches.next());
    if (!batch || batch->next_offset() > until) break;
    any = true;
    if (batch->last_offset() < delivered) continue;
    CO_TRY(batch_values(*batch, scratch, values));
    CO_TRY(listener->on_commit({.base_offset = batch->base_offset(),
                                .last_offset = batch->last_offset(),
                                .epoch = batch->leader_epoch(),
                                .append_ms = batch->max_timestamp(),
                                .size_bytes = batch->bytes().size(),
                                .values = values}));
    delivered = batch->next_offset();
  }
  if (!any) co_return fail(ErrorCode::kKafkaStorageError, fmt::format("metadata log: no batch at committed offset {}", delivered));
  co_return Result<void>{};
}

// ---- Leader: writing

Result<Offset> RaftNode::append(std::span<const Buffer> values, LeaderEpoch epoch) {
  auto& s = *state_;
  if (s.faulted || s.stopping || !s.core->is_leader() || s.core->epoch() != epoch) return fail(ErrorCode::kNotLeaderOrFollower);
  if (values.empty()) return fail(ErrorCode::kInvalidRequest, "nothing to append");
  protocol::RecordBatchBuilder builder({.base_offset = s.log->end_offset(), .leader_epoch = epoch});
  const TimestampMs now_ms = s.world.loop.wall_ms();
  for (const auto& value : values) builder.append(now_ms, std::nullopt, Bytes(value));
  if (builder.size() > kMaxBatchBytes) {
    return fail(ErrorCode::kRecordListTooLarge, fmt::format("a metadata batch of {} bytes is above the limit of {}", builder.size(), kMaxBatchBytes));
  }
  TRY_ASSIGN(Buffer batch, builder.build());
  if (auto appended = s.log->append(std::move(batch), epoch); !appended) {
    s.failed(appended.error());
    return fail(appended.error());
  }
  const Offset last = s.log->end_offset() - 1;
  s.pump();
  return last;
}

io::Task<Result<void>> RaftNode::wait_committed(Offset offset, LeaderEpoch epoch) {
  auto& s = *state_;
  while (true) {
    if (s.stopping || s.faulted || !s.core->is_leader() || s.core->epoch() != epoch) co_return fail(ErrorCode::kNotLeaderOrFollower);
    if (s.core->high_watermark() > offset) co_return Result<void>{};
    co_await s.progress.wait(s.world.loop);
  }
}

void RaftNode::resign(LeaderEpoch epoch) {
  auto& s = *state_;
  if (s.core->is_leader() && s.core->epoch() == epoch) s.core->step_down(s.now());
  s.pump();
  s.wake.notify_all();
}

// ---- State

LeaderAndEpoch RaftNode::leader() const { return state_->core->leader(); }
bool RaftNode::is_leader() const { return state_->core->is_leader(); }
std::optional<VoterEndpoint> RaftNode::leader_endpoint(std::string_view listener) const { return state_->core->leader_endpoint(listener); }
Offset RaftNode::high_watermark() const { return state_->core->high_watermark(); }
bool RaftNode::high_watermark_learned() const { return state_->core->high_watermark_learned(); }
Offset RaftNode::log_end_offset() const { return state_->log->end_offset(); }
const VoterSet& RaftNode::voters() const { return state_->core->voters(); }
int16_t RaftNode::kraft_version() const { return state_->core->kraft_version(); }
const RaftConfig& RaftNode::config() const { return state_->config; }

// ---- Snapshots

namespace {
class WriterSink final : public SnapshotSink {
 public:
  explicit WriterSink(SnapshotWriter& writer) : writer_(writer) {}
  Result<void> append(std::span<const Buffer> values) override { return writer_.append(values); }

 private:
  SnapshotWriter& writer_;
};
}  // namespace

std::optional<OffsetAndEpoch> RaftNode::latest_snapshot() const { return state_->log->latest_snapshot(); }

io::Task<Result<void>> RaftNode::create_snapshot(OffsetAndEpoch end, TimestampMs last_contained_log_ms,
                                                 std::function<Result<void>(SnapshotSink&)> fill) {
  auto& s = *state_;
  if (end.offset <= 0 || end.offset > s.delivered || s.log->has_snapshot(end)) co_return Result<void>{};
  SnapshotHead head{.last_contained_log_ms = last_contained_log_ms};
  if (const int16_t version = s.history.kraft_version_at(end.offset); version > 0) {
    head.kraft_version = version;
    head.voters = s.history.voters_at(end.offset);
  }
  CO_TRY_ASSIGN(auto writer, SnapshotWriter::create(s.world.disk, s.log->snapshot_path(end), end.epoch, s.world.loop.wall_ms(), head));
  WriterSink sink(*writer);
  CO_TRY(fill(sink));
  CO_TRY(co_await writer->freeze_async());
  s.log->add_snapshot(end);
  SAMSA_LOG_INFO("raft: snapshot {} written, {} bytes", snapshot_name(end), writer->size());
  co_return s.log->clean(std::min(s.delivered, s.core->high_watermark()), s.world.loop.wall_ms());
}

}  // namespace samsa::raft
