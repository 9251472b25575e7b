// PartitionLog: a coordinator's view of the partition that carries its state. One object is one leadership: when the partition's
// leader epoch has moved on, its calls fail with NOT_LEADER_OR_FOLLOWER. On the partition's shard.
#pragma once

#include <memory>

#include "coordinator/log.h"
#include "replication/partition.h"

namespace samsa::server {

class PartitionLog final : public coordinator::CoordinatorLog {
 public:
  explicit PartitionLog(std::shared_ptr<replication::Partition> partition)
      : partition_(std::move(partition)), epoch_(partition_->leader_epoch()) {}

  io::Task<Result<coordinator::Appended>> append(Buffer batch) override;
  io::Task<Result<void>> wait_committed(Offset last_offset, io::MonoTime deadline) override;
  io::Task<Result<Buffer>> read(Offset from, size_t max_bytes) override;
  [[nodiscard]] Offset start_offset() const override { return partition_->log().log_start_offset(); }
  [[nodiscard]] Offset end_offset() const override { return partition_->log().log_end_offset(); }
  [[nodiscard]] Offset high_watermark() const override { return partition_->high_watermark(); }

 private:
  std::shared_ptr<replication::Partition> partition_;
  LeaderEpoch epoch_;
};

}  // namespace samsa::server
