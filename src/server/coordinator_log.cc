#include "server/coordinator_log.h"

namespace samsa::server {

io::Task<Result<coordinator::Appended>> PartitionLog::append(Buffer batch) {
  if (partition_->leader_epoch() != epoch_) co_return fail(ErrorCode::kNotLeaderOrFollower);
  replication::AppendOptions options;
  options.acks = -1;
  options.log.origin = batch.size() > 22 && (batch[22] & 0x20) != 0 ? storage::AppendOrigin::kMarker : storage::AppendOrigin::kCoordinator;
  CO_TRY_ASSIGN(const auto info, partition_->appends_stand(batch.size()) ? co_await partition_->append_async(batch, options)
                                                                         : partition_->append(batch, options));
  co_return coordinator::Appended{info.first_offset, info.last_offset};
}

io::Task<Result<void>> PartitionLog::wait_committed(Offset last_offset, io::MonoTime deadline) {
  return partition_->wait_committed(last_offset, epoch_, deadline);
}

io::Task<Result<Buffer>> PartitionLog::read(Offset from, size_t max_bytes) {
  storage::ReadRequest request;
  request.offset = from;
  request.max_bytes = max_bytes;
  request.upper_bound = partition_->log().log_end_offset();
  request.min_one_batch = true;
  return partition_->log().read_bytes(request);
}

}  // namespace samsa::server
