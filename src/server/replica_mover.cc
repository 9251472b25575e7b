#include "server/replica_mover.h"

#include "base/log.h"
#include "protocol/record_batch.h"
#include "server/node.h"
#include "server/shard.h"
#include "server/topic_configs.h"

namespace samsa::server {

namespace {
constexpr uint64_t kPiece = 1U << 20;  // Bytes copied before others have a turn.
constexpr std::chrono::milliseconds kRetry{200};
constexpr double kLongestPause = 60;  // Seconds; the limit is looked up again after it.
}  // namespace

io::Task<Result<void>> ReplicaMover::move(TopicPartition partition, int directory, io::MonoTime until) {
  storage::LogManager& logs = shard_.logs();
  // Shortly after a start the replica, or a copy that was begun before it, may still be in recovery; or that copy is just taking its place.
  const auto must_wait = [&] {
    return logs.is_loading(partition) || logs.is_future_loading(partition) || (logs.find(partition) == nullptr && logs.find_future(partition) != nullptr);
  };
  while (must_wait() && !shard_.stopping() && shard_.loop().now() < until) co_await shard_.pause(kRetry);
  if (logs.is_future_loading(partition)) co_return fail(ErrorCode::kReplicaNotAvailable, "an earlier copy is still being recovered");
  if (logs.directory_of(partition) == directory) {
    co_await forget(partition);
    co_return Result<void>{};
  }
  if (const auto found = moves_.find(partition); found != moves_.end() && found->second->directory == directory) co_return Result<void>{};
  if (const auto found = moves_.find(partition); found != moves_.end()) found->second->ended = true;
  CO_TRY(co_await logs.get_or_create_future(partition, directory));
  begin(partition, directory);
  co_return Result<void>{};
}

void ReplicaMover::begin(const TopicPartition& partition, int directory) {
  auto move = std::make_shared<Move>();
  move->directory = directory;
  moves_[partition] = move;
  shard_.spawn(run(partition, move));
}

io::Task<> ReplicaMover::resume(TopicPartition partition) {
  storage::LogManager& logs = shard_.logs();
  if (moves_.contains(partition)) co_return;
  if (logs.is_loading(partition)) co_return;  // It is asked again when the replica's own log is there.
  const int directory = logs.future_directory_of(partition);
  if (logs.find(partition) != nullptr && directory != logs.directory_of(partition)) {
    begin(partition, directory);
  } else if (logs.any_offline()) {
    co_return;  // The replica itself may come back.
  } else if (const auto removed = co_await logs.remove_future(partition); !removed) {
    SAMSA_LOG_ERROR("cannot remove the copy of {}: {}", partition.to_string(), removed.error().text());
  }
}

io::Task<> ReplicaMover::forget(TopicPartition partition) {
  if (const auto found = moves_.find(partition); found != moves_.end()) {
    found->second->ended = true;
    moves_.erase(found);
  }
  if (shard_.logs().find_future(partition) == nullptr) co_return;
  if (const auto removed = co_await shard_.logs().remove_future(partition); !removed) {
    SAMSA_LOG_ERROR("cannot remove the copy of {}: {}", partition.to_string(), removed.error().text());
  }
}

io::Task<> ReplicaMover::run(TopicPartition partition, std::shared_ptr<Move> move) {
  while (!move->ended && !shard_.stopping()) {
    Result<void> done;
    if (const auto level = co_await catch_up(partition, move, false); !level) {
      done = fail(level.error());
    } else if (*level) {
      done = co_await finish(partition, move);
      if (done) break;
    }
    if (done || move->ended || shard_.stopping()) continue;
    if (shard_.logs().find(partition) == nullptr || shard_.logs().find_future(partition) == nullptr) break;
    std::string why = done.error().text();
    if (why != move->hindrance) {
      SAMSA_LOG_WARN("{}: moving to {}: {}", partition.to_string(), shard_.logs().directories()[static_cast<size_t>(move->directory)], why);
    }
    move->hindrance = std::move(why);
    co_await shard_.pause(kRetry);
  }
  if (const auto found = moves_.find(partition); found != moves_.end() && found->second == move) moves_.erase(found);
}

// The logs are looked up after every suspension: they may have gone.
io::Task<Result<bool>> ReplicaMover::catch_up(TopicPartition partition, std::shared_ptr<Move> move, bool stands_still) {
  for (;;) {
    if (move->ended || shard_.stopping()) co_return false;
    storage::Log* const from = shard_.logs().find(partition);
    storage::Log* const to = shard_.logs().find_future(partition);
    if (from == nullptr || to == nullptr) co_return fail(ErrorCode::kReplicaNotAvailable, "the replica or its copy is gone");
    const uint64_t before = to->size_bytes();
    CO_TRY_ASSIGN(const bool level, co_await copy_some(*from, *to));
    if (level) co_return true;
    const auto pause = time_for(to->size_bytes() - std::min(before, to->size_bytes()));
    if (pause.count() > 0 && !stands_still) {
      co_await shard_.pause(pause);
    } else {
      co_await io::yield(shard_.loop());
    }
  }
}

std::chrono::milliseconds ReplicaMover::time_for(uint64_t bytes) const {
  const int64_t limit = broker_number(shard_.settings(), *shard_.image(), "replica.alter.log.dirs.io.max.bytes.per.second");
  if (limit == INT64_MAX) return {};
  const double part = static_cast<double>(std::max<int64_t>(limit, 1)) / static_cast<double>(shard_.node().worlds().size() * std::max<size_t>(moves_.size(), 1));
  return std::chrono::milliseconds(static_cast<int64_t>(std::min(static_cast<double>(bytes) / part, kLongestPause) * 1000));
}

io::Task<Result<bool>> ReplicaMover::copy_some(storage::Log& from, storage::Log& to) {
  if (to.log_end_offset() < from.log_start_offset()) CO_TRY(co_await to.truncate_fully_and_start_at(from.log_start_offset()));
  // Where the replica was cut meanwhile, the copy is cut to what both have.
  Offset common = std::min(to.log_end_offset(), from.log_end_offset());
  if (const LeaderEpoch epoch = to.latest_epoch(); epoch >= 0) {
    const auto theirs = from.end_offset_for_epoch(epoch);
    if (theirs.end_offset >= 0) common = std::min(common, theirs.end_offset);
    if (theirs.epoch >= 0 && theirs.epoch < epoch) common = std::min(common, to.end_offset_for_epoch(theirs.epoch).end_offset);
  }
  if (common < to.log_end_offset()) CO_TRY(co_await to.truncate_to(common));
  if (to.log_end_offset() >= from.log_end_offset()) {
    to.set_high_watermark(from.high_watermark());
    if (from.log_start_offset() > to.log_start_offset()) CO_TRY(to.advance_log_start(std::min(from.log_start_offset(), to.high_watermark())));
    co_return true;
  }
  CO_TRY_ASSIGN(const Buffer bytes, co_await from.read_bytes({.offset = std::max(to.log_end_offset(), from.log_start_offset()),
                                                              .max_bytes = kPiece,
                                                              .upper_bound = from.log_end_offset(),
                                                              .min_one_batch = true}));
  if (bytes.empty()) co_return fail(ErrorCode::kKafkaStorageError, "nothing could be read");
  // The replica's log begins inside a batch (DeleteRecords): the copy begins where the batch does, and its start moves on when it is level.
  if (to.log_start_offset() == to.log_end_offset() && bytes.size() >= protocol::kBatchHeaderSize) {
    const Offset base = protocol::BatchHeader(bytes.data()).base_offset();
    if (base < to.log_end_offset()) CO_TRY(co_await to.truncate_fully_and_start_at(base));
  }
  const Offset before = to.log_end_offset();
  CO_TRY(to.append_as_follower(bytes, INT32_MAX));
  if (to.log_end_offset() == before) co_return fail(ErrorCode::kKafkaStorageError, "nothing could be copied");
  to.set_high_watermark(from.high_watermark());
  co_return false;
}

io::Task<Result<void>> ReplicaMover::finish(TopicPartition partition, std::shared_ptr<Move> move) {
  storage::Log* const copy = shard_.logs().find_future(partition);
  if (copy == nullptr) co_return fail(ErrorCode::kReplicaNotAvailable, "the copy is gone");
  const Uuid topic = copy->topic_id();
  CO_TRY(co_await copy->flush());
  // First the controller knows, then the replica is there: after a crash between the two the copy is taken for the replica.
  CO_TRY(co_await shard_.assign_directory(topic, partition.partition, move->directory));
  if (move->ended || shard_.stopping()) co_return Result<void>{};
  CO_TRY(co_await shard_.exchange_log(topic, partition, [this, partition, move]() { return catch_up(partition, move, true); }));
  SAMSA_LOG_INFO("{}: moved to {}", partition.to_string(), shard_.logs().directories()[static_cast<size_t>(move->directory)]);
  co_return Result<void>{};
}

}  // namespace samsa::server
