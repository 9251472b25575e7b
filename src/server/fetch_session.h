// FetchSessions: the incremental fetch sessions (KIP-227) of one shard. A session remembers which partitions a client fetches and what
// it was last told of each, so that later requests and answers carry only what changed.
//
// A session lives on the shard of the connection that made it, and moves with that one. From another shard it is not found and the client
// starts a new one. Ids are unique in the node: those that a shard gives are its index, modulo the number of shards.
// Eviction: idle for more than 120 s; or a follower's request replaces a consumer's session; or a bigger session replaces one that is older than
// 120 s.
// Owner: one shard. A fetch holds its session while it runs (`busy`): nobody else uses it then, and removing it only makes it unfindable.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/loop.h"

namespace samsa::server {

// One partition of a fetch, in a session or not.
struct FetchPartition {
  std::string topic;  // Empty while an id cannot be resolved.
  Uuid topic_id;
  PartitionIndex partition = 0;
  Offset fetch_offset = 0;
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;
  Offset log_start_offset = -1;  // A follower's.
  int32_t max_bytes = 0;
  // What the client was last told; -1: nothing or an error.
  Offset told_high_watermark = -1;
  Offset told_log_start = -1;
};

class FetchSession {
 public:
  FetchSession(int32_t id, bool by_id, bool privileged) : id_(id), by_id_(by_id), privileged_(privileged) {}

  [[nodiscard]] int32_t id() const { return id_; }
  [[nodiscard]] int32_t epoch() const { return epoch_; }
  [[nodiscard]] bool by_id() const { return by_id_; }       // Made by a version with topic ids (13+).
  [[nodiscard]] bool privileged() const { return privileged_; }  // A follower's.
  [[nodiscard]] size_t size() const { return partitions_.size(); }
  [[nodiscard]] std::list<FetchPartition>& partitions() { return order_; }
  [[nodiscard]] bool busy() const { return busy_; }
  void set_busy(bool busy) { busy_ = busy; }
  void advance_epoch() { epoch_ = epoch_ == INT32_MAX ? 1 : epoch_ + 1; }
  // Adds a partition at the end of the order, or updates what the client asks of one that is there.
  void put(const FetchPartition& partition);
  void forget(const std::string& topic, const Uuid& id, PartitionIndex partition);
  // It returned data: others come first next time.
  void move_to_end(std::list<FetchPartition>::iterator partition) { order_.splice(order_.end(), order_, partition); }

 private:
  friend class FetchSessions;
  using Key = std::tuple<std::string, Uuid, PartitionIndex>;
  Key key(const std::string& topic, const Uuid& id, PartitionIndex partition) const {
    return by_id_ ? Key{"", id, partition} : Key{topic, kZeroUuid, partition};
  }
  int32_t id_;
  int32_t epoch_ = 1;  // Expected next.
  bool by_id_;
  bool privileged_;
  bool busy_ = false;
  io::MonoTime created_;
  io::MonoTime last_used_;
  std::list<FetchPartition> order_;
  std::map<Key, std::list<FetchPartition>::iterator> partitions_;
};

class FetchSessions {
 public:
  FetchSessions(io::Loop& loop, size_t slots, int shards) : loop_(loop), slots_(slots), shards_(shards) {}

  // A new session, or nullptr where there is no room.
  std::shared_ptr<FetchSession> create(bool by_id, bool privileged, size_t partition_count);
  // The session that an incremental request names, with its epoch taken: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
  // FETCH_SESSION_TOPIC_ID_ERROR. On success the expected epoch has advanced.
  Result<std::shared_ptr<FetchSession>> use(int32_t id, int32_t epoch, bool by_id);
  [[nodiscard]] std::shared_ptr<FetchSession> find(int32_t id) const;
  void remove(int32_t id);
  [[nodiscard]] size_t size() const { return sessions_.size(); }
  // For a connection that moves: out of the one shard, nullptr where there is none; into the other, if there is room.
  std::shared_ptr<FetchSession> take(int32_t id);
  void put(std::shared_ptr<FetchSession> session);

 private:
  bool make_room(bool privileged, size_t partition_count);
  io::Loop& loop_;
  size_t slots_;
  int shards_;
  std::unordered_map<int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace samsa::server
