// Shard: what one thread of a node owns: its connections, its partitions with their logs, its part of the group coordinator, its receive
// memory and its copy of the pointer to the metadata image. Handlers reach the node's services through it.
//
// Owner: the loop of world(). Other shards only post to it. Partitions follow the image: on_image opens, deletes and changes roles, in
// order; until open_logs() has ended, images are only noted. Those that follow are fetched by the shard's own fetchers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "coordinator/group/coordinator.h"
#include "io/sync.h"
#include "io/world.h"
#include "metadata/image.h"
#include "metadata/publisher.h"
#include "replication/follower_fetcher.h"
#include "replication/partition.h"
#include "server/append_turns.h"
#include "server/block_pool.h"
#include "server/chunk_lists.h"
#include "server/connection.h"
#include "server/fetch_session.h"
#include "server/log_limiter.h"
#include "server/replica_mover.h"
#include "server/room.h"
#include "server/settings.h"
#include "server/shard_metrics.h"
#include "storage/log_manager.h"

namespace samsa::server {

class Node;
struct ConnectionInfo;

struct PartitionKey {
  Uuid topic;
  PartitionIndex partition = 0;
  bool operator==(const PartitionKey&) const = default;
};

struct PartitionKeyHash {
  size_t operator()(const PartitionKey& key) const noexcept {
    return std::hash<Uuid>{}(key.topic) + static_cast<size_t>(key.partition) * 0x9e3779b97f4a7c15ULL;
  }
};

class Shard final : public metadata::ImageSubscriber, public replication::IsrHost, public replication::FetcherHost {
 public:
  Shard(Node& node, io::World world, const NodeSettings& settings);
  ~Shard() override;

  [[nodiscard]] Node& node() { return node_; }
  [[nodiscard]] const io::World& world() const { return world_; }
  [[nodiscard]] io::Loop& loop() { return world_.loop; }
  [[nodiscard]] int index() const { return world_.loop.shard(); }
  [[nodiscard]] const NodeSettings& settings() const { return settings_; }
  [[nodiscard]] ShardMetrics& metrics() { return metrics_; }
  [[nodiscard]] BlockPool& blocks() { return blocks_; }
  [[nodiscard]] ChunkLists& chunk_lists() { return chunk_lists_; }
  [[nodiscard]] AppendTurns& append_turns() { return append_turns_; }
  [[nodiscard]] const metadata::ImagePtr& image() const { return image_; }
  [[nodiscard]] storage::LogManager& logs() { return logs_; }
  [[nodiscard]] coordinator::GroupCoordinator& groups() { return groups_; }
  [[nodiscard]] FetchSessions& fetch_sessions() { return fetch_sessions_; }

  // The replica of a partition that belongs to this shard. UNKNOWN_TOPIC_OR_PARTITION where the image does not know it,
  // NOT_LEADER_OR_FOLLOWER where another node hosts it, KAFKA_STORAGE_ERROR where its directory is offline.
  Result<std::shared_ptr<replication::Partition>> partition(const Uuid& topic, PartitionIndex index) const;
  [[nodiscard]] const auto& partitions() const { return partitions_; }

  // ---- Moves between log directories
  [[nodiscard]] ReplicaMover& mover() { return mover_; }
  // Tells the controller that the replica lies in that directory (index); resumes when it has noted it.
  io::Task<Result<void>> assign_directory(Uuid topic, PartitionIndex partition, int directory);
  // The replica stands still, `last_records` -> whether the future log has them all, the future log takes its place, and the replica begins
  // again (on the old log where that was not to be).
  io::Task<Result<void>> exchange_log(Uuid topic, TopicPartition partition, std::function<io::Task<Result<bool>>()> last_records);
  // Resumes after the time, or when the shard stops.
  io::Task<> pause(std::chrono::milliseconds time);

  // ---- Life
  // Loads the logs found at start and takes up the image as it is then. Resumes when the node may serve: partitions with much to recover come
  // into service later (settle); until then they answer NOT_LEADER_OR_FOLLOWER.
  io::Task<Result<void>> open_logs(std::vector<storage::FoundLog> found);
  io::Task<> on_image(metadata::ImagePtr before, metadata::ImagePtr now) override;
  // Serves a connection that the listener accepted; returns at once.
  void serve(std::unique_ptr<io::AcceptedStream> accepted, ConnectionInfo info);
  // A connection that this shard served has ended, or moves on.
  void has_served(std::unique_ptr<Connection> connection);
  // Whether a connection of a shard that serves so many may move here; if so, it may come soon.
  [[nodiscard]] bool take_room_for_another(size_t connections_there);
  // Starts the shard's periodic work.
  void start_timers();
  // Ends connections, waiters, coordinators; closes the logs. Gives for each directory whether all its logs closed cleanly.
  io::Task<std::vector<bool>> stop();
  // A partition of these topics (null: of all) is about to get another leader: the connection to its leader's broker broke a moment ago, and
  // there are others in its ISR. Resumes when that is over, at the latest after a moment. Who asks for the leaders meanwhile would be told of
  // the dead one, and would not ask again soon.
  [[nodiscard]] bool has_lost_leaders() const { return !lost_leaders_.empty(); }
  io::Task<> await_new_leaders(const std::vector<std::string_view>* topics);
  // The kernel closes the connections of a process that dies one after the other, and a client may be told first and be here with its question before
  // this broker knows. Resumes when the loss of a leader of these topics is known or their image changes, else in a moment; at once where it has changed
  // since the client was `told`.
  io::Task<> await_lost_leader(const std::vector<std::string_view>* topics, io::MonoTime told);
  // A broker that was fenced a moment ago, and not because it stopped. Clients are told of it for a while yet: librdkafka forgets a broker that is
  // named no more with the partitions that it is just moving away from it, and finds those again after a second.
  [[nodiscard]] bool just_died(int32_t broker) const;
  // Whether a line about what a client sent may go to the log now. The others are counted and told in sum.
  bool may_complain() { return complaints_.admit(world_.loop.now()); }
  // Runs in the background until the shard stops.
  void spawn(io::Task<> task) override { background_.spawn(std::move(task)); }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] size_t connection_count() const { return connections_.size(); }

  // What bounds the copying from this leader to a replica out of sync; null: nothing.
  replication::Throttle* leader_throttle_of(const replication::Partition& partition);

  // Names that this shard is just having created (auto.create.topics.enable).
  std::unordered_set<std::string> creating;
  std::map<std::string, std::string> not_created;  // Those that could not be, and what the log said of it.
  // Producer ids that this shard may hand out, [next, end).
  int64_t next_producer_id = 0;
  int64_t end_producer_id = 0;
  io::Mutex producer_id_turn;

 private:
  // replication::IsrHost, replication::FetcherHost
  [[nodiscard]] bool may_join_isr(int32_t broker, int64_t epoch) const override;
  [[nodiscard]] int64_t broker_epoch(int32_t broker) const override;
  [[nodiscard]] std::chrono::milliseconds lag_limit() const override { return settings_.replica_lag; }
  io::Task<Result<replication::IsrAnswer>> change_isr(replication::IsrProposal proposal) override;
  [[nodiscard]] std::optional<io::Address> address_of(int32_t broker) const override;
  [[nodiscard]] int64_t own_broker_epoch() const override { return broker_epoch(settings_.node_id); }
  [[nodiscard]] int16_t fetch_version() const override;
  replication::Throttle* throttle_of(const replication::Partition& partition) override;
  void leader_lost(int32_t broker) override;
  void leader_found(int32_t broker) override;
  io::Task<> checkpoint() override;

  void note_lost(int32_t broker);
  void note_deaths(const metadata::MetadataImage& before, const metadata::MetadataImage& now);
  [[nodiscard]] bool any_partition(const std::vector<std::string_view>* topics, const std::function<bool(const metadata::PartitionImage&)>& holds) const;
  [[nodiscard]] bool leaders_are_changing(const std::vector<std::string_view>* topics) const;
  void apply_throttles(const metadata::MetadataImage& now);
  [[nodiscard]] int32_t min_isr(const metadata::MetadataImage& image, std::string_view topic) const;
  io::Task<> apply(const metadata::MetadataImage& before, const metadata::MetadataImage& now);
  io::Task<> apply_topic(const metadata::TopicChange& change, const metadata::MetadataImage& now);
  io::Task<> apply_partition(const metadata::TopicImage& topic, PartitionIndex index, const metadata::PartitionImage* partition,
                             const metadata::MetadataImage& now);
  void tell_directory(const metadata::TopicImage& topic, PartitionIndex index, const metadata::PartitionImage& state, const metadata::MetadataImage& now);
  void update_cordoned(const metadata::MetadataImage& now);
  io::Task<> adopt_copy(TopicPartition partition, const metadata::MetadataImage& now);
  io::Task<> settle(TopicPartition partition, metadata::ImagePtr at_start);
  io::Task<> checkpoint_if_due();
  io::Task<> drop_partition(const std::string& topic, const Uuid& id, PartitionIndex index);
  void apply_topic_config(const std::string& topic, const metadata::MetadataImage& now);
  void apply_configs(const metadata::MetadataImage& before, const metadata::MetadataImage& now);
  void apply_node_settings(const metadata::MetadataImage& now);
  void lead_group_partition(PartitionIndex index, const std::shared_ptr<replication::Partition>& partition);
  io::Task<> set_aside_strays(const metadata::MetadataImage& image);
  [[nodiscard]] bool is_stray(const storage::Log& log, const metadata::MetadataImage& image) const;
  io::Task<> set_aside(TopicPartition stray);
  void begin_serving(std::unique_ptr<Connection> connection);
  [[nodiscard]] std::vector<Connection*> connections_in_order() const;
  void move_here(std::unique_ptr<Connection::Baggage> baggage);
  void has_left(const ConnectionInfo& info);
  io::Task<> close_idle_connections();
  void tell_complaints_left_out();
  io::Task<> tick_metrics();
  io::Task<> retain();
  io::Task<> open_waiting();
  io::Task<> flush();
  io::Task<> compact();
  size_t set_cleaner_limits();
  template <typename Value>
  [[nodiscard]] Value now(std::string_view name, Value otherwise) const;
  io::Task<> check_isrs();

  Node& node_;
  io::World world_;
  const NodeSettings& settings_;
  ShardMetrics metrics_;
  BlockPool blocks_;
  ChunkLists chunk_lists_;
  AppendTurns append_turns_;
  metadata::ImagePtr image_;
  io::MonoTime topics_changed_;  // When image_ got others.
  metadata::ImagePtr applied_;  // What partitions_ reflects.
  storage::LogManager logs_;
  coordinator::GroupCoordinator groups_;
  FetchSessions fetch_sessions_;
  replication::FollowerFetchers fetchers_;
  struct ThrottledReplicas {
    std::string leaders, followers;  // As the topic's configuration has them.
  };
  std::map<std::string, ThrottledReplicas, std::less<>> throttled_;  // By topic.
  replication::Throttle leader_throttle_, follower_throttle_;
  LogLimiter complaints_;
  ReplicaMover mover_;
  std::unordered_set<PartitionKey, PartitionKeyHash> telling_;  // Replicas whose directory the controller is being told.
  std::unordered_map<PartitionKey, std::shared_ptr<replication::Partition>, PartitionKeyHash> partitions_;
  std::vector<Connection*> connections_;  // Those that it serves: each is its task's, and knows its place here.
  io::TaskGroup serving_;
  io::TaskGroup background_;
  io::Mutex applying_;
  std::map<int32_t, io::MonoTime> lost_leaders_;  // Brokers to which a connection broke, and until when that means something.
  io::Signal leaders_changed_;
  std::set<std::pair<std::string, PartitionIndex>> waiting_for_room_;  // Their logs could not be made: the disk was full.
  io::Signal stop_signal_;
  Room room_;
  bool checkpoint_due_ = false;  // The files name partitions that are no longer here, or lie elsewhere.
  bool loaded_ = false;
  bool stopping_ = false;
  std::map<int32_t, io::MonoTime> died_;  // Brokers that were fenced, and how long that is news.
};

}  // namespace samsa::server
