#include "storage/producer_state.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/mutant.h"
#include "protocol/control_batch.h"

namespace samsa::storage {
namespace {

bool follows(int32_t last, int32_t next) { return int64_t{last} + 1 == next || (next == 0 && last == INT32_MAX); }

}  // namespace

int32_t ProducerBatch::first_sequence() const {
  if (last_sequence == kNoSequence) return kNoSequence;
  return last_sequence >= offset_delta ? last_sequence - offset_delta : INT32_MAX - (offset_delta - last_sequence) + 1;
}

void ProducerEntry::add(const ProducerBatch& batch) {
  if (batch_count == kBatches) {
    std::move(batches + 1, batches + kBatches, batches);
    --batch_count;
  }
  batches[batch_count++] = batch;
}

std::optional<ProducerBatch> ProducerStates::find_duplicate(const protocol::BatchHeader& batch) const {
  const auto found = entries_.find(batch.producer_id());
  if (SAMSA_MUTANT("forget-sequence")) return std::nullopt;
  if (found == entries_.end() || found->second.producer_epoch != batch.producer_epoch()) return std::nullopt;
  const ProducerEntry& entry = found->second;
  for (size_t i = 0; i < entry.batch_count; ++i) {
    if (entry.batches[i].first_sequence() == batch.base_sequence() && entry.batches[i].last_sequence == batch.last_sequence()) {
      return entry.batches[i];
    }
  }
  return std::nullopt;
}

Result<void> ProducerStates::check(const protocol::BatchView& batch, ProducerCheck check, bool transactions_v2) const {
  if (check == ProducerCheck::kAccepted || SAMSA_MUTANT("forget-sequence")) return {};
  const auto found = entries_.find(batch.producer_id());
  const ProducerEntry* entry = found == entries_.end() ? nullptr : &found->second;
  if (batch.is_control()) return check_marker(batch, entry, transactions_v2);
  if (entry != nullptr && batch.producer_epoch() < entry->producer_epoch) {
    return fail(ErrorCode::kInvalidProducerEpoch, fmt::format("Epoch {} of producer {} is below the last seen epoch {}", batch.producer_epoch(),
                                                              batch.producer_id(), entry->producer_epoch));
  }
  if (check == ProducerCheck::kClient) TRY(check_sequence(batch, entry, transactions_v2));
  if (entry != nullptr && entry->transaction_first_offset && !batch.is_transactional()) {
    return fail(ErrorCode::kInvalidTxnState, fmt::format("Producer {} has an open transaction and wrote outside of it", batch.producer_id()));
  }
  return {};
}

Result<void> ProducerStates::check_sequence(const protocol::BatchView& batch, const ProducerEntry* entry, bool transactions_v2) const {
  const int32_t first = batch.base_sequence();
  const auto out_of_order = [&](int32_t last) {
    return fail(ErrorCode::kOutOfOrderSequenceNumber,
                fmt::format("Out of order sequence number for producer {}: {} (incoming), {} (last), epoch {}", batch.producer_id(), first,
                            last, batch.producer_epoch()));
  };
  if (entry == nullptr || entry->producer_epoch == kNoProducerEpoch) {
    if (transactions_v2 && batch.is_transactional() && first != 0) return out_of_order(kNoSequence);
    return {};
  }
  if (batch.producer_epoch() != entry->producer_epoch) {
    if (first != 0) return out_of_order(kNoSequence);
    return {};
  }
  if (!follows(entry->last_sequence(), first)) return out_of_order(entry->last_sequence());
  return {};
}

Result<void> ProducerStates::check_marker(const protocol::BatchView& batch, const ProducerEntry* entry, bool transactions_v2) const {
  TRY_ASSIGN(const protocol::TransactionMarker marker, protocol::read_transaction_marker(batch));
  if (entry == nullptr) return {};
  // Transactions v2 bump the epoch with every marker; the same epoch again is then only a repeat of a marker already here.
  const bool stale = batch.producer_epoch() < entry->producer_epoch ||
                     (transactions_v2 && batch.producer_epoch() == entry->producer_epoch && entry->transaction_first_offset.has_value());
  if (stale) {
    return fail(ErrorCode::kInvalidProducerEpoch, fmt::format("Epoch {} of a marker of producer {} is below the last seen epoch {}",
                                                              batch.producer_epoch(), batch.producer_id(), entry->producer_epoch));
  }
  if (entry->coordinator_epoch > marker.coordinator_epoch) {
    return fail(ErrorCode::kTransactionCoordinatorFenced, fmt::format("Coordinator epoch {} of a marker is below the last seen epoch {}",
                                                                      marker.coordinator_epoch, entry->coordinator_epoch));
  }
  return {};
}

std::optional<AbortedEntry> ProducerStates::apply(const protocol::BatchView& batch) {
  end_offset_ = batch.next_offset();
  if (!batch.has_producer_id()) return std::nullopt;
  if (batch.is_control()) return apply_marker(batch);
  ProducerEntry& entry = entries_[batch.producer_id()];
  if (batch.producer_epoch() != entry.producer_epoch) {
    entry.batch_count = 0;
    entry.producer_epoch = batch.producer_epoch();
  }
  entry.add({batch.last_sequence(), batch.last_offset(), batch.last_offset_delta(), batch.max_timestamp()});
  entry.last_timestamp = batch.max_timestamp();
  if (batch.is_transactional() && !entry.transaction_first_offset) {
    entry.transaction_first_offset = batch.base_offset();
    open_[batch.base_offset()] = batch.producer_id();
  }
  return std::nullopt;
}

std::optional<AbortedEntry> ProducerStates::apply_marker(const protocol::BatchView& batch) {
  auto marker = protocol::read_transaction_marker(batch);
  if (!marker) return std::nullopt;  // An emptied control batch, or one of another kind.
  ProducerEntry& entry = entries_[batch.producer_id()];
  if (batch.producer_epoch() != entry.producer_epoch) {
    entry.batch_count = 0;
    entry.producer_epoch = batch.producer_epoch();
  }
  entry.coordinator_epoch = marker->coordinator_epoch;
  entry.last_timestamp = batch.max_timestamp();
  verifications_.erase(batch.producer_id());
  if (!entry.transaction_first_offset) return std::nullopt;
  const Offset first = *entry.transaction_first_offset;
  entry.transaction_first_offset.reset();
  open_.erase(first);
  unreplicated_[first] = batch.last_offset();
  if (marker->commit) return std::nullopt;
  const Offset stable = open_.empty() ? batch.next_offset() : open_.begin()->first;
  return AbortedEntry{batch.producer_id(), first, batch.last_offset(), stable};
}

std::optional<Offset> ProducerStates::first_unstable_offset() const {
  if (open_.empty() && unreplicated_.empty()) return std::nullopt;
  return std::min(open_.empty() ? INT64_MAX : open_.begin()->first, unreplicated_.empty() ? INT64_MAX : unreplicated_.begin()->first);
}

void ProducerStates::replicated_to(Offset high_watermark) {
  if (!unreplicated_.empty()) std::erase_if(unreplicated_, [&](const auto& entry) { return entry.second < high_watermark; });
}

bool ProducerStates::has_open_transaction(int64_t producer_id, int16_t producer_epoch) const {
  const auto found = entries_.find(producer_id);
  return found != entries_.end() && found->second.transaction_first_offset && found->second.producer_epoch == producer_epoch;
}

uint64_t ProducerStates::begin_verification(int64_t producer_id, int16_t epoch, int32_t sequence, TimestampMs now) {
  auto [it, fresh] = verifications_.try_emplace(producer_id, Verification{next_guard_, now, sequence, epoch});
  Verification& running = it->second;
  if (fresh) {
    ++next_guard_;
  } else if (epoch > running.epoch) {
    running.epoch = epoch;
    running.lowest_sequence = sequence;
  } else if (epoch == running.epoch && sequence < running.lowest_sequence) {
    running.lowest_sequence = sequence;
  }
  return running.guard;
}

Result<void> ProducerStates::check_guard(int64_t producer_id, int32_t sequence, uint64_t guard) const {
  const auto found = verifications_.find(producer_id);
  if (guard == 0 || found == verifications_.end() || found->second.guard != guard) {
    return fail(ErrorCode::kInvalidTxnState, fmt::format("Producer {}: the transaction was not verified or has ended since", producer_id));
  }
  if (sequence > found->second.lowest_sequence) {
    return fail(ErrorCode::kOutOfOrderSequenceNumber, fmt::format("Producer {}: sequence {} is above {}, which waits to be verified",
                                                                  producer_id, sequence, found->second.lowest_sequence));
  }
  return {};
}

// ---- Snapshots ----

std::string ProducerStates::snapshot_path(Offset offset) const { return io::join_path(directory_, offset_file_name(offset, ".snapshot")); }

Result<void> ProducerStates::reload(Offset log_start, Offset log_end, TimestampMs now) {
  TRY(set_snapshots_outside_aside(log_start, log_end));
  auto verifications = std::move(verifications_);
  TRY(load_newest(log_start, log_end, now));
  verifications_ = std::move(verifications);
  return {};
}

Result<void> ProducerStates::load_newest(Offset log_start, Offset at_most, TimestampMs now) {
  clear_and_start_at(log_start);
  for (;;) {
    auto above = snapshots_.upper_bound(at_most);
    if (above == snapshots_.begin() || *std::prev(above) <= log_start) return {};
    const Offset offset = *std::prev(above);
    auto content = io::read_file(disk_, snapshot_path(offset));
    if (!content && content.error().code != ErrorCode::kResourceNotFound) return fail(std::move(content).error());
    auto decoded = content ? decode_producer_snapshot(*content) : fail(std::move(content).error());
    if (!decoded) {
      SAMSA_LOG_WARN("{}: {}; removed, an older one is tried", snapshot_path(offset), decoded.error().text());
      TRY(remove_snapshot(offset));
      continue;
    }
    for (const auto& loaded : *decoded) {
      ProducerEntry entry;
      entry.producer_epoch = loaded.producer_epoch;
      entry.coordinator_epoch = loaded.coordinator_epoch;
      entry.last_timestamp = loaded.timestamp;
      if (loaded.transaction_first_offset >= 0) entry.transaction_first_offset = loaded.transaction_first_offset;
      if (loaded.last_offset >= 0) entry.add({loaded.last_sequence, loaded.last_offset, loaded.offset_delta, loaded.timestamp});
      if (expired(entry, now)) continue;
      if (entry.transaction_first_offset) open_[*entry.transaction_first_offset] = loaded.producer_id;
      entries_[loaded.producer_id] = entry;
    }
    end_offset_ = offset;
    return {};
  }
}

Result<void> ProducerStates::write_snapshot(bool sync) {
  if (snapshots_.contains(end_offset_)) return {};
  std::vector<ProducerSnapshotEntry> entries;
  entries.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    const bool any = entry.batch_count > 0;
    const ProducerBatch last = any ? entry.batches[entry.batch_count - 1] : ProducerBatch{};
    entries.push_back({id, entry.producer_epoch, last.last_sequence, last.last_offset, last.offset_delta, entry.last_timestamp,
                       entry.coordinator_epoch, entry.transaction_first_offset.value_or(-1)});
  }
  std::ranges::sort(entries, {}, &ProducerSnapshotEntry::producer_id);
  const Buffer content = encode_producer_snapshot(entries);
  const std::string path = snapshot_path(end_offset_);
  TRY_ASSIGN(auto file, disk_.open(path, io::OpenMode::kCreateTruncate));
  TRY(file->write_at(Bytes(content), 0));
  if (sync) {
    TRY(file->sync_now());
  } else {
    unsynced_.insert(end_offset_);
  }
  snapshots_.insert(end_offset_);
  return {};
}

io::Task<Result<void>> ProducerStates::sync_snapshots() {
  const std::set<Offset> offsets = std::exchange(unsynced_, {});
  for (const Offset offset : offsets) {
    auto file = disk_.open(snapshot_path(offset), io::OpenMode::kReadWrite);
    if (!file && file.error().code == ErrorCode::kResourceNotFound) continue;  // Removed since.
    auto synced = file ? co_await (*file)->sync() : fail(std::move(file).error());
    if (!synced) {
      unsynced_.insert(offsets.begin(), offsets.end());
      co_return synced;
    }
  }
  co_return Result<void>();
}

void ProducerStates::set_stray_snapshots_aside(const std::set<Offset>& segment_bases) {
  if (snapshots_.empty()) return;
  const Offset newest_base = segment_bases.empty() ? -1 : *segment_bases.rbegin();
  std::vector<Offset> strays;
  for (const Offset offset : snapshots_) {
    if (!segment_bases.contains(offset)) strays.push_back(offset);
  }
  if (!strays.empty() && strays.back() >= newest_base) strays.pop_back();
  for (const Offset offset : strays) {
    if (auto aside = set_aside(offset); !aside) SAMSA_LOG_WARN("{}: {}", snapshot_path(offset), aside.error().text());
  }
}

Result<void> ProducerStates::set_snapshots_outside_aside(Offset log_start, Offset log_end) {
  std::vector<Offset> outside;
  for (const Offset offset : snapshots_) {
    if (offset > log_end || offset <= log_start) outside.push_back(offset);
  }
  for (const Offset offset : outside) TRY(set_aside(offset));
  return {};
}

Result<void> ProducerStates::set_aside(Offset offset) {
  std::string aside = set_aside_path(offset);
  auto renamed = disk_.rename(snapshot_path(offset), aside);
  if (!renamed && renamed.error().code != ErrorCode::kResourceNotFound) return remove_snapshot(offset);  // No room for a longer name, say.
  snapshots_.erase(offset);
  unsynced_.erase(offset);
  if (renamed) set_aside_.push_back(std::move(aside));
  return {};
}

Result<void> ProducerStates::remove_snapshot(Offset offset) {
  snapshots_.erase(offset);
  unsynced_.erase(offset);
  auto removed = disk_.remove_file(snapshot_path(offset));
  if (!removed && removed.error().code == ErrorCode::kResourceNotFound) return {};
  return removed;
}

void ProducerStates::clear_and_start_at(Offset offset) {
  entries_.clear();
  open_.clear();
  unreplicated_.clear();
  verifications_.clear();
  end_offset_ = offset;
}

bool ProducerStates::expired(const ProducerEntry& entry, TimestampMs now) const {
  return !entry.transaction_first_offset && now - entry.last_timestamp >= expiration_ms_;
}

void ProducerStates::expire(TimestampMs now) {
  std::erase_if(entries_, [&](const auto& entry) { return expired(entry.second, now); });
  std::erase_if(verifications_, [&](const auto& entry) { return now - entry.second.since >= expiration_ms_; });
}

std::string offset_file_name(Offset offset, std::string_view suffix) { return fmt::format("{:020}{}", offset, suffix); }

std::optional<Offset> parse_offset_file_name(std::string_view name, std::string_view suffix) {
  constexpr size_t kDigits = 20;
  if (name.size() != kDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  Offset offset = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, offset);
  if (error != std::errc() || end != name.data() + kDigits || offset < 0) return std::nullopt;
  return offset;
}

}  // namespace samsa::storage
