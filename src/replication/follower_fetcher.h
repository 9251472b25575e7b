// FollowerFetchers: keeps the replicas of one shard that follow like their leaders. For each leader's broker and fetcher number (num.replica.fetchers)
// one coroutine with one connection fetches all of its partitions in one long poll after the other, in a fetch session (KIP-227).
//
// A partition is followed within one leader epoch: what arrives from an earlier one is dropped. A fetch says how far this replica is: it
// goes out only when everything below its offset is appended (and synced, where the topic is durable). Where the leader's answer says that
// the logs part (KIP-595: diverging epoch) this one is cut, the checkpoint of the directory is written, and it fetches again.
// While the disk of a replica has no room but its reserve, nothing is appended to it: once a second it only asks for the leader's high watermark
// and log start, so that retention goes on. It leaves the ISR where there is something new, and goes on by itself.
// A partition that comes while a long poll is under way does not wait for its end: the connection is opened anew (at most every
// kInterruptEvery), so that after a failover nobody waits for replica.fetch.wait.max.ms.
// Owner: one shard, on its loop. The partitions are those of that shard. Facts: cluster.md "Replication between brokers".
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "base/uuid.h"
#include "io/network.h"
#include "io/sync.h"
#include "io/world.h"
#include "replication/partition.h"
#include "replication/throttle.h"

namespace samsa::replication {

struct FetcherSettings {
  int32_t node_id = -1;
  int32_t fetchers = 1;                                // num.replica.fetchers
  std::chrono::milliseconds max_wait{500};             // replica.fetch.wait.max.ms
  int32_t min_bytes = 1;                               // replica.fetch.min.bytes
  int32_t partition_max_bytes = 1024 * 1024;           // replica.fetch.max.bytes
  int32_t response_max_bytes = 10 * 1024 * 1024;       // replica.fetch.response.max.bytes
  std::chrono::milliseconds backoff{1000};             // replica.fetch.backoff.ms: the longest; the first tries come sooner.
  std::chrono::milliseconds socket_timeout{30'000};    // replica.socket.timeout.ms
};

// What fetchers ask of the node. On the shard's loop; outlives them.
class FetcherHost {
 public:
  virtual ~FetcherHost() = default;
  // Where the broker is reached on the inter-broker listener; nothing where it is not registered.
  [[nodiscard]] virtual std::optional<io::Address> address_of(int32_t broker) const = 0;
  // Of this broker's own registration.
  [[nodiscard]] virtual int64_t own_broker_epoch() const = 0;
  // What bounds the copying to this replica while it is out of sync; null: nothing.
  virtual Throttle* throttle_of(const Partition& partition) = 0;
  // The connection to that broker broke (it may have died; another leader for its partitions is then on its way), or is there again.
  virtual void leader_lost(int32_t broker) = 0;
  virtual void leader_found(int32_t broker) = 0;
  // The highest version of Fetch that the metadata.version allows.
  [[nodiscard]] virtual int16_t fetch_version() const = 0;
  // After a truncation and before anything is appended: writes the checkpoints.
  virtual io::Task<> checkpoint() = 0;
};

class FollowerFetcher;

class FollowerFetchers {
 public:
  FollowerFetchers(io::World world, FetcherSettings settings, FetcherHost& host);
  ~FollowerFetchers();

  // Follows the partition's leader of now; nothing where that is what is done already. A partition without a leader is not followed.
  void follow(const std::shared_ptr<Partition>& partition);
  void unfollow(const Partition& partition);
  // num.replica.fetchers, from now on: partitions whose fetcher is another one then go over to it.
  void set_fetchers(int32_t count);
  // Ends all fetching and waits for it.
  io::Task<> stop();

 private:
  using Slot = std::pair<int32_t, int32_t>;  // Leader, fetcher number.
  using Key = std::pair<Uuid, PartitionIndex>;
  io::World world_;
  FetcherSettings settings_;
  FetcherHost& host_;
  std::map<Slot, std::unique_ptr<FollowerFetcher>> fetchers_;
  std::map<Key, Slot> followed_;
  io::TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace samsa::replication
