// meta.properties: which cluster, node and directory a log directory belongs to (disk format version 1; version 0 is read).
// Extra keys of the file are ignored. Written durably: temp file, sync, rename, directory sync.
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "io/file.h"

namespace samsa::storage {

struct MetaProperties {
  int version = 1;
  std::optional<std::string> cluster_id;
  std::optional<NodeId> node_id;
  std::optional<Uuid> directory_id;
};

// Java properties text. INVALID_CONFIG names the key and the value that is wrong.
Result<MetaProperties> parse_meta_properties(std::string_view text);
std::string format_meta_properties(const MetaProperties& properties);

// "<directory>/meta.properties"; RESOURCE_NOT_FOUND where the directory is not formatted.
Result<MetaProperties> read_meta_properties(io::Disk& disk, const std::string& directory);
Result<void> write_meta_properties(io::Disk& disk, const std::string& directory, const MetaProperties& properties);

}  // namespace samsa::storage
