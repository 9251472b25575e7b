// Log: appending and rolling.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "protocol/batch_validation.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log.h"
#include "storage/producer_state.h"
#include "storage/segment_list.h"
#include "storage/space_left.h"

namespace samsa::storage {

// A batch on its way into the log: the caller's bytes, or those written anew.
struct Log::Checked {
  protocol::BatchView view;
  Buffer rewritten;
  TimestampMs log_append_time = kNoTimestamp;
};

namespace {

// Bytes of scratch memory that stay for the next batch; what an unusually large one took goes back.
constexpr size_t kKeptScratch = 4U << 20;

protocol::ProduceRules rules_of(const LogConfig& config, const LeaderAppend& options, std::string_view partition, TimestampMs now) {
  protocol::ProduceRules rules;
  rules.produce_version = options.produce_version;
  rules.partition = partition;
  rules.compacted = config.cleanup_compact;
  rules.timestamp_type = config.log_append_time ? protocol::TimestampType::kLogAppendTime : protocol::TimestampType::kCreateTime;
  rules.now = now;
  rules.timestamp_before_max_ms = config.timestamp_before_max_ms;
  rules.timestamp_after_max_ms = config.timestamp_after_max_ms;
  rules.max_batch_size = config.max_message_bytes;
  if (config.compression != StoredCompression::kProducer) {
    rules.target_codec = static_cast<protocol::Codec>(config.compression);
    switch (config.compression) {
      case StoredCompression::kGzip: rules.target_level = config.gzip_level; break;
      case StoredCompression::kLz4: rules.target_level = config.lz4_level; break;
      case StoredCompression::kZstd: rules.target_level = config.zstd_level; break;
      default: break;
    }
  }
  return rules;
}

}  // namespace

// Whether anything may be written: the log has not failed, and what was cut stays cut whatever happens (see truncate_to()).
Result<void> Log::may_append() {
  if (failure_) return fail(*failure_);
  if (!segments_->unsynced_cut) return {};
  if (!std::exchange(flush_running_, true)) background_.spawn(flush_in_background());
  return fail(io::storage_error("sync the end of", directory_, io::kNoSpaceWords));
}

// All that comes before the write. `checked` says what is to be written; nothing where the info is that of a repeated batch.
Result<AppendInfo> Log::begin_append(MutableBytes batch, const LeaderAppend& options, Checked& checked) {
  SAMSA_ASSERT(!writing_, "an append beside one that is being written");
  TRY(may_append());
  if (space_ != nullptr && options.origin == AppendOrigin::kClient && space_->refuses(batch.size())) {
    return fail(ErrorCode::kKafkaStorageError, fmt::format("{}: the disk is nearly full", directory_));
  }
  const auto sound = check_record_data(batch, options, checked);
  scratch_->shrink(kKeptScratch);
  TRY(sound);
  const protocol::BatchView& view = checked.view;
  if (view.size() > config_.segment_bytes) {
    return fail(ErrorCode::kRecordListTooLarge, fmt::format("Batch of {} bytes is larger than segment.bytes {}", view.size(), config_.segment_bytes));
  }
  TRY_ASSIGN(auto repeated, check_producer(view, options));
  if (repeated) return *repeated;

  AppendInfo info{view.base_offset(), view.last_offset(), checked.log_append_time, view.max_timestamp(), log_start_offset_,
                  static_cast<uint32_t>(view.size())};
  TRY_ASSIGN(info.rolled, must_roll(info.bytes, info.last_offset, info.max_timestamp));
  if (info.rolled) TRY(roll_at(info.first_offset));
  return info;
}

Result<AppendInfo> Log::append_as_leader(MutableBytes batch, const LeaderAppend& options) {
  Checked checked;
  TRY_ASSIGN(auto info, begin_append(batch, options, checked));
  if (info.duplicate) return info;
  BatchPlace place{info.first_offset, info.last_offset, 0, info.bytes, info.max_timestamp};
  TRY(write_batches(checked.view.bytes(), {&place, 1}));
  TRY(after_write(checked.view));
  return info;
}

io::Task<Result<AppendInfo>> Log::append_as_leader_async(MutableBytes batch, LeaderAppend options) {
  Checked checked;
  CO_TRY_ASSIGN(auto info, begin_append(batch, options, checked));
  if (info.duplicate) co_return info;
  BatchPlace place{info.first_offset, info.last_offset, 0, info.bytes, info.max_timestamp};
  const auto segment = segments_->active_shared();
  auto file = segment->begin_append();
  if (!file) co_return fail(failed(std::move(file).error()));
  writing_ = true;
  if (space_ != nullptr) space_->wrote(info.bytes);
  auto written = co_await (*file)->write_at_async(checked.view.bytes(), segment->size());
  writing_ = false;
  wrote_.notify_all();
  if (failure_) co_return fail(*failure_);  // Meanwhile: what is in the file is nobody's, and nobody may read it.
  if (auto ended = segment->end_append(**file, std::move(written), {&place, 1}, config_); !ended) co_return fail(failed(std::move(ended).error()));
  CO_TRY(after_write(checked.view));
  co_return info;
}

bool Log::appends_stand(size_t bytes) const { return writing_ || segments_->active().appends_stand(bytes); }

// Validates a client's batch and gives it its offsets. Others are trusted: they only get offsets.
Result<void> Log::check_record_data(MutableBytes batch, const LeaderAppend& options, Checked& checked) {
  if (options.origin != AppendOrigin::kClient) {
    TRY_ASSIGN(checked.view, protocol::BatchView::parse(batch));
    if (checked.view.size() != static_cast<int64_t>(batch.size())) return fail(ErrorCode::kCorruptMessage, "not exactly one batch");
    protocol::set_base_offset(batch, log_end_offset_);
    protocol::set_leader_epoch(batch, options.leader_epoch);
    return {};
  }
  const auto rules = rules_of(config_, options, name_, context_.loop.wall_ms());
  auto valid = protocol::validate_for_append(batch, rules, *scratch_);
  if (!valid) {
    if (options.record_errors != nullptr) {
      for (auto& fault : valid.error().records) options.record_errors->push_back({fault.batch_index, std::move(fault.message)});
    }
    return fail(std::move(valid.error().error));
  }
  if (config_.log_append_time) checked.log_append_time = valid->max_timestamp;
  if (valid->rewrite) {
    TRY_ASSIGN(checked.rewritten, protocol::rewrite_batch(*valid, rules, log_end_offset_, options.leader_epoch, *scratch_));
    if (checked.rewritten.size() > static_cast<size_t>(config_.max_message_bytes)) {
      return fail(ErrorCode::kMessageTooLarge, fmt::format("Batch of {} bytes after recompression is larger than max.message.bytes {}",
                                                           checked.rewritten.size(), config_.max_message_bytes));
    }
    TRY_ASSIGN(checked.view, protocol::BatchView::parse(checked.rewritten));
    return {};
  }
  protocol::prepare_in_place(batch, *valid, log_end_offset_, options.leader_epoch);
  checked.view = valid->batch;
  return {};
}

// Whether the producer may write this batch; the info of the first time where it is a repeat.
Result<std::optional<AppendInfo>> Log::check_producer(const protocol::BatchView& batch, const LeaderAppend& options) const {
  if (!batch.has_producer_id() || options.origin == AppendOrigin::kRaft) return std::optional<AppendInfo>();
  const bool client = options.origin == AppendOrigin::kClient;
  if (client) {
    if (const auto seen = producers_->find_duplicate(batch)) {
      AppendInfo info{seen->first_offset(), seen->last_offset, config_.log_append_time ? seen->timestamp : kNoTimestamp, seen->timestamp,
                      log_start_offset_, 0};
      info.duplicate = true;
      return std::optional(info);
    }
  }
  if (batch.is_transactional() && !batch.is_control() && context_.verify_transactions &&
      !producers_->has_open_transaction(batch.producer_id(), batch.producer_epoch())) {
    TRY(producers_->check_guard(batch.producer_id(), client ? batch.base_sequence() : kNoSequence, options.guard));
  }
  TRY(producers_->check(batch, client ? ProducerCheck::kClient : ProducerCheck::kCoordinator, options.transactions_v2));
  return std::optional<AppendInfo>();
}

bool Log::out_of_room() const { return space_ != nullptr && space_->full(); }

Result<AppendInfo> Log::append_as_follower(Bytes batches, LeaderEpoch leader_epoch) {
  SAMSA_ASSERT(!writing_, "a follower's append beside one that is being written");
  TRY(may_append());
  // All is checked before anything is written.
  std::vector<protocol::BatchView> views;
  protocol::BatchIterator iterator(batches);
  Offset expected = log_end_offset_;
  AppendInfo info;
  info.log_start_offset = log_start_offset_;
  for (;;) {
    TRY_ASSIGN(const auto next, iterator.next());
    if (!next) break;
    if (!next->crc_matches()) return fail(ErrorCode::kCorruptMessage, fmt::format("Batch at offset {} has a wrong CRC", next->base_offset()));
    if (next->base_offset() < expected || next->last_offset() < next->base_offset()) {
      return fail(ErrorCode::kOffsetOutOfRange, fmt::format("Batch at offset {} follows {} in {}", next->base_offset(), expected, partition_.to_string()));
    }
    // A leader of a later epoch may have overtaken this answer: its records are not ours to take yet.
    if (next->leader_epoch() > leader_epoch) break;
    expected = next->next_offset();
    views.push_back(*next);
  }
  if (!views.empty() && space_ != nullptr && space_->refuses(batches.size())) return fail(io::storage_error("append to", directory_, io::kNoSpaceWords));
  for (size_t begin = 0; begin < views.size();) {
    std::vector<BatchPlace> places;
    uint64_t bytes = 0;
    size_t end = begin;
    for (; end < views.size(); ++end) {
      const auto& view = views[end];
      TRY_ASSIGN(const bool roll, must_roll(bytes + static_cast<uint64_t>(view.size()), view.last_offset(), view.max_timestamp()));
      if (roll) {
        if (end > begin) break;
        TRY(roll_at(view.base_offset()));
        info.rolled = true;
      }
      places.push_back({view.base_offset(), view.last_offset(), bytes, static_cast<uint64_t>(view.size()), view.max_timestamp()});
      bytes += static_cast<uint64_t>(view.size());
    }
    TRY(write_batches(Bytes(views[begin].bytes().data(), bytes), places));
    for (; begin < end; ++begin) {
      const auto& view = views[begin];
      TRY(after_write(view));
      if (info.first_offset < 0) info.first_offset = view.base_offset();
      info.last_offset = view.last_offset();
      info.max_timestamp = std::max(info.max_timestamp, view.max_timestamp());
      info.bytes += static_cast<uint32_t>(view.size());
    }
  }
  return info;
}

Result<void> Log::write_batches(Bytes batches, std::span<BatchPlace> places) {
  if (space_ != nullptr) space_->wrote(batches.size());
  if (auto written = segments_->active().append(batches, places, config_); !written) return fail(failed(std::move(written).error()));
  return {};
}

// The bytes are in the file: state follows.
Result<void> Log::after_write(const protocol::BatchView& batch) {
  if (batch.leader_epoch() >= 0) epochs_->assign(batch.leader_epoch(), batch.base_offset());
  if (auto aborted = producers_->apply(batch)) {
    if (auto noted = segments_->active().transactions().append(*aborted); !noted) return fail(failed(std::move(noted).error()));
  }
  unflushed_records_ += static_cast<uint64_t>(batch.next_offset() - log_end_offset_);
  unflushed_bytes_ += static_cast<uint64_t>(batch.size());
  log_end_offset_ = batch.next_offset();
  keep_room_ahead();
  // flush.messages; 1 makes appends durable, and whoever waits for that starts the sync.
  if (!config_.durable && !flush_running_ && unflushed_records_ >= static_cast<uint64_t>(config_.flush_messages)) {
    flush_running_ = true;
    background_.spawn(flush_in_background());
  }
  return {};
}

void Log::keep_room_ahead() {
  struct Keep {
    static io::Task<> run(std::shared_ptr<Segment> segment, Segment::Room room) { co_await segment->keep_room(std::move(room)); }
  };
  if (auto room = segments_->active().room_wanted(config_)) background_.spawn(Keep::run(segments_->active_shared(), std::move(*room)));
}

// ---- Roll ----

Result<bool> Log::must_roll(uint64_t bytes, Offset last_offset, TimestampMs max_timestamp) const {
  Segment& active = segments_->active();
  if (active.size() == 0) return last_offset - active.base_offset() > INT32_MAX;
  if (!active.has_room(bytes, last_offset, config_)) return true;
  TRY_ASSIGN(const auto first, active.first_timestamp());
  const int64_t limit = config_.effective_segment_ms() - active.roll_jitter();
  if (first && *first >= 0) return max_timestamp - *first > limit;
  return context_.loop.wall_ms() - active.created() > limit;
}

Result<void> Log::roll() { return roll_at(log_end_offset_); }

Result<void> Log::roll_at(Offset base) {
  SAMSA_ASSERT(!writing_, "a segment ends that is being written");
  if (failure_) return fail(*failure_);
  Segment& active = segments_->active();
  if (active.size() == 0 && active.base_offset() == base) return {};
  auto rolled = [&]() -> Result<void> {
    if (active.size() == 0) {  // Nothing in it: the new one takes its place.
      TRY(remove_segments(segments_->take(segments_->size() - 1, segments_->size()), false));
    } else {
      TRY(active.finish());
      active.forget_recent();
    }
    if (producers_->end_offset() < base) producers_->set_end_offset(base);
    TRY(producers_->write_snapshot(false));
    auto fresh = std::make_shared<Segment>(context_.files, directory_, base, config_, context_.loop.wall_ms());
    if (auto created = fresh->create(config_); !created) {
      (void)fresh->remove_files();  // On a full disk a part may be there: no start may take it for the end of the log.
      return created;
    }
    if (config_.segment_jitter_ms > 0) {
      const int64_t most = std::min(config_.segment_jitter_ms, config_.segment_ms);
      fresh->set_roll_jitter(context_.loop.random().between(0, most));
    }
    segments_->add(std::move(fresh));
    return {};
  }();
  if (!rolled) return fail(failed(std::move(rolled).error()));
  directory_dirty_ = true;
  if (!flush_running_) {
    flush_running_ = true;
    background_.spawn(flush_in_background());
  }
  return {};
}

// ---- Transactions ----

std::optional<VerificationGuard> Log::begin_verification(int64_t producer_id, int16_t producer_epoch, int32_t base_sequence, bool) {
  if (!context_.verify_transactions || producers_->has_open_transaction(producer_id, producer_epoch)) return std::nullopt;
  return producers_->begin_verification(producer_id, producer_epoch, base_sequence, context_.loop.wall_ms());
}

bool Log::has_open_transaction(int64_t producer_id, int16_t producer_epoch) const {
  return producers_->has_open_transaction(producer_id, producer_epoch);
}

}  // namespace samsa::storage
