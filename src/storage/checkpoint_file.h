// The text files that hold offsets: recovery-point-, log-start-, replication- and cleaner-offset-checkpoint of a log directory and
// leader-epoch-checkpoint of a partition. One format: a line with the version (0), a line with the number of entries, the entries.
// Format: docs/formats/directory.md. Written as "<name>.tmp", synced, renamed.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "io/file.h"

namespace samsa::storage {

using OffsetMap = std::map<TopicPartition, Offset>;
// (epoch, first offset), ascending.
using EpochEntries = std::vector<std::pair<LeaderEpoch, Offset>>;

// An empty text has no entries. CORRUPT_MESSAGE for junk, a wrong version or a count that does not fit.
Result<OffsetMap> parse_offset_checkpoint(std::string_view text);
std::string format_offset_checkpoint(const OffsetMap& entries);
Result<EpochEntries> parse_epoch_checkpoint(std::string_view text);
std::string format_epoch_checkpoint(const EpochEntries& entries);

// A missing file has no entries.
Result<OffsetMap> read_offset_checkpoint(io::Disk& disk, const std::string& path);
Result<void> write_offset_checkpoint(io::Disk& disk, const std::string& path, const OffsetMap& entries);

}  // namespace samsa::storage
