#include "server/shard.h"

#include <algorithm>

#include "base/log.h"
#include "metadata/features.h"
#include "server/connection.h"
#include "server/coordinator_log.h"
#include "server/internal_topics.h"
#include "server/node.h"
#include "server/topic_configs.h"

namespace samsa::server {

namespace {

// How long a start waits for logs. What takes longer, or is known to, holds up nobody else.
constexpr std::chrono::seconds kLoadPatience{10};

storage::LogManagerConfig manager_config(const NodeSettings& settings, size_t shards) {
  storage::LogManagerConfig config;
  config.defaults = log_config_of(settings, metadata::MetadataImage{}, {});
  config.open_files = std::max<size_t>(16, settings.open_files / shards);
  config.producer_id_expiration_ms = settings.producer_id_expiration_ms;
  config.recovery_threads = static_cast<int>(settings.config->number("num.recovery.threads.per.data.dir"));
  config.shards = shards;
  config.reserve_bytes = static_cast<uint64_t>(settings.config->number("samsa.disk.reserve.bytes"));
  return config;
}

int64_t share(int64_t limit, size_t shards) { return limit < 0 ? -1 : limit / static_cast<int64_t>(shards); }

}  // namespace

Shard::Shard(Node& node, io::World world, const NodeSettings& settings)
    : node_(node),
      world_(world),
      settings_(settings),
      metrics_(world.loop.shard()),
      blocks_(world.loop, share(settings.queued_max_request_bytes, node.worlds().size())),
      append_turns_(world.loop),
      image_(std::make_shared<const metadata::MetadataImage>()),
      applied_(image_),
      logs_(world.loop, world.disk, manager_config(settings, node.worlds().size())),
      groups_(world.loop, settings.group),
      fetch_sessions_(world.loop, static_cast<size_t>(settings.fetch_session_slots) / node.worlds().size() + 1,
                      static_cast<int>(node.worlds().size())),
      fetchers_(world, settings.fetchers, *this),
      mover_(*this),
      serving_(world.loop),
      background_(world.loop) {}

Shard::~Shard() = default;

Result<std::shared_ptr<replication::Partition>> Shard::partition(const Uuid& topic, PartitionIndex index) const {
  if (const auto found = partitions_.find({topic, index}); found != partitions_.end()) return found->second;
  const auto* image = image_->partition(topic, index);
  if (image == nullptr) return fail(ErrorCode::kUnknownTopicOrPartition);
  if (image->has_replica(settings_.node_id) && logs_.is_offline(node_.directories().index_of(image->directory_of(settings_.node_id)))) {
    return fail(ErrorCode::kKafkaStorageError);
  }
  return fail(ErrorCode::kNotLeaderOrFollower);
}

int32_t Shard::min_isr(const metadata::MetadataImage& image, std::string_view topic) const {
  return static_cast<int32_t>(topic_number(settings_, image, topic, "min.insync.replicas"));
}

// ---- Following the image

io::Task<Result<void>> Shard::open_logs(std::vector<storage::FoundLog> found) {
  logs_.set_directories(node_.directories().paths());
  logs_.on_offline([this](int directory) {
    node_.worlds()[0].loop.post_remote(
        [this, directory] { node_.directory_failed(directory, Error{ErrorCode::kKafkaStorageError, "a write or read failed"}); });
  });
  const auto held = co_await applying_.lock(world_.loop);
  const metadata::ImagePtr now = image_;
  logs_.on_loaded([this, now](const TopicPartition& partition) {
    if (!stopping_) spawn(settle(partition, now));
  });
  const auto config_of = [this, now](const std::string& topic) { return log_config_of(settings_, *now, topic); };
  apply_node_settings(*now);
  CO_TRY(co_await logs_.load(std::move(found), config_of, kLoadPatience));
  update_cordoned(*now);
  for (const auto& partition : logs_.futures()) co_await adopt_copy(partition, *now);
  co_await set_aside_strays(*now);
  co_await apply(metadata::MetadataImage{}, *now);
  applied_ = now;
  // What was published meanwhile was only noted.
  while (applied_ != image_) {
    const metadata::ImagePtr newer = image_;
    co_await apply(*applied_, *newer);
    applied_ = newer;
  }
  loaded_ = true;
  for (const auto& partition : logs_.futures()) co_await mover_.resume(partition);
  co_return Result<void>{};
}

io::Task<> Shard::on_image(metadata::ImagePtr before, metadata::ImagePtr now) {
  image_ = now;
  if (!before || !before->topics_by_id.same_as(now->topics_by_id)) topics_changed_ = world_.loop.now();
  leaders_changed_.notify_all();
  if (before && !before->brokers.same_as(now->brokers)) note_deaths(*before, *now);
  const bool same_for_groups = before && before->topics.same_as(now->topics) && before->brokers.same_as(now->brokers) &&
                               before->configs.same_as(now->configs) && before->features.same_as(now->features);
  if (!same_for_groups) groups_.set_image(now);
  if (!loaded_) co_return;
  const auto held = co_await applying_.lock(world_.loop);
  if (!stopping_) co_await apply(*applied_, *now);
  applied_ = now;
}

io::Task<> Shard::apply(const metadata::MetadataImage& before, const metadata::MetadataImage& now) {
  if (!before.configs.same_as(now.configs)) {
    apply_configs(before, now);
    apply_throttles(now);
  }
  if (!before.configs.same_as(now.configs) || !before.features.same_as(now.features)) update_cordoned(now);
  if (before.topics_by_id.same_as(now.topics_by_id)) co_return;
  std::vector<std::string> deleted;
  const auto changes = metadata::diff_topics(before, now);
  for (const auto& change : changes) {
    if (change.after != nullptr) continue;
    deleted.push_back(change.before->name);
    co_await apply_topic(change, now);
    metrics_.forget_topic(change.before->name);
  }
  co_await checkpoint_if_due();  // Before another topic takes the name.
  for (const auto& change : changes) {
    if (change.after != nullptr) co_await apply_topic(change, now);
  }
  co_await checkpoint_if_due();
  const auto* offsets = now.topic(kGroupOffsetsTopic);
  groups_.set_partition_count(offsets == nullptr ? 0 : offsets->partition_count());
  if (!deleted.empty()) spawn(groups_.topics_deleted(std::move(deleted)));
}

io::Task<> Shard::apply_topic(const metadata::TopicChange& change, const metadata::MetadataImage& now) {
  const int32_t before = change.before == nullptr ? 0 : change.before->partition_count();
  const int32_t after = change.after == nullptr ? 0 : change.after->partition_count();
  const std::string& name = change.after == nullptr ? change.before->name : change.after->name;
  for (PartitionIndex index = 0; index < std::max(before, after); ++index) {
    if (node_.shard_of(name, index) != this->index()) continue;
    const auto* old_state = change.before == nullptr ? nullptr : change.before->partition(index);
    const auto* new_state = change.after == nullptr ? nullptr : change.after->partition(index);
    if (old_state == new_state) continue;
    if (change.after == nullptr) {
      co_await drop_partition(name, change.id, index);
    } else {
      co_await apply_partition(*change.after, index, new_state, now);
    }
  }
}

io::Task<> Shard::apply_partition(const metadata::TopicImage& topic, PartitionIndex index, const metadata::PartitionImage* state,
                                  const metadata::MetadataImage& now) {
  if (state == nullptr || !state->has_replica(settings_.node_id)) {
    co_await drop_partition(topic.name, topic.id, index);
    co_return;
  }
  const PartitionKey key{topic.id, index};
  auto found = partitions_.find(key);
  if (found == partitions_.end()) {
    if (logs_.is_loading({topic.name, index})) co_return;  // settle() will be here again.
    const Uuid assigned = state->directory_of(settings_.node_id);
    const int directory = node_.directories().index_of(assigned);
    if (directory < 0 && !assigned.is_zero() && assigned != kUnassignedDirectory && logs_.any_offline()) {
      // It lies in a directory that cannot be read: an empty one must not take its place.
      SAMSA_LOG_ERROR("{}-{} lies in a directory that is offline", topic.name, index);
      co_return;
    }
    auto log = co_await logs_.get_or_create({topic.name, index}, topic.id, log_config_of(settings_, now, topic.name), directory);
    if (!log) {
      const bool again = io::is_no_space(log.error()) && !waiting_for_room_.emplace(topic.name, index).second;
      if (!again) SAMSA_LOG_ERROR("cannot open {}-{}: {}", topic.name, index, log.error().text());
      co_return;
    }
    // What waited may have been another one's of that name.
    checkpoint_due_ = waiting_for_room_.erase({topic.name, index}) > 0 || checkpoint_due_;
    found = partitions_.emplace(key, std::make_shared<replication::Partition>(world_.loop, **log, node_.id(), topic.id, this)).first;
    found->second->set_metrics(metrics_.topic(topic.name));
  }
  tell_directory(topic, index, *state, now);
  const auto kept = found->second;
  io::Mutex::Held held;
  if (state->leader_epoch > kept->leader_epoch()) {  // Else nothing changes that who writes or cuts relies on.
    fetchers_.unfollow(*kept);
    held = co_await kept->changing().lock(world_.loop);
  }
  const LeaderEpoch epoch_before = kept->leader_epoch();
  const bool led_before = kept->is_leader();
  if (const auto applied = kept->apply(*state, min_isr(now, topic.name)); !applied) {
    SAMSA_LOG_ERROR("cannot lead {}-{}: {}", topic.name, index, applied.error().text());
    co_return;
  }
  fetchers_.follow(kept);
  if (topic.name != kGroupOffsetsTopic || kept->leader_epoch() == epoch_before) co_return;
  if (kept->is_leader()) {
    lead_group_partition(index, kept);
  } else if (led_before) {
    groups_.resign(index);
  }
}

void Shard::lead_group_partition(PartitionIndex index, const std::shared_ptr<replication::Partition>& partition) {
  struct Lead {
    static io::Task<> run(Shard& shard, PartitionIndex index, std::shared_ptr<replication::Partition> partition) {
      const auto loaded = co_await shard.groups_.become_leader(index, partition->leader_epoch(), std::make_shared<PartitionLog>(partition));
      if (!loaded) SAMSA_LOG_ERROR("cannot load groups of {}: {}", partition->name().to_string(), loaded.error().text());
    }
  };
  spawn(Lead::run(*this, index, partition));
}

// The checkpoint files go by names: what they say of a partition that was here must be gone before another one of that name may come.
io::Task<> Shard::checkpoint_if_due() {
  if (std::exchange(checkpoint_due_, false)) co_await checkpoint();
}

io::Task<> Shard::drop_partition(const std::string& topic, const Uuid& id, PartitionIndex index) {
  const auto found = partitions_.find({id, index});
  if (found == partitions_.end()) co_return;
  const auto partition = std::move(found->second);
  partitions_.erase(found);
  fetchers_.unfollow(*partition);
  partition->close(ErrorCode::kUnknownTopicOrPartition);
  co_await mover_.forget({topic, index});
  const auto held = co_await partition->changing().lock(world_.loop);
  if (topic == kGroupOffsetsTopic) groups_.resign(index);
  const storage::Log* log = logs_.find({topic, index});
  checkpoint_due_ = checkpoint_due_ || (log != nullptr && log->log_end_offset() > 0);
  if (const auto removed = co_await logs_.remove({topic, index}); !removed) {
    SAMSA_LOG_ERROR("cannot delete {}-{}: {}", topic, index, removed.error().text());
  }
}

// ---- Log directories

// The controller must know where a replica lies, to move its leader when that directory fails.
void Shard::tell_directory(const metadata::TopicImage& topic, PartitionIndex index, const metadata::PartitionImage& state,
                           const metadata::MetadataImage& now) {
  const int directory = logs_.directory_of({topic.name, index});
  if (directory < 0 || now.metadata_version() < metadata::kMvDirectories || mover_.moving({topic.name, index})) return;
  if (state.directory_of(settings_.node_id) == node_.directories().at(static_cast<size_t>(directory)).meta.directory_id) return;
  if (!telling_.insert({topic.id, index}).second) return;
  struct Tell {
    static io::Task<> run(Shard& shard, Uuid topic, PartitionIndex index, int directory) {
      if (const auto told = co_await shard.assign_directory(topic, index, directory); !told && !shard.stopping_) {
        SAMSA_LOG_WARN("the controller does not note the directory of {}-{}: {}", topic.to_string(), index, told.error().text());
      }
      shard.telling_.erase({topic, index});
    }
  };
  spawn(Tell::run(*this, topic.id, index, directory));
}

io::Task<Result<void>> Shard::assign_directory(Uuid topic, PartitionIndex partition, int directory) {
  const Uuid id = node_.directories().at(static_cast<size_t>(directory)).meta.directory_id.value_or(kZeroUuid);
  auto assign = [this, topic, partition, id] { return node_.directory_assigner().assign(topic, partition, id); };
  co_return co_await io::call_on(world_.loop, node_.worlds()[0].loop, assign);
}

void Shard::update_cordoned(const metadata::MetadataImage& now) {
  const auto cordoned = cordoned_directories(settings_, now);
  logs_.set_cordoned(cordoned);
  if (index() == 0) node_.tell_cordoned(cordoned, now);
}

// A crash came when a move had set the old directory aside already: the copy is the replica, if the controller says so.
io::Task<> Shard::adopt_copy(TopicPartition partition, const metadata::MetadataImage& now) {
  if (logs_.directory_of(partition) >= 0 || logs_.is_loading(partition)) co_return;
  const auto* topic = now.topic(partition.topic);
  const auto* state = topic == nullptr ? nullptr : topic->partition(partition.partition);
  const int directory = logs_.future_directory_of(partition);
  const auto& id = node_.directories().at(static_cast<size_t>(directory)).meta.directory_id;
  if (state == nullptr || state->directory_of(settings_.node_id) != id) co_return;
  SAMSA_LOG_INFO("{}: its move to {} is completed", partition.to_string(), logs_.directories()[static_cast<size_t>(directory)]);
  if (const auto adopted = co_await logs_.promote_future(partition); !adopted) {
    SAMSA_LOG_ERROR("cannot complete the move of {}: {}", partition.to_string(), adopted.error().text());
  }
}

// A log that was long in recovery is open: what open_logs() does with the others, for this one. `at_start`: as it was when the logs were found.
io::Task<> Shard::settle(TopicPartition partition, metadata::ImagePtr at_start) {
  const auto held = co_await applying_.lock(world_.loop);
  if (stopping_ || logs_.is_loading(partition)) co_return;
  const metadata::ImagePtr now = applied_;
  if (logs_.find_future(partition) != nullptr) co_await adopt_copy(partition, *now);
  if (storage::Log* log = logs_.find(partition); log != nullptr && is_stray(*log, *now)) {
    if (is_stray(*log, *at_start)) {
      co_await set_aside(partition);
    } else if (const auto removed = co_await logs_.remove(partition); !removed) {  // Deleted meanwhile.
      SAMSA_LOG_ERROR("cannot delete {}: {}", partition.to_string(), removed.error().text());
    }
    checkpoint_due_ = true;
  }
  co_await checkpoint_if_due();
  const auto* topic = now->topic(partition.topic);
  const auto* state = topic == nullptr ? nullptr : topic->partition(partition.partition);
  if (state != nullptr && state->has_replica(settings_.node_id)) co_await apply_partition(*topic, partition.partition, state, *now);
  if (logs_.find_future(partition) != nullptr) co_await mover_.resume(partition);
}

io::Task<Result<void>> Shard::exchange_log(Uuid topic_id, TopicPartition name, std::function<io::Task<Result<bool>>()> last_records) {
  const auto held = co_await applying_.lock(world_.loop);
  const metadata::ImagePtr now = applied_;
  const auto* topic = now->topic(topic_id);
  const auto* state = topic == nullptr ? nullptr : topic->partition(name.partition);
  const auto found = partitions_.find({topic_id, name.partition});
  if (stopping_ || found == partitions_.end() || state == nullptr) co_return fail(ErrorCode::kReplicaNotAvailable, "the replica is gone");
  const auto old = std::move(found->second);
  partitions_.erase(found);
  fetchers_.unfollow(*old);
  old->close(ErrorCode::kNotLeaderOrFollower);
  Result<void> done;
  {
    const auto still = co_await old->changing().lock(world_.loop);
    if (name.topic == kGroupOffsetsTopic) groups_.resign(name.partition);
    const auto level = co_await last_records();
    if (!level) {
      done = fail(level.error());
    } else if (!*level) {
      done = fail(ErrorCode::kOperationNotAttempted, "the move has ended");
    } else if (const auto promoted = co_await logs_.promote_future(name); !promoted) {
      done = fail(promoted.error());
    } else {
      co_await checkpoint();  // Its log start is to be known of the new directory, and nothing of the old one.
    }
  }
  co_await apply_partition(*topic, name.partition, state, *now);
  co_return done;
}

io::Task<> Shard::pause(std::chrono::milliseconds time) { co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), time)); }

// ---- What replication asks of the node

bool Shard::may_join_isr(int32_t broker, int64_t epoch) const {
  const auto* found = image_->broker(broker);
  return found != nullptr && found->active() && (epoch < 0 || epoch == found->epoch);
}

int64_t Shard::broker_epoch(int32_t broker) const {
  const auto* found = image_->broker(broker);
  return found == nullptr ? -1 : found->epoch;
}

io::Task<Result<replication::IsrAnswer>> Shard::change_isr(replication::IsrProposal proposal) {
  auto change = [this, &proposal] { return node_.isr_sender().change(std::move(proposal)); };
  co_return co_await io::call_on(world_.loop, node_.worlds()[0].loop, change);
}

std::optional<io::Address> Shard::address_of(int32_t broker) const {
  const auto* found = image_->broker(broker);
  const auto* endpoint = found == nullptr ? nullptr : found->endpoint(settings_.inter_broker_listener);
  if (endpoint == nullptr) return std::nullopt;
  return io::Address{endpoint->host, endpoint->port};
}

// KIP-903, 951, 853, 1166: what brokers of that metadata.version may send each other.
int16_t Shard::fetch_version() const {
  const int16_t level = image_->metadata_version();
  return level >= 27 ? 18 : level >= 21 ? 17 : level >= 19 ? 16 : level >= 10 ? 15 : level >= 9 ? 14 : 13;
}

io::Task<> Shard::checkpoint() {
  co_await io::call_on(world_.loop, node_.worlds()[0].loop, [this] { return node_.write_checkpoints(); });
}

// Directories whose partition the metadata does not give to this node: kept, but out of the way.
io::Task<> Shard::set_aside_strays(const metadata::MetadataImage& image) {
  std::vector<TopicPartition> strays;
  logs_.for_each([&](storage::Log& log) {
    if (is_stray(log, image)) strays.push_back(log.partition());
  });
  for (const auto& stray : strays) co_await set_aside(stray);
  co_await checkpoint_if_due();
}

bool Shard::is_stray(const storage::Log& log, const metadata::MetadataImage& image) const {
  const auto* topic = image.topic(log.partition().topic);
  const auto* state = topic == nullptr ? nullptr : topic->partition(log.partition().partition);
  const bool other_topic = topic != nullptr && !log.topic_id().is_zero() && log.topic_id() != topic->id;
  return state == nullptr || other_topic || !state->has_replica(settings_.node_id);
}

io::Task<> Shard::set_aside(TopicPartition stray) {
  SAMSA_LOG_WARN("{} is not assigned to this node; its directory is set aside as -stray", stray.to_string());
  if (const auto moved = co_await logs_.set_aside_as_stray(stray); !moved) {
    SAMSA_LOG_ERROR("cannot set {} aside: {}", stray.to_string(), moved.error().text());
  }
  checkpoint_due_ = true;
}

void Shard::apply_topic_config(const std::string& name, const metadata::MetadataImage& now) {
  logs_.update_config(name, log_config_of(settings_, now, name));
  const auto* topic = now.topic(name);
  if (topic == nullptr) return;
  const int32_t count = min_isr(now, name);
  for (PartitionIndex index = 0; index < topic->partition_count(); ++index) {
    if (const auto found = partitions_.find({topic->id, index}); found != partitions_.end()) found->second->set_min_insync_replicas(count);
  }
}

void Shard::apply_configs(const metadata::MetadataImage& before, const metadata::MetadataImage& now) {
  bool defaults_changed = false;
  std::vector<std::string> topics;
  metadata::PersistentMap<metadata::ConfigResource, metadata::ConfigMap>::diff(
      before.configs, now.configs, [&](const metadata::ConfigResource& resource, const auto*, const auto*) {
        if (resource.type == metadata::ConfigType::kTopic) topics.push_back(resource.name);
        if (resource.type == metadata::ConfigType::kBroker) defaults_changed = true;
      });
  if (defaults_changed) {
    apply_node_settings(now);
    now.topics.for_each([&](const std::string& name, const metadata::TopicImage&) { apply_topic_config(name, now); });
  } else {
    for (const auto& name : topics) apply_topic_config(name, now);
  }
}

// KIP-73. The node's rates are shared out evenly among its shards.
void Shard::apply_node_settings(const metadata::MetadataImage& now) {
  logs_.context().producer_id_expiration_ms = broker_number(settings_, now, "producer.id.expiration.ms");
  fetchers_.set_fetchers(static_cast<int32_t>(broker_number(settings_, now, "num.replica.fetchers")));
}

void Shard::apply_throttles(const metadata::MetadataImage& now) {
  throttled_.clear();
  now.configs.for_each([&](const metadata::ConfigResource& resource, const metadata::ConfigMap& values) {
    if (resource.type != metadata::ConfigType::kTopic) return;
    const auto leaders = values.find("leader.replication.throttled.replicas");
    const auto followers = values.find("follower.replication.throttled.replicas");
    ThrottledReplicas found{leaders == values.end() ? "" : leaders->second, followers == values.end() ? "" : followers->second};
    if (!found.leaders.empty() || !found.followers.empty()) throttled_[resource.name] = std::move(found);
  });
  const auto share_of = [&](std::string_view name) {
    const int64_t rate = broker_number(settings_, now, name);
    return rate < 0 || rate == INT64_MAX ? int64_t{-1} : std::max<int64_t>(rate / static_cast<int64_t>(node_.shard_count()), rate > 0 ? 1 : 0);
  };
  leader_throttle_.set_rate(share_of("leader.replication.throttled.rate"), world_.loop.now());
  follower_throttle_.set_rate(share_of("follower.replication.throttled.rate"), world_.loop.now());
}

replication::Throttle* Shard::throttle_of(const replication::Partition& partition) {
  const auto found = throttled_.find(partition.name().topic);
  const bool named = found != throttled_.end() && replication::names_replica(found->second.followers, partition.name().partition, settings_.node_id);
  return named ? &follower_throttle_ : nullptr;
}

replication::Throttle* Shard::leader_throttle_of(const replication::Partition& partition) {
  const auto found = throttled_.find(partition.name().topic);
  const bool named = found != throttled_.end() && replication::names_replica(found->second.leaders, partition.name().partition, settings_.node_id);
  return named ? &leader_throttle_ : nullptr;
}

// ---- Leaders that are lost

namespace {
// A controller that finds a dead process needs less than this. Should it have to wait for the session, nobody waits with it for long.
constexpr std::chrono::milliseconds kLostFor{1000};
constexpr std::chrono::milliseconds kPatience{500};
// Between the first and the last connection of a process that dies, and for the shard that has the last to notice.
constexpr std::chrono::milliseconds kNewsTravels{10};
constexpr std::chrono::milliseconds kDeathIsNews{5000};
}  // namespace

void Shard::note_deaths(const metadata::MetadataImage& before, const metadata::MetadataImage& now) {
  now.brokers.for_each([&](int32_t id, const metadata::BrokerImage& broker) {
    const auto* earlier = before.broker(id);
    const bool died = broker.fenced && !broker.in_controlled_shutdown && earlier != nullptr && !earlier->fenced;
    if (died) died_[id] = io::after(world_.loop.now(), kDeathIsNews);
    if (!broker.fenced) died_.erase(id);
  });
}

bool Shard::just_died(int32_t broker) const {
  const auto found = died_.find(broker);
  return found != died_.end() && world_.loop.now() < found->second;
}

// Whichever shard notices, clients ask on all of them.
void Shard::leader_lost(int32_t broker) {
  for (int i = 0; i < node_.shard_count(); ++i) {
    Shard& shard = node_.shard(i);
    if (&shard != this) shard.loop().post_remote([&shard, broker] { shard.note_lost(broker); });
  }
  note_lost(broker);
}

void Shard::note_lost(int32_t broker) {
  lost_leaders_[broker] = io::after(world_.loop.now(), kLostFor);
  leaders_changed_.notify_all();
}

void Shard::leader_found(int32_t broker) {
  for (int i = 0; i < node_.shard_count(); ++i) {
    Shard& shard = node_.shard(i);
    shard.loop().post_remote([&shard, broker] {
      shard.lost_leaders_.erase(broker);
      shard.leaders_changed_.notify_all();
    });
  }
}

bool Shard::any_partition(const std::vector<std::string_view>* topics, const std::function<bool(const metadata::PartitionImage&)>& holds) const {
  bool found = false;
  const auto look = [&](const metadata::TopicImage& topic) {
    topic.partitions.for_each([&](PartitionIndex, const metadata::PartitionImage& partition) {
      found = found || holds(partition);
      return !found;
    });
    return !found;
  };
  if (topics == nullptr) {
    image_->topics.for_each([&](const std::string&, const metadata::TopicImage& topic) { return look(topic); });
    return found;
  }
  for (const auto name : *topics) {
    const auto* topic = image_->topic(name);
    if (topic != nullptr && !look(*topic)) break;
  }
  return found;
}

bool Shard::leaders_are_changing(const std::vector<std::string_view>* topics) const {
  if (lost_leaders_.empty()) return false;
  return any_partition(topics, [this](const metadata::PartitionImage& partition) {
    const auto lost = lost_leaders_.find(partition.leader);
    return lost != lost_leaders_.end() && world_.loop.now() < lost->second && partition.isr.size() > 1;
  });
}

io::Task<> Shard::await_lost_leader(const std::vector<std::string_view>* topics, io::MonoTime told) {
  if (topics_changed_ > told) co_return;  // There is news already.
  const bool any_elsewhere = any_partition(topics, [this](const metadata::PartitionImage& partition) {
    return partition.leader >= 0 && partition.leader != settings_.node_id && partition.isr.size() > 1;
  });
  const bool died = std::ranges::any_of(died_, [this](const auto& news) { return world_.loop.now() < news.second; });
  if (!any_elsewhere || died) co_return;  // It is here because of those, which are known.
  const metadata::ImagePtr before = image_;
  const io::MonoTime until = io::after(world_.loop.now(), kNewsTravels);
  while (!stopping_ && world_.loop.now() < until && image_->topics_by_id.same_as(before->topics_by_id) && !leaders_are_changing(topics)) {
    co_await leaders_changed_.wait_until(world_.loop, until);
  }
}

io::Task<> Shard::await_new_leaders(const std::vector<std::string_view>* topics) {
  if (lost_leaders_.empty()) co_return;
  std::erase_if(lost_leaders_, [&](const auto& lost) { return world_.loop.now() >= lost.second; });
  const io::MonoTime until = io::after(world_.loop.now(), kPatience);
  while (!stopping_ && world_.loop.now() < until && leaders_are_changing(topics)) co_await leaders_changed_.wait_until(world_.loop, until);
}

// ---- Connections

// Of their coming.
std::vector<Connection*> Shard::connections_in_order() const {
  std::vector<Connection*> ordered = connections_;
  std::ranges::sort(ordered, {}, [](const auto& connection) { return connection->info().id; });
  return ordered;
}

void Shard::serve(std::unique_ptr<io::AcceptedStream> accepted, ConnectionInfo info) {
  auto stream = world_.network.attach(std::move(accepted));
  info.peer = stream->peer();
  info.told_leaders = world_.loop.now();
  begin_serving(std::make_unique<Connection>(*this, std::move(stream), std::move(info)));
}

void Shard::begin_serving(std::unique_ptr<Connection> connection) {
  connection->place = connections_.size();
  connections_.push_back(connection.get());
  if (stopping_) connection->close();
  serving_.spawn(Connection::run(std::move(connection)));
}

void Shard::has_served(std::unique_ptr<Connection> connection) {
  connections_.back()->place = connection->place;
  connections_[connection->place] = connections_.back();
  connections_.pop_back();
  if (connection->moves_to() < 0) return has_left(connection->info());
  Shard& there = node_.shard(connection->moves_to());
  there.loop().post_remote([&there, baggage = std::make_unique<Connection::Baggage>(connection->pack())]() mutable { there.move_here(std::move(baggage)); });
}

void Shard::move_here(std::unique_ptr<Connection::Baggage> baggage) {
  if (stopping_) return has_left(baggage->info);  // Its stream is closed by its end.
  room_.has_come(world_.loop.now(), world_.loop.idle_time());
  auto stream = world_.network.attach(std::move(baggage->stream));
  begin_serving(std::make_unique<Connection>(*this, std::move(stream), std::move(*baggage)));
}

bool Shard::take_room_for_another(size_t connections_there) {
  return !stopping_ && room_.take(world_.loop.now(), world_.loop.idle_time(), connections_.size(), connections_there);
}

// Connections are counted on shard 0. It gets this before it can hear that this shard has stopped.
void Shard::has_left(const ConnectionInfo& info) {
  ConnectionQuota& quota = node_.connection_quota(info.listener->controller);
  std::string ip = connection_ip(info.peer.host);
  if (index() == 0) {
    quota.left(ip);
  } else {
    node_.worlds()[0].loop.post_remote([&quota, ip = std::move(ip)] { quota.left(ip); });
  }
  if (info.heartbeats_of < 0) return;
  node_.worlds()[0].loop.post_remote([&node = node_, broker = info.heartbeats_of, id = info.id] {
    if (node.metadata_running() && node.metadata().presence() != nullptr) node.metadata().presence()->connection_ended(broker, id);
  });
}

io::Task<> Shard::close_idle_connections() {
  const auto idle = settings_.connections_max_idle;
  const auto every = std::max<std::chrono::milliseconds>(idle / 10, std::chrono::milliseconds(10));
  while (!stopping_) {
    if (co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), every))) break;
    const io::MonoTime before{world_.loop.now().ns - std::chrono::nanoseconds(idle).count()};
    for (Connection* connection : connections_in_order()) connection->close_if_idle(before);
  }
}

// ---- Periodic work and the end

void Shard::tell_complaints_left_out() {
  if (const uint64_t count = complaints_.take_left_out(); count > 0) {
    SAMSA_LOG_WARN("{} more lines like those before were left out: requests that could not be read, answered or carried out", count);
  }
}

io::Task<> Shard::tick_metrics() {
  while (!stopping_) {
    if (co_await stop_signal_.wait_until(world_.loop, world_.loop.now() + metrics::Meter::kTick)) break;
    metrics_.tick();
  }
}

// Partitions whose logs could not be made on a full disk.
io::Task<> Shard::open_waiting() {
  if (waiting_for_room_.empty()) co_return;
  const auto held = co_await applying_.lock(world_.loop);
  const metadata::ImagePtr now = applied_;
  for (const auto& [name, index] : std::set(waiting_for_room_)) {
    const auto* topic = now->topic(name);
    const auto* state = topic == nullptr ? nullptr : topic->partition(index);
    if (state == nullptr || !state->has_replica(settings_.node_id)) {
      waiting_for_room_.erase({name, index});
      // Found at start, and not opened since.
      if (logs_.find({name, index}) == nullptr) (void)co_await logs_.remove({name, index});
      checkpoint_due_ = true;
    } else if (!stopping_) {
      co_await apply_partition(*topic, index, state, *now);
    }
  }
  co_await checkpoint_if_due();
}

io::Task<> Shard::retain() {
  constexpr std::chrono::seconds kWhileFull(5);  // Between two looks for what may be deleted.
  const std::chrono::milliseconds expiry_interval(settings_.config->number("producer.id.expiration.check.interval.ms"));
  auto next_retention = io::after(world_.loop.now(), std::chrono::milliseconds(settings_.config->number("log.initial.task.delay.ms")));
  auto next_expiry = io::after(world_.loop.now(), expiry_interval);
  while (!stopping_) {
    if (co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), std::chrono::seconds(1)))) break;
    room_.note(world_.loop.now(), world_.loop.idle_time());
    tell_complaints_left_out();
    co_await logs_.remove_deleted_files();
    logs_.files().close_idle(world_.loop.now());
    logs_.check_space();
    (void)set_cleaner_limits();  // A round that is under way minds another rate.
    co_await open_waiting();
    bool full = false;
    for (size_t i = 0; i < logs_.directories().size(); ++i) full = full || logs_.is_full(static_cast<int>(i));
    if (full) next_retention = std::min(next_retention, io::after(world_.loop.now(), kWhileFull));
    if (!stopping_ && world_.loop.now() >= next_retention) {
      next_retention = io::after(world_.loop.now(), settings_.retention_check);
      co_await logs_.delete_old_segments();
    }
    if (!stopping_ && world_.loop.now() >= next_expiry) {
      next_expiry = io::after(world_.loop.now(), expiry_interval);
      logs_.expire_producers();
    }
  }
}

// flush.ms and flush.messages, as often as log.flush.scheduler.interval.ms says; where it does not say, every second.
io::Task<> Shard::flush() {
  const int64_t every = settings_.config->number("log.flush.scheduler.interval.ms");
  const auto interval = every == INT64_MAX ? std::chrono::milliseconds(1000) : std::chrono::milliseconds(std::clamp<int64_t>(every, 1, int64_t{1} << 40));
  while (!stopping_) {
    if (co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), interval))) break;
    co_await logs_.flush_due_logs();
  }
}

// What a dynamic setting of the broker is now.
template <typename Value>
Value Shard::now(std::string_view name, Value otherwise) const {
  const auto value = config::effective_value(config::Kind::kBroker, name, layers_of(settings_, *image_, nullptr));
  return std::holds_alternative<Value>(value) ? std::get<Value>(value) : otherwise;
}

// log.cleaner.threads are the node's, as the limits are: a shard has its part of them, and one at least. How many it has.
size_t Shard::set_cleaner_limits() {
  const auto shards = node_.worlds().size();
  const auto cleaners = std::max<size_t>(static_cast<size_t>(now("log.cleaner.threads", int64_t{1})) / shards, 1);
  const auto parts = static_cast<double>(shards * cleaners);
  const double dedupe = static_cast<double>(now("log.cleaner.dedupe.buffer.size", int64_t{128 << 20})) * now("log.cleaner.io.buffer.load.factor", 0.9);
  const auto io_bytes = static_cast<double>(now("log.cleaner.io.buffer.size", int64_t{512 << 10}));
  logs_.set_cleaner_limits({.dedupe_bytes = static_cast<size_t>(std::max(dedupe / parts, 1.0 * (1 << 20))),
                            .max_bytes_per_second = now("log.cleaner.io.max.bytes.per.second", 1e300) / parts,
                            .io_bytes = static_cast<size_t>(io_bytes / parts)});
  return cleaners;
}

// Compacts one log after the other, and looks again after a while when there was none (log.cleaner.backoff.ms).
io::Task<> Shard::compact() {
  struct Another {
    static io::Task<> run(Shard& shard, std::shared_ptr<size_t> wanted, size_t number) {
      while (!shard.stopping_ && number < *wanted && co_await shard.logs_.clean_dirtiest()) {
      }
    }
  };
  auto cleaners = std::make_shared<size_t>(1);
  while (!stopping_) {
    const auto backoff = std::chrono::milliseconds(now("log.cleaner.backoff.ms", int64_t{15'000}));
    if (co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), std::max(backoff, std::chrono::milliseconds(1))))) break;
    *cleaners = set_cleaner_limits();
    io::TaskGroup others(world_.loop);
    for (size_t i = 1; i < *cleaners; ++i) others.spawn(Another::run(*this, cleaners, i));
    while (!stopping_ && co_await logs_.clean_dirtiest()) {
    }
    co_await others.join();
  }
}

// Lagging followers leave the ISR.
io::Task<> Shard::check_isrs() {
  while (!stopping_) {
    if (co_await stop_signal_.wait_until(world_.loop, io::after(world_.loop.now(), std::max(settings_.replica_lag / 2, std::chrono::milliseconds(10))))) break;
    for (const auto& [key, partition] : partitions_) partition->shrink_isr();
  }
}

void Shard::start_timers() {
  spawn(check_isrs());
  if (settings_.connections_max_idle.count() > 0) spawn(close_idle_connections());
  spawn(tick_metrics());
  spawn(retain());
  spawn(flush());
  if (settings_.config->flag("log.cleaner.enable")) spawn(compact());
}

io::Task<std::vector<bool>> Shard::stop() {
  stopping_ = true;
  logs_.end_cleaning();
  leaders_changed_.notify_all();
  stop_signal_.notify_all();
  for (Connection* connection : connections_in_order()) connection->close();
  groups_.resign_all();
  for (const auto& [key, partition] : partitions_) partition->close(ErrorCode::kNotLeaderOrFollower);
  co_await fetchers_.stop();
  co_await serving_.join();
  co_await background_.join();
  tell_complaints_left_out();
  const auto held = co_await applying_.lock(world_.loop);
  partitions_.clear();
  co_return co_await logs_.close();
}

}  // namespace samsa::server
