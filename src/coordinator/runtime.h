// The runtime of a coordinator: runs one state machine on one partition of an internal topic, as the partition's leader.
//
// A request becomes a decision: the machine looks at its state and gives records and a response. The runtime appends the records to
// the log as one batch, replays them into the machine, waits until they are committed and only then releases the response. When the
// append fails nothing was replayed, so nothing has to be taken back; the error reaches the caller in Kafka's mapping (map_log_error).
//   writers see the latest state (all that was appended), readers that ask for it the committed one (below the high watermark):
//   machines keep a CommittedMap (committed_map.h) for what such readers see.
// Soft state (members and timers of a classic group) is not in the log; decisions may change it directly, and learn by on_committed
// whether their records made it.
//
// Invariants: decisions of one partition run one after the other (first come, first served) up to the replay; waiting for the commit
// is concurrent. One object is one leadership: a new leadership makes a new object. Everything on the partition's shard.
// Lifetime: shared; a suspended request keeps the object alive after resign().
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "coordinator/log.h"
#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"

namespace samsa::coordinator {

// The moment of a decision: monotonic for deadlines, wall clock for timestamps in records.
struct Now {
  io::MonoTime mono;
  TimestampMs wall_ms = 0;
};

// A record to write: key and value as protocol::encode_record gives them. No value: a tombstone.
struct CoordinatorRecord {
  Buffer key;
  std::optional<Buffer> value;
  friend bool operator==(const CoordinatorRecord&, const CoordinatorRecord&) = default;
};

// Of encoded parts; the first error of them else.
inline Result<CoordinatorRecord> record_of(Result<Buffer> key, Result<Buffer> value) {
  TRY_ASSIGN(Buffer key_bytes, std::move(key));
  TRY_ASSIGN(Buffer value_bytes, std::move(value));
  return CoordinatorRecord{std::move(key_bytes), std::move(value_bytes)};
}
inline Result<CoordinatorRecord> tombstone_of(Result<Buffer> key) {
  TRY_ASSIGN(Buffer key_bytes, std::move(key));
  return CoordinatorRecord{std::move(key_bytes), std::nullopt};
}

// The records of a decision, in log order. One that cannot be encoded (a text longer than a record can carry) takes the place of all:
// the append then fails, like one that the log refuses, and nothing is written.
class RecordList {
 public:
  void push_back(Result<CoordinatorRecord> record) {
    if (!record) {
      if (!fault_) fault_ = std::move(record).error();
    } else {
      records_.push_back(std::move(*record));
    }
  }
  void append(RecordList more) {
    for (auto& record : more.records_) records_.push_back(std::move(record));
    if (!fault_) fault_ = std::move(more.fault_);
  }
  [[nodiscard]] bool empty() const { return records_.empty() && !fault_; }
  [[nodiscard]] size_t size() const { return records_.size(); }
  [[nodiscard]] std::span<const CoordinatorRecord> all() const { return records_; }
  // Why they cannot be written, if they cannot.
  [[nodiscard]] const std::optional<Error>& fault() const { return fault_; }

 private:
  std::vector<CoordinatorRecord> records_;
  std::optional<Error> fault_;
};

// Whose transaction a batch belongs to; id -1: none.
struct ProducerStamp {
  int64_t id = kNoProducerId;
  int16_t epoch = kNoProducerEpoch;
};

// What became of the records of a decision.
struct WriteOutcome {
  Result<void> result;  // Committed, or the mapped error.
  bool in_log = false;  // They are in the local log; with an error: and may be committed later or not.
};

// What one decision writes: one batch, all or nothing.
struct Writes {
  RecordList records;
  ProducerStamp producer;  // Set: a transactional batch.
  // How many of the records, from the front, are replayed when they are in the log. The others the machine's soft state holds already
  // (a classic group's metadata).
  size_t replayed = SIZE_MAX;
  // Called in a turn of its own when the records are committed or have failed; not after resign().
  UniqueFunction<void(const WriteOutcome&, Now)> on_committed;
};

template <class R>
struct Decision {
  R response;
  Writes writes;
};

// A record as it comes back from the log.
struct ReplayedRecord {
  Offset offset = 0;
  ProducerStamp producer;  // Set: pending until the transaction's marker.
  Bytes key;
  std::optional<Bytes> value;
};

// A state machine on a partition. Pure: time comes in with each call, nothing here waits.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies a record. Called in offset order, while loading and after each append. An error (a value version that is not known) ends
  // the loading; records just written never fail.
  virtual Result<void> replay(const ReplayedRecord& record) = 0;
  // Applies a transaction's end: its pending records count (commit) or vanish.
  virtual void replay_marker(ProducerStamp producer, bool commit, Offset offset) = 0;
  // Loading is over: requests come from now on.
  virtual void on_loaded(Now now) = 0;
  // The leadership is over: every parked reply gets NOT_COORDINATOR. No call follows but the destructor.
  virtual void on_resigned() = 0;
  // Everything below this offset is committed: older versions of state may go.
  virtual void on_committed(Offset high_watermark) = 0;

  // When on_deadline wants to be called next; kNever: not at all. May be early.
  [[nodiscard]] virtual io::MonoTime next_deadline() const = 0;
  // Does one thing that is due. Called again while next_deadline() is not after `now`.
  virtual Writes on_deadline(Now now) = 0;
};

// Kafka's mapping of what can go wrong with a write to what clients of a coordinator understand.
Error map_log_error(Error error);

struct RuntimeOptions {
  std::chrono::milliseconds write_timeout{5000};  // How long a response waits for the commit (offsets.commit.timeout.ms).
  size_t load_bytes = 5 * 1024 * 1024;            // Read size while loading (offsets.load.buffer.size).
};

// The untyped part; use CoordinatorPartition below.
class PartitionRuntime : public std::enable_shared_from_this<PartitionRuntime> {
 public:
  enum class State : uint8_t { kLoading, kActive, kFailed, kResigned };

  PartitionRuntime(io::Loop& loop, std::shared_ptr<CoordinatorLog> log, StateMachine& machine, RuntimeOptions options);
  virtual ~PartitionRuntime();
  PartitionRuntime(const PartitionRuntime&) = delete;

  // Replays the log from its start to its end, then opens for requests. Errors leave the state kFailed.
  io::Task<Result<void>> load();
  // Ends the leadership: parked replies get NOT_COORDINATOR, requests that wait for a commit likewise. Safe to call twice.
  void resign();

  [[nodiscard]] State state() const { return state_; }
  // None where requests are served; COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR else.
  [[nodiscard]] Result<void> check_active() const;
  // Committed state is what lies below this offset.
  [[nodiscard]] Offset committed() const { return log_->high_watermark(); }
  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_ms()}; }

  // Writes the end of a transaction into the partition and applies it. NOT_COORDINATOR and the log's errors, mapped.
  io::Task<Result<void>> complete_transaction(ProducerStamp producer, int32_t coordinator_epoch, bool commit);

 protected:
  // Appends and replays, in the caller's turn. Gives the offset whose commit the response must wait for: the last of these records,
  // or of those written before where there are none, since the decision may have seen their state.
  io::Task<Result<Offset>> append(Writes& writes);
  // Waits for the commit and tells on_committed, in a turn of its own.
  io::Task<Result<void>> finish(Writes& writes, Result<Offset> appended);
  io::Task<io::Mutex::Held> turn();
  void arm();

 private:
  static io::Task<> run_deadlines(std::shared_ptr<PartitionRuntime> self);
  static io::Task<> finish_alone(std::shared_ptr<PartitionRuntime> self, Writes writes, Result<Offset> appended);
  Result<Offset> replay_batches(Bytes batches, Offset from);
  io::Task<Result<void>> append_batch(Buffer batch, Appended& appended);

  struct Alarm : io::Timer {
    PartitionRuntime* runtime = nullptr;
  };

  io::Loop& loop_;
  std::shared_ptr<CoordinatorLog> log_;
  StateMachine& machine_;
  RuntimeOptions options_;
  State state_ = State::kLoading;
  io::Mutex turn_;
  Alarm alarm_;
  Offset last_written_ = -1;
  bool deadlines_running_ = false;
};

namespace detail {
template <class D>
struct DecisionResponse;
template <class R>
struct DecisionResponse<Result<Decision<R>>> {
  using type = R;
};
}  // namespace detail

// The typed runtime: owns the machine.
template <class Machine>
class CoordinatorPartition final : public PartitionRuntime {
 public:
  CoordinatorPartition(io::Loop& loop, std::shared_ptr<CoordinatorLog> log, std::unique_ptr<Machine> machine, RuntimeOptions options = {})
      : PartitionRuntime(loop, std::move(log), *machine, options), machine_(std::move(machine)) {}

  // Runs decide(machine, now) -> Result<Decision<R>> in its turn and gives the response once its records are committed. `self` is
  // held until then. Errors: the decision's own, else NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS and the mapped log errors.
  template <class F, class R = typename detail::DecisionResponse<std::invoke_result_t<F&, Machine&, Now>>::type>
  static io::Task<Result<R>> write(std::shared_ptr<CoordinatorPartition> self, F decide) {
    auto turn = co_await self->turn();
    CO_TRY(self->check_active());
    auto decision = decide(*self->machine_, self->now());
    if (!decision) {
      self->arm();
      co_return fail(std::move(decision).error());
    }
    auto appended = co_await self->append(decision->writes);
    self->arm();
    turn.release();
    CO_TRY(co_await self->finish(decision->writes, std::move(appended)));
    co_return std::move(decision->response);
  }

  // The machine, for readers; nullptr-free. Readers of committed state pass committed() on to it.
  [[nodiscard]] const Machine& machine() const { return *machine_; }
  // For tests and soft changes without records.
  [[nodiscard]] Machine& mutable_machine() { return *machine_; }

 private:
  std::unique_ptr<Machine> machine_;
};

}  // namespace samsa::coordinator
