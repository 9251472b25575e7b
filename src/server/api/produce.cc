// Produce: authorize, find the partitions, hop once to each of their shards, append, wait as acks says, shape the answer.
#include "protocol/api/produce.h"

#include "base/log.h"
#include "protocol/record_batch.h"
#include "server/api/common.h"

namespace samsa::server {

namespace {

using PartitionAnswer = protocol::ProduceResponse::PartitionProduceResponse;

// One partition of the request. The answer stands in the response, whose vectors no longer grow.
struct Work {
  int shard = -1;
  Uuid topic_id;
  PartitionIndex index = 0;
  MutableBytes records;
  PartitionAnswer* answer = nullptr;
  std::shared_ptr<replication::Partition> partition;
  LeaderEpoch epoch = -1;
  Offset last_offset = -1;
  io::Duration waited{};
};

void refuse(PartitionAnswer& answer, const Error& error) {
  answer.error_code = to_wire(error.code);
  answer.base_offset = -1;
  answer.log_append_time_ms = kNoTimestamp;
  // Kafka gives a text only where records were refused.
  const bool about_records = error.code == ErrorCode::kInvalidRecord || error.code == ErrorCode::kInvalidTimestamp;
  if (about_records && !error.message.empty()) answer.error_message = protocol::Text(error.message);
}

// Batches that no sound client makes: somebody should look at that client.
bool is_broken(ErrorCode code) { return code == ErrorCode::kCorruptMessage || code == ErrorCode::kInvalidRecord; }

class Producing {
 public:
  Producing(RequestContext& context, const protocol::ProduceRequest& request, protocol::ProduceResponse& response)
      : context_(context), request_(request), response_(response), image_(context.shard.image()) {}

  void plan();
  io::Task<> run() {
    const auto shards = shards_of(work_);
    context_.place = Home::place_of(shards);
    auto part = [this](int shard) { return append_on(shard); };
    co_await on_shards(context_.shard.loop(), context_.shard.node().worlds(), shards, part);
    for (const auto& work : work_) context_.waited = std::max(context_.waited, work.waited);
  }
  void shape_answer();

 private:
  std::optional<ErrorCode> check_topic(const metadata::TopicImage* topic, std::string_view name, const Uuid& id) const;
  io::Task<> append_on(int shard);
  bool find_partition(Shard& shard, Work& work) const;
  void append_one(Shard& shard, Work& work);
  io::Task<> append_slowly(Shard& shard, Work& work);
  [[nodiscard]] replication::AppendOptions options_for(std::vector<storage::RecordError>& faults) const;
  void take(Shard& shard, Work& work, const Result<storage::AppendInfo>& info, const std::vector<storage::RecordError>& faults);
  io::Task<> wait_one(Work& work, io::MonoTime deadline);
  [[nodiscard]] bool sends_producer_away() const;

  RequestContext& context_;
  const protocol::ProduceRequest& request_;
  protocol::ProduceResponse& response_;
  metadata::ImagePtr image_;
  std::vector<Work> work_;
};

std::optional<ErrorCode> Producing::check_topic(const metadata::TopicImage* topic, std::string_view name, const Uuid& id) const {
  if (topic == nullptr && !id.is_zero()) return ErrorCode::kUnknownTopicId;
  if (!context_.authorized(Operation::kWrite, ResourceType::kTopic, topic == nullptr ? name : topic->name)) {
    return ErrorCode::kTopicAuthorizationFailed;
  }
  if (topic == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  if (is_internal_topic(topic->name) && context_.client_id() != "__admin_client") return ErrorCode::kInvalidTopicException;
  return std::nullopt;
}

// Makes an answer for every partition and work for those that can be appended to.
void Producing::plan() {
  const bool acks_are_valid = request_.acks >= -1 && request_.acks <= 1;
  size_t partitions = 0;
  for (const auto& topic : request_.topic_data) partitions += topic.partition_data.size();
  work_.reserve(partitions);
  response_.responses.reserve(request_.topic_data.size());
  for (const auto& wanted : request_.topic_data) {
    auto& topic_answer = response_.responses.emplace_back();
    topic_answer.name = wanted.name;
    topic_answer.topic_id = wanted.topic_id;
    topic_answer.partition_responses.reserve(wanted.partition_data.size());
    const auto* topic = context_.version() >= 13 ? image_->topic(wanted.topic_id) : image_->topic(wanted.name.view());
    const auto refused = check_topic(topic, wanted.name, context_.version() >= 13 ? wanted.topic_id : kZeroUuid);
    for (const auto& data : wanted.partition_data) {
      auto& answer = topic_answer.partition_responses.emplace_back();
      answer.index = data.index;
      answer.base_offset = -1;
      if (!acks_are_valid || refused) {
        refuse(answer, Error{acks_are_valid ? *refused : ErrorCode::kInvalidRequiredAcks, {}});
        continue;
      }
      const Bytes bytes = data.records.memory.view();
      // The frame is this request's own memory: the log patches offset and leader epoch where the bytes lie.
      work_.push_back({.shard = context_.shard.node().shard_of(topic->name, data.index),
                       .topic_id = topic->id,
                       .index = data.index,
                       .records = {const_cast<uint8_t*>(bytes.data()), bytes.size()},
                       .answer = &answer});
    }
  }
}

io::Task<> Producing::append_on(int shard_index) {
  Shard& shard = context_.shard.node().shard(shard_index);
  const auto deadline = io::after(shard.loop().now(), std::chrono::milliseconds(std::max(0, request_.timeout_ms)));
  uint64_t bytes = 0;
  for (const auto& work : work_) bytes += work.shard == shard_index ? work.records.size() : 0;
  AppendTurns::Turn turn(shard.append_turns(), context_.connection.id);
  if (turn.must_wait(bytes)) co_await turn.wait(bytes);
  for (auto& work : work_) {
    if (work.shard != shard_index || !find_partition(shard, work)) continue;
    if (work.partition->appends_stand(work.records.size())) {
      turn.hold();
      co_await append_slowly(shard, work);
    } else {
      append_one(shard, work);
    }
  }
  turn.end();
  const io::MonoTime began = shard.loop().now();
  for (auto& work : work_) {
    if (work.shard == shard_index && work.partition != nullptr) {
      if (work.last_offset >= 0) co_await wait_one(work, deadline);
      work.waited = shard.loop().now() - began;
      work.partition.reset();
    }
  }
}

// The partition that the work is for, where it may have it.
bool Producing::find_partition(Shard& shard, Work& work) const {
  auto found = shard.partition(work.topic_id, work.index);
  if (!found) {
    refuse(*work.answer, found.error());
    return false;
  }
  // Clients of versions before 7 could not read it back (KIP-110).
  if (context_.version() < 7 && work.records.size() >= protocol::kBatchHeaderSize &&
      protocol::BatchHeader(work.records.data()).codec() == protocol::Codec::kZstd) {
    refuse(*work.answer, Error{ErrorCode::kUnsupportedCompressionType, {}});
    return false;
  }
  work.partition = std::move(*found);
  return true;
}

replication::AppendOptions Producing::options_for(std::vector<storage::RecordError>& faults) const {
  replication::AppendOptions options;
  options.acks = request_.acks;
  options.log.record_errors = &faults;
  options.log.transactions_v2 = context_.version() >= 12;
  return options;
}

void Producing::append_one(Shard& shard, Work& work) {
  std::vector<storage::RecordError> faults;
  take(shard, work, work.partition->append(work.records, options_for(faults)), faults);
}

io::Task<> Producing::append_slowly(Shard& shard, Work& work) {
  std::vector<storage::RecordError> faults;
  const auto info = co_await work.partition->append_async(work.records, options_for(faults));
  take(shard, work, info, faults);
}

// What became of an append. Only what was appended keeps its partition.
void Producing::take(Shard& shard, Work& work, const Result<storage::AppendInfo>& info, const std::vector<storage::RecordError>& faults) {
  if (!info) {
    refuse(*work.answer, info.error());
    if (is_broken(info.error().code) && shard.may_complain()) {
      SAMSA_LOG_WARN("refused a batch for {} from client '{}' at {}: {}", work.partition->name().to_string(), context_.client_id(),
                     context_.connection.peer.to_string(), info.error().describe());
    }
    for (const auto& fault : faults) {
      auto& record = work.answer->record_errors.emplace_back();
      record.batch_index = fault.batch_index;
      if (!fault.message.empty()) record.batch_index_error_message = protocol::Text(fault.message);
    }
    work.partition.reset();
    return;
  }
  work.answer->base_offset = info->first_offset;
  work.answer->log_append_time_ms = info->log_append_time;
  work.answer->log_start_offset = info->log_start_offset;
  work.epoch = work.partition->leader_epoch();
  work.last_offset = info->last_offset;
}

io::Task<> Producing::wait_one(Work& work, io::MonoTime deadline) {
  Result<void> waited;
  if (request_.acks == -1) {
    waited = co_await work.partition->wait_committed(work.last_offset, work.epoch, deadline);
  } else if (request_.acks == 1) {
    waited = co_await work.partition->wait_durable(work.last_offset);
  }
  if (!waited) refuse(*work.answer, waited.error());
}

void Producing::shape_answer() {
  image_ = context_.shard.image();  // Who leads may have changed while it waited.
  for (size_t t = 0; t < response_.responses.size(); ++t) {
    for (auto& answer : response_.responses[t].partition_responses) {
      if (answer.error_code == 0) continue;
      if (request_.acks == 0) context_.close_connection = true;  // The only sign that such a client gets.
      if (answer.error_code != to_wire(ErrorCode::kNotLeaderOrFollower) || context_.version() < 10) continue;
      const auto* topic = context_.version() >= 13 ? image_->topic(response_.responses[t].topic_id)
                                                   : image_->topic(response_.responses[t].name.view());
      const auto* state = topic == nullptr ? nullptr : topic->partition(answer.index);
      if (state == nullptr) continue;
      answer.current_leader.leader_id = state->leader;
      answer.current_leader.leader_epoch = state->leader_epoch;
      add_leader_endpoint(*image_, state->leader, context_.connection.listener->name, response_.node_endpoints);
    }
  }
  context_.no_response = request_.acks == 0 && !context_.close_connection;
  context_.ends_connection = sends_producer_away();
}

// A broker that stops leads nothing any more. Before version 10 there is no place for the new leader (KIP-951): the end of the connection makes such
// a client look for it at once; librdkafka else does so after topic.metadata.refresh.fast.interval.ms.
bool Producing::sends_producer_away() const {
  const auto* own = image_->broker(context_.shard.settings().node_id);
  return context_.version() < 10 && own != nullptr && own->in_controlled_shutdown;
}

}  // namespace

io::Task<> handle_produce(RequestContext& context, protocol::ProduceRequest& request, protocol::ProduceResponse& response) {
  Producing producing(context, request, response);
  producing.plan();
  co_await producing.run();
  producing.shape_answer();
}

}  // namespace samsa::server
