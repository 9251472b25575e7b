// IsrSender: brings the ISR changes of all partitions of this node to the active controller: AlterPartition, one request under way at a
// time, everything that came meanwhile in the next one (KIP-497). Owner: the metadata shard.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "io/sync.h"
#include "io/world.h"
#include "replication/isr.h"

namespace samsa::protocol {
struct AlterPartitionRequest;
struct AlterPartitionResponse;
}  // namespace samsa::protocol

namespace samsa::replication {

class IsrSender {
 public:
  // The active controller's answer; errors of the whole request as such.
  using Ask = std::function<io::Task<Result<protocol::AlterPartitionResponse>>(const protocol::AlterPartitionRequest&)>;
  using BrokerEpoch = std::function<int64_t()>;
  IsrSender(io::Loop& loop, int32_t node_id, BrokerEpoch epoch, Ask ask);
  ~IsrSender();

  void start();
  // Resumes with the controller's word on this partition. While nobody answers it is asked again. NETWORK_EXCEPTION after stop().
  io::Task<Result<IsrAnswer>> change(IsrProposal proposal);
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

}  // namespace samsa::replication
