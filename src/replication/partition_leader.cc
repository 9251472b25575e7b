// Partition as leader: appends, the high watermark, the followers and the ISR.
#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/mutant.h"
#include "replication/partition.h"

namespace samsa::replication {

bool Partition::below_min_isr() const {
  return isr_.size() < std::min<size_t>(static_cast<size_t>(std::max(min_isr_, 1)), replica_count_);
}

bool Partition::at_min_isr() const {
  return isr_.size() == std::min<size_t>(static_cast<size_t>(std::max(min_isr_, 1)), replica_count_);
}

// What the log is told, where this replica may append now.
Result<storage::LeaderAppend> Partition::admit(const AppendOptions& options) {
  TRY(check_role(kNoLeaderEpoch, true));
  if (metrics_) metrics_->mark(&metrics::TopicMetrics::total_produce_requests);
  if (options.acks == -1 && below_min_isr()) {
    if (metrics_) metrics_->mark(&metrics::TopicMetrics::failed_produce_requests);
    return fail(ErrorCode::kNotEnoughReplicas,
                fmt::format("The size of the current ISR ({}) is insufficient to satisfy the min.isr requirement of {} for partition {}",
                            isr_.size(), min_isr_, name().to_string()));
  }
  storage::LeaderAppend append = options.log;
  append.leader_epoch = leader_epoch_;
  return append;
}

Result<storage::AppendInfo> Partition::appended(Result<storage::AppendInfo> info, size_t bytes) {
  if (metrics_) count_append(info, bytes);
  if (info && !info->duplicate) log_advanced();
  return info;
}

Result<storage::AppendInfo> Partition::append(MutableBytes batch, const AppendOptions& options) {
  TRY_ASSIGN(const auto append, admit(options));
  return appended(log_.append_as_leader(batch, append), batch.size());
}

io::Task<Result<storage::AppendInfo>> Partition::append_async(MutableBytes batch, AppendOptions options) {
  const auto self = shared_from_this();
  struct UnderWay {
    explicit UnderWay(size_t& count) : count(count) { ++count; }
    UnderWay(const UnderWay&) = delete;
    ~UnderWay() { --count; }
    size_t& count;
  } const under_way(appends_under_way_);
  CO_TRY(check_role(kNoLeaderEpoch, true));
  const LeaderEpoch epoch = leader_epoch_;
  const auto held = co_await changing_.lock(loop_);
  if (leader_epoch_ != epoch) co_return fail(ErrorCode::kNotLeaderOrFollower);
  CO_TRY_ASSIGN(const auto append, admit(options));
  co_return appended(co_await log_.append_as_leader_async(batch, append), batch.size());
}

void Partition::count_append(const Result<storage::AppendInfo>& info, size_t bytes) {
  using metrics::TopicMetrics;
  if (info) {
    if (info->duplicate) return;
    metrics_->mark(&TopicMetrics::messages_in, static_cast<uint64_t>(info->last_offset - info->first_offset + 1));
    metrics_->mark(&TopicMetrics::bytes_in, info->bytes);
    return;
  }
  switch (info.error().code) {
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge: metrics_->mark(&TopicMetrics::bytes_rejected, bytes); break;
    case ErrorCode::kCorruptMessage:
    case ErrorCode::kKafkaStorageError: break;  // Kafka does not count these as failed requests either.
    default: metrics_->mark(&TopicMetrics::failed_produce_requests);
  }
}

// The leader's own part of the high watermark is what it would still have after a power cut, where the topic asks for that.
Offset Partition::own_end() {
  const Offset end = log_.log_end_offset();
  if (!log_.config().durable) return end;
  if (log_.is_durable(end)) return durable_end_ = end;
  if (!syncing_) {
    syncing_ = true;
    io::spawn(loop_, sync_then_advance(shared_from_this()));
  }
  return std::min(durable_end_, end);
}

void Partition::advance_high_watermark() {
  Offset mark = own_end();
  if (below_min_isr()) return;
  for (const Follower& follower : followers_) {
    if (SAMSA_MUTANT("hw-ignores-isr")) break;
    if (counts(follower.id) || is_joining(follower)) mark = std::min(mark, follower.end);
  }
  const bool moved = mark > log_.high_watermark() && log_.set_high_watermark(mark);
  const Offset stable = log_.last_stable_offset();
  const bool stable_moved = stable != last_stable_;
  last_stable_ = stable;
  if (moved || stable_moved) wake_watches(true, false);
  if (moved) moved_.notify_all();
}

// One sync at a time per partition; what was appended meanwhile is in the next one.
io::Task<> Partition::sync_then_advance(std::shared_ptr<Partition> self) {
  while (!closed_ && is_leader()) {
    const Offset end = log_.log_end_offset();
    if (durable_end_ >= end) break;
    const auto synced = co_await log_.wait_durable(end);
    if (!synced) {
      SAMSA_LOG_ERROR("cannot sync {}: {}", name().to_string(), synced.error().text());
      break;
    }
    if (closed_) break;
    durable_end_ = std::min(end, log_.log_end_offset());
    if (is_leader()) advance_high_watermark();
  }
  syncing_ = false;
}

io::Task<Result<void>> Partition::wait_committed(Offset last_offset, LeaderEpoch epoch, io::MonoTime deadline) {
  if (is_leader() && leader_epoch_ == epoch && is_committed(last_offset) && !below_min_isr()) co_return Result<void>{};
  if (SAMSA_MUTANT("ack-early")) co_return Result<void>{};
  const auto self = shared_from_this();
  for (;;) {
    if (closed_) co_return fail(closed_why_);
    if (!is_leader() || leader_epoch_ != epoch) co_return fail(ErrorCode::kNotLeaderOrFollower);
    if (is_committed(last_offset)) {
      if (below_min_isr()) co_return fail(ErrorCode::kNotEnoughReplicasAfterAppend);
      co_return Result<void>{};
    }
    if (!co_await moved_.wait_until(loop_, deadline) && !is_committed(last_offset)) co_return fail(ErrorCode::kRequestTimedOut);
  }
}

Result<Offset> Partition::delete_records(Offset offset) {
  TRY(check_role(kNoLeaderEpoch, true));
  const Offset target = offset == -1 ? log_.high_watermark() : offset;
  if (target < 0 || target > log_.high_watermark()) {
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("The specified offset {} is higher than the high watermark {} of the partition {}",
                                                          target, log_.high_watermark(), name().to_string()));
  }
  const auto moved = log_.advance_log_start(target);
  if (!moved) return fail(moved.error());
  if (*moved) moved_.notify_all();
  return log_.log_start_offset();
}

// ---- Followers and the ISR

void Partition::update_followers(const metadata::PartitionImage& image) {
  std::erase_if(followers_, [&](const Follower& f) { return !image.has_replica(f.id); });
  for (const int32_t replica : image.replicas) {
    if (replica == self_.value || std::ranges::any_of(followers_, [&](const Follower& f) { return f.id == replica; })) continue;
    auto& follower = followers_.emplace_back();
    follower.id = replica;
    // A member of the ISR has its time to come to the new leader.
    if (image.in_isr(replica)) follower.caught_up = loop_.now();
  }
}

bool Partition::counts(int32_t replica) const {
  return std::ranges::find(isr_, replica) != isr_.end() ||
         (pending_isr_ && std::ranges::find(pending_isr_->isr, replica) != pending_isr_->isr.end());
}

// Caught up and about to join: waiting for it a little keeps the ISR whole.
bool Partition::is_joining(const Follower& follower) const {
  return host_ != nullptr && follower.end >= 0 && loop_.now() - follower.caught_up <= host_->lag_limit() &&
         host_->may_join_isr(follower.id, follower.broker_epoch);
}

Result<void> Partition::check_follower(int32_t replica, int64_t broker_epoch) const {
  if (std::ranges::none_of(followers_, [&](const Follower& f) { return f.id == replica; })) {
    return fail(ErrorCode::kUnknownLeaderEpoch, fmt::format("broker {} is not known as a replica of {}", replica, name().to_string()));
  }
  if (host_ != nullptr && broker_epoch >= 0 && broker_epoch < host_->broker_epoch(replica)) return fail(ErrorCode::kNotLeaderOrFollower);
  return {};
}

void Partition::follower_fetched(const FollowerFetch& fetch) {
  if (!is_leader() || fetch.leader_epoch != leader_epoch_) return;
  const auto follower = std::ranges::find_if(followers_, [&](const Follower& f) { return f.id == fetch.replica; });
  if (follower == followers_.end()) return;
  const Offset end = log_.log_end_offset();
  const io::MonoTime now = loop_.now();
  if (fetch.offset >= end) {
    follower->caught_up = now;
  } else if (follower->leader_end_then >= 0 && fetch.offset >= follower->leader_end_then) {
    follower->caught_up = std::max(follower->caught_up, follower->last_fetch);
  }
  follower->last_fetch = now;
  follower->leader_end_then = end;
  follower->end = std::min(fetch.offset, end);
  follower->broker_epoch = fetch.broker_epoch;
  if (fetch.log_start != follower->log_start) {
    follower->log_start = fetch.log_start;
    moved_.notify_all();  // The low watermark may have moved.
  }
  expand_isr(*follower);
  advance_high_watermark();
}

void Partition::expand_isr(const Follower& follower) {
  if (host_ == nullptr || pending_isr_ || counts(follower.id)) return;
  if (follower.end < log_.high_watermark() || follower.end < epoch_start_) return;
  if (!host_->may_join_isr(follower.id, follower.broker_epoch)) return;
  auto wanted = isr_;
  wanted.push_back(follower.id);
  propose_isr(std::move(wanted));
}

std::optional<int32_t> Partition::nearest_follower(Offset offset, const std::function<bool(int32_t)>& near) const {
  const Follower* best = nullptr;
  for (const Follower& f : followers_) {
    const bool in_sync = std::ranges::find(isr_, f.id) != isr_.end();
    if (!in_sync || f.end < offset || f.log_start > offset || !near(f.id)) continue;
    if (best == nullptr || f.end > best->end || (f.end == best->end && f.caught_up > best->caught_up)) best = &f;
  }
  return best == nullptr ? std::nullopt : std::optional(best->id);
}

void Partition::shrink_isr() {
  if (host_ == nullptr || !is_leader() || pending_isr_) return;
  const Offset end = log_.log_end_offset();
  auto wanted = isr_;
  for (const Follower& follower : followers_) {
    const bool lags = follower.end < end && loop_.now() - follower.caught_up > host_->lag_limit();
    if (lags) std::erase(wanted, follower.id);
  }
  if (wanted.size() < isr_.size()) propose_isr(std::move(wanted));
}

void Partition::propose_isr(std::vector<int32_t> isr) {
  pending_isr_ = {std::move(isr), ++proposals_};
  IsrProposal proposal{topic_id_, name().partition, leader_epoch_, partition_epoch_, pending_isr_->isr, {}};
  for (const int32_t id : proposal.isr) {
    const auto follower = std::ranges::find_if(followers_, [&](const Follower& f) { return f.id == id; });
    const bool told = follower != followers_.end() && follower->broker_epoch >= 0;
    proposal.broker_epochs.push_back(told ? follower->broker_epoch : host_->broker_epoch(id));
  }
  SAMSA_LOG_INFO("{}: asking for the ISR [{}] instead of [{}]", name().to_string(), fmt::join(proposal.isr, ","), fmt::join(isr_, ","));
  host_->spawn(change_isr(shared_from_this(), std::move(proposal), proposals_));
}

io::Task<> Partition::change_isr(std::shared_ptr<Partition> self, IsrProposal proposal, uint64_t number) {
  Partition& p = *self;
  const auto is_current = [&] { return !p.closed_ && p.is_leader() && p.pending_isr_ && p.pending_isr_->number == number; };
  while (is_current()) {
    const auto answer = co_await p.host_->change_isr(proposal);
    if (!is_current()) co_return;
    if (answer) co_return p.take_answer(*answer);
    SAMSA_LOG_INFO("{}: the ISR is not changed: {}", p.name().to_string(), answer.error().text());
    switch (answer.error().code) {
      case ErrorCode::kIneligibleReplica:
      case ErrorCode::kOperationNotAttempted:
        p.pending_isr_.reset();
        co_return p.advance_high_watermark();
      case ErrorCode::kFencedLeaderEpoch:
      case ErrorCode::kInvalidUpdateVersion:
      case ErrorCode::kInvalidRequest:
      case ErrorCode::kUnknownTopicOrPartition:
      case ErrorCode::kUnknownTopicId:
      case ErrorCode::kNewLeaderElected:
        co_return;  // The image that says why is on its way; until then the greater set counts.
      default: break;
    }
    co_await io::sleep_for(p.loop_, std::chrono::milliseconds(50));
  }
}

void Partition::take_answer(const IsrAnswer& answer) {
  // An image may have told more already.
  if (answer.leader_epoch != leader_epoch_ || answer.partition_epoch < partition_epoch_) return;
  isr_ = answer.isr;
  partition_epoch_ = answer.partition_epoch;
  pending_isr_.reset();
  advance_high_watermark();
  moved_.notify_all();
}

Offset Partition::low_watermark() const {
  Offset low = log_.log_start_offset();
  for (const Follower& follower : followers_) {
    if (host_ != nullptr && host_->may_join_isr(follower.id, -1)) low = std::min(low, std::max<Offset>(follower.log_start, 0));
  }
  return low;
}

io::Task<Result<void>> Partition::wait_low_watermark(Offset offset, io::MonoTime deadline) {
  const auto self = shared_from_this();
  const LeaderEpoch epoch = leader_epoch_;
  for (;;) {
    if (closed_) co_return fail(closed_why_);
    if (!is_leader() || leader_epoch_ != epoch) co_return fail(ErrorCode::kNotLeaderOrFollower);
    if (low_watermark() >= offset) co_return Result<void>{};
    if (!co_await moved_.wait_until(loop_, deadline) && low_watermark() < offset) co_return fail(ErrorCode::kRequestTimedOut);
  }
}

}  // namespace samsa::replication
