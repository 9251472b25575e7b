// Small types of the quorum that several files share.
#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.h"

namespace samsa::raft {

struct OffsetAndEpoch {
  Offset offset = 0;
  LeaderEpoch epoch = 0;
  auto operator<=>(const OffsetAndEpoch&) const = default;
};

struct LeaderAndEpoch {
  int32_t leader = -1;  // -1: unknown.
  LeaderEpoch epoch = 0;
  bool operator==(const LeaderAndEpoch&) const = default;
};

}  // namespace samsa::raft
