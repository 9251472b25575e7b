// Log: one partition's records on disk: an ordered list of segments, the last of which is written.
//
// Invariants: offsets only grow; recovery_point <= log_end_offset; high_watermark in [log start, log end]; everything below the
// recovery point is synced, with indexes and epochs;
// a batch lies wholly in one segment; what is acknowledged is in the page cache (LogConfig::durable: on disk).
// Owner: one shard; all calls on its loop. Appends are synchronous but for append_as_leader_async(). Tasks may suspend; the Log must outlive them
// (close() waits).
// Formats: docs/formats/log.md. Retention, roll and recovery rules are those of Apache Kafka 4.3.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"
#include "protocol/compression.h"
#include "storage/log_config.h"

namespace samsa::protocol {
class BatchView;
struct ValidBatch;
}  // namespace samsa::protocol

namespace samsa::storage {

class FilePool;
class Log;
class LeaderEpochCache;
class ProducerStates;
class Segment;
class SegmentList;
class SpaceLeft;
struct AbortedEntry;
struct BatchPlace;
struct LoadedLog;

// Who built the batch: decides what is checked and which state it may change.
enum class AppendOrigin {
  kClient,       // A produce request: everything is checked, no control batches.
  kCoordinator,  // A coordinator's own records (offsets, groups, transaction state): no producer sequence checks.
  kMarker,       // A transaction marker (control batch) written by WriteTxnMarkers.
  kRaft,         // The metadata log's leader: control and data batches, no checks, no producer state.
};

// One record that a batch was refused for (ProduceResponse.record_errors).
struct RecordError {
  int32_t batch_index = 0;  // Index of the record within the batch.
  std::string message;
};

// Proof that a transaction was verified with its coordinator; 0: none. See Log::begin_verification.
using VerificationGuard = uint64_t;
inline constexpr VerificationGuard kNoGuard = 0;

struct LeaderAppend {
  LeaderEpoch leader_epoch = 0;
  AppendOrigin origin = AppendOrigin::kClient;
  VerificationGuard guard = kNoGuard;               // For transactional batches of clients.
  // Produce v12+: a producer without state must begin at sequence 0. For markers: of transaction.version 2, the epoch is bumped.
  bool transactions_v2 = false;
  int16_t produce_version = INT16_MAX;              // Below 7 zstd is refused.
  std::vector<RecordError>* record_errors = nullptr;  // Filled where INVALID_RECORD / INVALID_TIMESTAMP is returned for records.
};

struct AppendInfo {
  Offset first_offset = -1;  // Of the first record.
  Offset last_offset = -1;
  TimestampMs log_append_time = kNoTimestamp;  // Only where the topic has LogAppendTime.
  TimestampMs max_timestamp = kNoTimestamp;
  Offset log_start_offset = -1;
  uint32_t bytes = 0;      // As stored.
  bool duplicate = false;  // The producer sent it before: nothing was written, the offsets are those of the first time.
  bool rolled = false;     // A new segment was begun.
};

struct ReadRequest {
  Offset offset = 0;           // First offset wanted; the first batch may begin below it.
  uint64_t max_bytes = 0;      // Length limit; the slice may end inside a batch (then at least one whole batch precedes it).
  Offset upper_bound = 0;      // Exclusive: high watermark, last stable offset or log end. Capped to the log end.
  bool min_one_batch = false;  // Return the first batch whole even if it is larger than max_bytes.
  bool aborted_transactions = false;  // Fill LogRead::aborted (read_committed).
};

struct AbortedTransaction {
  int64_t producer_id = kNoProducerId;
  Offset first_offset = 0;
};

struct LogRead {
  std::vector<io::FileSlice> slices;  // Empty: nothing to read below the upper bound or within max_bytes.
  Offset first_batch_offset = -1;     // Base offset of the first batch; -1 when empty.
  std::vector<AbortedTransaction> aborted;
  bool segment_end = false;           // The slice ends where its segment ends: more may follow in the next one.
  [[nodiscard]] uint64_t size() const {
    uint64_t total = 0;
    for (const auto& slice : slices) total += slice.length;
    return total;
  }
};

struct TimestampOffset {
  TimestampMs timestamp = kNoTimestamp;
  Offset offset = -1;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};

// OffsetForLeaderEpoch's answer: the largest known epoch <= the one asked for and where it ends.
struct EpochEndOffset {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = -1;
};

// What DescribeProducers tells.
struct ActiveProducer {
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t last_sequence = kNoSequence;
  TimestampMs last_timestamp = kNoTimestamp;
  int32_t coordinator_epoch = -1;
  std::optional<Offset> transaction_start;
};

// The world of a shard's logs; shared by all of them and outlives them.
struct LogContext {
  io::Loop& loop;
  io::Disk& disk;
  FilePool& files;
  int64_t producer_id_expiration_ms = 86'400'000;
  bool verify_transactions = true;  // transaction.partition.verification.enable
  // Told when a write, sync or read of a log failed for another reason than a full disk; called within that operation, so it may only note
  // or post. Not called twice for the same log.
  std::function<void(Log&, const Error&)> on_failure = {};
  bool end_loading = false;  // The node stops: logs that are being opened fail with OPERATION_NOT_ATTEMPTED, as if it had died then.
};

struct OpenLog {
  std::string directory;  // Of the partition; made if missing.
  TopicPartition partition;
  Uuid topic_id;  // Zero: taken from partition.metadata if that exists; else written there before the first append.
  Uuid stored_topic_id;  // Where the caller has just read it from partition.metadata.
  LogConfig config;
  Offset recovery_point = 0;    // From the checkpoints of the log directory.
  Offset log_start_offset = 0;  // The same.
  Offset high_watermark = 0;    // The same; capped to what the log has.
  Offset first_dirty_offset = 0;  // The same: what lies below was compacted.
  bool clean = false;           // The log directory was shut down cleanly: nothing is scanned.
  uint64_t scan_at_most = UINT64_MAX;  // Bytes; a log whose recovery must read more is not opened (OPERATION_NOT_ATTEMPTED).
  // A sync of what stands from here on may have failed before the start. The system then takes it for written, and the next sync succeeds
  // without it: so it is written once more before the log is opened, and the next sync means what it says.
  std::optional<Offset> write_again_from;
};

class Log {
 public:
  // Opens or creates the log; recovers it where `clean` is not set. INCONSISTENT_TOPIC_ID where partition.metadata has another id;
  // KAFKA_STORAGE_ERROR where the disk fails.
  static io::Task<Result<std::unique_ptr<Log>>> open(LogContext& context, OpenLog options);
  ~Log();
  Log(const Log&) = delete;

  // ---- Append ----
  // Appends one batch. Assigns base offset and leader epoch in place (the caller's bytes change) and writes them without a copy;
  // only recompression and the repair of inner offsets build a new batch. For kClient everything about the batch is checked here
  // (structure, CRC, records, timestamps, keys of compacted topics, producer sequence), so callers need not.
  // Errors: CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE,
  // UNSUPPORTED_COMPRESSION_TYPE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE,
  // TRANSACTION_COORDINATOR_FENCED, KAFKA_STORAGE_ERROR (then nothing of the batch is visible).
  Result<AppendInfo> append_as_leader(MutableBytes batch, const LeaderAppend& options);
  // The same with the write on the disk's threads, for when appends stand. Until it resumes the batch must stay, and who else would append, cut or
  // change the role waits (replication::Partition sees to that); reads, syncs, retention and close() may go on.
  io::Task<Result<AppendInfo>> append_as_leader_async(MutableBytes batch, LeaderAppend options);
  // Whether an append of so many bytes may stand in the system (io::File::writes_stand) or behind another one's write.
  [[nodiscard]] bool appends_stand(size_t bytes) const;
  // Whether the disk has no room but its reserve: what a leader or another directory sends is not taken then.
  [[nodiscard]] bool out_of_room() const;
  // Appends whole batches as the leader sent them, offsets kept; a partial batch at the end is dropped. Offsets must be at or after
  // the log end (gaps are legal), leader epochs must not be above `leader_epoch`. Info of an empty append has last_offset -1.
  // CORRUPT_MESSAGE for bad structure or CRC, OFFSET_OUT_OF_RANGE for offsets below the log end; an error of a full disk where the reserve
  // would be touched.
  Result<AppendInfo> append_as_follower(Bytes batches, LeaderEpoch leader_epoch);
  // Waits until everything below `offset` is on disk. Many waiters share one sync (group commit). The place where "acknowledged
  // means synced" is made: replication awaits it before it answers when config().durable.
  io::Task<Result<void>> wait_durable(Offset offset);
  [[nodiscard]] bool is_durable(Offset offset) const { return durable_offset_ >= offset; }

  // Before AddPartitionsToTxn: the guard to hand to the append, or nothing if the producer already has an open transaction here
  // (or verification is off). A marker of the producer in between invalidates the guard.
  std::optional<VerificationGuard> begin_verification(int64_t producer_id, int16_t producer_epoch, int32_t base_sequence,
                                                      bool transactions_v2);
  [[nodiscard]] bool has_open_transaction(int64_t producer_id, int16_t producer_epoch) const;

  // ---- Read ----
  // OFFSET_OUT_OF_RANGE below the log start or above the log end. A read at or above the upper bound is empty.
  // Tail reads answer from memory and do not suspend.
  io::Task<Result<LogRead>> read(ReadRequest request);
  // The same as bytes in memory, cut to whole batches (for coordinators, the metadata log, tools).
  io::Task<Result<Buffer>> read_bytes(ReadRequest request);
  // Aborted transactions that overlap [from, to).
  Result<std::vector<AbortedTransaction>> aborted_transactions(Offset from, Offset to);

  // First record with a timestamp >= the one given, below the log end; nothing if none.
  io::Task<Result<std::optional<TimestampOffset>>> offset_for_timestamp(TimestampMs timestamp);
  // First record that carries the greatest timestamp of those from the log start on; nothing if there is none.
  io::Task<Result<std::optional<TimestampOffset>>> offset_of_max_timestamp();

  // ---- Offsets ----
  [[nodiscard]] Offset log_start_offset() const { return log_start_offset_; }
  [[nodiscard]] Offset log_end_offset() const { return log_end_offset_; }
  [[nodiscard]] Offset recovery_point() const { return recovery_point_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  // Moves the high watermark (up or down), capped to [log start, log end]; returns whether it changed.
  bool set_high_watermark(Offset offset);
  // min(high watermark, first offset of an open or not yet replicated transaction).
  [[nodiscard]] Offset last_stable_offset() const;
  // Bytes of log data from `offset` (a batch start that was read or appended lately) to `to`, estimated without reading; used for
  // min.bytes. Never less than 0; 0 when from >= to.
  [[nodiscard]] uint64_t bytes_between(Offset from, Offset to) const;
  // Base offset of the segment that holds the offset.
  [[nodiscard]] Offset segment_base_of(Offset offset) const;
  // Base offset of the first segment; the log start may be above it.
  [[nodiscard]] Offset first_segment_offset() const;

  // ---- Leader epochs ----
  [[nodiscard]] LeaderEpoch latest_epoch() const;  // -1: none.
  [[nodiscard]] LeaderEpoch epoch_of(Offset offset) const;
  [[nodiscard]] LeaderEpoch earliest_epoch() const;
  // As OffsetForLeaderEpoch answers; the latest epoch ends at the log end; {-1, -1} where unknown.
  [[nodiscard]] EpochEndOffset end_offset_for_epoch(LeaderEpoch epoch) const;
  // A new leader notes its epoch at the log end before it appends.
  Result<void> begin_epoch(LeaderEpoch epoch);

  // ---- Truncate, delete ----
  // Removes everything at and above `offset`, durably. At or above the log end: nothing happens. The recovery point checkpoint must be
  // written again before anything is appended: the old one may say that offsets are synced which are written anew.
  io::Task<Result<void>> truncate_to(Offset offset);
  // Removes everything and starts empty at `offset`.
  io::Task<Result<void>> truncate_fully_and_start_at(Offset offset);
  // DeleteRecords and the leader's word to followers: records below `offset` are gone. Never moves back.
  // OFFSET_OUT_OF_RANGE above the high watermark.
  Result<bool> advance_log_start(Offset offset);
  // Retention by log start, time and size; returns the number of segments deleted (renamed; the files go after
  // file.delete.delay.ms).
  Result<size_t> delete_old_segments();
  // Compaction: the offset below which the log is clean (cleaner-offset-checkpoint).
  [[nodiscard]] Offset first_dirty_offset() const { return first_dirty_offset_; }
  void set_first_dirty_offset(Offset offset) { first_dirty_offset_ = offset; }
  // A compaction under way comes to its end soon, and nothing of what it has not yet put in place is: the log was cut, goes, moves to another
  // directory, or the node stops.
  void end_cleaning();
  // Begins a new segment at the log end (the metadata log before a snapshot, tests).
  Result<void> roll();

  // ---- Flush, close ----
  // Syncs everything written so far, indexes and directory too, and moves the recovery point there.
  io::Task<Result<void>> flush();
  // flush.messages / flush.ms: whether flush() is due.
  [[nodiscard]] bool flush_due() const;
  // Clean close: trims the indexes, writes the producer snapshot, syncs. Afterwards only the destructor may be called.
  io::Task<Result<void>> close();
  // The same in three steps, for many logs at a time: what is left goes to the page cache; the caller syncs the whole file system; files
  // take their places; it syncs again; the log counts as synced.
  io::Task<Result<void>> begin_close();
  Result<void> continue_close();
  void end_close_synced();
  // Closes without writing anything: a directory that failed, a partition that is deleted. Waits for syncs under way.
  io::Task<> abandon();
  // Removes the files whose delay has passed. Call now and then; LogManager does, by taking them.
  void remove_deleted_files();
  // Their paths, for who removes them: this log has forgotten them.
  std::vector<std::string> take_deleted_files();

  // ---- About ----
  [[nodiscard]] const TopicPartition& partition() const { return partition_; }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] Uuid topic_id() const { return topic_id_; }
  // Writes partition.metadata durably; INCONSISTENT_TOPIC_ID where another id is there.
  Result<void> assign_topic_id(Uuid id);
  [[nodiscard]] const LogConfig& config() const { return config_; }
  void update_config(const LogConfig& config);
  // What is left on its disk: where that is too little, batches of clients and leaders are refused with KAFKA_STORAGE_ERROR (retriable) until
  // there is room again. Must outlive the log; null: nothing is refused.
  void set_space(SpaceLeft* space) { space_ = space; }
  [[nodiscard]] uint64_t size_bytes() const;
  [[nodiscard]] size_t segment_count() const;
  [[nodiscard]] std::vector<ActiveProducer> active_producers() const;
  [[nodiscard]] size_t producer_count() const;
  // Drops producers idle for longer than producer.id.expiration.ms without an open transaction.
  void expire_producers();
  // The partition directory was (or is to be) renamed: -delete, -future, -stray. Renames on disk and keeps serving.
  Result<void> rename_directory(const std::string& to);

 private:
  friend class LogCleaner;
  Log(LogContext& context, OpenLog options, LoadedLog loaded);

  // log_append.cc
  struct Checked;
  Result<void> check_record_data(MutableBytes batch, const LeaderAppend& options, Checked& checked);
  Result<AppendInfo> begin_append(MutableBytes batch, const LeaderAppend& options, Checked& checked);
  Result<std::optional<AppendInfo>> check_producer(const protocol::BatchView& batch, const LeaderAppend& options) const;
  [[nodiscard]] Result<bool> must_roll(uint64_t bytes, Offset last_offset, TimestampMs max_timestamp) const;
  Result<void> write_batches(Bytes batches, std::span<BatchPlace> places);
  Result<void> after_write(const protocol::BatchView& batch);
  void keep_room_ahead();
  Result<void> roll_at(Offset base);
  Result<void> store_topic_id();
  Error failed(Error error);
  Result<void> may_append();
  // The same for what went wrong while reading: a device that fails, and neither damaged content nor a lack of handles or memory.
  Error read_failed(Error error) { return io::is_device_error(error) ? failed(std::move(error)) : error; }

  // log_read.cc
  Result<LogRead> read_segment(Segment& segment, const ReadRequest& request, Offset upper_bound);
  Result<void> collect_aborted(size_t segment_index, Offset from, Offset to, std::vector<AbortedTransaction>& into);
  Result<void> collect_entries(size_t segment_index, Offset from, Offset to, std::vector<AbortedEntry>& into) const;
  io::Task<Result<std::optional<TimestampOffset>>> find_timestamp(TimestampMs timestamp);
  io::Task<Result<std::optional<TimestampOffset>>> find_max_timestamp();
  io::Task<Result<std::optional<TimestampOffset>>> first_record_at(std::shared_ptr<Segment> segment, TimestampMs timestamp);
  io::Task<Result<std::optional<TimestampOffset>>> newest_record(std::shared_ptr<Segment> segment);

  // log_truncate.cc
  Result<void> remove_segments(std::vector<std::shared_ptr<Segment>> segments, bool with_snapshots);
  void doom_set_aside(io::MonoTime due);
  io::Task<> make_way_for_deleted(std::vector<std::shared_ptr<Segment>> segments);
  Result<size_t> deletable_segments() const;

  // log.cc
  io::Task<Result<void>> sync_range(Offset from, bool indexes);
  io::Task<> run_group_sync();
  io::Task<> flush_in_background();

  LogContext& context_;
  TopicPartition partition_;
  const std::string name_;  // Of the partition, for messages to clients.
  std::string directory_;
  Uuid topic_id_;
  LogConfig config_;
  std::unique_ptr<SegmentList> segments_;
  std::unique_ptr<ProducerStates> producers_;
  std::unique_ptr<LeaderEpochCache> epochs_;

  Offset log_start_offset_ = 0;
  Offset log_end_offset_ = 0;
  Offset recovery_point_ = 0;
  Offset high_watermark_ = 0;
  Offset durable_offset_ = 0;  // Synced up to here, indexes aside.
  Offset first_dirty_offset_ = 0;
  uint64_t truncations_ = 0;   // Lets a sync in flight notice that the log was cut meanwhile.
  uint64_t unflushed_records_ = 0;
  uint64_t unflushed_bytes_ = 0;
  TimestampMs last_flush_ms_ = 0;
  bool topic_id_stored_ = false;
  bool directory_dirty_ = true;  // Files were made or renamed since the directory was synced.
  bool name_durable_ = false;    // The directory's own name was synced in its parent.
  SpaceLeft* space_ = nullptr;
  bool closed_ = false;
  bool writing_ = false;          // append_as_leader_async() is in its write.
  io::Signal wrote_;
  uint64_t cleanings_ended_ = 0;  // Counts end_cleaning().
  std::optional<Error> failure_;  // A write or sync failed: nothing more is written.

  struct Doomed {
    std::string path;
    io::MonoTime due;
  };
  std::vector<Doomed> doomed_;
  bool sync_running_ = false;
  bool flush_running_ = false;
  io::Signal synced_;
  io::Mutex flushing_;
  io::Mutex cleaning_;
  io::Signal cleaning_ends_;
  io::TaskGroup background_;
  protocol::Scratch* scratch_;  // The thread's, for decompression.
};

}  // namespace samsa::storage
