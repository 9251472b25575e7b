// Partition as follower: what the leader sends, and what it does not have.
#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"
#include "replication/partition.h"

namespace samsa::replication {

Result<void> Partition::check_following(LeaderEpoch epoch) const {
  if (closed_) return fail(closed_why_);
  if (leader_epoch_ != epoch || leader_ == self_.value) return fail(ErrorCode::kFencedLeaderEpoch);
  return {};
}

Result<void> Partition::append_from_leader(Bytes batches, LeaderEpoch epoch, Offset leader_high_watermark, Offset leader_log_start) {
  TRY(check_following(epoch));
  if (changing_.locked()) return fail(ErrorCode::kFencedLeaderEpoch);
  const Offset end_before = log_.log_end_offset();
  if (!batches.empty()) TRY(log_.append_as_follower(batches, epoch));
  const Offset end = log_.log_end_offset();
  // It does not fall: what was committed under an earlier leader still is.
  const Offset mark = std::min(leader_high_watermark, end);
  const bool committed_moved = (mark > log_.high_watermark() || SAMSA_MUTANT("hw-falls")) && log_.set_high_watermark(mark);
  if (leader_log_start > log_.log_start_offset()) TRY(log_.advance_log_start(std::min(leader_log_start, log_.high_watermark())));
  const Offset stable = log_.last_stable_offset();
  const bool stable_moved = stable != last_stable_;
  last_stable_ = stable;
  if (committed_moved || stable_moved || end != end_before) wake_watches(committed_moved || stable_moved, end != end_before);
  return {};
}

io::Task<Result<bool>> Partition::truncate_to_leader(storage::EpochEndOffset end, LeaderEpoch epoch) {
  CO_TRY(check_following(epoch));
  const Offset own_end = log_.log_end_offset();
  Offset target = end.end_offset < 0 ? log_.high_watermark() : std::min(end.end_offset, own_end);
  if (end.end_offset >= 0 && end.epoch >= 0) {
    // An epoch that is not known here: back to the end of the greatest smaller one, and the next fetch asks again.
    const auto own = log_.end_offset_for_epoch(end.epoch);
    if (own.epoch >= 0) target = own.epoch == end.epoch ? std::min(target, own.end_offset) : std::min(own.end_offset, own_end);
  }
  const LeaderEpoch latest = log_.latest_epoch();
  CO_TRY(co_await truncate(std::min(target, own_end), false, epoch));
  // Nothing to cut, perhaps, but the name of an epoch in which this replica led and appended nothing.
  co_return target < own_end || log_.latest_epoch() != latest;
}

io::Task<Result<void>> Partition::truncate(Offset offset, bool fully, LeaderEpoch epoch) {
  const auto self = shared_from_this();
  const auto held = co_await changing_.lock(loop_);
  CO_TRY(check_following(epoch));
  if (offset < log_.high_watermark() && !fully) {
    SAMSA_LOG_WARN("{}: truncating to {}, below the high watermark {}", name().to_string(), offset, log_.high_watermark());
  }
  const auto done = fully ? co_await log_.truncate_fully_and_start_at(offset) : co_await log_.truncate_to(offset);
  durable_end_ = std::min(durable_end_, log_.log_end_offset());
  last_stable_ = log_.last_stable_offset();
  co_return done;
}

}  // namespace samsa::replication
