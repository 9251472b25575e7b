// DirectoryAssigner: tells the active controller in which log directory a replica of this node lies: AssignReplicasToDirs, one request under
// way at a time, everything that came meanwhile in the next one (KIP-858). The controller needs it to move leaders away from a directory
// that fails. Owner: the metadata shard.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"

namespace samsa::protocol {
struct AssignReplicasToDirsRequest;
struct AssignReplicasToDirsResponse;
}  // namespace samsa::protocol

namespace samsa::server {

class DirectoryAssigner {
 public:
  using Ask = std::function<io::Task<Result<protocol::AssignReplicasToDirsResponse>>(const protocol::AssignReplicasToDirsRequest&)>;
  using BrokerEpoch = std::function<int64_t()>;
  DirectoryAssigner(io::Loop& loop, int32_t node_id, BrokerEpoch epoch, Ask ask);
  ~DirectoryAssigner();

  void start();
  // Resumes when the controller has noted it. While nobody answers it is asked again. Errors: the controller's word on this replica;
  // NETWORK_EXCEPTION after stop().
  io::Task<Result<void>> assign(Uuid topic, PartitionIndex partition, Uuid directory);
  io::Task<> stop();

 private:
  struct Waiting;
  io::Task<> run();
  io::Task<bool> send(const std::vector<std::shared_ptr<Waiting>>& batch);

  io::Loop& loop_;
  int32_t node_id_;
  BrokerEpoch epoch_;
  Ask ask_;
  std::vector<std::shared_ptr<Waiting>> queue_;
  io::Signal work_;
  io::TaskGroup tasks_;
  bool stopping_ = false;
};

}  // namespace samsa::server
