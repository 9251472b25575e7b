#include "client/producer.h"

#include <fmt/format.h>

#include "base/varint.h"
#include "client/partitioner.h"
#include "protocol/api/init_producer_id.h"
#include "protocol/api/produce.h"

namespace samsa::client {

struct Producer::Batch {
  std::unique_ptr<protocol::RecordBatchBuilder> builder;
  std::vector<Delivery> deliveries;
  std::vector<TimestampMs> timestamps;
  io::MonoTime created;
  size_t raw_bytes = 0;
  int32_t count = 0;
  Buffer encoded;  // Once sealed.
  int64_t base_offset = -1;
  TimestampMs append_time = kNoTimestamp;
};

struct Producer::Partition {
  PartitionKey key;
  std::unique_ptr<Batch> open;
  std::deque<std::unique_ptr<Batch>> sealed;
  io::Signal work;
  // Idempotence: the producer's identity for this partition. Given up (and asked for anew) when a batch was given up, because its
  // sequence numbers are then missing from the partition.
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = kNoProducerEpoch;
  int32_t next_sequence = 0;
};

Producer::Producer(Cluster& cluster, ProducerConfig config) : cluster_(cluster), config_(config), tasks_(cluster.world().loop) {
  if (config_.acks != -1) config_.idempotence = false;
}

Producer::~Producer() = default;

io::Task<Result<int32_t>> Producer::choose_partition(const ProducerRecord& record, const TopicInfo& topic) {
  const auto count = static_cast<int32_t>(topic.partitions.size());
  if (record.partition) {
    if (*record.partition >= 0 && *record.partition < count) co_return *record.partition;
    co_return fail(ErrorCode::kUnknownTopicOrPartition,
                   fmt::format("Invalid partition given with record: {} is not in the range [0...{}).", *record.partition, count));
  }
  if (record.key) co_return partition_for_key(as_bytes(*record.key), count);
  const auto found = sticky_.find(record.topic);
  if (found != sticky_.end()) co_return found->second;
  std::vector<int32_t> available;
  for (const auto& partition : topic.partitions) {
    if (partition.leader >= 0) available.push_back(partition.index);
  }
  auto& random = cluster_.world().loop.random();
  const int32_t chosen = available.empty() ? static_cast<int32_t>(random.below(static_cast<uint64_t>(count)))
                                           : available[random.below(available.size())];
  sticky_[record.topic] = chosen;
  co_return chosen;
}

Producer::Partition& Producer::partition_of(const PartitionKey& key) {
  auto& slot = partitions_[key];
  if (!slot) {
    slot = std::make_unique<Partition>();
    slot->key = key;
    tasks_.spawn(run_partition(*slot));
  }
  return *slot;
}

Result<void> Producer::check_size(const ProducerRecord& record) const {
  // As Java's producer estimates it: the header of a batch, the largest varints that a record may have in front, and the rest as it is.
  constexpr size_t kMostBeforeTheKey = 21;
  const auto sized = [](const std::optional<std::string>& bytes) {
    return bytes ? varint_size(static_cast<int64_t>(bytes->size())) + bytes->size() : size_t{1};
  };
  size_t size = protocol::kBatchHeaderSize + kMostBeforeTheKey + sized(record.key) + sized(record.value) + varint_size(static_cast<int64_t>(record.headers.size()));
  for (const auto& header : record.headers) size += sized(header.key) + sized(header.value);
  if (size > config_.max_request_size) {
    return fail(ErrorCode::kMessageTooLarge, fmt::format("The message is {} bytes when serialized which is larger than {}, which is the value of the "
                                                         "max.request.size configuration.", size, config_.max_request_size));
  }
  if (size > config_.buffer_memory) {
    return fail(ErrorCode::kMessageTooLarge, fmt::format("The message is {} bytes when serialized which is larger than the total memory buffer you have "
                                                         "configured with the buffer.memory configuration.", size));
  }
  return {};
}

io::Task<Result<void>> Producer::send(ProducerRecord record, Delivery delivery) {
  SAMSA_ASSERT(!closing_);
  auto& loop = cluster_.world().loop;
  const auto deadline = io::after(loop.now(), config_.max_block);
  auto topic = co_await cluster_.topic(record.topic, true, deadline);
  while (!topic && error_is_retriable(topic.error().code) && co_await cluster_.back_off(deadline)) {
    topic = co_await cluster_.topic(record.topic, true, deadline);
  }
  if (!topic && error_is_retriable(topic.error().code)) {
    co_return fail(ErrorCode::kRequestTimedOut, fmt::format("Topic {} not present in metadata after {} ms.", record.topic, config_.max_block.count()));
  }
  if (!topic) co_return fail(topic.error());
  CO_TRY_ASSIGN(const int32_t index, co_await choose_partition(record, *topic));

  size_t size = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0) + 32;
  for (const auto& header : record.headers) size += header.key.size() + (header.value ? header.value->size() : 0) + 4;
  CO_TRY(check_size(record));
  while (buffered_bytes_ + size > config_.buffer_memory && buffered_bytes_ > 0) {
    if (!co_await room_.wait_until(loop, deadline)) {
      co_return fail(ErrorCode::kRequestTimedOut, fmt::format("Failed to allocate {} bytes within max.block.ms", size));
    }
  }

  Partition& partition = partition_of({record.topic, index});
  if (partition.open && partition.open->raw_bytes + size > config_.batch_size) {
    seal(partition);
    if (!record.key && !record.partition) sticky_.erase(record.topic);
  }
  if (!partition.open) {
    partition.open = std::make_unique<Batch>();
    partition.open->builder = std::make_unique<protocol::RecordBatchBuilder>(protocol::BatchOptions{});
    partition.open->created = loop.now();
    partition.work.notify_all();
  }
  Batch& batch = *partition.open;
  const TimestampMs timestamp = record.timestamp.value_or(loop.wall_ms());
  std::vector<protocol::HeaderView> headers;
  for (const auto& header : record.headers) {
    headers.push_back({header.key, header.value ? std::optional<Bytes>(as_bytes(*header.value)) : std::nullopt});
  }
  batch.builder->append(timestamp, record.key ? std::optional<Bytes>(as_bytes(*record.key)) : std::nullopt,
                        record.value ? std::optional<Bytes>(as_bytes(*record.value)) : std::nullopt, headers);
  batch.deliveries.push_back(std::move(delivery));
  batch.timestamps.push_back(timestamp);
  batch.raw_bytes += size;
  ++batch.count;
  buffered_bytes_ += size;
  ++pending_records_;
  if (batch.raw_bytes >= config_.batch_size) {
    seal(partition);
    if (!record.key && !record.partition) sticky_.erase(record.topic);
  }
  co_return Result<void>{};
}

void Producer::seal(Partition& partition) {
  if (!partition.open) return;
  partition.sealed.push_back(std::move(partition.open));
  partition.work.notify_all();
}

io::Task<> Producer::run_partition(Partition& partition) {
  auto& loop = cluster_.world().loop;
  while (true) {
    if (partition.sealed.empty()) {
      if (!partition.open) {
        if (closing_) co_return;
        co_await partition.work.wait(loop);
        continue;
      }
      const auto due = io::after(partition.open->created, config_.linger);
      if (!flushing_ && !closing_ && loop.now() < due) {
        co_await partition.work.wait_until(loop, due);
        continue;
      }
      seal(partition);
    }
    auto batch = std::move(partition.sealed.front());
    partition.sealed.pop_front();
    const auto outcome = co_await deliver(partition, *batch);
    if (!outcome) partition.producer_id = kNoProducerId;
    finish(partition, *batch, outcome);
  }
}

io::Task<Result<void>> Producer::ensure_producer_id(Partition& partition) {
  auto held = co_await asking_id_.lock(cluster_.world().loop);
  const auto deadline = cluster_.api_deadline();
  Error last;
  while (partition.producer_id == kNoProducerId) {
    auto connection = co_await cluster_.any();
    if (connection) {
      protocol::InitProducerIdRequest request;
      request.transactional_id.reset();
      request.transaction_timeout_ms = INT32_MAX;
      auto reply = co_await (*connection)->call(request);
      if (!reply) {
        last = reply.error();
      } else if ((*reply)->error_code == 0) {
        partition.producer_id = (*reply)->producer_id;
        partition.producer_epoch = (*reply)->producer_epoch;
        partition.next_sequence = 0;
        break;
      } else {
        last = {error_from_wire((*reply)->error_code), ""};
        if (!error_is_retriable(last.code)) co_return fail(last);
      }
    } else {
      last = connection.error();
    }
    if (!co_await cluster_.back_off(deadline)) co_return fail(last);
  }
  co_return Result<void>{};
}

io::Task<Result<void>> Producer::deliver(Partition& partition, Batch& batch) {
  auto& loop = cluster_.world().loop;
  const auto deadline = io::after(batch.created, config_.delivery_timeout);
  auto& options = batch.builder->options();
  options.codec = config_.codec;
  options.level = config_.level;
  if (config_.idempotence) {
    CO_TRY(co_await ensure_producer_id(partition));
    options.producer_id = partition.producer_id;
    options.producer_epoch = partition.producer_epoch;
    options.base_sequence = partition.next_sequence;
  }
  CO_TRY_ASSIGN(batch.encoded, batch.builder->build());
  batch.builder.reset();
  // Sequences wrap from 2^31-1 to 0.
  partition.next_sequence = static_cast<int32_t>((int64_t{partition.next_sequence} + batch.count) & INT32_MAX);
  for (int tries = 0;; ++tries) {
    bool again = false;
    auto outcome = co_await attempt(partition, batch, again);
    if (outcome || !again || tries >= config_.retries) co_return outcome;
    cluster_.forget_topic(partition.key.first);
    if (io::after(loop.now(), config_.retry_backoff) >= deadline) {
      co_return fail(ErrorCode::kRequestTimedOut, fmt::format("Expiring {} record(s) for {}-{}: {} ms has passed since batch creation ({})",
                                                              batch.count, partition.key.first, partition.key.second,
                                                              config_.delivery_timeout.count(), outcome.error().describe()));
    }
    co_await io::sleep_for(loop, config_.retry_backoff);
  }
}

io::Task<Result<void>> Producer::attempt(Partition& partition, Batch& batch, bool& again) {
  const auto& [topic_name, index] = partition.key;
  auto connection = co_await cluster_.leader(topic_name, index);
  if (!connection) {
    again = error_is_retriable(connection.error().code) || connection.error().code == ErrorCode::kNetworkException;
    co_return fail(connection.error());
  }
  const auto topic = cluster_.topics().find(topic_name);
  if (topic == cluster_.topics().end()) {
    again = true;
    co_return fail(ErrorCode::kUnknownTopicOrPartition);
  }
  protocol::ProduceRequest request;
  request.acks = config_.acks;
  request.timeout_ms = static_cast<int32_t>(config_.request_timeout.count());
  auto& data = request.topic_data.emplace_back();
  data.name = protocol::Text(topic_name);
  data.topic_id = topic->second.id;
  auto& part = data.partition_data.emplace_back();
  part.index = index;
  part.records = protocol::Records::of(protocol::Blob::view_of(batch.encoded));
  // Without an id (a topic of an old cluster) the newest version that goes by name.
  const int16_t max_version = data.topic_id.is_zero() ? int16_t{12} : int16_t{13};
  if (config_.acks == 0) {
    auto sent = co_await (*connection)->send_only(request);
    again = !sent;
    co_return sent;
  }
  auto reply = co_await (*connection)->call(request, max_version);
  if (!reply) {
    again = error_is_retriable(reply.error().code);
    co_return fail(reply.error());
  }
  if ((*reply)->responses.empty() || (*reply)->responses[0].partition_responses.empty()) {
    co_return fail(ErrorCode::kUnknownServerError, "the broker's answer to Produce names no partition");
  }
  const auto& answer = (*reply)->responses[0].partition_responses[0];
  const ErrorCode code = error_from_wire(answer.error_code);
  if (code == ErrorCode::kNone || code == ErrorCode::kDuplicateSequenceNumber) {
    batch.base_offset = answer.base_offset;
    batch.append_time = answer.log_append_time_ms;
    co_return Result<void>{};
  }
  again = error_is_retriable(code);
  co_return fail(code, answer.error_message ? answer.error_message->str() : std::string());
}

void Producer::finish(const Partition& partition, Batch& batch, const Result<void>& outcome) {
  for (size_t i = 0; i < batch.deliveries.size(); ++i) {
    if (!batch.deliveries[i]) continue;
    if (outcome) {
      const Offset offset = batch.base_offset < 0 ? -1 : batch.base_offset + static_cast<Offset>(i);
      batch.deliveries[i](RecordMetadata{partition.key.second, offset, batch.append_time >= 0 ? batch.append_time : batch.timestamps[i]});
    } else {
      batch.deliveries[i](fail(outcome.error()));
    }
  }
  buffered_bytes_ -= batch.raw_bytes;
  pending_records_ -= batch.deliveries.size();
  room_.notify_all();
  if (pending_records_ == 0) idle_.notify_all();
}

io::Task<> Producer::flush() {
  flushing_ = true;
  for (auto& [key, partition] : partitions_) partition->work.notify_all();
  while (pending_records_ > 0) co_await idle_.wait(cluster_.world().loop);
  flushing_ = false;
}

io::Task<> Producer::close() {
  co_await flush();
  closing_ = true;
  for (auto& [key, partition] : partitions_) partition->work.notify_all();
  co_await tasks_.join();
}

}  // namespace samsa::client
