#include "replication/partition.h"

#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"

namespace samsa::replication {

void Watch::unlink() {
  if (partition_ == nullptr) return;
  (previous_ ? previous_->next_ : partition_->watches_) = next_;
  (next_ ? next_->previous_ : partition_->last_watch_) = previous_;
  partition_ = nullptr;
  previous_ = next_ = nullptr;
}

Partition::Partition(io::Loop& loop, storage::Log& log, NodeId self, Uuid topic_id, IsrHost* host)
    : loop_(loop), log_(log), self_(self), topic_id_(topic_id), host_(host), last_stable_(log.last_stable_offset()) {}

Partition::~Partition() { SAMSA_ASSERT(watches_ == nullptr || loop_.tearing_down(), "a partition ends before those who wait for it"); }

Result<void> Partition::apply(const metadata::PartitionImage& image, int32_t min_insync_replicas) {
  min_isr_ = min_insync_replicas;
  if (image.partition_epoch < partition_epoch_) return {};  // An older word than what is known already.
  const bool new_epoch = image.leader_epoch > leader_epoch_ || (SAMSA_MUTANT("same-epoch") && image.leader != leader_);
  if (new_epoch && image.leader == self_.value) TRY(log_.begin_epoch(image.leader_epoch));
  if (image.partition_epoch > partition_epoch_) pending_isr_.reset();
  partition_epoch_ = image.partition_epoch;
  isr_ = image.isr;
  replica_count_ = image.replicas.size();
  if (new_epoch) become(image);
  if (leader_ == self_.value) {
    update_followers(image);
    advance_high_watermark();
  }
  if (!new_epoch) moved_.notify_all();  // The ISR may have fallen below what acks=all asks for.
  return {};
}

void Partition::become(const metadata::PartitionImage& image) {
  leader_ = image.leader;
  leader_epoch_ = image.leader_epoch;
  epoch_start_ = log_.log_end_offset();
  if (leader_ == self_.value && image.recovery == metadata::LeaderRecovery::kRecovering && image.replicas.size() > 1) {
    SAMSA_LOG_WARN("{}: leads by an unclean election from offset {} on: acknowledged records that only other replicas have are lost", name().to_string(),
                   epoch_start_);
  }
  followers_.clear();
  pending_isr_.reset();
  wake_gone();
  moved_.notify_all();
}

void Partition::set_min_insync_replicas(int32_t count) {
  min_isr_ = count;
  if (is_leader()) advance_high_watermark();
}

void Partition::close(ErrorCode why) {
  closed_ = true;
  closed_why_ = why;
  wake_gone();
  moved_.notify_all();
}

Result<void> Partition::check_role(LeaderEpoch client_epoch, bool need_leader) const {
  if (closed_) return fail(closed_why_);
  if (client_epoch >= 0 && client_epoch < leader_epoch_) return fail(ErrorCode::kFencedLeaderEpoch);
  if (client_epoch >= 0 && client_epoch > leader_epoch_) return fail(ErrorCode::kUnknownLeaderEpoch);
  if (need_leader && !is_leader()) return fail(ErrorCode::kNotLeaderOrFollower);
  return {};
}

io::Task<Result<void>> Partition::wait_durable(Offset last_offset) {
  if (!log_.config().durable || log_.is_durable(last_offset + 1)) co_return Result<void>{};
  const auto self = shared_from_this();
  co_return co_await log_.wait_durable(last_offset + 1);
}

void Partition::log_advanced() {
  wake_watches(false, true);
  if (is_leader()) advance_high_watermark();
}

Offset Partition::visible_end(Reader reader) const {
  switch (reader) {
    case Reader::kConsumer: return log_.high_watermark();
    case Reader::kCommittedConsumer: return log_.last_stable_offset();
    case Reader::kFollower:
    case Reader::kDebug: return log_.log_end_offset();
  }
  return log_.high_watermark();
}

io::Task<Result<PartitionRead>> Partition::read(FetchPosition position, Reader reader, bool need_leader) {
  CO_TRY(check_role(position.current_leader_epoch, need_leader));
  PartitionRead result;
  result.leader_epoch = leader_epoch_;
  result.high_watermark = log_.high_watermark();
  result.last_stable_offset = log_.last_stable_offset();
  result.log_start_offset = log_.log_start_offset();
  if (position.last_fetched_epoch >= 0 && !SAMSA_MUTANT("forget-truncate")) {
    const auto end = log_.end_offset_for_epoch(position.last_fetched_epoch);
    if (end.epoch < 0 || end.end_offset < 0 || position.offset < log_.log_start_offset()) {
      co_return fail(ErrorCode::kOffsetOutOfRange);
    }
    if (end.epoch < position.last_fetched_epoch || end.end_offset < position.offset) {
      result.diverging = end;
      co_return result;
    }
  }
  const auto self = shared_from_this();
  storage::ReadRequest request;
  request.offset = position.offset;
  request.max_bytes = position.max_bytes;
  request.upper_bound = result.visible_end = visible_end(reader);
  request.min_one_batch = position.min_one_batch;
  request.aborted_transactions = reader == Reader::kCommittedConsumer;
  if (metrics_) metrics_->mark(&metrics::TopicMetrics::total_fetch_requests);
  auto read = co_await log_.read(request);
  if (!read) {
    const bool expected = read.error().code == ErrorCode::kOffsetOutOfRange || read.error().code == ErrorCode::kKafkaStorageError;
    if (metrics_ && !expected) metrics_->mark(&metrics::TopicMetrics::failed_fetch_requests);
    co_return fail(std::move(read).error());
  }
  result.log = std::move(*read);
  co_return result;
}

void Partition::watch(Watch& watch) {
  SAMSA_ASSERT(!watch.linked());
  watch.partition_ = this;
  watch.previous_ = last_watch_;
  watch.next_ = nullptr;
  (last_watch_ ? last_watch_->next_ : watches_) = &watch;
  last_watch_ = &watch;
}

void Partition::wake_watches(bool committed_moved, bool end_moved) {
  for (Watch* watch = watches_; watch != nullptr;) {
    Watch* const next = watch->next_;
    const bool follower = watch->kind == Watch::Kind::kFollower;
    if (follower ? end_moved : committed_moved) {
      const Offset end = follower ? log_.log_end_offset()
                                  : (watch->kind == Watch::Kind::kConsumer ? log_.high_watermark() : log_.last_stable_offset());
      if (end > watch->from) watch->wake(*watch, std::max<uint64_t>(1, log_.bytes_between(watch->from, end)));
    }
    watch = next;
  }
}

void Partition::wake_gone() {
  while (watches_ != nullptr) {
    Watch* const watch = watches_;
    watch->unlink();
    watch->wake(*watch, Watch::kGone);
  }
}

}  // namespace samsa::replication
