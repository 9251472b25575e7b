// Cleaner: compaction of one log: of the records below the active segment only the last one of every key stays (docs/formats/log.md,
// "Compaction"). Offsets never change, the active segment is never touched.
//
// A round: (1) the keys of the dirty part go into a KeyMap until it is full; (2) groups of segments from the start of the log are
// copied without the records that a later one replaces; (3) each group's copy takes the place of its sources by renames that a crash
// at any point leaves either undone or to be completed by the next start. On a disk that is nearly full a group is as much as there is
// room for (fitting()), and what was replaced makes room for the next; the reserve is never touched. Tombstones and the markers of
// emptied transactions get a delete horizon when they are first met and go when it has passed. Reads between go on; a truncation or
// retention meanwhile ends the round (Log::end_cleaning), at the latest with its next piece.
// Owner: the log's shard. Yields to others after every piece.
#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/batch_walker.h"
#include "storage/cleaner_options.h"
#include "storage/key_map.h"
#include "storage/log.h"
#include "storage/producer_state.h"
#include "storage/segment_list.h"

namespace samsa::storage {

struct CleanStats {
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  int64_t records_read = 0;
  int64_t records_kept = 0;
  Offset clean_to = 0;  // The log is clean below this offset: the next round's first dirty offset.
};

// What there is to clean in a log.
struct Cleanable {
  Offset first_dirty = 0;
  Offset first_uncleanable = 0;
  uint64_t clean_bytes = 0;
  uint64_t cleanable_bytes = 0;
  bool due = false;  // max.compaction.lag.ms has passed for the oldest dirty records.
  [[nodiscard]] double dirty_ratio() const {
    const uint64_t total = clean_bytes + cleanable_bytes;
    return total == 0 ? 0 : static_cast<double>(cleanable_bytes) / static_cast<double>(total);
  }
};

class LogCleaner {
 public:
  // `limits`: where max_bytes_per_second is looked up again for each piece; outlives the cleaner. Null: it stays as in `options`.
  LogCleaner(Log& log, CleanerOptions options, const CleanerOptions* limits = nullptr);
  // `first_dirty` as checkpointed; corrected where it lies outside of the log.
  static Result<Cleanable> cleanable(Log& log, Offset first_dirty);
  // One round. OPERATION_NOT_ATTEMPTED where there was nothing to do or the log changed meanwhile; an error of a full disk where there is
  // no room for a copy. After any error the first dirty offset is what it was: what the round did not see is not clean.
  io::Task<Result<CleanStats>> clean(Cleanable range);

 private:
  // Which transactions are aborted, and which still have data, as the batches pass in order.
  class Transactions {
   public:
    explicit Transactions(std::vector<AbortedEntry> aborted);
    // A data batch: whether it belongs to an aborted transaction.
    bool on_data(const protocol::BatchView& batch);
    // A marker: whether no data of its transaction was seen. Otherwise, for aborts, the entry to keep in the index.
    bool on_marker(const protocol::BatchView& batch, std::optional<AbortedEntry>& keep);

   private:
    struct Open {
      AbortedEntry entry;
      bool has_data = false;
    };
    void begin_up_to(Offset offset);
    std::vector<AbortedEntry> aborted_;  // By first offset.
    size_t next_ = 0;
    std::unordered_map<int64_t, Open> open_aborted_;
    std::unordered_set<int64_t> open_committed_;
  };

  struct Output;
  static Result<Cleanable> look(const Log& log, Offset first_dirty);
  io::Task<Result<CleanStats>> clean_round(Cleanable range);
  io::Task<Result<void>> build_map(const Cleanable& range);
  Result<bool> map_batch(const protocol::BatchView& batch, Transactions& transactions, Offset from);
  using Sources = std::vector<std::shared_ptr<Segment>>;
  io::Task<Result<size_t>> fitting(const Sources& group, const Transactions& transactions);
  io::Task<Result<void>> clean_group(Sources sources, Transactions& transactions);
  io::Task<Result<void>> copy_segment(Segment& source, Transactions& transactions, Output& output);
  Result<void> filter(const protocol::BatchView& batch, Transactions& transactions, Output& output);
  [[nodiscard]] bool keeps(const protocol::BatchView& batch, const protocol::Record& record) const;
  [[nodiscard]] bool is_last_of_producer(const protocol::BatchView& batch) const;
  Result<void> rewrite(const protocol::BatchView& batch, const std::vector<protocol::Record>& kept, bool set_horizon, Output& output);
  Result<void> flush_output(Output& output);
  [[nodiscard]] uint64_t room() const;  // Bytes above the reserve.
  [[nodiscard]] Error no_room(uint64_t bytes) const;
  io::Task<> free_spent();
  io::Task<Result<void>> exchange(const Sources& sources, Output& output);
  io::Task<Result<void>> replace(const Sources& sources, Output& output);
  [[nodiscard]] Result<size_t> place_of(const Sources& sources) const;
  Result<void> take_place(const Sources& sources, size_t first, Output& output);
  io::Task<Result<bool>> fill(BatchWalker& walker);
  io::Task<> throttle(uint64_t bytes);
  // Whether the round is to end: everything that suspends asks this before it goes on.
  [[nodiscard]] bool interrupted() const { return log_.closed_ || log_.failure_ || log_.cleanings_ended_ != cleanings_ended_; }
  [[nodiscard]] static Error ended() { return {ErrorCode::kOperationNotAttempted, "the log changed"}; }
  std::vector<Sources> groups() const;

  Log& log_;
  CleanerOptions options_;
  const CleanerOptions* limits_;
  KeyMap map_;
  CleanStats stats_;
  Sources spent_;  // What copies have replaced in this round; their files wait for their removal.
  TimestampMs now_;
  uint64_t cleanings_ended_;
  protocol::Scratch scratch_;
  bool half_exchanged_ = false;  // A copy stands in the log, but not yet under its name.
  double throttle_debt_ = 0;     // Bytes that no time has passed for yet.
  io::MonoTime throttled_at_;
};

}  // namespace samsa::storage
