// LogLoader: brings a partition's directory into memory: finishes or undoes what a crash interrupted, finds segments, recovers what was
// not known to be synced, rebuilds producer state and leader epochs (facts of Kafka 4.3; docs/formats/log.md, "Recovery").
//
// After a clean stop nothing is scanned but the end of the active segment. After another stop everything from the recovery point on is:
// at the first byte that is no valid batch the log is cut. Bytes before the recovery point were synced; damage there is reported as an
// error with file and position, and the cut part is kept beside the segment as "<base>.log.<position>.damaged".
#pragma once

#include <memory>

#include "storage/leader_epoch_cache.h"
#include "storage/log.h"
#include "storage/producer_state.h"
#include "storage/segment_list.h"

namespace samsa::storage {

struct LoadedLog {
  std::unique_ptr<SegmentList> segments;
  std::unique_ptr<ProducerStates> producers;
  std::unique_ptr<LeaderEpochCache> epochs;
  Uuid topic_id;
  bool topic_id_stored = false;
  Offset log_start_offset = 0;
  Offset log_end_offset = 0;
  Offset recovery_point = 0;
  std::vector<std::string> useless_files;  // "....deleted": to be removed when there is time.
};

io::Task<Result<LoadedLog>> load_log(LogContext& context, const OpenLog& options);

// Applies the batches in [states.end_offset(), to) to the producer states. OPERATION_NOT_ATTEMPTED, with a part of it done, once `give_up` is set.
io::Task<Result<void>> replay_producers(io::Loop& loop, ProducerStates& states, const SegmentList& segments, Offset to, const bool* give_up = nullptr);

// partition.metadata
std::string format_partition_metadata(Uuid topic_id);
// RESOURCE_NOT_FOUND where there is none; CORRUPT_MESSAGE where it cannot be read.
Result<Uuid> read_partition_metadata(io::Disk& disk, const std::string& directory);

}  // namespace samsa::storage
