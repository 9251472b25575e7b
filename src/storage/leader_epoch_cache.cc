#include "storage/leader_epoch_cache.h"

#include <algorithm>

#include "base/log.h"

namespace samsa::storage {
namespace {

constexpr const char* kFileName = "leader-epoch-checkpoint";

}  // namespace

Result<bool> LeaderEpochCache::load() {
  entries_.clear();
  dirty_ = false;
  auto content = io::read_file(disk_, io::join_path(directory_, kFileName));
  if (!content) {
    if (content.error().code == ErrorCode::kResourceNotFound) return true;
    return fail(std::move(content).error());
  }
  auto parsed = parse_epoch_checkpoint(as_text(*content));
  if (!parsed) {
    SAMSA_LOG_WARN("{}/{}: {}; the epochs are taken from the batches", directory_, kFileName, parsed.error().text());
    dirty_ = true;
    return false;
  }
  for (const auto& [epoch, start] : *parsed) {
    if (epoch < 0 || start < 0) continue;
    while (!entries_.empty() && (entries_.back().first >= epoch || entries_.back().second > start)) entries_.pop_back();
    entries_.emplace_back(epoch, start);
  }
  return true;
}

io::Task<Result<void>> LeaderEpochCache::write() {
  if (!std::exchange(dirty_, false)) co_return Result<void>();
  auto written = co_await io::write_file_atomically_async(disk_, io::join_path(directory_, kFileName), format_epoch_checkpoint(entries_));
  if (!written) dirty_ = true;
  co_return written;
}

Result<void> LeaderEpochCache::prepare_write() {
  if (!dirty_) return {};
  TRY_ASSIGN(auto file, disk_.open(io::join_path(directory_, kFileName) + ".tmp", io::OpenMode::kCreateTruncate));
  return file->write_at(as_bytes(format_epoch_checkpoint(entries_)), 0);
}

Result<void> LeaderEpochCache::finish_write() {
  if (!dirty_) return {};
  const std::string path = io::join_path(directory_, kFileName);
  TRY(disk_.rename(path + ".tmp", path));
  dirty_ = false;
  return {};
}

void LeaderEpochCache::assign(LeaderEpoch epoch, Offset start) {
  if (epoch < 0 || start < 0) return;
  if (!entries_.empty() && entries_.back().first >= epoch) return;
  // An epoch in which nothing was written leaves no trace: the newer one begins at the same offset.
  while (!entries_.empty() && entries_.back().second >= start) entries_.pop_back();
  entries_.emplace_back(epoch, start);
  dirty_ = true;
}

LeaderEpoch LeaderEpochCache::epoch_of(Offset offset) const {
  auto above = std::ranges::upper_bound(entries_, offset, {}, &std::pair<LeaderEpoch, Offset>::second);
  return above == entries_.begin() ? kNoLeaderEpoch : std::prev(above)->first;
}

std::pair<LeaderEpoch, Offset> LeaderEpochCache::end_offset_for(LeaderEpoch epoch, Offset log_end) const {
  if (epoch == kNoLeaderEpoch || entries_.empty() || epoch > latest()) return {kNoLeaderEpoch, -1};
  if (epoch == latest()) return {epoch, log_end};
  auto above = std::ranges::upper_bound(entries_, epoch, {}, &std::pair<LeaderEpoch, Offset>::first);
  if (above == entries_.begin()) return {epoch, above->second};
  return {std::prev(above)->first, above->second};
}

void LeaderEpochCache::truncate_from_end(Offset end) {
  while (!entries_.empty() && entries_.back().second >= end) {
    entries_.pop_back();
    dirty_ = true;
  }
}

void LeaderEpochCache::truncate_from_start(Offset start) {
  auto above = std::ranges::upper_bound(entries_, start, {}, &std::pair<LeaderEpoch, Offset>::second);
  if (above == entries_.begin()) return;
  const auto holder = std::prev(above);
  if (holder == entries_.begin() && holder->second == start) return;
  holder->second = start;
  entries_.erase(entries_.begin(), holder);
  dirty_ = true;
}

void LeaderEpochCache::clear() {
  dirty_ = dirty_ || !entries_.empty();
  entries_.clear();
}

}  // namespace samsa::storage
