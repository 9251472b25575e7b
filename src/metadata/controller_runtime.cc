#include "metadata/controller_runtime.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "metadata/features.h"
#include "metadata/record.h"
#include "protocol/api/allocate_producer_ids.h"
#include "protocol/api/alter_configs.h"
#include "protocol/api/alter_partition.h"
#include "protocol/api/alter_partition_reassignments.h"
#include "protocol/api/assign_replicas_to_dirs.h"
#include "protocol/api/broker_heartbeat.h"
#include "protocol/api/broker_registration.h"
#include "protocol/api/controller_registration.h"
#include "protocol/api/create_partitions.h"
#include "protocol/api/create_topics.h"
#include "protocol/api/delete_topics.h"
#include "protocol/api/elect_leaders.h"
#include "protocol/api/incremental_alter_configs.h"
#include "protocol/api/list_partition_reassignments.h"
#include "protocol/api/unregister_broker.h"
#include "protocol/api/update_features.h"

namespace samsa::metadata {

namespace {
// Leaves room for the frame of each record and the batch's header.
constexpr size_t kBatchBudget = raft::RaftNode::kMaxBatchBytes - 64 * 1024;
constexpr size_t kRecordOverhead = 32;
constexpr size_t kPartitionsPerRound = 1000;
}  // namespace

struct ControllerRuntime::State {
  State(io::World w, ControllerSettings settings, const ConfigValidator& configs, raft::RaftNode& node, std::vector<Buffer> boot)
      : world(w), controller(std::move(settings), configs), raft(node), bootstrap(std::move(boot)), tasks(w.loop) {}

  [[nodiscard]] std::chrono::milliseconds mono() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(io::Duration(world.loop.now().ns));
  }
  CallContext context(const Caller& caller) {
    return {.now_ms = world.loop.wall_ms(),
            .mono = mono(),
            .random = world.loop.random(),
            .next_offset = raft.log_end_offset(),
            .principal = caller.principal};
  }

  // Appends and replays. The offset of the last record; NOT_CONTROLLER where leadership is gone.
  Result<Offset> write(const std::vector<Buffer>& records, bool atomic);
  Result<Offset> write_batch(std::span<const Buffer> records);
  io::Task<Result<void>> wait(Offset offset, LeaderEpoch of, io::MonoTime deadline);

  // decide() -> Result<Decision<R>>; all in one turn of the loop up to the append.
  template <class R, class Decide>
  io::Task<Result<R>> run(Decide decide, Caller caller);
  template <class R>
  io::Task<Result<R>> commit(Result<Decision<R>> decision, Caller caller);

  void activate(raft::LeaderAndEpoch leader, const ImagePtr& committed, bool in_transaction);
  void deactivate(const ImagePtr& committed);
  io::Task<> housekeep(LeaderEpoch of);
  void write_own(std::vector<Buffer> records, std::string_view what);
  [[nodiscard]] bool alone() const;

  io::World world;
  Controller controller;
  raft::RaftNode& raft;
  std::vector<Buffer> bootstrap;
  bool active = false;
  bool stopping = false;
  LeaderEpoch epoch = -1;
  Offset committed_end = 0;  // The published image holds everything below.
  Offset last_write = -1;
  io::MonoTime last_write_at;
  io::Signal committed_moved;
  io::Signal stop_signal;
  io::TaskGroup tasks;
};

ControllerRuntime::ControllerRuntime(io::World world, ControllerSettings settings, const ConfigValidator& configs, raft::RaftNode& raft,
                                     std::vector<Buffer> bootstrap_records)
    : state_(std::make_unique<State>(world, std::move(settings), configs, raft, std::move(bootstrap_records))) {}
ControllerRuntime::~ControllerRuntime() = default;

io::Task<> ControllerRuntime::stop() {
  state_->stopping = true;
  state_->active = false;
  state_->stop_signal.notify_all();
  state_->committed_moved.notify_all();
  co_await state_->tasks.join();
}

bool ControllerRuntime::active() const { return state_->active; }
const MetadataImage& ControllerRuntime::working_image() const { return state_->controller.image(); }

// ---- Writing

Result<Offset> ControllerRuntime::State::write_batch(std::span<const Buffer> records) {
  auto last = raft.append(records, epoch);
  if (!last) return fail(last.error().code == ErrorCode::kNotLeaderOrFollower ? ErrorCode::kNotController : last.error().code, last.error().message);
  Offset offset = *last - static_cast<Offset>(records.size()) + 1;
  for (const auto& record : records) {
    if (auto replayed = controller.replay(record, offset++); !replayed) {
      SAMSA_LOG_ERROR("controller: a record of its own does not fit its state, resigning: {}", replayed.error().describe());
      raft.resign(epoch);
      return fail(ErrorCode::kUnknownServerError, replayed.error().text());
    }
  }
  last_write = *last;
  last_write_at = world.loop.now();
  return *last;
}

Result<Offset> ControllerRuntime::State::write(const std::vector<Buffer>& records, bool atomic) {
  size_t total = 0;
  for (const auto& record : records) total += record.size() + kRecordOverhead;
  if (total <= kBatchBudget) return write_batch(records);
  const bool transaction = atomic && controller.image().metadata_version() >= kMvTransactions;
  if (atomic && !transaction) {
    return fail(ErrorCode::kPolicyViolation, fmt::format("the change takes {} bytes, above what one metadata batch can hold", total));
  }
  std::vector<Buffer> all;
  if (transaction) {
    protocol::BeginTransactionRecord begin;
    begin.name = protocol::Text("large change");
    all.push_back(encode(begin));
  }
  all.insert(all.end(), records.begin(), records.end());
  if (transaction) all.push_back(encode(protocol::EndTransactionRecord{}));
  Offset last = -1;
  for (size_t from = 0; from < all.size();) {
    size_t size = 0;
    size_t to = from;
    while (to < all.size() && (to == from || size + all[to].size() + kRecordOverhead <= kBatchBudget)) size += all[to++].size() + kRecordOverhead;
    TRY_ASSIGN(last, write_batch(std::span(all).subspan(from, to - from)));
    from = to;
  }
  return last;
}

io::Task<Result<void>> ControllerRuntime::State::wait(Offset offset, LeaderEpoch of, io::MonoTime deadline) {
  while (true) {
    if (!active || epoch != of) co_return fail(ErrorCode::kNotController);
    if (committed_end > offset) co_return Result<void>{};
    if (world.loop.now() >= deadline) co_return fail(ErrorCode::kRequestTimedOut);
    co_await committed_moved.wait_until(world.loop, deadline);
  }
}

template <class R>
io::Task<Result<R>> ControllerRuntime::State::commit(Result<Decision<R>> decision, Caller caller) {
  if (!decision) co_return fail(std::move(decision).error());
  const LeaderEpoch of = epoch;
  Offset until = last_write;  // Also an answer without records must not tell of what may yet be lost.
  if (!decision->records.empty()) {
    auto written = write(decision->records, decision->atomic);
    if (!written) co_return fail(std::move(written).error());
    until = *written;
  }
  CO_TRY(co_await wait(until, of, caller.deadline));
  co_return std::move(decision->response);
}

template <class R, class Decide>
io::Task<Result<R>> ControllerRuntime::State::run(Decide decide, Caller caller) {
  if (!active) co_return fail(ErrorCode::kNotController);
  Result<Decision<R>> decision = decide(context(caller));
  co_return co_await commit<R>(std::move(decision), std::move(caller));
}

// ---- Leadership

bool ControllerRuntime::State::alone() const {
  if (raft.voters().size() > 1) return false;
  bool others = false;
  controller.image().brokers.for_each([&](int32_t id, const BrokerImage&) { others = others || id != controller.settings().node_id; });
  return !others;
}

void ControllerRuntime::State::write_own(std::vector<Buffer> records, std::string_view what) {
  if (records.empty() || !active) return;
  if (auto written = write(records, false); !written) SAMSA_LOG_WARN("controller: {}: {}", what, written.error().describe());
}

void ControllerRuntime::State::activate(raft::LeaderAndEpoch leader, const ImagePtr& committed, bool in_transaction) {
  active = true;
  epoch = leader.epoch;
  committed_end = committed->provenance.next_offset;
  last_write = raft.log_end_offset() - 1;
  last_write_at = world.loop.now();
  controller.reset(*committed);
  SAMSA_LOG_INFO("controller: active in epoch {}", epoch);
  if (in_transaction) {
    // What the one before left open is undone before anything else is written.
    const Buffer abort = encode(protocol::AbortTransactionRecord{});
    if (auto aborted = raft.append(std::span(&abort, 1), epoch); aborted) last_write = *aborted;
  }
  const MetadataImage& image = controller.image();
  if (image.features.empty() && image.topics.empty() && image.brokers.empty()) {
    auto records = controller.bootstrap(bootstrap);
    if (auto written = write_batch(records); !written) SAMSA_LOG_ERROR("controller: bootstrap: {}", written.error().describe());
  }
  controller.begin_sessions(mono());
  tasks.spawn(housekeep(epoch));
}

void ControllerRuntime::State::deactivate(const ImagePtr& committed) {
  if (!active) return;
  SAMSA_LOG_INFO("controller: no longer active (epoch {})", epoch);
  active = false;
  epoch = -1;
  controller.reset(*committed);
  committed_moved.notify_all();
  stop_signal.notify_all();
}

void ControllerRuntime::on_leader_change(raft::LeaderAndEpoch leader, std::optional<Offset> epoch_start, const ImagePtr& committed,
                                         bool in_transaction) {
  auto& s = *state_;
  if (s.stopping) return;
  const bool own = leader.leader == s.controller.settings().node_id && epoch_start.has_value();
  if (s.active && (!own || leader.epoch != s.epoch)) s.deactivate(committed);
  if (own && !s.active) s.activate(leader, committed, in_transaction);
}

void ControllerRuntime::on_committed(Offset end) {
  state_->committed_end = std::max(state_->committed_end, end);
  state_->committed_moved.notify_all();
}

// ---- Periodic work

io::Task<> ControllerRuntime::State::housekeep(LeaderEpoch of) {
  const auto& settings = controller.settings();
  io::MonoTime balance_at = io::after(world.loop.now(), settings.leader_imbalance_interval);
  io::MonoTime unclean_at = io::after(world.loop.now(), settings.unclean_election_interval);
  while (active && epoch == of && !stopping) {
    const bool idle_records = settings.max_idle_interval.count() > 0 && !alone();
    auto pause = settings.session_timeout / 8;
    if (idle_records) pause = std::min(pause, settings.max_idle_interval);
    co_await stop_signal.wait_until(world.loop, io::after(world.loop.now(), std::max(pause, std::chrono::milliseconds(10))));
    if (!active || epoch != of || stopping) break;
    const Caller self;
    for (auto records = controller.fence_expired(context(self)); !records.empty() && active; records = controller.fence_expired(context(self))) {
      write_own(std::move(records), "fencing");
    }
    if (settings.auto_leader_rebalance && world.loop.now() >= balance_at) {
      write_own(controller.balance_leaders(kPartitionsPerRound), "balancing leaders");
      balance_at = io::after(world.loop.now(), settings.leader_imbalance_interval);
    }
    if (world.loop.now() >= unclean_at) {
      write_own(controller.elect_unclean(kPartitionsPerRound), "unclean elections");
      unclean_at = io::after(world.loop.now(), settings.unclean_election_interval);
    }
    if (active && idle_records && world.loop.now() - last_write_at >= settings.max_idle_interval) {
      std::vector<Buffer> idle;
      idle.push_back(encode(protocol::NoOpRecord{}));
      write_own(std::move(idle), "idle record");
    }
  }
}

void ControllerRuntime::broker_died(int32_t broker, int64_t broker_epoch) {
  auto& s = *state_;
  const BrokerImage* found = s.controller.image().broker(broker);
  if (!s.active || found == nullptr || found->epoch != broker_epoch) return;
  s.controller.tracker().forget(broker);
  SAMSA_LOG_INFO("controller: fencing broker {}: its process has died", broker);
  s.write_own(s.controller.fence_broker(broker), "fencing");
}

// ---- The APIs

#define SAMSA_DECIDE(method, type, call)                                                                  \
  ControllerRuntime::Answer<type##Response> ControllerRuntime::method(const type##Request& request, Caller caller) { \
    auto& s = *state_;                                                                                    \
    const int16_t version = caller.version;                                                               \
    (void)version;                                                                                        \
    return s.run<type##Response>(                                                                         \
        [&s, &request, version](const CallContext& context) -> Result<Decision<type##Response>> {         \
          (void)version;                                                                                  \
          return s.controller.call;                                                                       \
        },                                                                                                \
        std::move(caller));                                                                               \
  }

SAMSA_DECIDE(register_broker, BrokerRegistration, register_broker(request, context))
SAMSA_DECIDE(heartbeat, BrokerHeartbeat, heartbeat(request, context))
SAMSA_DECIDE(unregister_broker, UnregisterBroker, unregister_broker(request, context))
SAMSA_DECIDE(register_controller, ControllerRegistration, register_controller(request, context))
SAMSA_DECIDE(create_topics, CreateTopics, create_topics(request, context))
SAMSA_DECIDE(delete_topics, DeleteTopics, delete_topics(request, context))
SAMSA_DECIDE(create_partitions, CreatePartitions, create_partitions(request, context))
SAMSA_DECIDE(alter_partition, AlterPartition, alter_partition(request, version, context))
SAMSA_DECIDE(elect_leaders, ElectLeaders, elect_leaders(request, context))
SAMSA_DECIDE(alter_reassignments, AlterPartitionReassignments, alter_reassignments(request, context))
SAMSA_DECIDE(assign_directories, AssignReplicasToDirs, assign_directories(request, context))
SAMSA_DECIDE(incremental_alter_configs, IncrementalAlterConfigs, incremental_alter_configs(request, context))
SAMSA_DECIDE(alter_configs, AlterConfigs, alter_configs(request, context))
SAMSA_DECIDE(allocate_producer_ids, AllocateProducerIds, allocate_producer_ids(request, context))
#undef SAMSA_DECIDE

// kraft.version belongs to the quorum, the others to the records.
ControllerRuntime::Answer<UpdateFeaturesResponse> ControllerRuntime::update_features(const UpdateFeaturesRequest& request, Caller caller) {
  auto& s = *state_;
  if (!s.active) co_return fail(ErrorCode::kNotController);
  UpdateFeaturesRequest records = request;
  std::erase_if(records.feature_updates, [](const auto& update) { return update.feature.view() == kKraftVersion; });
  auto decision = s.controller.update_features(records, caller.version, s.context(caller));
  for (const auto& update : request.feature_updates) {
    if (update.feature.view() != kKraftVersion || decision.response.error_code != 0) continue;
    auto upgraded = s.raft.upgrade_kraft_version(update.max_version_level, request.validate_only);
    if (!upgraded) co_return fail(std::move(upgraded).error());
    if (*upgraded >= 0) s.last_write = std::max(s.last_write, *upgraded);
    if (caller.version < 2) decision.response.results.emplace_back().feature = update.feature.str();
  }
  co_return co_await s.commit<UpdateFeaturesResponse>(std::move(decision), std::move(caller));
}

ControllerRuntime::Answer<ListPartitionReassignmentsResponse> ControllerRuntime::list_reassignments(const ListPartitionReassignmentsRequest& request,
                                                                                                    Caller caller) {
  auto& s = *state_;
  return s.run<ListPartitionReassignmentsResponse>(
      [&s, &request](const CallContext&) -> Result<Decision<ListPartitionReassignmentsResponse>> {
        return Decision<ListPartitionReassignmentsResponse>{.response = s.controller.list_reassignments(request)};
      },
      std::move(caller));
}

}  // namespace samsa::metadata
