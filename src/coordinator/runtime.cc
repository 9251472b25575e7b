#include "coordinator/runtime.h"

#include "base/assert.h"
#include "protocol/control_batch.h"
#include "protocol/record_batch.h"

namespace samsa::coordinator {

Error map_log_error(Error error) {
  switch (error.code) {
    case ErrorCode::kNetworkException:
      // Old clients do not expect it; this one makes them try again at the same coordinator.
      return {ErrorCode::kCoordinatorLoadInProgress, {}};
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
      return {ErrorCode::kCoordinatorNotAvailable, {}};
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kKafkaStorageError:
      return {ErrorCode::kNotCoordinator, {}};
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidFetchSize:
      return {ErrorCode::kUnknownServerError, {}};
    default:
      return error;
  }
}

PartitionRuntime::PartitionRuntime(io::Loop& loop, std::shared_ptr<CoordinatorLog> log, StateMachine& machine, RuntimeOptions options)
    : loop_(loop), log_(std::move(log)), machine_(machine), options_(options) {
  alarm_.runtime = this;
  alarm_.fire = [](io::Timer& timer) {
    PartitionRuntime& runtime = *static_cast<Alarm&>(timer).runtime;
    runtime.deadlines_running_ = true;
    io::spawn(runtime.loop_, run_deadlines(runtime.shared_from_this()));
  };
}

PartitionRuntime::~PartitionRuntime() {
  if (alarm_.linked()) loop_.cancel_timer(alarm_);
}

Result<void> PartitionRuntime::check_active() const {
  switch (state_) {
    case State::kActive:
      return {};
    case State::kLoading:
      return fail(ErrorCode::kCoordinatorLoadInProgress);
    case State::kFailed:
    case State::kResigned:
      break;
  }
  return fail(ErrorCode::kNotCoordinator);
}

io::Task<io::Mutex::Held> PartitionRuntime::turn() { return turn_.lock(loop_); }

io::Task<Result<void>> PartitionRuntime::load() {
  auto keep = shared_from_this();
  Offset next = log_->start_offset();
  while (state_ == State::kLoading) {
    auto batches = co_await log_->read(next, options_.load_bytes);
    if (state_ != State::kLoading) break;
    auto replayed = !batches ? Result<Offset>(fail(std::move(batches).error())) : replay_batches(*batches, next);
    if (!replayed) {
      state_ = State::kFailed;
      co_return fail(std::move(replayed).error());
    }
    if (batches->empty()) {
      state_ = State::kActive;
      last_written_ = log_->end_offset() - 1;
      machine_.on_committed(committed());
      machine_.on_loaded(now());
      arm();
      co_return Result<void>{};
    }
    next = *replayed;
    machine_.on_committed(committed());
    co_await io::yield(loop_);  // A long load gives the shard's other work its turns.
  }
  co_return fail(ErrorCode::kNotCoordinator);
}

Result<Offset> PartitionRuntime::replay_batches(Bytes batches, Offset from) {
  protocol::BatchIterator iterator(batches);
  protocol::Scratch scratch;
  Offset next = from;
  while (true) {
    TRY_ASSIGN(auto batch, iterator.next());
    if (!batch) return next;
    next = std::max(next, batch->next_offset());
    const ProducerStamp producer =
        batch->is_transactional() ? ProducerStamp{batch->producer_id(), batch->producer_epoch()} : ProducerStamp{};
    if (batch->is_control()) {
      // Other control records mean nothing to a coordinator.
      if (auto marker = protocol::read_transaction_marker(*batch); marker && batch->base_offset() >= from) {
        machine_.replay_marker(producer, marker->commit, batch->base_offset());
      }
      continue;
    }
    TRY_ASSIGN(auto reader, protocol::RecordReader::open(*batch, scratch));
    protocol::Record record;
    while (true) {
      TRY_ASSIGN(const bool more, reader.next(record));
      if (!more) break;
      if (record.offset < from || !record.key) continue;
      TRY(machine_.replay({record.offset, producer, *record.key, record.value}));
    }
  }
}

void PartitionRuntime::resign() {
  if (state_ == State::kResigned) return;
  state_ = State::kResigned;
  if (alarm_.linked()) loop_.cancel_timer(alarm_);
  machine_.on_resigned();
}

void PartitionRuntime::arm() {
  if (state_ != State::kActive || deadlines_running_) return;
  const io::MonoTime deadline = machine_.next_deadline();
  if (alarm_.linked()) {
    if (alarm_.deadline <= deadline) return;  // Firing too early costs one look.
    loop_.cancel_timer(alarm_);
  }
  if (deadline == io::kNever) return;
  alarm_.deadline = deadline;
  loop_.add_timer(alarm_);
}

io::Task<> PartitionRuntime::run_deadlines(std::shared_ptr<PartitionRuntime> self) {
  constexpr int kAtOnce = 64;  // Then the shard's other work has a turn.
  auto turn = co_await self->turn();
  for (int done = 1; self->state_ == State::kActive && self->machine_.next_deadline() <= self->loop_.now(); ++done) {
    Writes writes = self->machine_.on_deadline(self->now());
    auto appended = co_await self->append(writes);
    // Nobody waits for these; only the machine may want to hear.
    if (writes.on_committed) io::spawn(self->loop_, finish_alone(self, std::move(writes), std::move(appended)));
    if (done % kAtOnce == 0) co_await io::yield(self->loop_);
  }
  self->deadlines_running_ = false;
  self->arm();
}

io::Task<> PartitionRuntime::finish_alone(std::shared_ptr<PartitionRuntime> self, Writes writes, Result<Offset> appended) {
  co_await self->finish(writes, std::move(appended));
}

io::Task<Result<void>> PartitionRuntime::append_batch(Buffer batch, Appended& appended) {
  auto result = co_await log_->append(std::move(batch));
  if (!result) co_return fail(std::move(result).error());
  appended = *result;
  last_written_ = appended.last_offset;
  co_return Result<void>{};
}

io::Task<Result<Offset>> PartitionRuntime::append(Writes& writes) {
  if (writes.records.empty()) co_return last_written_;
  // Kafka fails likewise when it comes to serialize such a record.
  if (writes.records.fault()) co_return fail(ErrorCode::kUnknownServerError, writes.records.fault()->text());
  protocol::RecordBatchBuilder builder(
      {.producer_id = writes.producer.id, .producer_epoch = writes.producer.epoch, .transactional = writes.producer.id != kNoProducerId});
  const TimestampMs timestamp = loop_.wall_ms();
  for (const CoordinatorRecord& record : writes.records.all()) {
    builder.append(timestamp, Bytes(record.key), record.value ? std::optional<Bytes>(*record.value) : std::nullopt);
  }
  CO_TRY_ASSIGN(Buffer batch, builder.build());
  Appended appended;
  CO_TRY(co_await append_batch(std::move(batch), appended));
  if (state_ == State::kActive) {
    Offset offset = appended.base_offset;
    for (const CoordinatorRecord& record : writes.records.all().first(std::min(writes.replayed, writes.records.size()))) {
      const auto replayed =
          machine_.replay({offset++, writes.producer, record.key, record.value ? std::optional<Bytes>(*record.value) : std::nullopt});
      SAMSA_ASSERT(replayed.has_value());
    }
  }
  co_return appended.last_offset;
}

io::Task<Result<void>> PartitionRuntime::finish(Writes& writes, Result<Offset> appended) {
  auto keep = shared_from_this();
  Result<void> result;
  const bool in_log = appended.has_value();
  if (!appended) {
    result = fail(map_log_error(std::move(appended).error()));
  } else if (*appended >= log_->high_watermark()) {
    result = co_await log_->wait_committed(*appended, loop_.now() + options_.write_timeout);
    if (!result) result = fail(map_log_error(std::move(result).error()));
  }
  if (state_ == State::kResigned) result = fail(ErrorCode::kNotCoordinator);
  if (state_ == State::kActive) {
    machine_.on_committed(committed());
    if (writes.on_committed) {
      auto held = co_await turn();
      if (state_ == State::kActive) writes.on_committed({result, in_log}, now());
      arm();
    }
  }
  co_return result;
}

io::Task<Result<void>> PartitionRuntime::complete_transaction(ProducerStamp producer, int32_t coordinator_epoch, bool commit) {
  auto keep = shared_from_this();
  auto held = co_await turn();
  CO_TRY(check_active());
  Appended appended;
  auto marker =
      protocol::transaction_marker_batch({producer.id, producer.epoch, commit, coordinator_epoch}, 0, kNoLeaderEpoch, loop_.wall_ms());
  auto written = co_await append_batch(std::move(marker), appended);
  if (!written) co_return fail(map_log_error(std::move(written).error()));
  if (state_ == State::kActive) machine_.replay_marker(producer, commit, appended.base_offset);
  held.release();
  Writes nothing;
  co_return co_await finish(nothing, appended.last_offset);
}

}  // namespace samsa::coordinator
