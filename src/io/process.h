// ProcessFigures: what the system says of this process, for metrics. Real: io/real/process.h. A simulated node has none.
#pragma once

#include <cstdint>

namespace samsa::io {

struct ProcessFigures {
  double cpu_seconds = 0;  // User and system.
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
  uint64_t max_fds = 0;
  double start_seconds = 0;  // Since 1970.
  uint64_t disk_read_bytes = 0;   // From the block devices.
  uint64_t disk_write_bytes = 0;
};

}  // namespace samsa::io
