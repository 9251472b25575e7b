#include "replication/follower_fetcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "client/connection.h"
#include "protocol/api/fetch.h"
#include "protocol/api/list_offsets.h"
#include "protocol/record_batch.h"
#include "replication/fetch_client.h"

namespace samsa::replication {

namespace {

using std::chrono::milliseconds;
using PartitionAnswer = protocol::FetchResponse::PartitionData;

constexpr milliseconds kFirstBackoff{10};
constexpr milliseconds kInterruptEvery{50};
constexpr milliseconds kWhileFull{1000};  // Between two fetches of a replica whose disk is full.
constexpr int16_t kLowestFetchVersion = 13;  // With topic ids.

}  // namespace

// Fetches from one leader's broker.
class FollowerFetcher {
 public:
  FollowerFetcher(io::World world, const FetcherSettings& settings, FetcherHost& host, int32_t leader)
      : world_(world), settings_(settings), host_(host), leader_(leader) {}

  void add(const std::shared_ptr<Partition>& partition);
  void remove(const FetchClientSession::Key& key);
  [[nodiscard]] std::shared_ptr<Partition> partition(const FetchClientSession::Key& key) const;
  io::Task<> run();
  void stop();

 private:
  using Key = FetchClientSession::Key;
  struct Entry {
    std::shared_ptr<Partition> partition;
    LeaderEpoch epoch = -1;
    bool asked = false;       // In the request that is under way.
    bool full = false;        // It takes no records: its disk has no room.
    bool parked = false;      // Until the metadata says something new.
    io::MonoTime due{};       // Not before.
    milliseconds backoff{0};
  };

  io::Task<> wait_for_work();
  io::Task<> sync(std::map<Key, FetchClientSession::Wanted>& wanted);
  [[nodiscard]] std::map<Key, FetchClientSession::Wanted> ready();
  // While the replica is out of sync.
  [[nodiscard]] Throttle* throttle_of(const Entry& entry);
  io::Task<bool> connect();
  io::Task<> fetch(const std::map<Key, FetchClientSession::Wanted>& wanted);
  void lost(const Error& error);
  io::Task<> take(Key key, const PartitionAnswer& answer);
  io::Task<> truncate(Entry& entry, storage::EpochEndOffset end);
  io::Task<> find_offset(std::shared_ptr<Partition> partition, LeaderEpoch epoch);
  io::Task<> begin_at_batch(std::shared_ptr<Partition> partition, LeaderEpoch epoch, Bytes records);
  io::Task<Result<Offset>> ask_offset(Partition& partition, LeaderEpoch epoch, int64_t timestamp);
  void delay(Entry& entry);
  void note_room(Entry& entry);
  // The entry, unless it has been taken away or begun anew since.
  Entry* current(const Key& key, LeaderEpoch epoch);

  io::World world_;
  const FetcherSettings& settings_;
  FetcherHost& host_;
  const int32_t leader_;
  std::map<Key, Entry> entries_;
  FetchClientSession session_;
  std::shared_ptr<client::Connection> connection_;
  milliseconds reconnect_backoff_{0};
  io::MonoTime interrupted_at_{};
  bool polling_ = false;      // A long poll is under way.
  bool interrupted_ = false;  // It was ended from here.
  bool newcomers_ = false;
  bool unsynced_ = false;  // Of what ready() found, something has to be synced first.
  bool lost_ = false;  // The host was told so.
  bool stopping_ = false;
  io::Signal poked_;
};

void FollowerFetcher::add(const std::shared_ptr<Partition>& partition) {
  Entry& entry = entries_[{partition->topic_id(), partition->name().partition}];
  if (entry.partition == partition && entry.epoch == partition->leader_epoch()) {
    entry.parked = false;
    poked_.notify_all();
    return;
  }
  entry = {.partition = partition, .epoch = partition->leader_epoch()};
  newcomers_ = true;
  poked_.notify_all();
  // Not to wait for the end of the long poll. Where that was done just now the newcomer has a little patience.
  if (polling_ && !interrupted_ && world_.loop.now() >= io::after(interrupted_at_, kInterruptEvery)) {
    interrupted_ = true;
    interrupted_at_ = world_.loop.now();
    connection_->close();
  }
}

void FollowerFetcher::remove(const Key& key) {
  entries_.erase(key);
  poked_.notify_all();
}

std::shared_ptr<Partition> FollowerFetcher::partition(const Key& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.partition;
}

void FollowerFetcher::stop() {
  stopping_ = true;
  entries_.clear();
  poked_.notify_all();
  if (connection_) connection_->close();
}

FollowerFetcher::Entry* FollowerFetcher::current(const Key& key, LeaderEpoch epoch) {
  const auto found = entries_.find(key);
  return found == entries_.end() || found->second.epoch != epoch || stopping_ ? nullptr : &found->second;
}

void FollowerFetcher::delay(Entry& entry) {
  entry.backoff = std::min(std::max(entry.backoff * 2, kFirstBackoff), std::max(settings_.backoff, kFirstBackoff));
  entry.due = io::after(world_.loop.now(), entry.backoff);
}

io::Task<> FollowerFetcher::run() {
  while (!stopping_) {
    auto wanted = ready();
    if (wanted.empty()) {
      co_await wait_for_work();
      continue;
    }
    if (std::exchange(unsynced_, false)) co_await sync(wanted);
    if (!wanted.empty() && co_await connect()) {
      co_await fetch(wanted);
    }
  }
}

// A fetch says that everything below its offset is here; in a durable topic, that it is synced. After a start, or where this replica led before, that
// may still have to be done.
io::Task<> FollowerFetcher::sync(std::map<Key, FetchClientSession::Wanted>& wanted) {
  for (auto it = wanted.begin(); it != wanted.end();) {
    const auto& [key, want] = *it;
    const auto found = entries_.find(key);
    Entry* entry = found == entries_.end() ? nullptr : &found->second;
    if (entry != nullptr) {
      const auto partition = entry->partition;
      const auto durable = co_await partition->wait_durable(want.offset - 1);
      entry = current(key, want.current_epoch);
      if (entry != nullptr && !durable) {
        entry->asked = false;
        delay(*entry);
      }
      if (!durable) entry = nullptr;
    }
    it = entry == nullptr ? wanted.erase(it) : std::next(it);
  }
}

io::Task<> FollowerFetcher::wait_for_work() {
  io::MonoTime next = io::kNever;
  for (const auto& [key, entry] : entries_) {
    if (!entry.parked) next = std::min(next, entry.due);
  }
  co_await poked_.wait_until(world_.loop, next);
}

std::map<FetchClientSession::Key, FetchClientSession::Wanted> FollowerFetcher::ready() {
  std::map<Key, FetchClientSession::Wanted> wanted;
  const io::MonoTime now = world_.loop.now();
  for (auto& [key, entry] : entries_) {
    entry.asked = false;
    if (entry.parked || entry.due > now || entry.partition->changing().locked()) continue;
    if (Throttle* throttle = throttle_of(entry); throttle != nullptr && !throttle->open(now)) {
      entry.due = throttle->opens_at(now);
      continue;
    }
    const storage::Log& log = entry.partition->log();
    note_room(entry);
    wanted[key] = {log.log_end_offset(), log.log_start_offset(), entry.epoch, log.latest_epoch(), entry.full};
    unsynced_ = unsynced_ || (log.config().durable && !log.is_durable(log.log_end_offset()));
    entry.asked = true;
  }
  newcomers_ = false;
  return wanted;
}

void FollowerFetcher::note_room(Entry& entry) {
  const storage::Log& log = entry.partition->log();
  if (log.out_of_room() == entry.full) return;
  entry.full = !entry.full;
  if (entry.full) {
    SAMSA_LOG_WARN("{}: does not follow broker {} while there is no room on its disk", log.directory(), leader_);
  } else {
    SAMSA_LOG_INFO("{}: follows broker {} again", log.directory(), leader_);
  }
}

Throttle* FollowerFetcher::throttle_of(const Entry& entry) {
  const auto& isr = entry.partition->isr();
  return std::ranges::find(isr, settings_.node_id) != isr.end() ? nullptr : host_.throttle_of(*entry.partition);
}

// A connection to the leader; false after a pause where there is none.
io::Task<bool> FollowerFetcher::connect() {
  if (connection_ && connection_->alive()) co_return true;
  session_.reset();
  connection_.reset();
  Error why{ErrorCode::kBrokerNotAvailable, "it is not registered"};
  if (const auto address = host_.address_of(leader_)) {
    client::ConnectionConfig config;
    config.client_id = fmt::format("broker-{}-fetcher", settings_.node_id);
    config.connect_timeout = std::min(settings_.socket_timeout, milliseconds(2000));
    config.request_timeout = settings_.socket_timeout;
    auto opened = co_await client::Connection::open(world_, *address, config);
    if (opened && stopping_) (*opened)->close();
    if (opened && !stopping_) {
      connection_ = std::move(*opened);
      if (std::exchange(lost_, false)) host_.leader_found(leader_);
      co_return true;
    }
    if (!opened) why = opened.error();
  }
  if (!stopping_) lost(why);
  if (!stopping_) co_await poked_.wait_until(world_.loop, io::after(world_.loop.now(), reconnect_backoff_));
  co_return false;
}

void FollowerFetcher::lost(const Error& error) {
  session_.reset();
  if (connection_) connection_->close();
  connection_.reset();
  if (reconnect_backoff_.count() == 0) SAMSA_LOG_INFO("fetcher from broker {}: {}", leader_, error.text());
  reconnect_backoff_ = std::min(std::max(reconnect_backoff_ * 2, kFirstBackoff), std::max(settings_.backoff, kFirstBackoff));
}

io::Task<> FollowerFetcher::fetch(const std::map<Key, FetchClientSession::Wanted>& wanted) {
  protocol::FetchRequest request;
  request.replica_state.replica_id = settings_.node_id;
  request.replica_state.replica_epoch = host_.own_broker_epoch();
  request.replica_id = settings_.node_id;
  // Those who come shortly after an interruption wait for the end of the poll.
  const bool short_poll = world_.loop.now() < io::after(interrupted_at_, kInterruptEvery);
  request.max_wait_ms = static_cast<int32_t>((newcomers_ ? milliseconds(0) : short_poll ? std::min(settings_.max_wait, kInterruptEvery) : settings_.max_wait).count());
  request.min_bytes = settings_.min_bytes;
  request.max_bytes = settings_.response_max_bytes;
  const auto connection = connection_;
  const auto version = connection->version_of<protocol::FetchRequest>(host_.fetch_version());
  if (!version || *version < kLowestFetchVersion) {
    lost(Error{ErrorCode::kUnsupportedVersion, "it serves no version of Fetch with topic ids"});
    co_await poked_.wait_until(world_.loop, io::after(world_.loop.now(), reconnect_backoff_));
    co_return;
  }
  if (*version >= 15) request.replica_id = -1;
  if (*version < 15) request.replica_state = {};
  session_.fill(request, wanted, settings_.partition_max_bytes);
  polling_ = true;
  auto reply = co_await connection->call(request, *version, settings_.max_wait);
  polling_ = false;
  const bool interrupted = std::exchange(interrupted_, false);
  if (stopping_) co_return;
  if (!reply) {
    const auto before = reconnect_backoff_;
    if (!interrupted && !std::exchange(lost_, true)) host_.leader_lost(leader_);
    lost(reply.error());
    if (interrupted) {
      reconnect_backoff_ = before;
    } else {
      co_await poked_.wait_until(world_.loop, io::after(world_.loop.now(), reconnect_backoff_));
    }
    co_return;
  }
  reconnect_backoff_ = {};
  if ((*reply)->error_code != 0) {
    session_.reset();
    SAMSA_LOG_DEBUG("fetcher from broker {}: {}", leader_, error_name(error_from_wire((*reply)->error_code)));
    co_await io::sleep_for(world_.loop, kFirstBackoff);
    co_return;
  }
  session_.answered((*reply)->session_id);
  for (auto& [key, entry] : entries_) {
    if (entry.asked && entry.full) entry.due = io::after(world_.loop.now(), kWhileFull);
  }
  for (const auto& topic : (*reply)->responses) {
    for (const auto& partition : topic.partitions) co_await take({topic.topic_id, partition.partition_index}, partition);
  }
}

io::Task<> FollowerFetcher::take(Key key, const PartitionAnswer& answer) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.asked || stopping_) co_return;
  Entry& entry = found->second;
  const auto partition = entry.partition;
  const LeaderEpoch epoch = entry.epoch;
  if (Throttle* throttle = throttle_of(entry)) throttle->moved(answer.records.memory.size(), world_.loop.now());
  switch (const ErrorCode error = error_from_wire(answer.error_code); error) {
    case ErrorCode::kNone: break;
    case ErrorCode::kOffsetOutOfRange: co_return co_await find_offset(partition, epoch);
    case ErrorCode::kFencedLeaderEpoch:
      // A newer leader exists; the image that names it is on its way.
      SAMSA_LOG_DEBUG("{}: broker {} knows of a newer epoch than {}", partition->name().to_string(), leader_, epoch);
      entry.parked = true;
      co_return;
    default:
      SAMSA_LOG_DEBUG("{}: fetch from broker {}: {}", partition->name().to_string(), leader_, error_name(error));
      co_return delay(entry);
  }
  if (answer.diverging_epoch.epoch >= 0 || answer.diverging_epoch.end_offset >= 0) {
    co_return co_await truncate(entry, {answer.diverging_epoch.epoch, answer.diverging_epoch.end_offset});
  }
  const Bytes records = entry.full ? Bytes() : answer.records.memory.view();
  auto taken = partition->append_from_leader(records, epoch, answer.high_watermark, answer.log_start_offset);
  if (!taken && io::is_no_space(taken.error())) {
    note_room(entry);
    if (entry.full) co_return delay(entry);
  }
  if (!taken) {
    SAMSA_LOG_WARN("{}: what broker {} sent is not taken: {}", partition->name().to_string(), leader_, taken.error().text());
    if (taken.error().code == ErrorCode::kOffsetOutOfRange) co_return co_await begin_at_batch(partition, epoch, answer.records.memory.view());
    co_return delay(entry);
  }
  entry.backoff = {};
  // The next fetch says that all of this is here.
  const auto durable = co_await partition->wait_durable(partition->log().log_end_offset() - 1);
  Entry* const now = current(key, epoch);
  if (!durable && now != nullptr) delay(*now);
}

io::Task<> FollowerFetcher::truncate(Entry& entry, storage::EpochEndOffset end) {
  const auto partition = entry.partition;
  const LeaderEpoch epoch = entry.epoch;
  const auto cut = co_await partition->truncate_to_leader(end, epoch);
  if (cut && *cut) co_await host_.checkpoint();
  Entry* const now = current({partition->topic_id(), partition->name().partition}, epoch);
  if (now != nullptr && (!cut || !*cut)) delay(*now);
}

io::Task<Result<Offset>> FollowerFetcher::ask_offset(Partition& partition, LeaderEpoch epoch, int64_t timestamp) {
  protocol::ListOffsetsRequest request;
  request.replica_id = settings_.node_id;
  auto& topic = request.topics.emplace_back();
  topic.name = partition.name().topic;
  auto& wanted = topic.partitions.emplace_back();
  wanted.partition_index = partition.name().partition;
  wanted.current_leader_epoch = epoch;
  wanted.timestamp = timestamp;
  const auto connection = connection_;
  if (!connection) co_return fail(ErrorCode::kNetworkException);
  CO_TRY_ASSIGN(auto reply, co_await connection->call(request));
  if (reply->topics.size() != 1 || reply->topics[0].partitions.size() != 1) co_return fail(ErrorCode::kUnknownServerError);
  const auto& found = reply->topics[0].partitions[0];
  if (found.error_code != 0) co_return fail(error_from_wire(found.error_code));
  co_return found.offset;
}

// The own log end is outside of the leader's log: cut to its end, or begin at its start.
io::Task<> FollowerFetcher::find_offset(std::shared_ptr<Partition> partition, LeaderEpoch epoch) {
  constexpr int64_t kLatest = -1, kEarliest = -2;
  const Key key{partition->topic_id(), partition->name().partition};
  const auto work = [&]() -> io::Task<Result<bool>> {
    CO_TRY_ASSIGN(const Offset leader_end, co_await ask_offset(*partition, epoch, kLatest));
    if (leader_end < partition->log().log_end_offset()) {
      CO_TRY(co_await partition->truncate(leader_end, false, epoch));
      co_return true;
    }
    CO_TRY_ASSIGN(const Offset leader_start, co_await ask_offset(*partition, epoch, kEarliest));
    const auto& log = partition->log();
    if (log.log_end_offset() >= leader_start && log.log_end_offset() > log.log_start_offset()) co_return false;
    if (log.log_end_offset() == leader_start) co_return false;
    CO_TRY(co_await partition->truncate(leader_start, true, epoch));
    co_return true;
  };
  const auto changed = co_await work();
  if (changed && *changed) co_await host_.checkpoint();
  if (!changed) SAMSA_LOG_WARN("{}: cannot find where to fetch from: {}", partition->name().to_string(), changed.error().text());
  Entry* const now = current(key, epoch);
  if (now != nullptr && (!changed || !*changed)) delay(*now);
}

// The leader's log begins inside a batch (DeleteRecords) and this one is empty: it begins where the batch does.
io::Task<> FollowerFetcher::begin_at_batch(std::shared_ptr<Partition> partition, LeaderEpoch epoch, Bytes records) {
  const storage::Log& log = partition->log();
  const bool empty = log.log_start_offset() == log.log_end_offset();
  if (!empty || records.size() < protocol::kBatchHeaderSize) co_return co_await find_offset(partition, epoch);
  const Offset base = protocol::BatchHeader(records.data()).base_offset();
  const auto begun = co_await partition->truncate(base, true, epoch);
  if (begun) co_await host_.checkpoint();
  if (begun) (void)partition->append_from_leader(records, epoch, base, base);
}

// ---- All of a shard

FollowerFetchers::FollowerFetchers(io::World world, FetcherSettings settings, FetcherHost& host)
    : world_(world), settings_(settings), host_(host), tasks_(world.loop) {}
FollowerFetchers::~FollowerFetchers() = default;

void FollowerFetchers::follow(const std::shared_ptr<Partition>& partition) {
  if (stopping_) return;
  if (partition->leader() < 0 || partition->is_leader()) return unfollow(*partition);
  const Key key{partition->topic_id(), partition->name().partition};
  const int32_t number = static_cast<int32_t>((std::hash<Uuid>{}(key.first) * 31 + static_cast<size_t>(key.second)) %
                                              static_cast<size_t>(std::max(1, settings_.fetchers)));
  const Slot slot{partition->leader(), number};
  if (const auto before = followed_.find(key); before != followed_.end() && before->second != slot) fetchers_.at(before->second)->remove(key);
  followed_[key] = slot;
  auto& fetcher = fetchers_[slot];
  if (!fetcher) {
    fetcher = std::make_unique<FollowerFetcher>(world_, settings_, host_, slot.first);
    tasks_.spawn(fetcher->run());
  }
  fetcher->add(partition);
}

void FollowerFetchers::unfollow(const Partition& partition) {
  const auto found = followed_.find({partition.topic_id(), partition.name().partition});
  if (found == followed_.end()) return;
  fetchers_.at(found->second)->remove(found->first);
  followed_.erase(found);
}

void FollowerFetchers::set_fetchers(int32_t count) {
  if (count < 1 || count == settings_.fetchers) return;
  settings_.fetchers = count;
  std::vector<std::shared_ptr<Partition>> all;
  for (const auto& [key, slot] : followed_) {
    if (auto partition = fetchers_.at(slot)->partition(key)) all.push_back(std::move(partition));
  }
  for (const auto& partition : all) follow(partition);
}

io::Task<> FollowerFetchers::stop() {
  stopping_ = true;
  for (const auto& [slot, fetcher] : fetchers_) fetcher->stop();
  co_await tasks_.join();
}

}  // namespace samsa::replication
