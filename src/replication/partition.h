// Partition: one replica that this node hosts, as leader or follower: the role that the metadata image gives it, the high watermark,
// and everybody who waits for one of its offsets.
//
// Leader (partition_leader.cc): append() writes to the local log at once, append_async() by the disk's threads; wait_committed() resumes when the
// high watermark has passed.
// The high watermark is the least log end of the in-sync replicas (this one's counts when synced, where the topic asks for durable
// appends), it never falls within an epoch, and stays while the ISR is smaller than min.insync.replicas (KIP-966). Followers' fetches
// say how far they are; who is caught up joins the ISR, who lags leaves it, both through the controller. While such a change is on its
// way the greater of the two sets counts for the high watermark (KIP-497).
// Follower (partition_follower.cc): takes what its leader sends, within one leader epoch; the fetcher calls.
// Readers: consumers see up to the high watermark (or last stable offset), followers up to the log end.
// Waiting is a Watch linked into the partition: no timer and no queue of requests here; the waiter owns deadline and Watch.
// Owner: one shard; all calls on its loop. The Log outlives the Partition. Suspended calls keep the Partition alive (shared_ptr).
// Facts: docs/formats/replication.md; KIP-101, 320, 392, 966.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"
#include "metadata/image.h"
#include "metrics/topic_metrics.h"
#include "replication/isr.h"
#include "storage/log.h"

namespace samsa::replication {

class Partition;

// Waiting for data of one partition. Linked by Partition::watch, unlinked by its destructor or by the partition before `wake` is called
// for the last time. `wake` runs inside an append: it must only note and post.
class Watch {
 public:
  enum class Kind : uint8_t { kConsumer, kCommitted, kFollower };  // Wakes when HW, LSO or the log end moves.
  Watch() = default;
  Watch(const Watch&) = delete;
  ~Watch() { unlink(); }
  void unlink();
  [[nodiscard]] bool linked() const { return partition_ != nullptr; }

  Kind kind = Kind::kConsumer;
  Offset from = 0;           // What is counted from here on.
  void (*wake)(Watch&, uint64_t visible_bytes) = nullptr;  // kGone: role or epoch changed, or the partition goes away.
  static constexpr uint64_t kGone = UINT64_MAX;

 private:
  friend class Partition;
  Partition* partition_ = nullptr;
  Watch* previous_ = nullptr;
  Watch* next_ = nullptr;
};

// Who reads, and how far it may see.
enum class Reader : uint8_t { kConsumer, kCommittedConsumer, kFollower, kDebug };

struct FetchPosition {
  Offset offset = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;  // -1: not checked.
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;    // -1: no divergence check.
  uint64_t max_bytes = 0;
  bool min_one_batch = false;
};

struct PartitionRead {
  storage::LogRead log;
  Offset high_watermark = -1;
  Offset last_stable_offset = -1;
  Offset log_start_offset = -1;
  std::optional<storage::EpochEndOffset> diverging;  // Set: nothing was read.
  LeaderEpoch leader_epoch = kNoLeaderEpoch;         // In which it was read.
  Offset visible_end = -1;                           // Of the reader, when it was read.
};

// What a follower's fetch tells the leader.
struct FollowerFetch {
  int32_t replica = -1;
  int64_t broker_epoch = -1;  // -1: older versions do not say.
  Offset offset = 0;          // It has everything below.
  Offset log_start = -1;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  // In which the leader answers (PartitionRead).
};

struct AppendOptions {
  storage::LeaderAppend log;
  int16_t acks = 1;  // -1: refused while the ISR is below min.insync.replicas.
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  // `host` is told and asked about the ISR; null: the ISR never changes on this replica's word.
  Partition(io::Loop& loop, storage::Log& log, NodeId self, Uuid topic_id, IsrHost* host = nullptr);
  ~Partition();
  Partition(const Partition&) = delete;

  // Takes over what the image says. A higher leader epoch starts a new role; the same one updates ISR and replica lists.
  // KAFKA_STORAGE_ERROR when the new epoch cannot be written. For a higher leader epoch the caller holds changing(): nothing is being cut or written.
  Result<void> apply(const metadata::PartitionImage& image, int32_t min_insync_replicas);
  void set_min_insync_replicas(int32_t count);
  // The replica is deleted, reassigned or its directory failed: all waiters end with `why`; calls fail with it from now on.
  void close(ErrorCode why);

  // Where appends and reads are counted; without it they are not.
  void set_metrics(std::shared_ptr<metrics::TopicMetrics> metrics) { metrics_ = std::move(metrics); }
  [[nodiscard]] metrics::TopicMetrics* metrics() const { return metrics_.get(); }

  // ---- Role
  [[nodiscard]] bool is_leader() const { return leader_ == self_.value && !closed_; }
  [[nodiscard]] int32_t leader() const { return leader_; }
  [[nodiscard]] LeaderEpoch leader_epoch() const { return leader_epoch_; }
  [[nodiscard]] int32_t partition_epoch() const { return partition_epoch_; }
  [[nodiscard]] const std::vector<int32_t>& isr() const { return isr_; }
  [[nodiscard]] size_t replica_count() const { return replica_count_; }
  [[nodiscard]] bool below_min_isr() const;
  [[nodiscard]] bool at_min_isr() const;  // As many as min.insync.replicas, no more.
  [[nodiscard]] Uuid topic_id() const { return topic_id_; }
  [[nodiscard]] const TopicPartition& name() const { return log_.partition(); }
  [[nodiscard]] storage::Log& log() { return log_; }
  [[nodiscard]] const storage::Log& log() const { return log_; }
  // FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH by comparison with the client's epoch (-1: none), then NOT_LEADER_OR_FOLLOWER where the
  // leader is needed and is elsewhere.
  Result<void> check_role(LeaderEpoch client_epoch, bool need_leader) const;

  // ---- Leader
  // Appends one batch; the bytes are patched in place. Errors: those of Log::append_as_leader, NOT_LEADER_OR_FOLLOWER,
  // NOT_ENOUGH_REPLICAS.
  Result<storage::AppendInfo> append(MutableBytes batch, const AppendOptions& options);
  // The same for when appends stand (appends_stand): the write is made by the disk's threads, one after the other in the order of the calls.
  io::Task<Result<storage::AppendInfo>> append_async(MutableBytes batch, AppendOptions options);
  // Whether an append of so many bytes must be made so: it would keep the loop, or others are under way that were here before.
  [[nodiscard]] bool appends_stand(size_t bytes) const { return appends_under_way_ > 0 || log_.appends_stand(bytes); }
  // Resumes when everything up to `last_offset` is committed (and synced, where the topic is durable). NOT_LEADER_OR_FOLLOWER when the
  // leadership of `epoch` ends before, REQUEST_TIMED_OUT at the deadline, NOT_ENOUGH_REPLICAS_AFTER_APPEND when the ISR shrank.
  io::Task<Result<void>> wait_committed(Offset last_offset, LeaderEpoch epoch, io::MonoTime deadline);
  // For acks=1: resumes when the append is as durable as the topic asks for; at once where it does not ask.
  io::Task<Result<void>> wait_durable(Offset last_offset);
  // Whether a batch up to `last_offset` is committed already, so that nobody needs to wait.
  [[nodiscard]] bool is_committed(Offset last_offset) const { return log_.high_watermark() > last_offset; }
  // DeleteRecords: offset -1 is the high watermark. Gives the new log start. OFFSET_OUT_OF_RANGE above the high watermark.
  Result<Offset> delete_records(Offset offset);
  // Whether that broker may read as a follower: UNKNOWN_LEADER_EPOCH where it is not known (yet) as a replica, NOT_LEADER_OR_FOLLOWER
  // for the fetch of an earlier life of it.
  Result<void> check_follower(int32_t replica, int64_t broker_epoch) const;
  // A fetch that was answered at once, without error and divergence. Ignored where the leader epoch has moved on.
  void follower_fetched(const FollowerFetch& fetch);
  // The follower that a consumer at `offset` should rather read from (KIP-392): in sync, has that offset, `near` says yes; of several the one
  // that is furthest. nullopt where there is none.
  [[nodiscard]] std::optional<int32_t> nearest_follower(Offset offset, const std::function<bool(int32_t)>& near) const;
  // Proposes an ISR without those that have lagged for replica.lag.time.max.ms. Called at half of that.
  void shrink_isr();
  // The least log start of the live replicas, for DeleteRecords.
  [[nodiscard]] Offset low_watermark() const;
  // Resumes when low_watermark() has reached the offset: NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT.
  io::Task<Result<void>> wait_low_watermark(Offset offset, io::MonoTime deadline);

  // ---- Follower. Each fails with FENCED_LEADER_EPOCH when this is no longer the role of `epoch`.
  // Appends what the leader sent, takes over its high watermark and log start. Errors of Log::append_as_follower.
  Result<void> append_from_leader(Bytes batches, LeaderEpoch epoch, Offset leader_high_watermark, Offset leader_log_start);
  // Cuts what the leader does not have: `end` is where its log leaves the epoch that was fetched. Gives whether anything was cut.
  io::Task<Result<bool>> truncate_to_leader(storage::EpochEndOffset end, LeaderEpoch epoch);
  // Cuts everything at and above `offset`; or with `fully` removes all and starts again there.
  io::Task<Result<void>> truncate(Offset offset, bool fully, LeaderEpoch epoch);
  // Held while the log is truncated or an append is written elsewhere; whoever changes the role or removes the log takes it first.
  [[nodiscard]] io::Mutex& changing() { return changing_; }

  // ---- Read
  // OFFSET_OUT_OF_RANGE, the role's errors, KAFKA_STORAGE_ERROR.
  io::Task<Result<PartitionRead>> read(FetchPosition position, Reader reader, bool need_leader);
  // End of what the reader may see.
  [[nodiscard]] Offset visible_end(Reader reader) const;
  [[nodiscard]] Offset high_watermark() const { return log_.high_watermark(); }
  // As leader: whether records of earlier leaderships are not known yet to be committed, though they may be.
  [[nodiscard]] bool high_watermark_lags() const { return is_leader() && log_.high_watermark() < epoch_start_; }
  // Links the watch. wake() is called when what is visible from watch.from grows.
  void watch(Watch& watch);

  // The log was changed from outside append() (a marker, a follower's append, truncation): wakes whom it concerns.
  void log_advanced();

 private:
  friend class Watch;
  struct Follower {
    int32_t id = -1;
    Offset end = -1;  // -1: not heard of in this epoch.
    Offset log_start = -1;
    int64_t broker_epoch = -1;
    io::MonoTime caught_up{};      // When it last had everything that the leader had.
    io::MonoTime last_fetch{};
    Offset leader_end_then = -1;   // The leader's log end at that fetch.
  };
  // A change of the ISR that the controller has not confirmed.
  struct PendingIsr {
    std::vector<int32_t> isr;
    uint64_t number = 0;
  };

  void become(const metadata::PartitionImage& image);
  void update_followers(const metadata::PartitionImage& image);
  // In the ISR, or about to be: the high watermark waits for it.
  [[nodiscard]] bool counts(int32_t replica) const;
  [[nodiscard]] bool is_joining(const Follower& follower) const;
  void expand_isr(const Follower& follower);
  void propose_isr(std::vector<int32_t> isr);
  static io::Task<> change_isr(std::shared_ptr<Partition> self, IsrProposal proposal, uint64_t number);
  void take_answer(const IsrAnswer& answer);
  [[nodiscard]] Result<void> check_following(LeaderEpoch epoch) const;
  [[nodiscard]] Offset own_end();
  void advance_high_watermark();
  void wake_watches(bool committed_moved, bool end_moved);
  void wake_gone();
  Result<storage::LeaderAppend> admit(const AppendOptions& options);
  Result<storage::AppendInfo> appended(Result<storage::AppendInfo> info, size_t bytes);
  void count_append(const Result<storage::AppendInfo>& info, size_t bytes);
  io::Task<> sync_then_advance(std::shared_ptr<Partition> self);

  io::Loop& loop_;
  storage::Log& log_;
  NodeId self_;
  Uuid topic_id_;
  std::shared_ptr<metrics::TopicMetrics> metrics_;
  int32_t leader_ = metadata::kNoLeader;
  LeaderEpoch leader_epoch_ = -1;
  int32_t partition_epoch_ = -1;
  Offset epoch_start_ = 0;
  size_t replica_count_ = 1;
  std::vector<int32_t> isr_;
  std::optional<PendingIsr> pending_isr_;
  uint64_t proposals_ = 0;
  IsrHost* host_;
  io::Mutex changing_;
  size_t appends_under_way_ = 0;  // append_async(): waiting for its turn, or in it.
  std::vector<Follower> followers_;  // The other replicas, while leader.
  int32_t min_isr_ = 1;
  Offset last_stable_ = 0;   // As the watches were last told.
  Offset durable_end_ = 0;   // Where the topic is durable: what is known to be synced.
  bool syncing_ = false;     // A task brings the durable offset forward.
  bool closed_ = false;
  ErrorCode closed_why_ = ErrorCode::kNotLeaderOrFollower;
  Watch* watches_ = nullptr;
  Watch* last_watch_ = nullptr;
  io::Signal moved_;  // High watermark or role changed: wait_committed looks again.
};

}  // namespace samsa::replication
