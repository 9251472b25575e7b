// CRC-32C (Castagnoli), as record batches, producer snapshots and snappy use it. Hardware instructions where the CPU has them
// (SSE4.2 and PCLMULQDQ, VPCLMULQDQ), chosen once at run time; a table otherwise. All give the same value.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace samsa {

// CRC of `bytes`, continuing from `crc` (the finished value of what came before; 0 to start).
uint32_t crc32c(Bytes bytes, uint32_t crc = 0);

// The portable form, the yardstick of the tests.
uint32_t crc32c_table(Bytes bytes, uint32_t crc = 0);

// A given form, for tests and benchmarks; nothing where the CPU lacks it.
enum class Crc32cForm : uint8_t { kTable, kInstruction, kPclmul, kVpclmul };
std::optional<uint32_t> crc32c_by(Crc32cForm form, Bytes bytes, uint32_t crc = 0);

}  // namespace samsa
