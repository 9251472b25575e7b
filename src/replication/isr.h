// What a partition's leader asks of the node around it about its in-sync replicas.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/task.h"

namespace samsa::replication {

// One partition of AlterPartition.
struct IsrProposal {
  Uuid topic_id;
  PartitionIndex partition = 0;
  LeaderEpoch leader_epoch = -1;
  int32_t partition_epoch = -1;
  std::vector<int32_t> isr;
  std::vector<int64_t> broker_epochs;  // Parallel to isr: the controller refuses members that have begun another life (KIP-903).
};

struct IsrAnswer {
  LeaderEpoch leader_epoch = -1;
  int32_t partition_epoch = -1;
  std::vector<int32_t> isr;
};

// Implemented by the shard; on the partition's loop.
class IsrHost {
 public:
  virtual ~IsrHost() = default;
  // Whether the broker is registered, unfenced and not about to stop; `epoch` (-1: any) must be that of its registration.
  [[nodiscard]] virtual bool may_join_isr(int32_t broker, int64_t epoch) const = 0;
  // Of the broker's registration; -1 where there is none.
  [[nodiscard]] virtual int64_t broker_epoch(int32_t broker) const = 0;
  // replica.lag.time.max.ms
  [[nodiscard]] virtual std::chrono::milliseconds lag_limit() const = 0;
  // Asks the active controller. An error is its word on this partition, or NETWORK_EXCEPTION when the node stops.
  virtual io::Task<Result<IsrAnswer>> change_isr(IsrProposal proposal) = 0;
  // Runs in the background; ended before the node is.
  virtual void spawn(io::Task<> task) = 0;
};

}  // namespace samsa::replication
