#include "client/consumer.h"

#include <fmt/format.h>

#include <set>

#include "client/admin.h"
#include "protocol/api/offset_commit.h"
#include "protocol/api/offset_fetch.h"

namespace samsa::client {
namespace {

// Errors of a partition that mean: look for the leader again.
bool means_new_leader(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kUnknownLeaderEpoch:
    case ErrorCode::kReplicaNotAvailable:
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kInconsistentTopicId:
    case ErrorCode::kOffsetNotAvailable:
    case ErrorCode::kKafkaStorageError:
      return true;
    default:
      return false;
  }
}

std::optional<std::string> text_of(const std::optional<Bytes>& bytes) {
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

}  // namespace

Consumer::Consumer(Cluster& cluster, ConsumerConfig config)
    : cluster_(cluster), config_(std::move(config)), last_commit_(cluster.world().loop.now()) {}
Consumer::~Consumer() = default;

void Consumer::subscribe(std::vector<std::string> topics) {
  if (!member_) {
    member_ = std::make_unique<GroupMember>(cluster_, GroupMemberConfig{config_.group_id, config_.instance_id, config_.session_timeout,
                                                                        config_.heartbeat_interval, config_.max_poll_interval,
                                                                        config_.assignors});
  }
  member_->subscribe(std::move(topics));
}

void Consumer::assign(std::vector<TopicPartition> partitions) {
  std::map<TopicPartition, Reading> reading;
  for (auto& partition : partitions) {
    const auto found = reading_.find(partition);
    reading[partition] = found == reading_.end() ? Reading{kUnset, -1, -1, {}} : std::move(found->second);
  }
  reading_ = std::move(reading);
}

void Consumer::seek(const TopicPartition& partition, Offset offset) {
  reading_[partition] = Reading{offset, std::max<Offset>(offset, -1), -1, {}};
}

std::optional<Offset> Consumer::position(const TopicPartition& partition) const {
  const auto found = reading_.find(partition);
  if (found == reading_.end() || found->second.next < 0) return std::nullopt;
  return found->second.fetched.empty() ? found->second.next : found->second.fetched.front().offset;
}

std::vector<TopicPartition> Consumer::assignment() const {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, reading] : reading_) partitions.push_back(partition);
  return partitions;
}

io::Task<> Consumer::auto_commit() {
  if (config_.enable_auto_commit && !config_.group_id.empty()) (void)co_await commit();
}

io::Task<Result<void>> Consumer::prepare() {
  auto& loop = cluster_.world().loop;
  if (config_.enable_auto_commit && !config_.group_id.empty() && loop.now() >= io::after(last_commit_, config_.auto_commit_interval)) {
    last_commit_ = loop.now();
    co_await auto_commit();
  }
  if (member_) {
    CO_TRY_ASSIGN(const bool fresh, co_await member_->ensure_joined([this] { return auto_commit(); }));
    if (fresh) {
      reading_.clear();
      assign(member_->assignment());
    }
  }
  co_return co_await find_positions();
}

io::Task<Result<Offset>> Consumer::list_offset(TopicPartition partition, int64_t timestamp) {
  CO_TRY_ASSIGN(const auto found, co_await list_offsets(cluster_, {{partition, timestamp}}, config_.read_committed));
  const auto& one = found.at(partition);
  if (one.error.code != ErrorCode::kNone) co_return fail(one.error);
  co_return one.offset;
}

io::Task<Result<void>> Consumer::find_positions() {
  std::vector<TopicPartition> unset;
  for (const auto& [partition, reading] : reading_) {
    if (reading.next == kUnset) unset.push_back(partition);
  }
  if (!unset.empty() && !config_.group_id.empty()) {
    CO_TRY_ASSIGN(const auto committed, co_await group_offsets(cluster_, config_.group_id));
    for (const auto& partition : unset) {
      const auto found = committed.find(partition);
      if (found == committed.end() || !reading_.contains(partition)) continue;
      reading_[partition].next = found->second.offset;
      reading_[partition].epoch = reading_[partition].at_least = found->second.leader_epoch;
    }
  }
  for (const auto& partition : assignment()) {
    const Offset next = reading_[partition].next;
    if (next >= 0) continue;
    if (next == kUnset && config_.auto_offset_reset == OffsetReset::kNone) {
      co_return fail(ErrorCode::kOffsetOutOfRange, fmt::format("Undefined offset with no reset policy for partitions: [{}]", partition.to_string()));
    }
    const bool latest = next == kUnset ? config_.auto_offset_reset == OffsetReset::kLatest : next == -1;
    auto offset = co_await list_offset(partition, latest ? -1 : -2);
    if (!offset) {
      if (error_is_retriable(offset.error().code)) continue;  // The next poll tries again.
      co_return fail(offset.error());
    }
    reading_[partition].next = *offset;
  }
  co_return Result<void>{};
}

io::Task<Result<std::vector<ConsumedRecord>>> Consumer::poll(std::chrono::milliseconds timeout) {
  auto& loop = cluster_.world().loop;
  const auto deadline = io::after(loop.now(), timeout);
  while (true) {
    CO_TRY(co_await prepare());
    if (auto ready = drain(); !ready.empty()) co_return ready;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - loop.now());
    if (left.count() <= 0) co_return std::vector<ConsumedRecord>{};
    std::map<int32_t, std::vector<TopicPartition>> by_leader;
    for (auto& [partition, reading] : reading_) {
      if (reading.next < 0) continue;
      auto topic = co_await cluster_.topic(partition.topic, config_.allow_auto_create_topics);
      if (!topic || static_cast<size_t>(partition.partition) >= topic->partitions.size()) continue;
      const int32_t leader = topic->partitions[static_cast<size_t>(partition.partition)].leader;
      if (leader < 0) {
        cluster_.forget_topic(partition.topic);
      } else {
        if (loop.now() >= reading.replica_until) reading.replica = -1;
        by_leader[reading.replica >= 0 ? reading.replica : leader].push_back(partition);
      }
    }
    if (by_leader.empty()) {
      co_await io::sleep_for(loop, std::min<std::chrono::milliseconds>(left, cluster_.config().retry_backoff));
      continue;
    }
    // All leaders but the last are asked for what they have now, the last waits: one request at a time keeps the order simple.
    size_t asked = 0;
    const size_t turn = next_partition_++;
    std::vector<std::pair<int32_t, std::vector<TopicPartition>>> leaders(by_leader.begin(), by_leader.end());
    for (size_t i = 0; i < leaders.size(); ++i) {
      auto& [leader, partitions] = leaders[(i + turn) % leaders.size()];
      const bool last = ++asked == leaders.size();
      const auto wait = last ? std::min(left, config_.fetch_max_wait) : std::chrono::milliseconds(0);
      CO_TRY(co_await fetch_from(leader, std::move(partitions), wait));
    }
    if (std::exchange(leader_moved_, false)) co_await io::sleep_for(loop, cluster_.config().retry_backoff);
  }
}

// How long a follower is read from before the leader is asked again: as metadata.max.age.ms.
constexpr std::chrono::milliseconds kReplicaLease{300'000};

io::Task<Result<void>> Consumer::fetch_from(int32_t broker, std::vector<TopicPartition> partitions, std::chrono::milliseconds wait) {
  auto& loop = cluster_.world().loop;
  auto connection = co_await cluster_.broker(broker);
  if (!connection) {
    lose_broker(partitions);
    co_await io::sleep_for(loop, cluster_.config().retry_backoff);
    co_return Result<void>{};
  }
  protocol::FetchRequest request;
  request.max_wait_ms = static_cast<int32_t>(wait.count());
  request.min_bytes = config_.fetch_min_bytes;
  request.max_bytes = config_.fetch_max_bytes;
  request.isolation_level = config_.read_committed ? 1 : 0;
  request.rack_id = protocol::Text(config_.client_rack);
  bool ids = true;
  const size_t first = partitions.empty() ? 0 : next_partition_ % partitions.size();
  std::map<std::string, size_t> at;
  for (size_t i = 0; i < partitions.size(); ++i) {
    const auto& partition = partitions[(i + first) % partitions.size()];
    const auto known = cluster_.topics().find(partition.topic);
    if (known == cluster_.topics().end()) continue;  // Forgotten while this waited: the next round asks for it again.
    ids = ids && !known->second.id.is_zero();
    const auto [slot, fresh] = at.emplace(partition.topic, request.topics.size());
    if (fresh) {
      auto& topic = request.topics.emplace_back();
      topic.topic = protocol::Text(partition.topic);
      topic.topic_id = known->second.id;
    }
    auto& entry = request.topics[slot->second].partitions.emplace_back();
    entry.partition = partition.partition;
    entry.fetch_offset = reading_[partition].next;
    // A broker that lags behind must not take the position for one out of range (KIP-320); nor must an old leader that this client has
    // its first metadata from, where the committed offset is of a later epoch.
    const auto index = static_cast<size_t>(partition.partition);
    if (index < known->second.partitions.size()) {
      const LeaderEpoch listed = known->second.partitions[index].leader_epoch;
      entry.current_leader_epoch = listed < 0 ? listed : std::max(listed, reading_[partition].at_least);
    }
    entry.partition_max_bytes = config_.max_partition_fetch_bytes;
  }
  if (request.topics.empty()) co_return Result<void>{};
  auto reply = co_await (*connection)->call(request, ids ? INT16_MAX : int16_t{12}, wait);
  if (!reply) {
    lose_broker(partitions);
    co_await io::sleep_for(loop, cluster_.config().retry_backoff);
    co_return Result<void>{};
  }
  if ((*reply)->error_code != 0) co_return fail(error_from_wire((*reply)->error_code));
  for (const auto& topic : (*reply)->responses) {
    const std::string name = topic.topic.empty() ? cluster_.topic_name(topic.topic_id) : topic.topic.str();
    for (const auto& data : topic.partitions) CO_TRY(take_partition(name, data));
  }
  co_return Result<void>{};
}

void Consumer::lose_broker(const std::vector<TopicPartition>& partitions) {
  for (const auto& partition : partitions) {
    cluster_.forget_topic(partition.topic);
    if (const auto found = reading_.find(partition); found != reading_.end()) found->second.replica = -1;
  }
}

Result<void> Consumer::take_partition(const std::string& topic, const protocol::FetchResponse::PartitionData& data) {
  const TopicPartition partition{topic, data.partition_index};
  const auto found = reading_.find(partition);
  if (found == reading_.end()) return {};
  const ErrorCode code = error_from_wire(data.error_code);
  if (code == ErrorCode::kNone && data.preferred_read_replica >= 0) {
    found->second.replica = data.preferred_read_replica;
    found->second.replica_until = io::after(cluster_.world().loop.now(), kReplicaLease);
    return {};
  }
  if (code != ErrorCode::kNone && found->second.replica >= 0) {
    found->second.replica = -1;  // The leader says how it really is.
    return {};
  }
  if (means_new_leader(code)) {
    cluster_.forget_topic(topic);
    leader_moved_ = true;
    return {};
  }
  if (code == ErrorCode::kOffsetOutOfRange) {
    if (config_.auto_offset_reset == OffsetReset::kNone) {
      return fail(code, fmt::format("Fetch position {} is out of range for partition {}, and no reset policy is set", found->second.next,
                                    partition.to_string()));
    }
    found->second.next = config_.auto_offset_reset == OffsetReset::kLatest ? -1 : -2;
    return {};
  }
  if (code != ErrorCode::kNone) return fail(code, "Fetch of " + partition.to_string());
  found->second.at_least = -1;  // A topic that is deleted and made again begins with epoch 0.
  return take_batches(partition, found->second, data);
}

Result<void> Consumer::take_batches(const TopicPartition& partition, Reading& reading, const protocol::FetchResponse::PartitionData& data) {
  // Aborted transactions in order of their first offset; a producer's batches are skipped from there to its abort marker.
  std::multimap<Offset, int64_t> aborted;
  if (config_.read_committed && data.aborted_transactions) {
    for (const auto& transaction : *data.aborted_transactions) aborted.emplace(transaction.first_offset, transaction.producer_id);
  }
  std::set<int64_t> skipping;
  protocol::BatchIterator batches(data.records.memory.view());
  protocol::Record record;
  while (true) {
    TRY_ASSIGN(const auto batch, batches.next());
    if (!batch) return {};
    if (config_.check_crcs && !batch->crc_matches()) {
      return fail(ErrorCode::kCorruptMessage, fmt::format("Record batch for partition {} at offset {} is invalid, cause: the checksum does not match",
                                                          partition.to_string(), batch->base_offset()));
    }
    while (!aborted.empty() && aborted.begin()->first <= batch->last_offset()) {
      skipping.insert(aborted.begin()->second);
      aborted.erase(aborted.begin());
    }
    const Offset next = std::max(reading.next, batch->next_offset());
    if (batch->is_control()) {
      skipping.erase(batch->producer_id());
    } else if (!(batch->is_transactional() && skipping.contains(batch->producer_id()))) {
      TRY_ASSIGN(auto reader, protocol::RecordReader::open(*batch, scratch_));
      while (true) {
        TRY_ASSIGN(const bool more, reader.next(record));
        if (!more) break;
        if (record.offset < reading.next) continue;
        ConsumedRecord& out = reading.fetched.emplace_back();
        out.topic = partition.topic;
        out.partition = partition.partition;
        out.offset = record.offset;
        out.leader_epoch = batch->leader_epoch();
        out.timestamp = record.timestamp;
        out.timestamp_type = batch->timestamp_type();
        out.key = text_of(record.key);
        out.value = text_of(record.value);
        for (const auto& header : record.headers) out.headers.emplace_back(std::string(header.key), text_of(header.value));
      }
    }
    reading.next = next;
  }
}

std::vector<ConsumedRecord> Consumer::drain() {
  std::vector<ConsumedRecord> out;
  for (auto& [partition, reading] : reading_) {
    while (!reading.fetched.empty() && out.size() < config_.max_poll_records) {
      reading.consumed = reading.fetched.front().offset + 1;
      reading.epoch = reading.fetched.front().leader_epoch;
      out.push_back(std::move(reading.fetched.front()));
      reading.fetched.pop_front();
    }
    // Nothing left to give out: markers and removed records behind the last one are passed too.
    if (reading.fetched.empty() && reading.next >= 0) reading.consumed = reading.next;
  }
  return out;
}

io::Task<Result<void>> Consumer::commit() {
  std::map<TopicPartition, CommitOffset> offsets;
  for (const auto& [partition, reading] : reading_) {
    if (reading.consumed >= 0) offsets[partition] = {reading.consumed, reading.epoch, ""};
  }
  if (offsets.empty()) co_return Result<void>{};
  CommitIdentity identity;
  identity.group_id = config_.group_id;
  if (member_) {
    identity.member_id = member_->member_id();
    identity.generation = member_->generation();
    identity.instance_id = config_.instance_id;
  }
  CO_TRY_ASSIGN(const auto errors, co_await commit_offsets(cluster_, std::move(identity), std::move(offsets)));
  for (const auto& [partition, error] : errors) {
    if (error.code == ErrorCode::kNone) continue;
    if (member_) member_->on_group_error(error.code);
    co_return fail(error);
  }
  co_return Result<void>{};
}

io::Task<> Consumer::close() {
  co_await auto_commit();
  if (member_) co_await member_->leave();
}

}  // namespace samsa::client
