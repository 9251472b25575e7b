// ReplicaMover: moves replicas of a shard from one log directory to another (AlterReplicaLogDirs, KIP-113, KIP-858).
//
// The records are copied into the "-future" log while the replica goes on. When it has caught up the controller is told of the new directory, then
// the replica stands still for the last records, the future log takes the place of the old one, and the replica begins again. A crash
// before leaves both, and the next start goes on; a crash between the two renames leaves the future log alone, which then is the replica,
// as the controller already says. Owner: the shard.
#pragma once

#include <map>
#include <memory>

#include "base/ids.h"
#include "io/task.h"
#include "replication/partition.h"

namespace samsa::server {

class Shard;

class ReplicaMover {
 public:
  explicit ReplicaMover(Shard& shard) : shard_(shard) {}

  // Begins to move the replica into the directory (index), or turns a move under way there. Nothing where it lies there already: then a move
  // elsewhere ends. KAFKA_STORAGE_ERROR where the directory cannot be written. A replica in recovery is waited for until `until`.
  io::Task<Result<void>> move(TopicPartition partition, int directory, io::MonoTime until);
  // Goes on with what a stop or crash interrupted. After the logs are loaded.
  io::Task<> resume(TopicPartition partition);
  [[nodiscard]] bool moving(const TopicPartition& partition) const { return moves_.contains(partition); }
  // Ends the move of a replica that is deleted, with its copy.
  io::Task<> forget(TopicPartition partition);

 private:
  // One at a time for each replica; a new one makes the old one end.
  struct Move {
    int directory = -1;
    bool ended = false;
    std::string hindrance;  // Told already.
  };
  void begin(const TopicPartition& partition, int directory);
  io::Task<> run(TopicPartition partition, std::shared_ptr<Move> move);
  // Copies until the future log ends where the replica's ends, no faster than replica.alter.log.dirs.io.max.bytes.per.second, or, where the
  // replica stands still for it, at once. False: the move has ended.
  io::Task<Result<bool>> catch_up(TopicPartition partition, std::shared_ptr<Move> move, bool stands_still);
  // How long the bytes may take: each move has its part of the node's limit.
  [[nodiscard]] std::chrono::milliseconds time_for(uint64_t bytes) const;
  io::Task<Result<bool>> copy_some(storage::Log& from, storage::Log& to);
  io::Task<Result<void>> finish(TopicPartition partition, std::shared_ptr<Move> move);

  Shard& shard_;
  std::map<TopicPartition, std::shared_ptr<Move>> moves_;
};

}  // namespace samsa::server
