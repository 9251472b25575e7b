// ProducerStates: what a partition remembers of its idempotent and transactional producers (KIP-98, KIP-360, KIP-890).
//
// Per producer: epoch, the last five batches (to recognise repeats and gaps), the first offset of its open transaction. Over all:
// open transactions, and completed ones whose markers are not yet below the high watermark; both hold back the last stable offset.
// The state is what replaying the batches gives; snapshots ("<offset>.snapshot") spare the replay. check() changes nothing, so that a
// batch that is refused, or whose write fails, leaves no trace; apply() follows the write. Owner: the log's shard.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"
#include "protocol/record_batch.h"
#include "storage/indexes.h"
#include "storage/producer_snapshot.h"

namespace samsa::storage {

// Whether the batch comes from a client or coordinator (checked) or was accepted by a leader before (taken as it is).
enum class ProducerCheck { kClient, kCoordinator, kAccepted };

struct ProducerBatch {
  int32_t last_sequence = kNoSequence;
  Offset last_offset = -1;
  int32_t offset_delta = 0;
  TimestampMs timestamp = kNoTimestamp;
  [[nodiscard]] int32_t first_sequence() const;
  [[nodiscard]] Offset first_offset() const { return last_offset - offset_delta; }
};

struct ProducerEntry {
  static constexpr size_t kBatches = 5;

  int16_t producer_epoch = kNoProducerEpoch;
  int32_t coordinator_epoch = -1;
  TimestampMs last_timestamp = kNoTimestamp;
  std::optional<Offset> transaction_first_offset;
  uint8_t batch_count = 0;
  ProducerBatch batches[kBatches];  // Oldest first.

  [[nodiscard]] int32_t last_sequence() const { return batch_count == 0 ? kNoSequence : batches[batch_count - 1].last_sequence; }
  void add(const ProducerBatch& batch);
};

class ProducerStates {
 public:
  // `expiration_ms` (producer.id.expiration.ms) outlives this and may change.
  ProducerStates(io::Disk& disk, std::string directory, const int64_t& expiration_ms)
      : disk_(disk), directory_(std::move(directory)), expiration_ms_(expiration_ms) {}
  ProducerStates(io::Disk& disk, std::string directory, int64_t&& expiration_ms) = delete;

  // ---- Batches ----
  // The remembered batch that this one repeats.
  [[nodiscard]] std::optional<ProducerBatch> find_duplicate(const protocol::BatchHeader& batch) const;
  // Whether the batch (with its offsets assigned) may follow. Errors: OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH,
  // INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED. `transactions_v2`: a new producer begins at 0, a marker bumps the epoch.
  Result<void> check(const protocol::BatchView& batch, ProducerCheck check, bool transactions_v2 = false) const;
  // Takes the batch in. Where it is the abort marker of an open transaction: the entry for the transaction index.
  std::optional<AbortedEntry> apply(const protocol::BatchView& batch);
  // Offset up to which batches have been applied.
  [[nodiscard]] Offset end_offset() const { return end_offset_; }
  void set_end_offset(Offset offset) { end_offset_ = offset; }

  // ---- Transactions ----
  // First offset of an open transaction or of one whose marker is not below the high watermark.
  [[nodiscard]] std::optional<Offset> first_unstable_offset() const;
  // Markers below `high_watermark` no longer hold anything back.
  void replicated_to(Offset high_watermark);
  [[nodiscard]] bool has_open_transaction(int64_t producer_id, int16_t producer_epoch) const;
  // Verification with the coordinator (KIP-890): the guard of this producer's running verification, made where there is none.
  uint64_t begin_verification(int64_t producer_id, int16_t epoch, int32_t sequence, TimestampMs now);
  // INVALID_TXN_STATE where the guard is not (or no longer) the producer's; OUT_OF_ORDER_SEQUENCE_NUMBER above the lowest verified one.
  Result<void> check_guard(int64_t producer_id, int32_t sequence, uint64_t guard) const;
  void end_verification(int64_t producer_id) { verifications_.erase(producer_id); }

  // ---- Snapshots ----
  // Notes the snapshot files found in the directory.
  void set_snapshots(std::set<Offset> offsets) { snapshots_ = std::move(offsets); }
  [[nodiscard]] const std::set<Offset>& snapshots() const { return snapshots_; }
  // Loads the newest readable snapshot in (log_start, log_end], removing damaged ones and setting aside those out of range; else starts empty at
  // log_start. The caller replays the batches from end_offset() on.
  Result<void> reload(Offset log_start, Offset log_end, TimestampMs now);
  // The same without looking at snapshots out of range, for the recovery of a segment in the middle.
  Result<void> load_newest(Offset log_start, Offset at_most, TimestampMs now);
  // Writes "<end_offset>.snapshot" unless it is there. `sync`: durably.
  Result<void> write_snapshot(bool sync);
  // Syncs the snapshots that were written without. Of a compacted log the state cannot be had from the batches alone: the recovery point
  // must not move beyond a snapshot that is not on disk.
  io::Task<Result<void>> sync_snapshots();
  // Of a start: sets aside the snapshots of offsets that are no segment's base, but the newest; and those outside of (log_start, log_end].
  void set_stray_snapshots_aside(const std::set<Offset>& segment_bases);
  Result<void> set_snapshots_outside_aside(Offset log_start, Offset log_end);
  // "....snapshot.deleted": the files set aside since the last call, to be removed when there is time: that frees a block, and may take a millisecond.
  std::vector<std::string> take_set_aside() { return std::exchange(set_aside_, {}); }
  Result<void> remove_snapshot(Offset offset);
  // Gives it its ".deleted" name: it is removed when there is time, and what goes with its segment goes later, as in Kafka. Without room for a longer
  // name it goes at once.
  Result<void> set_aside(Offset snapshot);
  [[nodiscard]] std::string set_aside_path(Offset snapshot) const { return snapshot_path(snapshot) + ".deleted"; }
  void forget_snapshot(Offset offset) { snapshots_.erase(offset); }
  [[nodiscard]] std::string snapshot_path(Offset offset) const;
  void clear_and_start_at(Offset offset);

  // ---- About ----
  void expire(TimestampMs now);
  [[nodiscard]] const std::unordered_map<int64_t, ProducerEntry>& entries() const { return entries_; }
  void set_directory(std::string directory) { directory_ = std::move(directory); }

 private:
  struct Verification {
    uint64_t guard;
    TimestampMs since;
    int32_t lowest_sequence;
    int16_t epoch;
  };
  Result<void> check_sequence(const protocol::BatchView& batch, const ProducerEntry* entry, bool transactions_v2) const;
  Result<void> check_marker(const protocol::BatchView& batch, const ProducerEntry* entry, bool transactions_v2) const;
  std::optional<AbortedEntry> apply_marker(const protocol::BatchView& batch);
  [[nodiscard]] bool expired(const ProducerEntry& entry, TimestampMs now) const;

  io::Disk& disk_;
  std::string directory_;
  const int64_t& expiration_ms_;
  std::unordered_map<int64_t, ProducerEntry> entries_;
  std::map<Offset, int64_t> open_;            // First offset -> producer.
  std::map<Offset, Offset> unreplicated_;     // First offset -> marker's offset.
  std::unordered_map<int64_t, Verification> verifications_;
  uint64_t next_guard_ = 1;
  std::set<Offset> snapshots_;
  std::vector<std::string> set_aside_;
  std::set<Offset> unsynced_;  // Of these, those not known to be on disk.
  Offset end_offset_ = 0;
};

// "00000000000000000042" + suffix.
std::string offset_file_name(Offset offset, std::string_view suffix);
// The offset of such a name with exactly this suffix.
std::optional<Offset> parse_offset_file_name(std::string_view name, std::string_view suffix);

}  // namespace samsa::storage
