// Fetch: work out which partitions (session or not), read them on their shards, wait for min_bytes if need be, shape the answer.
//
// Each round hops once to every shard involved. A shard reads its partitions and, where that is not enough, links watches before it
// answers, so nothing that is appended in between is missed. The home shard waits for the first word of any of them.
#include "protocol/api/fetch.h"

#include "server/api/common.h"
#include "server/fetch_wait.h"

namespace samsa::server {

namespace {

using replication::Reader;
using PartitionAnswer = protocol::FetchResponse::PartitionData;

// One partition in this fetch.
struct Item {
  int shard = -1;               // -1: answered without a read.
  FetchPartition* wanted = nullptr;
  std::optional<Error> error;
  replication::PartitionRead read;
  int32_t leader = -1;          // With errors that name the leader.
  LeaderEpoch leader_epoch = -1;
  std::optional<int32_t> read_from;  // The replica that the consumer should rather ask.
  bool dropped = false;         // Read, but there was no room for it in the answer.
};

class Fetching {
 public:
  Fetching(RequestContext& context, const protocol::FetchRequest& request, protocol::FetchResponse& response)
      : context_(context), request_(request), response_(response), shard_(context.shard),
        wait_(std::make_shared<FetchWait>(context.shard.loop())) {
    replica_ = request.replica_state.replica_id >= 0 ? request.replica_state.replica_id : request.replica_id;
    context.from_follower = replica_ >= 0;
    reader_ = replica_ >= 0 ? Reader::kFollower
              : replica_ == -2 ? Reader::kDebug
              : request.isolation_level == 1 ? Reader::kCommittedConsumer : Reader::kConsumer;
    limit_ = std::max<int64_t>(0, std::min<int64_t>(request.max_bytes, shard_.settings().fetch_max_bytes));
    min_bytes_ = std::min<int64_t>(request.min_bytes, limit_);
  }

  // Opens or updates the session. False: the answer is an error of the whole request.
  bool open();
  io::Task<> run();
  void shape_answer();

 private:
  bool by_id() const { return context_.version() >= 13; }
  FetchPartition partition_of(const protocol::FetchRequest::FetchTopic& topic, const protocol::FetchRequest::FetchPartition& partition) const;
  bool open_incremental();
  void open_full();
  void collect(std::list<FetchPartition>& partitions);
  void locate(Item& item);
  io::Task<> read_round(io::MonoTime deadline);
  io::Task<> read_on(int shard, bool may_wait);
  io::Task<uint64_t> read_one(Shard& shard, Item& item, uint64_t left);
  void watch_on(Shard& shard);
  replication::Throttle* throttle_of(Shard& shard, const replication::Partition& partition) const;
  std::optional<int32_t> nearer_replica(Shard& shard, const replication::Partition& partition, Offset offset) const;
  uint64_t settle();
  bool must_answer_now(uint64_t bytes) const;
  void clear_watches();
  bool worth_telling(const Item& item) const;
  void fill(PartitionAnswer& answer, Item& item);
  void count_sent(const std::string& topic, uint64_t bytes);

  RequestContext& context_;
  const protocol::FetchRequest& request_;
  protocol::FetchResponse& response_;
  Shard& shard_;
  std::shared_ptr<FetchWait> wait_;
  int32_t replica_ = -1;
  Reader reader_ = Reader::kConsumer;
  int64_t limit_ = 0;
  int64_t min_bytes_ = 0;
  std::shared_ptr<FetchSession> session_;
  bool incremental_ = false;
  bool first_round_ = true;  // Nothing has been waited for.
  std::list<FetchPartition> own_;  // Without a session.
  std::vector<Item> items_;
  std::vector<int> shards_;
  std::map<int, std::shared_ptr<ShardWatch>> watches_;
};

FetchPartition Fetching::partition_of(const protocol::FetchRequest::FetchTopic& topic,
                                      const protocol::FetchRequest::FetchPartition& partition) const {
  FetchPartition wanted;
  wanted.topic = topic.topic.str();
  wanted.topic_id = topic.topic_id;
  wanted.partition = partition.partition;
  wanted.fetch_offset = partition.fetch_offset;
  wanted.current_leader_epoch = partition.current_leader_epoch;
  wanted.last_fetched_epoch = partition.last_fetched_epoch;
  wanted.log_start_offset = partition.log_start_offset;
  wanted.max_bytes = partition.partition_max_bytes;
  return wanted;
}

bool Fetching::open_incremental() {
  auto used = shard_.fetch_sessions().use(request_.session_id, request_.session_epoch, by_id());
  if (!used) {
    response_.error_code = to_wire(used.error().code);
    return false;
  }
  FetchSession& session = **used;
  incremental_ = true;
  for (const auto& topic : request_.topics) {
    for (const auto& partition : topic.partitions) session.put(partition_of(topic, partition));
  }
  for (const auto& topic : request_.forgotten_topics_data) {
    for (const auto partition : topic.partitions) session.forget(topic.topic.str(), topic.topic_id, partition);
  }
  if (session.size() == 0) {
    shard_.fetch_sessions().remove(session.id());
    return true;
  }
  session_ = std::move(*used);
  session_->set_busy(true);
  collect(session.partitions());
  return true;
}

void Fetching::open_full() {
  if (request_.session_id != 0) shard_.fetch_sessions().remove(request_.session_id);
  for (const auto& topic : request_.topics) {
    for (const auto& partition : topic.partitions) own_.push_back(partition_of(topic, partition));
  }
  if (request_.session_epoch == 0 && !own_.empty()) {
    session_ = shard_.fetch_sessions().create(by_id(), replica_ >= 0, own_.size());
    if (session_ != nullptr) {
      for (const auto& partition : own_) session_->put(partition);
      session_->set_busy(true);
      return collect(session_->partitions());
    }
  }
  collect(own_);
}

bool Fetching::open() {
  constexpr int32_t kNewSession = 0, kNoSession = -1;
  if (request_.session_epoch != kNewSession && request_.session_epoch != kNoSession) {
    if (!open_incremental()) return false;
  } else {
    open_full();
  }
  return true;
}

void Fetching::collect(std::list<FetchPartition>& partitions) {
  items_.reserve(partitions.size());
  for (auto& wanted : partitions) {
    auto& item = items_.emplace_back();
    item.wanted = &wanted;
    locate(item);
  }
  shards_ = shards_of(items_);
  context_.place = Home::place_of(shards_);
  if (request_.max_wait_ms <= 0 || min_bytes_ <= 0) return;
  for (const int shard : shards_) watches_[shard] = std::make_shared<ShardWatch>(shard_.node().shard(shard).loop(), wait_);
}

void Fetching::locate(Item& item) {
  const auto& image = *shard_.image();
  FetchPartition& wanted = *item.wanted;
  const auto* topic = by_id() ? image.topic(wanted.topic_id) : image.topic(wanted.topic);
  if (topic == nullptr && by_id()) {
    item.error = Error{ErrorCode::kUnknownTopicId, {}};
    return;
  }
  const std::string_view name = topic != nullptr ? std::string_view(topic->name) : std::string_view(wanted.topic);
  const bool allowed = replica_ >= 0 ? context_.authorized(Operation::kClusterAction, ResourceType::kCluster, kClusterResource)
                                     : context_.authorized(Operation::kRead, ResourceType::kTopic, name);
  if (!allowed) {
    item.error = Error{ErrorCode::kTopicAuthorizationFailed, {}};
  } else if (topic == nullptr) {
    item.error = Error{ErrorCode::kUnknownTopicOrPartition, {}};
  } else {
    wanted.topic_id = topic->id;
    if (by_id() && wanted.topic.empty()) wanted.topic = topic->name;
    item.shard = shard_.node().shard_of(topic->name, wanted.partition);
  }
}

io::Task<> Fetching::run() {
  const auto deadline = io::after(shard_.loop().now(), std::chrono::milliseconds(std::max(0, request_.max_wait_ms)));
  co_await read_round(deadline);
  clear_watches();
}

io::Task<> Fetching::read_round(io::MonoTime deadline) {
  for (bool first = true;; first = false) {
    first_round_ = first;
    const bool may_wait = request_.max_wait_ms > 0 && shard_.loop().now() < deadline && !shard_.stopping();
    wait_->woken = false;
    auto part = [this, may_wait](int shard) { return read_on(shard, may_wait); };
    co_await on_shards(shard_.loop(), shard_.node().worlds(), shards_, part);
    const uint64_t bytes = settle();
    if (!may_wait || must_answer_now(bytes)) co_return;
    const WaitTimer waiting(context_, shard_.loop());
    while (!wait_->woken && shard_.loop().now() < deadline) co_await wait_->changed.wait_until(shard_.loop(), deadline);
  }
}

bool Fetching::must_answer_now(uint64_t bytes) const {
  if (items_.empty() || bytes >= static_cast<uint64_t>(std::max<int64_t>(0, min_bytes_))) return true;
  return std::ranges::any_of(items_, [](const Item& item) { return item.error || item.read.diverging || item.read_from; });
}

io::Task<> Fetching::read_on(int shard_index, bool may_wait) {
  Shard& shard = shard_.node().shard(shard_index);
  if (const auto known = watches_.find(shard_index); known != watches_.end()) known->second->clear();
  auto left = static_cast<uint64_t>(std::max<int64_t>(0, limit_));
  bool failed = false;
  uint64_t bytes = 0;
  for (auto& item : items_) {
    if (item.shard != shard_index) continue;
    const uint64_t size = co_await read_one(shard, item, left);
    left -= std::min(left, size);
    bytes += size;
    failed = failed || item.error || item.read.diverging || item.read_from;
  }
  if (may_wait && !failed && bytes < static_cast<uint64_t>(std::max<int64_t>(0, min_bytes_))) watch_on(shard);
}

// Reads one partition within what is left; gives the bytes found.
io::Task<uint64_t> Fetching::read_one(Shard& shard, Item& item, uint64_t left) {
  item.error.reset();
  item.read_from.reset();
  item.read = {};
  const FetchPartition& wanted = *item.wanted;
  auto found = shard.partition(wanted.topic_id, wanted.partition);
  if (!found) {
    item.error = found.error();
    co_return 0;
  }
  replication::Partition& partition = **found;
  item.leader = partition.leader();
  item.leader_epoch = partition.leader_epoch();
  replication::FetchPosition position;
  position.offset = wanted.fetch_offset;
  position.current_leader_epoch = wanted.current_leader_epoch;
  position.last_fetched_epoch = wanted.last_fetched_epoch;
  position.max_bytes = std::min<uint64_t>(static_cast<uint64_t>(std::max(0, wanted.max_bytes)), left);
  // A replica that asks for nothing has no room for anything.
  position.min_one_batch = left == static_cast<uint64_t>(limit_) && (replica_ < 0 || wanted.max_bytes > 0);
  const bool need_leader = replica_ >= 0 || context_.version() < 11;
  if (replica_ >= 0) {
    auto known = partition.check_role(wanted.current_leader_epoch, true);
    if (known) known = partition.check_follower(replica_, request_.replica_state.replica_epoch);
    if (!known) {
      item.error = known.error();
      co_return 0;
    }
  }
  item.read_from = nearer_replica(shard, partition, wanted.fetch_offset);
  replication::Throttle* throttle = throttle_of(shard, partition);
  if (item.read_from || (throttle != nullptr && !throttle->open(shard.loop().now()))) {
    position.max_bytes = 0;
    position.min_one_batch = false;
  }
  auto read = co_await partition.read(position, reader_, need_leader);
  if (!read) {
    item.error = read.error();
    co_return 0;
  }
  item.read = std::move(*read);
  if (throttle != nullptr) throttle->moved(item.read.log.size(), shard.loop().now());
  // Only what is asked for now says how far the follower is; after a wait a later fetch may have said more.
  if (replica_ >= 0 && first_round_ && !item.read.diverging) {
    partition.follower_fetched({replica_, request_.replica_state.replica_epoch, wanted.fetch_offset, wanted.log_start_offset, item.read.leader_epoch});
  }
  co_return item.read.log.size();
}

// What bounds what this replica may read now: nothing for one that is in sync.
replication::Throttle* Fetching::throttle_of(Shard& shard, const replication::Partition& partition) const {
  if (replica_ < 0 || std::ranges::find(partition.isr(), replica_) != partition.isr().end()) return nullptr;
  return shard.leader_throttle_of(partition);
}

// A replica in the consumer's rack, where this leader is not in it (KIP-392).
std::optional<int32_t> Fetching::nearer_replica(Shard& shard, const replication::Partition& partition, Offset offset) const {
  if (!shard_.settings().rack_aware_reads || replica_ != -1 || context_.version() < 11 || request_.rack_id.empty() || !partition.is_leader()) {
    return std::nullopt;
  }
  const auto image = shard.image();
  const auto in_rack = [&](int32_t id) {
    const auto* broker = image->broker(id);
    return broker != nullptr && !broker->fenced && broker->rack && *broker->rack == request_.rack_id.view();
  };
  if (in_rack(shard_.settings().node_id)) return std::nullopt;
  return partition.nearest_follower(offset, in_rack);
}

void Fetching::watch_on(Shard& shard) {
  const auto known = watches_.find(shard.index());
  if (known == watches_.end()) return;
  ShardWatch& watch = *known->second;
  const auto kind = reader_ == Reader::kFollower || reader_ == Reader::kDebug ? replication::Watch::Kind::kFollower
                    : reader_ == Reader::kCommittedConsumer                 ? replication::Watch::Kind::kCommitted
                                                                            : replication::Watch::Kind::kConsumer;
  bool moved = false;  // A read of another partition may have waited for the disk, and this one has gone on.
  for (auto& item : items_) {
    if (item.shard != shard.index()) continue;
    const auto found = shard.partition(item.wanted->topic_id, item.wanted->partition);
    moved = moved || !found || (*found)->leader_epoch() != item.read.leader_epoch || (*found)->visible_end(reader_) > item.read.visible_end;
    if (found) watch.add(**found, kind, item.wanted->fetch_offset, item.read.log.size());
  }
  watch.arm(std::max<uint64_t>(1, static_cast<uint64_t>(min_bytes_) / shards_.size()));
  if (moved) watch.tell();
}

// Applies the limit of the whole answer in the order of the partitions: the first with data always has its place.
uint64_t Fetching::settle() {
  uint64_t total = 0;
  for (auto& item : items_) {
    item.dropped = false;
    const uint64_t size = item.read.log.size();
    if (size == 0) continue;
    const bool fits = total + size <= static_cast<uint64_t>(limit_) && size <= static_cast<uint64_t>(std::max(0, item.wanted->max_bytes));
    if (total > 0 && !fits) {
      item.dropped = true;
    } else {
      total += size;
    }
  }
  return total;
}

void Fetching::clear_watches() {
  for (auto& [shard, watch] : watches_) {
    if (shard == shard_.index()) {
      watch->clear();
    } else {
      shard_.node().shard(shard).loop().post_remote([watch = std::move(watch)] { watch->clear(); });
    }
  }
  watches_.clear();
}

bool Fetching::worth_telling(const Item& item) const {
  if (!incremental_) return true;
  const FetchPartition& wanted = *item.wanted;
  return item.error || item.read.diverging || item.read_from || (!item.dropped && item.read.log.size() > 0) ||
         item.read.high_watermark != wanted.told_high_watermark || item.read.log_start_offset != wanted.told_log_start;
}

void Fetching::fill(PartitionAnswer& answer, Item& item) {
  FetchPartition& wanted = *item.wanted;
  answer.partition_index = wanted.partition;
  answer.high_watermark = -1;
  answer.records = protocol::Records::empty();
  if (reader_ == Reader::kCommittedConsumer) {
    answer.aborted_transactions.emplace();
  } else {
    answer.aborted_transactions.reset();
  }
  wanted.told_high_watermark = -1;
  if (item.error) {
    ErrorCode code = item.error->code;
    if (code == ErrorCode::kKafkaStorageError && context_.version() <= 5) code = ErrorCode::kNotLeaderOrFollower;
    answer.error_code = to_wire(code);
    const bool names_leader = code == ErrorCode::kNotLeaderOrFollower || code == ErrorCode::kFencedLeaderEpoch;
    const auto* state = shard_.image()->partition(wanted.topic_id, wanted.partition);
    if (names_leader && context_.version() >= 16 && state != nullptr) {
      answer.current_leader.leader_id = state->leader;
      answer.current_leader.leader_epoch = state->leader_epoch;
      add_leader_endpoint(*shard_.image(), state->leader, context_.connection.listener->name, response_.node_endpoints);
    }
    return;
  }
  answer.high_watermark = item.read.high_watermark;
  answer.last_stable_offset = item.read.last_stable_offset;
  answer.log_start_offset = item.read.log_start_offset;
  wanted.told_high_watermark = item.read.high_watermark;
  wanted.told_log_start = item.read.log_start_offset;
  if (item.read.diverging) {
    answer.diverging_epoch.epoch = item.read.diverging->epoch;
    answer.diverging_epoch.end_offset = item.read.diverging->end_offset;
  }
  if (item.read_from) answer.preferred_read_replica = *item.read_from;
  if (item.dropped || item.read_from) return;
  for (const auto& aborted : item.read.log.aborted) {
    auto& entry = answer.aborted_transactions->emplace_back();
    entry.producer_id = aborted.producer_id;
    entry.first_offset = aborted.first_offset;
  }
  if (item.read.log.slices.empty()) return;
  count_sent(wanted.topic, item.read.log.size());
  answer.records = protocol::Records::of(std::move(item.read.log.slices));
}

// On the connection's shard, whichever the partition is of: only here is it known what fits into the answer.
void Fetching::count_sent(const std::string& topic, uint64_t bytes) {
  if (replica_ >= 0) {
    shard_.metrics().replication_bytes_out.add(bytes);
  } else {
    shard_.metrics().topic(topic)->mark(&metrics::TopicMetrics::bytes_out, bytes);
  }
}

// Groups neighbours of one topic; partitions that returned data go to the end of the session's order.
void Fetching::shape_answer() {
  response_.session_id = context_.connection.fetch_session = session_ == nullptr ? 0 : session_->id();
  std::vector<FetchPartition*> served;
  for (auto& item : items_) {
    if (!worth_telling(item)) continue;
    const bool same_topic = !response_.responses.empty() &&
                            (by_id() ? response_.responses.back().topic_id == item.wanted->topic_id
                                     : response_.responses.back().topic.view() == item.wanted->topic);
    if (!same_topic) {
      auto& topic = response_.responses.emplace_back();
      if (!by_id()) topic.topic = item.wanted->topic;  // Else nobody sees it, and it would cost the allocator a call.
      topic.topic_id = item.wanted->topic_id;
    }
    const bool has_data = !item.dropped && item.read.log.size() > 0;
    fill(response_.responses.back().partitions.emplace_back(), item);
    if (has_data) served.push_back(item.wanted);
  }
  if (session_ == nullptr) return;
  session_->set_busy(false);
  auto& order = session_->partitions();
  auto at = order.begin();
  for (const auto* wanted : served) {
    while (at != order.end() && &*at != wanted) ++at;
    if (at != order.end()) session_->move_to_end(at++);
  }
}

}  // namespace

io::Task<> handle_fetch(RequestContext& context, protocol::FetchRequest& request, protocol::FetchResponse& response) {
  if (context.connection.listener->controller) {
    co_await context.shard.node().on_metadata(context.shard.loop(), [&](metadata::MetadataNode& metadata) {
      return metadata.raft().handle_fetch(request, context.version(), context.connection.listener->name, response);
    });
    co_return;
  }
  Fetching fetching(context, request, response);
  if (!fetching.open()) co_return;
  co_await fetching.run();
  fetching.shape_answer();
}

}  // namespace samsa::server
