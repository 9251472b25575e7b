// Invariants: what must hold inside of a cluster at every moment, looked at between turns of the world, without a word to the nodes.
//
//   one leader per epoch        of the quorum, and of each partition
//   epochs do not fall          of a controller (ever), of a replica (while its node runs)
//   high watermarks do not fall of a replica, while its node runs
//   majority behind a commit    enough replicas have what the high watermark covers when it moves
//   logs equal below the HW     batch by batch, read from the simulated disks; not for compacted topics
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/cluster.h"

namespace samsa::sim {

class Invariants {
 public:
  explicit Invariants(SimCluster& cluster) : cluster_(cluster) {}

  // Cheap; every few milliseconds of virtual time.
  void look();
  // Compares the logs of all replicas below their high watermarks; that node's disk is known to tell lies (-1: none).
  void compare_logs(int lying);
  // What was found wrong, in words; each thing once.
  [[nodiscard]] const std::vector<std::string>& broken() const { return broken_; }
  // Notes every change of that partition ("topic-0") in the trace from now on.
  void watch(std::string partition) { watched_ = std::move(partition); }
  [[nodiscard]] uint64_t batches_compared() const { return batches_compared_; }

 private:
  struct ReplicaState {
    uint64_t boot = 0;
    std::weak_ptr<replication::Partition> replica;  // Another object: the replica was removed and came back.
    LeaderEpoch epoch = -1;
    Offset high_watermark = -1;
    Offset end = -1;
    Offset lost_end = -1;  // Where its log ended when its machine lost power, until it is there again.
  };
  struct BatchMark {
    LeaderEpoch epoch = -1;
    uint32_t crc = 0;
    Offset last = -1;
    int32_t from = -1;
    bool operator==(const BatchMark& other) const { return epoch == other.epoch && crc == other.crc && last == other.last; }
  };
  using PartitionKey = std::pair<std::string, PartitionIndex>;  // Topic id in text, index.
  void look_at_quorum(size_t index);
  void look_at_partitions(size_t index);
  void look_at_commit(const replication::Partition& leader);
  void compare_replica(size_t index, const std::string& directory, const PartitionKey& key, Offset until, std::map<Offset, BatchMark>& truth);
  void note_watched();
  void say(std::string text);

  SimCluster& cluster_;
  std::map<LeaderEpoch, int32_t> quorum_leaders_;
  std::map<size_t, LeaderEpoch> quorum_epochs_;
  std::map<size_t, std::pair<uint64_t, Offset>> quorum_commits_;  // Boot, high watermark.
  std::map<std::pair<PartitionKey, LeaderEpoch>, int32_t> leaders_;
  std::map<std::pair<size_t, PartitionKey>, ReplicaState> replicas_;
  std::map<PartitionKey, Offset> committed_;  // The greatest high watermark of a leader.
  std::set<std::string> said_;
  std::vector<std::string> broken_;
  uint64_t batches_compared_ = 0;
  std::string watched_;
  std::string watched_state_;
};

}  // namespace samsa::sim
