// ListOffsets: offsets by time, and the special ones (latest, earliest, of the greatest timestamp).
#include "protocol/api/list_offsets.h"

#include <set>

#include "server/api/common.h"

namespace samsa::server {

namespace {

constexpr int64_t kLatest = -1, kEarliest = -2, kMaxTimestamp = -3, kEarliestLocal = -4, kLatestTiered = -5, kEarliestPendingUpload = -6;

using PartitionAnswer = protocol::ListOffsetsResponse::ListOffsetsPartitionResponse;

struct Work {
  int shard = -1;
  Uuid topic_id;
  PartitionIndex index = 0;
  LeaderEpoch epoch = -1;
  int64_t timestamp = 0;
  PartitionAnswer* answer = nullptr;
};

// The lowest version that knows a special timestamp.
int16_t version_of(int64_t timestamp) {
  switch (timestamp) {
    case kMaxTimestamp: return 7;
    case kEarliestLocal: return 8;
    case kLatestTiered: return 9;
    case kEarliestPendingUpload: return 11;
    default: return timestamp >= kEarliest ? 0 : INT16_MAX;
  }
}

class Listing {
 public:
  Listing(RequestContext& context, const protocol::ListOffsetsRequest& request) : context_(context), request_(request) {}
  void plan(protocol::ListOffsetsResponse& response);
  io::Task<> run() {
    auto part = [this](int shard) { return list_on(shard); };
    co_await on_shards(context_.shard.loop(), context_.shard.node().worlds(), shards_of(work_), part);
  }

 private:
  io::Task<> list_on(int shard);
  io::Task<> list_one(Shard& shard, Work& work);
  io::Task<Result<storage::TimestampOffset>> look_up(replication::Partition& partition, int64_t timestamp, replication::Reader reader);

  RequestContext& context_;
  const protocol::ListOffsetsRequest& request_;
  std::vector<Work> work_;
};

void Listing::plan(protocol::ListOffsetsResponse& response) {
  const auto& image = *context_.shard.image();
  std::set<std::pair<std::string_view, PartitionIndex>> seen, twice;
  for (const auto& topic : request_.topics) {
    for (const auto& partition : topic.partitions) {
      if (!seen.emplace(topic.name.view(), partition.partition_index).second) twice.emplace(topic.name.view(), partition.partition_index);
    }
  }
  response.topics.reserve(request_.topics.size());
  for (const auto& wanted : request_.topics) {
    auto& topic_answer = response.topics.emplace_back();
    topic_answer.name = wanted.name;
    topic_answer.partitions.reserve(wanted.partitions.size());
    const auto* topic = image.topic(wanted.name.view());
    const bool allowed = context_.authorized(Operation::kDescribe, ResourceType::kTopic, wanted.name);
    for (const auto& partition : wanted.partitions) {
      auto& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = partition.partition_index;
      ErrorCode error = ErrorCode::kNone;
      if (!allowed) {
        error = ErrorCode::kTopicAuthorizationFailed;
      } else if (twice.contains({wanted.name.view(), partition.partition_index})) {
        error = ErrorCode::kInvalidRequest;
      } else if (context_.version() < version_of(partition.timestamp)) {
        error = ErrorCode::kUnsupportedVersion;
      } else if (topic == nullptr) {
        error = ErrorCode::kUnknownTopicOrPartition;
      }
      answer.error_code = to_wire(error);
      if (error != ErrorCode::kNone) continue;
      work_.push_back({.shard = context_.shard.node().shard_of(topic->name, partition.partition_index),
                       .topic_id = topic->id,
                       .index = partition.partition_index,
                       .epoch = partition.current_leader_epoch,
                       .timestamp = partition.timestamp,
                       .answer = &answer});
    }
  }
}

io::Task<> Listing::list_on(int shard) {
  for (auto& work : work_) {
    if (work.shard == shard) co_await list_one(context_.shard.node().shard(shard), work);
  }
}

io::Task<> Listing::list_one(Shard& shard, Work& work) {
  auto found = shard.partition(work.topic_id, work.index);
  const bool debug = request_.replica_id == -2;
  auto role = found ? (*found)->check_role(work.epoch, !debug) : Result<void>(fail(found.error()));
  if (!role) {
    work.answer->error_code = to_wire(role.error().code);
    co_return;
  }
  replication::Partition& partition = **found;
  const bool replica = request_.replica_id >= 0 || debug;
  const auto reader = replica ? replication::Reader::kFollower
                      : request_.isolation_level == 1 ? replication::Reader::kCommittedConsumer : replication::Reader::kConsumer;
  const auto result = co_await look_up(partition, work.timestamp, reader);
  if (!result) {
    work.answer->error_code = to_wire(result.error().code);
    co_return;
  }
  work.answer->timestamp = result->timestamp;
  work.answer->offset = result->offset;
  if (context_.version() >= 4) work.answer->leader_epoch = result->leader_epoch;
}

// A hit at or above what the asker may see does not count. A leader that has just been elected may not know yet how much of its log is
// committed: it must not tell a consumer an end that was passed already (KIP-207).
io::Task<Result<storage::TimestampOffset>> Listing::look_up(replication::Partition& partition, int64_t timestamp, replication::Reader reader) {
  storage::Log& log = partition.log();
  const Offset end = partition.visible_end(reader);
  const bool unsure = reader != replication::Reader::kFollower && partition.high_watermark_lags();
  const auto not_yet = [&] { return fail(context_.version() >= 5 ? ErrorCode::kOffsetNotAvailable : ErrorCode::kLeaderNotAvailable); };
  switch (timestamp) {
    case kLatest:
      if (unsure) co_return not_yet();
      co_return storage::TimestampOffset{kNoTimestamp, end, partition.leader_epoch()};
    case kEarliest:
    case kEarliestLocal: {
      const Offset start = log.log_start_offset();
      co_return storage::TimestampOffset{kNoTimestamp, start, log.epoch_of(start)};
    }
    case kLatestTiered:
    case kEarliestPendingUpload: co_return storage::TimestampOffset{};
    default: break;
  }
  CO_TRY_ASSIGN(const auto hit, timestamp == kMaxTimestamp ? co_await log.offset_of_max_timestamp()
                                                           : co_await log.offset_for_timestamp(timestamp));
  if (hit && hit->offset < end) co_return *hit;
  if (unsure) co_return not_yet();
  co_return storage::TimestampOffset{};
}

}  // namespace

io::Task<> handle_list_offsets(RequestContext& context, protocol::ListOffsetsRequest& request, protocol::ListOffsetsResponse& response) {
  Listing listing(context, request);
  listing.plan(response);
  co_await listing.run();
}

}  // namespace samsa::server
