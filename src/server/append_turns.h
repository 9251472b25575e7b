// AppendTurns: which Produce a shard appends now and which behind others (io::Priority). Large ones that arrive together, megabytes from many
// connections, would keep everybody else of the shard waiting until the last is in the file: what goes beyond a round's share waits and
// is appended one a turn of the loop, after a poll has let newcomers in.
//
// Order: what a connection sent first is appended first. While one of its requests waits, its later ones wait behind it.
// One per shard, its thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "io/loop.h"
#include "io/task.h"

namespace samsa::server {

class AppendTurns {
 public:
  explicit AppendTurns(io::Loop& loop) : loop_(loop) {}
  AppendTurns(const AppendTurns&) = delete;

  // Whether this request of the connection, so many bytes of records for this shard, must call wait() before it appends. If not, it counts
  // as appended in this round.
  bool must_wait(uint64_t connection, uint64_t bytes);
  io::Task<> wait(uint64_t connection, uint64_t bytes);

  static constexpr uint64_t kSmallBytes = 4 << 10;    // Up to here a request never waits for those of others.
  static constexpr uint64_t kRoundBytes = 256 << 10;  // Appended in a round of the loop before others wait; the first always goes.

 private:
  void count(uint64_t bytes);

  io::Loop& loop_;
  io::MonoTime round_{};
  uint64_t appended_ = 0;          // In that round.
  std::vector<uint64_t> waiting_;  // The connection of each request that waits, in order.
};

}  // namespace samsa::server
