// Random: a small, fast generator (xoshiro256**) with a seed from outside: the machine's entropy in a real node, the run's seed
// in the simulation. Not for secrets; secrets come from io/real's entropy.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace samsa::io {

class Random {
 public:
  explicit Random(uint64_t seed);
  uint64_t next();
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  // Uniform in [low, high].
  int64_t between(int64_t low, int64_t high);
  // True once in `one_in` calls on average; 0: never.
  bool one_in(uint64_t one_in);
  // Uniform in [0, 1).
  double fraction();
  // A version 4 UUID that does not start with '-' in text and is none of the reserved values.
  Uuid uuid();

 private:
  uint64_t state_[4];
};

}  // namespace samsa::io
