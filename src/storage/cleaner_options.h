// CleanerOptions: what one cleaning may take: memory and disk bandwidth (log.cleaner.*). Plain values, copied.
#pragma once

#include <cstddef>

namespace samsa::storage {

struct CleanerOptions {
  size_t dedupe_bytes = 128U << 20;             // log.cleaner.dedupe.buffer.size (allocated only as far as needed).
  double max_bytes_per_second = 1e300;          // log.cleaner.io.max.bytes.per.second: read and written.
  size_t io_bytes = 512U << 10;                 // log.cleaner.io.buffer.size: half to read, half to write; a larger batch makes more of it.
};

}  // namespace samsa::storage
