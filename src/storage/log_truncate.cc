// Log: what takes records away: truncation, the log start, retention.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "storage/leader_epoch_cache.h"
#include "storage/log.h"
#include "storage/log_loader.h"
#include "storage/producer_state.h"
#include "storage/segment_list.h"

namespace samsa::storage {

// After an error of a full disk the log is cut, but not durably: appends are refused with such an error, too, until the same call again or a flush
// has made it so. A refused append begins one.
io::Task<Result<void>> Log::truncate_to(Offset offset) {
  SAMSA_ASSERT(!writing_, "a log is cut that is being written");
  if (failure_) co_return fail(*failure_);
  std::optional<Offset>& unsynced = segments_->unsynced_cut;
  const Offset from = std::min(offset, unsynced.value_or(offset));
  const auto not_durable = [&](Error error) {
    unsynced = std::min(from, unsynced.value_or(from));
    return fail(failed(std::move(error)));
  };
  if (offset >= log_end_offset_) {
    // An epoch that was begun here as its leader and got no record: no other log knows of it.
    epochs_->truncate_from_end(log_end_offset_);
    if (!unsynced) co_return Result<void>();
  } else if (offset < segments_->first().base_offset()) {
    co_return co_await truncate_fully_and_start_at(offset);
  } else {
    SAMSA_LOG_INFO("{}: truncating from {} to {}", directory_, log_end_offset_, offset);
    ++truncations_;
    end_cleaning();
    const size_t holder = segments_->index_of(offset);
    auto removed = remove_segments(segments_->take(holder + 1, segments_->size()), false);
    if (!removed) co_return not_durable(std::move(removed).error());
    if (auto cut = segments_->active().truncate_to(offset); !cut) co_return not_durable(std::move(cut).error());
    log_end_offset_ = offset;
    log_start_offset_ = std::min(log_start_offset_, offset);
    recovery_point_ = std::min(recovery_point_, offset);
    durable_offset_ = std::min(durable_offset_, offset);
    high_watermark_ = std::min(high_watermark_, offset);
    first_dirty_offset_ = std::min(first_dirty_offset_, offset);
    epochs_->truncate_from_end(offset);
    synced_.notify_all();
    auto reloaded = producers_->reload(log_start_offset_, offset, context_.loop.wall_ms());
    doom_set_aside(context_.loop.now());
    if (reloaded) reloaded = co_await replay_producers(context_.loop, *producers_, *segments_, offset);
    if (!reloaded) co_return not_durable(std::move(reloaded).error());
    producers_->set_end_offset(offset);
    directory_dirty_ = true;
  }
  auto held = co_await flushing_.lock(context_.loop);
  const uint64_t truncations = truncations_;
  if (auto synced = co_await sync_range(from, true); !synced) co_return not_durable(std::move(synced).error());
  if (truncations == truncations_) unsynced.reset();
  co_return Result<void>();
}

io::Task<Result<void>> Log::truncate_fully_and_start_at(Offset offset) {
  SAMSA_ASSERT(!writing_, "a log is cut that is being written");
  if (failure_) co_return fail(*failure_);
  SAMSA_LOG_INFO("{}: removing all, starting at {}", directory_, offset);
  ++truncations_;
  end_cleaning();
  const auto restarted = [&]() -> Result<void> {
    TRY(remove_segments(segments_->take(0, segments_->size()), true));
    auto fresh = std::make_shared<Segment>(context_.files, directory_, offset, config_, context_.loop.wall_ms());
    auto created = fresh->create(config_);
    if (!created && io::is_no_space(created.error())) {
      // What was removed makes the room, at once.
      for (const auto& doomed : std::exchange(doomed_, {})) (void)context_.disk.remove_file(doomed.path);
      created = fresh->create(config_);
    }
    segments_->add(std::move(fresh));  // There must be one, whatever becomes of this log.
    TRY(created);
    const auto snapshots = producers_->snapshots();
    for (const Offset snapshot : snapshots) TRY(producers_->remove_snapshot(snapshot));
    return {};
  }();
  if (!restarted) {
    auto error = failed(restarted.error());
    if (!failure_) failure_ = error;  // Half of it is gone: nothing may be written here, even with room again.
    co_return fail(std::move(error));
  }
  producers_->clear_and_start_at(offset);
  epochs_->clear();
  log_start_offset_ = log_end_offset_ = high_watermark_ = offset;
  recovery_point_ = durable_offset_ = offset;
  synced_.notify_all();
  auto held = co_await flushing_.lock(context_.loop);
  directory_dirty_ = true;
  const uint64_t truncations = truncations_;
  auto synced = co_await sync_range(offset, true);
  if (synced) synced = co_await epochs_->write();
  if (!synced) {
    segments_->unsynced_cut = offset;
    co_return fail(failed(std::move(synced).error()));
  }
  if (truncations == truncations_) segments_->unsynced_cut.reset();
  co_return Result<void>();
}

Result<bool> Log::advance_log_start(Offset offset) {
  if (offset > high_watermark_) {
    return fail(ErrorCode::kOffsetOutOfRange, fmt::format("Log start {} is above the high watermark {}", offset, high_watermark_));
  }
  if (offset <= log_start_offset_) return false;
  log_start_offset_ = offset;
  epochs_->truncate_from_start(offset);
  producers_->replicated_to(offset);
  return true;
}

// ---- Retention ----

// How many segments from the front may go: by log start, time and size; never beyond the high watermark, never an empty last one.
Result<size_t> Log::deletable_segments() const {
  const TimestampMs now = context_.loop.wall_ms();
  const uint64_t total = segments_->bytes();
  const bool too_large = config_.cleanup_delete && config_.retention_bytes >= 0 && total >= static_cast<uint64_t>(config_.retention_bytes);
  uint64_t excess = too_large ? total - static_cast<uint64_t>(config_.retention_bytes) : 0;
  const size_t count = segments_->size();
  for (size_t i = 0; i < count; ++i) {
    Segment& segment = *segments_->at(i);
    const bool last = i + 1 == count;
    const Offset next = last ? log_end_offset_ : segments_->at(i + 1)->base_offset();
    if (next > high_watermark_ || (last && segment.size() == 0)) return i;
    bool goes = (!last && next <= log_start_offset_) || (too_large && excess >= segment.size());
    if (!goes && config_.cleanup_delete && config_.retention_ms >= 0) {
      TRY_ASSIGN(const TimestampMs newest, segment.newest_time());
      goes = now - newest > config_.retention_ms;
    }
    if (!goes) return i;
    excess -= std::min(excess, segment.size());
  }
  return count;
}

Result<size_t> Log::delete_old_segments() {
  if (failure_) return fail(*failure_);
  if (!writing_) segments_->active().give_back_room(out_of_room());
  const auto deletable = deletable_segments();
  if (!deletable) return fail(read_failed(deletable.error()));
  size_t count = *deletable;
  if (count == 0) return size_t{0};
  if (count == segments_->size() && writing_) {
    if (--count == 0) return size_t{0};  // The last one goes the next time.
  } else if (count == segments_->size()) {
    // On a full disk there is no room for a new segment: the others make it, and the last one goes the next time.
    auto rolled = roll();
    if (!rolled && (count == 1 || !io::is_no_space(rolled.error()))) return fail(std::move(rolled).error());
    if (!rolled) --count;
  }
  SAMSA_LOG_INFO("{}: deleting {} segments below offset {}", directory_, count, segments_->at(count)->base_offset());
  end_cleaning();
  auto removed = remove_segments(segments_->take(0, count), true);
  if (!removed) return fail(failed(std::move(removed).error()));
  const Offset first = segments_->first().base_offset();
  if (first > log_start_offset_) {
    log_start_offset_ = first;
    epochs_->truncate_from_start(first);
    producers_->replicated_to(first);
  }
  durable_offset_ = std::max(durable_offset_, first);
  return count;
}

// Renames the files to "...deleted" and notes when they go; an open slice of them stays readable.
Result<void> Log::remove_segments(std::vector<std::shared_ptr<Segment>> segments, bool with_snapshots) {
  const io::MonoTime due = context_.loop.now() + std::chrono::milliseconds(config_.file_delete_delay_ms);
  const bool at_once = config_.file_delete_delay_ms == 0;
  for (const auto& segment : segments) {
    segment->close_files();
    if (at_once || segment->size() == 0) {
      TRY(segment->remove_files());
    } else {
      auto names = segment->rename_suffix(".deleted");
      if (!names && io::is_no_space(names.error())) {
        TRY(segment->remove_files());  // Not even room for a longer name: they go at once.
      } else if (!names) {
        return fail(std::move(names).error());
      } else {
        for (auto& name : *names) doomed_.push_back({std::move(name), due});
      }
    }
    if (!with_snapshots || !producers_->snapshots().contains(segment->base_offset())) continue;
    if (at_once) {
      TRY(producers_->remove_snapshot(segment->base_offset()));
    } else {
      TRY(producers_->set_aside(segment->base_offset()));
    }
  }
  doom_set_aside(due);
  directory_dirty_ = directory_dirty_ || !segments.empty();
  return {};
}

void Log::doom_set_aside(io::MonoTime due) {
  for (auto& path : producers_->take_set_aside()) doomed_.push_back({std::move(path), due});
}

// Removes, on the disk's threads, what earlier rounds left under the ".deleted" names that these segments will get: a rename over a file frees
// it, for which the loop would wait for the device.
io::Task<> Log::make_way_for_deleted(std::vector<std::shared_ptr<Segment>> segments) {
  std::vector<std::string> names;
  for (const auto& segment : segments) {
    std::ranges::move(segment->paths(".deleted"), std::back_inserter(names));
    names.push_back(producers_->set_aside_path(segment->base_offset()));
  }
  std::erase_if(names, [&](const auto& name) { return std::erase_if(doomed_, [&](const Doomed& doomed) { return doomed.path == name; }) == 0; });
  for (const auto& name : names) (void)co_await context_.disk.remove_file_async(name);
}

}  // namespace samsa::storage
