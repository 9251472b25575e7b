// Throttle: how fast a node moves replicas that are not in sync yet, so that a reassignment leaves room for clients (KIP-73). One for
// what it sends as leader, one for what it takes as follower; only partitions named in leader. / follower.replication.throttled.replicas
// of their topic count, and only while the follower is out of sync.
//
// A bucket that fills at the rate and holds one second of it; what is moved is taken out, below zero if need be, and nothing more is moved
// until it is above zero again. Owner: one shard, which has its share of the node's rate.
#pragma once

#include <cstdint>
#include <string_view>

#include "io/loop.h"

namespace samsa::replication {

class Throttle {
 public:
  // Bytes a second; a negative rate or INT64_MAX: no limit.
  void set_rate(int64_t rate, io::MonoTime now);
  // Whether something may be moved now.
  [[nodiscard]] bool open(io::MonoTime now);
  // When it may be again.
  [[nodiscard]] io::MonoTime opens_at(io::MonoTime now);
  void moved(uint64_t bytes, io::MonoTime now);

 private:
  void fill(io::MonoTime now);
  int64_t rate_ = -1;
  double tokens_ = 0;
  io::MonoTime filled_{};
};

// Whether "partition:broker,..." or "*" names that replica.
bool names_replica(std::string_view list, int32_t partition, int32_t broker);

}  // namespace samsa::replication
