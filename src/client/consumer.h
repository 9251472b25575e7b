// Consumer: reads partitions, alone (assign) or as a member of a classic group (subscribe), with offsets committed to the group.
//
// Settings have the names and defaults of Java's consumer. Belongs to one shard; close() before destruction.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"
#include "client/group_member.h"
#include "protocol/api/fetch.h"
#include "protocol/record_batch.h"

namespace samsa::client {

enum class OffsetReset { kEarliest, kLatest, kNone };

struct ConsumerConfig {
  std::string group_id;                                       // Empty: no group, no commits.
  std::string instance_id;                                    // group.instance.id
  OffsetReset auto_offset_reset = OffsetReset::kLatest;       // auto.offset.reset
  bool enable_auto_commit = true;                             // enable.auto.commit
  std::chrono::milliseconds auto_commit_interval{5'000};      // auto.commit.interval.ms
  int32_t fetch_min_bytes = 1;                                // fetch.min.bytes
  std::chrono::milliseconds fetch_max_wait{500};              // fetch.max.wait.ms
  int32_t fetch_max_bytes = 52428800;                         // fetch.max.bytes
  int32_t max_partition_fetch_bytes = 1048576;                // max.partition.fetch.bytes
  size_t max_poll_records = 500;                              // max.poll.records
  bool read_committed = false;                                // isolation.level
  bool check_crcs = true;                                     // check.crcs
  bool allow_auto_create_topics = true;                       // allow.auto.create.topics
  std::string client_rack;                                    // client.rack
  std::chrono::milliseconds session_timeout{45'000};          // session.timeout.ms
  std::chrono::milliseconds heartbeat_interval{3'000};        // heartbeat.interval.ms
  std::chrono::milliseconds max_poll_interval{300'000};       // max.poll.interval.ms
  std::vector<Assignor> assignors{Assignor::kRange};          // partition.assignment.strategy
};

struct ConsumedRecord {
  std::string topic;
  int32_t partition = 0;
  Offset offset = 0;
  LeaderEpoch leader_epoch = -1;
  TimestampMs timestamp = kNoTimestamp;
  protocol::TimestampType timestamp_type = protocol::TimestampType::kCreateTime;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

class Consumer {
 public:
  Consumer(Cluster& cluster, ConsumerConfig config);
  ~Consumer();

  // Becomes a member of the group for these topics.
  void subscribe(std::vector<std::string> topics);
  // Reads just these partitions, from where seek() or the group's committed offsets say.
  void assign(std::vector<TopicPartition> partitions);
  // The next record to read of an assigned partition. -1: the end; -2: the beginning.
  void seek(const TopicPartition& partition, Offset offset);

  // Some records, waiting at most `timeout` for the first; none when the time is over. In order within a partition.
  // Errors: those that trying again does not mend (authorization, no offset with auto.offset.reset=none, a corrupt batch).
  io::Task<Result<std::vector<ConsumedRecord>>> poll(std::chrono::milliseconds timeout);

  // Commits the position of every assigned partition: the offset after the last record that poll() gave.
  io::Task<Result<void>> commit();
  [[nodiscard]] std::optional<Offset> position(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> assignment() const;
  // As a member of a group: what it last joined as; generation -1: not (yet) a member.
  [[nodiscard]] int32_t generation() const { return member_ ? member_->generation() : -1; }
  [[nodiscard]] std::string member_id() const { return member_ ? member_->member_id() : std::string(); }
  // Commits (with auto commit) and leaves the group.
  io::Task<> close();

 private:
  struct Reading {
    Offset next = -1;           // To be fetched; kUnset until known.
    Offset consumed = -1;       // After the last record given out; what commit() writes.
    LeaderEpoch epoch = -1;     // Of the last record given out, at first of the committed offset.
    LeaderEpoch at_least = -1;  // Of the committed offset, until the leader of that epoch, or a later one, has answered.
    int32_t replica = -1;       // The follower that the leader sends this consumer to (KIP-392); -1: the leader.
    io::MonoTime replica_until{};
    std::deque<ConsumedRecord> fetched;
  };
  static constexpr Offset kUnset = -100;

  io::Task<Result<void>> prepare();
  io::Task<Result<void>> find_positions();
  io::Task<Result<Offset>> list_offset(TopicPartition partition, int64_t timestamp);
  io::Task<Result<void>> fetch_from(int32_t broker, std::vector<TopicPartition> partitions, std::chrono::milliseconds wait);
  void lose_broker(const std::vector<TopicPartition>& partitions);
  Result<void> take_partition(const std::string& topic, const protocol::FetchResponse::PartitionData& data);
  Result<void> take_batches(const TopicPartition& partition, Reading& reading, const protocol::FetchResponse::PartitionData& data);
  std::vector<ConsumedRecord> drain();
  io::Task<> auto_commit();

  Cluster& cluster_;
  ConsumerConfig config_;
  std::unique_ptr<GroupMember> member_;
  std::map<TopicPartition, Reading> reading_;
  protocol::Scratch scratch_;
  io::MonoTime last_commit_;
  io::Signal arrived_;
  size_t next_partition_ = 0;
  bool leader_moved_ = false;  // The last round was answered so: the next one waits a little.
};

}  // namespace samsa::client
