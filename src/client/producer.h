// Producer: collects records into one batch per partition and sends the batches to the partitions' leaders.
//
// One batch of a partition is under way at a time, so the order within a partition is the order of send(), through every retry; with
// enable.idempotence each batch carries the producer's id and sequence, so a retry never becomes a duplicate (KIP-98). Settings have
// the names and defaults of Java's producer. Belongs to one shard; close() before destruction.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_function.h"
#include "client/cluster.h"
#include "io/sync.h"
#include "protocol/record_batch.h"

namespace samsa::client {

struct ProducerConfig {
  int16_t acks = -1;
  size_t batch_size = 16384;                                  // batch.size, bytes before compression.
  std::chrono::milliseconds linger{5};                        // linger.ms
  protocol::Codec codec = protocol::Codec::kNone;             // compression.type
  int level = protocol::kStandardLevel;
  bool idempotence = true;                                    // enable.idempotence
  int retries = INT32_MAX;                                    // retries
  std::chrono::milliseconds delivery_timeout{120'000};        // delivery.timeout.ms
  std::chrono::milliseconds request_timeout{30'000};          // request.timeout.ms: what the broker waits for replicas.
  std::chrono::milliseconds max_block{60'000};                // max.block.ms: for metadata and for room in the buffer.
  std::chrono::milliseconds retry_backoff{100};               // retry.backoff.ms
  size_t max_request_size = 1048576;                          // max.request.size, bytes.
  size_t buffer_memory = 33554432;                            // buffer.memory, bytes.
};

struct RecordHeader {
  std::string key;
  std::optional<std::string> value;
};

struct ProducerRecord {
  std::string topic;
  std::optional<int32_t> partition;  // Not set: by the key; without a key, by turns of a batch each.
  std::optional<TimestampMs> timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<RecordHeader> headers;
};

struct RecordMetadata {
  int32_t partition = -1;
  Offset offset = -1;  // -1 with acks=0.
  TimestampMs timestamp = kNoTimestamp;
};

using Delivery = UniqueFunction<void(const Result<RecordMetadata>&)>;

class Producer {
 public:
  Producer(Cluster& cluster, ProducerConfig config);
  ~Producer();

  // Puts the record into its batch; waits for metadata and for room in the buffer, at most max.block.ms. `delivery` is called once, when
  // the record is acknowledged or given up. Errors (delivery is not called then): the topic's error, MESSAGE_TOO_LARGE, REQUEST_TIMED_OUT.
  io::Task<Result<void>> send(ProducerRecord record, Delivery delivery);
  // Sends all that is collected now and waits until it is acknowledged or given up.
  io::Task<> flush();
  // Flushes and ends the background work.
  io::Task<> close();
  // Records sent and not yet acknowledged or given up.
  [[nodiscard]] size_t pending() const { return pending_records_; }

 private:
  struct Batch;
  struct Partition;
  using PartitionKey = std::pair<std::string, int32_t>;

  // MESSAGE_TOO_LARGE where the record cannot be sent whatever happens.
  [[nodiscard]] Result<void> check_size(const ProducerRecord& record) const;
  io::Task<Result<int32_t>> choose_partition(const ProducerRecord& record, const TopicInfo& topic);
  Partition& partition_of(const PartitionKey& key);
  void seal(Partition& partition);
  io::Task<> run_partition(Partition& partition);
  io::Task<Result<void>> deliver(Partition& partition, Batch& batch);
  io::Task<Result<void>> attempt(Partition& partition, Batch& batch, bool& again);
  io::Task<Result<void>> ensure_producer_id(Partition& partition);
  void finish(const Partition& partition, Batch& batch, const Result<void>& outcome);

  Cluster& cluster_;
  ProducerConfig config_;
  io::TaskGroup tasks_;
  std::map<PartitionKey, std::unique_ptr<Partition>> partitions_;
  std::map<std::string, int32_t> sticky_;  // The partition that records of a topic without key go to, until its batch is full.
  io::Signal room_;
  io::Signal idle_;
  io::Mutex asking_id_;
  size_t buffered_bytes_ = 0;
  size_t pending_records_ = 0;
  bool flushing_ = false;
  bool closing_ = false;
};

}  // namespace samsa::client
