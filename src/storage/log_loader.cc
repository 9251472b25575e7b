#include "storage/log_loader.h"

#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "protocol/legacy_batch.h"
#include "storage/batch_walker.h"

namespace samsa::storage {
namespace {

constexpr std::string_view kKinds[] = {".log", ".index", ".timeindex", ".txnindex"};

class Loader {
 public:
  Loader(LogContext& context, const OpenLog& options) : context_(context), options_(options), disk_(context.disk) {}
  io::Task<Result<LoadedLog>> run();
  // After run() has failed.
  [[nodiscard]] const std::vector<std::string>& useless_files() const { return loaded_.useless_files; }

 private:
  Result<void> clean_up_files();
  Result<void> finish_swaps(const std::vector<std::string>& swaps, std::vector<std::string> others);
  Result<void> read_topic_id();
  io::Task<Result<void>> load_segments();
  io::Task<Result<void>> recover_tail();
  io::Task<Result<bool>> was_compacted(size_t index);
  io::Task<Result<bool>> recover_segment(size_t index, Offset trusted_below, bool tail);
  Result<uint64_t> trusted_prefix(Segment& segment, Offset trusted_below);
  Result<void> set_damaged_aside(Segment& segment, uint64_t position);
  Result<bool> take_batch(Segment& segment, const WalkedBatch& walked, Offset& previous_last);
  io::Task<Result<void>> write_again(Offset from);
  Result<void> start_empty(Offset offset);
  io::Task<Result<void>> load_producers();
  io::Task<Result<void>> replay_producers_to(Offset offset);
  static Result<void> unless_full(Result<void> written);
  [[nodiscard]] TimestampMs now() const { return context_.loop.wall_ms(); }
  [[nodiscard]] std::string path_of(const std::string& name) const { return io::join_path(options_.directory, name); }

  LogContext& context_;
  const OpenLog& options_;
  io::Disk& disk_;
  LoadedLog loaded_;
  std::vector<Offset> bases_;
  std::set<Offset> snapshots_;
  Offset end_ = -1;        // Known after recovery of the last segment.
  uint64_t to_scan_ = 0;  // Bytes that were scanned, or are about to be.
  bool recovered_any_ = false;
  bool tail_recovered_ = false;
};

Result<void> remove_quietly(io::Disk& disk, const std::string& path) {
  auto removed = disk.remove_file(path);
  if (!removed && removed.error().code == ErrorCode::kResourceNotFound) return {};
  return removed;
}

std::optional<Offset> leading_offset(std::string_view name) {
  if (name.size() < 20) return std::nullopt;
  return parse_offset_file_name(name.substr(0, 20), "");
}

io::Task<Result<LoadedLog>> Loader::run() {
  const bool made = !disk_.exists(options_.directory);
  if (made) CO_TRY(disk_.create_directories(options_.directory));
  loaded_.segments = std::make_unique<SegmentList>();
  loaded_.producers = std::make_unique<ProducerStates>(disk_, options_.directory, context_.producer_id_expiration_ms);
  loaded_.epochs = std::make_unique<LeaderEpochCache>(disk_, options_.directory);
  loaded_.topic_id = options_.topic_id;
  if (!made) {
    CO_TRY(read_topic_id());
    CO_TRY(clean_up_files());
    loaded_.producers->set_snapshots(snapshots_);
    CO_TRY(loaded_.epochs->load());
  }
  loaded_.recovery_point = options_.recovery_point;
  CO_TRY(co_await load_segments());
  if (!options_.clean) CO_TRY(co_await recover_tail());

  SegmentList& segments = *loaded_.segments;
  if (!segments.empty()) {
    if (end_ < 0) {
      CO_TRY_ASSIGN(end_, segments.active().read_next_offset());
      // A damaged header. The records before it are not to go with it.
      if (end_ < segments.active().base_offset()) CO_TRY(co_await recover_segment(segments.size() - 1, segments.active().base_offset(), false));
    }
    if (end_ < options_.log_start_offset) {
      SAMSA_LOG_WARN("{}: log end {} is below the log start {}: all segments are removed", options_.directory, end_, options_.log_start_offset);
      for (auto& segment : segments.take(0, segments.size())) CO_TRY(segment->remove_files());
      loaded_.epochs->clear();
    }
  }
  if (options_.write_again_from) CO_TRY(co_await write_again(*options_.write_again_from));
  if (segments.empty()) CO_TRY(start_empty(options_.log_start_offset));
  if (const int64_t most = std::min(options_.config.segment_jitter_ms, options_.config.segment_ms); most > 0) {
    segments.active().set_roll_jitter(context_.loop.random().between(0, most));  // Logs that are made at the same time are to roll apart.
  }
  loaded_.log_end_offset = end_;
  loaded_.log_start_offset = std::max(options_.log_start_offset, segments.first().base_offset());
  loaded_.recovery_point = options_.clean && !recovered_any_ ? end_ : std::min(loaded_.recovery_point, end_);
  loaded_.epochs->truncate_from_end(end_);
  loaded_.epochs->truncate_from_start(loaded_.log_start_offset);
  CO_TRY(co_await load_producers());
  if (options_.clean) {
    for (const auto& segment : segments.all()) segment->close_files();
  }
  co_return std::move(loaded_);
}

// A full disk keeps no log from being opened: indexes that cannot be written stay in memory, snapshots are left out, and the flush that
// moves the recovery point writes both when there is room. Until then a crash only means that the same is done again.
Result<void> Loader::unless_full(Result<void> written) {
  if (!written && io::is_no_space(written.error())) return {};
  return written;
}

Result<void> Loader::read_topic_id() {
  if (!options_.stored_topic_id.is_zero()) {
    loaded_.topic_id = options_.stored_topic_id;
    loaded_.topic_id_stored = true;
    return {};
  }
  auto id = read_partition_metadata(disk_, options_.directory);
  if (!id) {
    loaded_.topic_id = options_.topic_id;
    if (id.error().code == ErrorCode::kResourceNotFound) return {};
    if (id.error().code != ErrorCode::kCorruptMessage) return fail(std::move(id).error());
    SAMSA_LOG_WARN("{}/partition.metadata: {}; it is written again", options_.directory, id.error().text());
    return {};
  }
  if (!options_.topic_id.is_zero() && options_.topic_id != *id) {
    return fail(ErrorCode::kInconsistentTopicId, fmt::format("{}: topic id is {} on disk and {} in the metadata", options_.directory,
                                                             id->to_string(), options_.topic_id.to_string()));
  }
  loaded_.topic_id = *id;
  loaded_.topic_id_stored = true;
  return {};
}

// ---- Files that a crash left ----

Result<void> Loader::clean_up_files() {
  TRY_ASSIGN(const auto entries, disk_.list(options_.directory));
  std::vector<std::string> swaps;
  std::vector<std::string> others;
  std::vector<std::string> cleaned;
  for (const auto& entry : entries) {
    if (entry.directory) continue;
    if (entry.name.ends_with(".deleted")) {
      // Snapshots of the metadata log being removed belong to the quorum's room.
      if (!entry.name.ends_with(".checkpoint.deleted")) loaded_.useless_files.push_back(path_of(entry.name));
    } else if (entry.name.ends_with(".cleaned")) {
      cleaned.push_back(entry.name);
    } else if (entry.name.ends_with(".swap")) {
      swaps.push_back(entry.name);
    } else {
      others.push_back(entry.name);
    }
  }
  // An index whose log is gone and whose place is taken is left of an exchange that was given up. (Of one that took place, the log got its
  // name first, when those that it replaces were gone.)
  const auto given_up = [&](const std::string& name) {
    const std::string log = name.substr(0, 20) + ".log.swap";
    return std::ranges::find(swaps, log) == swaps.end() && disk_.exists(path_of(name.substr(0, name.size() - std::string_view(".swap").size())));
  };
  // Swaps at or above an unfinished .cleaned belong to a step that did not end.
  Offset lowest_cleaned = INT64_MAX;
  for (const auto& name : cleaned) lowest_cleaned = std::min(lowest_cleaned, leading_offset(name).value_or(INT64_MAX));
  std::vector<std::string> good_swaps;
  for (const auto& name : swaps) {
    const auto offset = leading_offset(name);
    if (offset && *offset < lowest_cleaned && !given_up(name)) {
      good_swaps.push_back(name);
    } else {
      TRY(remove_quietly(disk_, path_of(name)));
    }
  }
  for (const auto& name : cleaned) TRY(remove_quietly(disk_, path_of(name)));
  if (!good_swaps.empty()) {
    TRY(finish_swaps(good_swaps, std::move(others)));
    others.clear();
    TRY_ASSIGN(const auto again, disk_.list(options_.directory));
    for (const auto& entry : again) others.push_back(entry.name);
  }
  std::set<Offset> logs;
  for (const auto& name : others) {
    if (auto base = parse_offset_file_name(name, ".log")) logs.insert(*base);
    if (auto offset = parse_offset_file_name(name, ".snapshot")) snapshots_.insert(*offset);
  }
  for (const auto& name : others) {
    for (const auto kind : {kKinds[1], kKinds[2], kKinds[3]}) {
      const auto base = parse_offset_file_name(name, kind);
      if (base && !logs.contains(*base)) TRY(remove_quietly(disk_, path_of(name)));
    }
  }
  bases_.assign(logs.begin(), logs.end());
  return {};
}

// A finished compaction whose files were being exchanged: the segments that it replaces go, then the new ones get their names.
Result<void> Loader::finish_swaps(const std::vector<std::string>& swaps, std::vector<std::string> others) {
  Offset low = INT64_MAX;
  Offset high = INT64_MIN;
  for (const auto& name : swaps) {
    if (!name.ends_with(".log.swap")) continue;
    const Offset base = leading_offset(name).value_or(0);
    Segment segment(context_.files, options_.directory, base, options_.config, now(), ".swap");
    if (auto ready = segment.load(false); !ready && ready.error().code != ErrorCode::kCorruptMessage) return ready;
    TRY_ASSIGN(const Offset next, segment.read_next_offset());
    low = std::min(low, base);
    high = std::max(high, next);
  }
  for (const auto& name : others) {
    const auto offset = leading_offset(name);
    if (offset && *offset >= low && *offset < high) TRY(remove_quietly(disk_, path_of(name)));
  }
  for (const auto& name : swaps) {
    SAMSA_LOG_INFO("{}: completing the exchange of {}", options_.directory, name);
    TRY(disk_.rename(path_of(name), path_of(name.substr(0, name.size() - std::string_view(".swap").size()))));
  }
  return disk_.sync_directory(options_.directory);
}

// ---- Segments ----

io::Task<Result<void>> Loader::load_segments() {
  SegmentList& segments = *loaded_.segments;
  for (size_t i = 0; i < bases_.size(); ++i) {
    auto segment = std::make_shared<Segment>(context_.files, options_.directory, bases_[i], options_.config, now());
    const bool last = i + 1 == bases_.size();
    auto ready = segment->load(last || !options_.clean);
    segments.add(segment);
    if (ready) continue;
    if (ready.error().code != ErrorCode::kCorruptMessage) co_return fail(std::move(ready).error());
    const bool will_be_recovered = !options_.clean && (last || bases_[i + 1] > options_.recovery_point);
    if (will_be_recovered) continue;
    SAMSA_LOG_WARN("{}; the indexes of the segment are built again", ready.error().text());
    CO_TRY_ASSIGN(const bool whole, co_await recover_segment(i, segment->base_offset(), false));
    if (!whole && !last) {
      SAMSA_LOG_ERROR("{}: the segment is cut and {} later segments follow: records are missing in between", segment->path(), bases_.size() - i - 1);
    }
  }
  co_return Result<void>();
}

io::Task<Result<void>> Loader::recover_tail() {
  SegmentList& segments = *loaded_.segments;
  if (segments.empty()) co_return Result<void>();
  for (size_t i = segments.index_of(options_.recovery_point); i < segments.size(); ++i) {
    CO_TRY_ASSIGN(const bool whole, co_await recover_segment(i, options_.recovery_point, true));
    if (whole && i + 1 == segments.size()) break;
    // A segment that lost its tail at a batch's end looks whole, but the next one does not follow. Only compaction leaves such gaps.
    if (whole && segments.at(i + 1)->base_offset() == end_) continue;
    if (whole) {
      CO_TRY_ASSIGN(const bool compacted, co_await was_compacted(i + 1));
      if (compacted) continue;
    }
    for (auto& later : segments.take(i + 1, segments.size())) {
      SAMSA_LOG_WARN("{}: removed, records before it are lost", later->path());
      CO_TRY(later->remove_files());
    }
  }
  co_return Result<void>();
}

// Whether the log was compacted where that segment begins: now, or when its policy was another one, here or where it was copied from. Then
// offsets are missing within segments as well.
io::Task<Result<bool>> Loader::was_compacted(size_t index) {
  const SegmentList& segments = *loaded_.segments;
  if (options_.config.cleanup_compact || segments.at(index)->base_offset() <= options_.first_dirty_offset) co_return true;
  for (size_t i = 0; i < segments.size(); ++i) {
    Segment& segment = *segments.at(i);
    CO_TRY_ASSIGN(auto file, segment.open_file());
    BatchWalker walker(file, 0, segment.size());
    Offset next = segment.base_offset();
    for (bool sound = true; sound;) {
      CO_TRY_ASSIGN(sound, co_await walker.fill());
      while (const auto walked = walker.next()) {
        const auto batch = protocol::BatchView::parse(walked->bytes);
        sound = batch && protocol::any_crc_matches(walked->bytes);
        if (!sound) break;  // What follows damage is no evidence.
        if (batch->base_offset() > next || batch->record_count() <= batch->last_offset_delta()) co_return true;
        next = batch->next_offset();
      }
      co_await io::yield(context_.loop, io::Priority::kBackground);
      if (context_.end_loading) co_return fail(ErrorCode::kOperationNotAttempted, "the node stops");
    }
  }
  co_return false;
}

// How much of the segment (bytes) lies below the offset and has indexes that can be believed; 0: scan all. Indexes keep only that.
Result<uint64_t> Loader::trusted_prefix(Segment& segment, Offset trusted_below) {
  if (trusted_below <= segment.base_offset() || !segment.offsets().file().exists() || !segment.times().file().exists()) return uint64_t{0};
  OffsetIndex& index = segment.offsets();
  // Entries must ascend up to the first that is not below the recovery point; what follows was not synced and may be anything.
  size_t keep = 0;
  OffsetPosition previous{segment.base_offset() - 1, 0};
  TRY(index.visit([&](const OffsetPosition& entry) {
    if (entry.offset >= trusted_below || entry.offset <= previous.offset || entry.position >= segment.size()) return false;
    previous = entry;
    ++keep;
    return true;
  }));
  if (keep == 0) return uint64_t{0};
  index.file().rebuild_from(keep);
  size_t keep_times = 0;
  TimestampEntry newest{kNoTimestamp, segment.base_offset()};
  TRY(segment.times().visit([&](const TimestampEntry& entry) {
    if (entry.offset > previous.offset || entry.timestamp <= newest.timestamp || entry.offset < newest.offset) return false;
    newest = entry;
    ++keep_times;
    return true;
  }));
  segment.times().file().rebuild_from(keep_times);
  if (!segment.transactions().check(segment.base_offset())) return uint64_t{0};
  // The scan begins at the batch of the last entry, which is below the recovery point. Its base offset lies outside of its CRC.
  TRY_ASSIGN(const auto first, segment.batch_at(previous.position));
  if (!first || first->base_offset < segment.base_offset() || first->last_offset > previous.offset) return uint64_t{0};
  TRY(segment.transactions().truncate_to(previous.offset));
  index.file().rebuild_from(keep - 1);
  return previous.position;
}

// Scans the segment from what is trusted on and builds its indexes. `tail`: it and what follows was not known to be synced. False where
// it had to be cut.
io::Task<Result<bool>> Loader::recover_segment(size_t index, Offset trusted_below, bool tail) {
  Segment& segment = *loaded_.segments->at(index);
  recovered_any_ = true;
  tail_recovered_ = tail;
  CO_TRY_ASSIGN(const uint64_t from, trusted_prefix(segment, trusted_below));
  to_scan_ += segment.size() - from;
  if (to_scan_ > options_.scan_at_most) co_return fail(ErrorCode::kOperationNotAttempted, "too much to scan");
  if (from == 0) CO_TRY(unless_full(segment.clear_indexes()));
  Offset previous_last = segment.base_offset() - 1;
  if (from > 0) {
    CO_TRY_ASSIGN(const auto first, segment.batch_at(from));
    if (first) previous_last = first->base_offset - 1;
  }
  ProducerStates& producers = *loaded_.producers;
  if (producers.end_offset() != previous_last + 1 || index == 0) {
    CO_TRY(producers.load_newest(options_.log_start_offset, previous_last + 1, now()));
    CO_TRY(co_await replay_producers_to(previous_last + 1));
  }
  producers.set_end_offset(previous_last + 1);
  // The batches say what epochs there are; the file may be older than a truncation. Not so for a segment in the middle.
  // Its indexes are written anew from here on: they are synced again only by a flush that begins here.
  if (tail) {
    loaded_.epochs->truncate_from_end(previous_last + 1);
    loaded_.recovery_point = std::min(loaded_.recovery_point, previous_last + 1);
  }
  const uint64_t end = segment.size();
  segment.restart_indexing(from);
  CO_TRY_ASSIGN(auto file, segment.open_file());
  BatchWalker walker(file, from, end);
  io::BackgroundSlice slice(context_.loop);
  uint64_t good = from;
  bool bad = false;
  while (!bad) {
    while (auto walked = walker.next()) {
      CO_TRY_ASSIGN(const bool valid, take_batch(segment, *walked, previous_last));
      if (!valid) {
        bad = true;
        break;
      }
      good = walker.position();
      if (slice.is_over()) co_await slice.pause();  // Others are served meanwhile.
    }
    if (bad) break;
    CO_TRY_ASSIGN(const bool more, co_await walker.fill());
    if (!more) break;
    // Like a crash at this point: the next start does the same again.
    if (context_.end_loading) co_return fail(ErrorCode::kOperationNotAttempted, "the node stops");
  }
  end_ = previous_last + 1;
  if (good < end) {
    if (end_ < options_.recovery_point) {
      SAMSA_LOG_ERROR("{}: damaged at byte {} (after offset {}), below the recovery point {}; the rest is kept in a .damaged file",
                      segment.path(), good, previous_last, options_.recovery_point);
      CO_TRY(set_damaged_aside(segment, good));
    } else {
      SAMSA_LOG_WARN("{}: cut at byte {} (after offset {}), {} bytes are no whole batch", segment.path(), good, previous_last, end - good);
    }
    CO_TRY(segment.truncate_bytes(good));
  } else {
    segment.set_size(good);
  }
  auto written = segment.finish();
  if (written && !tail) written = co_await segment.sync();
  if (!written && io::is_no_space(written.error())) loaded_.recovery_point = std::min(loaded_.recovery_point, segment.base_offset());
  CO_TRY(unless_full(std::move(written)));
  if (!tail) CO_TRY(disk_.sync_directory(options_.directory));
  // One without producers tells nothing that the batches do not.
  if (!producers.entries().empty()) CO_TRY(unless_full(producers.write_snapshot(false)));
  co_return good == end;
}

Result<bool> Loader::take_batch(Segment& segment, const WalkedBatch& walked, Offset& previous_last) {
  auto summary = protocol::summarize_batch(walked.bytes);
  if (!summary || !*summary) return false;
  const protocol::BatchSummary& batch = **summary;
  if (batch.base_offset < segment.base_offset() || batch.last_offset < batch.base_offset || batch.last_offset - segment.base_offset() > INT32_MAX) return false;
  if (batch.base_offset <= previous_last || !protocol::any_crc_matches(walked.bytes)) return false;
  BatchPlace place{batch.base_offset, batch.last_offset, walked.position, walked.bytes.size(), batch.max_timestamp, batch.magic};
  TRY(segment.index_batch(place, options_.config));
  previous_last = batch.last_offset;
  if (batch.magic != protocol::kMagicV2) {
    loaded_.producers->set_end_offset(batch.last_offset + 1);
    return true;
  }
  TRY_ASSIGN(const auto view, protocol::BatchView::parse(walked.bytes));
  if (view.leader_epoch() >= 0) loaded_.epochs->assign(view.leader_epoch(), view.base_offset());
  if (auto aborted = loaded_.producers->apply(view)) TRY(segment.transactions().append(*aborted));
  return true;
}

Result<void> Loader::set_damaged_aside(Segment& segment, uint64_t position) {
  constexpr size_t kPiece = 1 << 20;
  TRY_ASSIGN(auto from, segment.open_file());
  TRY_ASSIGN(const uint64_t end, from->size());
  TRY_ASSIGN(auto to, disk_.open(fmt::format("{}.{}.damaged", segment.path(), position), io::OpenMode::kCreateTruncate));
  Buffer piece(kPiece);
  for (uint64_t at = position; at < end;) {
    TRY_ASSIGN(const size_t got, from->read_at(MutableBytes(piece), at));
    if (got == 0) break;
    TRY(to->write_at(Bytes(piece).first(got), at - position));
    at += got;
  }
  return to->sync_now();
}

io::Task<Result<void>> Loader::write_again(Offset from) {
  SegmentList& segments = *loaded_.segments;
  if (segments.empty() || from >= end_) co_return Result<void>();
  for (size_t i = segments.index_of(from); i < segments.size(); ++i) {
    Segment& segment = *segments.at(i);
    uint64_t position = 0;
    if (from > segment.base_offset()) {
      CO_TRY_ASSIGN(const auto first, segment.find(from));
      if (first) position = first->position;
    }
    CO_TRY(co_await segment.write_again(context_.loop, position));
  }
  co_return Result<void>();
}

Result<void> Loader::start_empty(Offset offset) {
  auto segment = std::make_shared<Segment>(context_.files, options_.directory, offset, options_.config, now());
  TRY(segment->create(options_.config));
  loaded_.segments->add(std::move(segment));
  end_ = offset;
  loaded_.recovery_point = std::min(loaded_.recovery_point, offset);
  return {};
}

// ---- Producers ----

io::Task<Result<void>> Loader::load_producers() {
  ProducerStates& producers = *loaded_.producers;
  std::set<Offset> bases;
  for (const auto& segment : loaded_.segments->all()) bases.insert(segment->base_offset());
  producers.set_stray_snapshots_aside(bases);
  const bool had_any = !producers.snapshots().empty();
  CO_TRY(producers.set_snapshots_outside_aside(loaded_.log_start_offset, end_));
  std::ranges::move(producers.take_set_aside(), std::back_inserter(loaded_.useless_files));
  if (!options_.clean && tail_recovered_ && producers.end_offset() == end_) {
    // The recovery has just built the state.
    producers.expire(now());
    co_return Result<void>();
  }
  CO_TRY(producers.reload(loaded_.log_start_offset, end_, now()));
  if (options_.clean && !had_any) {
    // Kafka takes it that no snapshot after a clean stop means no producers.
    producers.clear_and_start_at(end_);
    if (end_ > loaded_.log_start_offset) CO_TRY(unless_full(producers.write_snapshot(false)));
    co_return Result<void>();
  }
  CO_TRY(co_await replay_producers_to(end_));
  producers.set_end_offset(end_);
  co_return Result<void>();
}

// Without snapshots this reads all of the log, as Apache Kafka does.
io::Task<Result<void>> Loader::replay_producers_to(Offset offset) {
  constexpr uint64_t kMuch = 1U << 20;  // Bytes: a snapshot keeps the next start from reading them again.
  const SegmentList& segments = *loaded_.segments;
  ProducerStates& producers = *loaded_.producers;
  const Offset from = producers.end_offset();
  uint64_t bytes = 0;
  if (from < offset && !segments.empty()) {
    for (size_t i = segments.index_of(from); i < segments.size() && segments.at(i)->base_offset() < offset; ++i) bytes += segments.at(i)->size();
    CO_TRY_ASSIGN(const auto first, segments.at(segments.index_of(from))->find(from));
    if (first) bytes -= first->position;
  }
  to_scan_ += bytes;
  if (to_scan_ > options_.scan_at_most) co_return fail(ErrorCode::kOperationNotAttempted, "too much to scan");
  CO_TRY(co_await replay_producers(context_.loop, producers, segments, offset, &context_.end_loading));
  if (bytes < kMuch) co_return Result<void>();
  producers.set_end_offset(offset);
  co_return unless_full(producers.write_snapshot(false));
}

}  // namespace

io::Task<Result<void>> replay_producers(io::Loop& loop, ProducerStates& states, const SegmentList& segments, Offset to, const bool* give_up) {
  const Offset from = states.end_offset();
  if (from >= to || segments.empty()) co_return Result<void>();
  io::BackgroundSlice slice(loop);
  for (size_t i = segments.index_of(from); i < segments.size() && segments.at(i)->base_offset() < to; ++i) {
    const std::shared_ptr<Segment> segment = segments.at(i);
    CO_TRY_ASSIGN(const auto first, segment->find(from));
    if (!first) continue;
    CO_TRY_ASSIGN(auto file, segment->open_file());
    BatchWalker walker(file, first->position, segment->size());
    for (bool more = true; more;) {
      while (auto walked = walker.next()) {
        if (slice.is_over()) co_await slice.pause();
        const protocol::BatchHeader header(walked->bytes.data());
        if (header.base_offset() >= to) co_return Result<void>();
        if (header.magic() != protocol::kMagicV2 || header.base_offset() < from) continue;
        CO_TRY_ASSIGN(const auto view, protocol::BatchView::parse(walked->bytes));
        states.apply(view);
      }
      CO_TRY_ASSIGN(more, co_await walker.fill());
      if (give_up != nullptr && *give_up) co_return fail(ErrorCode::kOperationNotAttempted, "the node stops");
    }
  }
  states.set_end_offset(to);
  co_return Result<void>();
}

std::string format_partition_metadata(Uuid topic_id) { return fmt::format("version: 0\ntopic_id: {}", topic_id.to_string()); }

Result<Uuid> read_partition_metadata(io::Disk& disk, const std::string& directory) {
  TRY_ASSIGN(const Buffer content, io::read_file(disk, io::join_path(directory, "partition.metadata")));
  const std::string_view text = as_text(content);
  constexpr std::string_view kHead = "version: 0\ntopic_id: ";
  constexpr size_t kIdSize = 22;
  if (!text.starts_with(kHead) || text.size() < kHead.size() + kIdSize) return fail(ErrorCode::kCorruptMessage, "not as it should be");
  auto id = Uuid::parse(text.substr(kHead.size(), kIdSize));
  if (!id || id->is_zero()) return fail(ErrorCode::kCorruptMessage, "no topic id");
  return *id;
}

io::Task<Result<LoadedLog>> load_log(LogContext& context, const OpenLog& options) {
  Loader loader(context, options);
  auto loaded = co_await loader.run();
  if (loaded || !io::is_no_space(loaded.error()) || loader.useless_files().empty()) co_return loaded;
  for (const auto& path : loader.useless_files()) (void)co_await context.disk.remove_file_async(path);  // They make room.
  Loader again(context, options);
  co_return co_await again.run();
}

}  // namespace samsa::storage
