// AppendTurns: which Produce a shard appends now and which behind others (io::Priority). Large ones that arrive together, megabytes from many
// connections, would keep everybody else of the shard waiting until the last is in the file: what goes beyond a round's share waits and
// is appended one a turn of the loop, after a poll has let newcomers in.
//
// Order: what a connection sent first is appended first. While one of its requests waits, or its append is made by the disk's threads
// (replication::Partition::append_async), its later ones wait behind it; those of others go on.
// One per shard, its thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "io/loop.h"
#include "io/sync.h"
#include "io/task.h"

namespace samsa::server {

class AppendTurns {
 public:
  // A request, until end(). It takes a place in the order by wait() or hold().
  class Turn {
   public:
    Turn(AppendTurns& turns, uint64_t connection) : turns_(turns), connection_(connection) {}
    Turn(const Turn&) = delete;
    ~Turn() { end(); }
    // Whether wait() must come before the append, of so many bytes of records for this shard. If not, it counts as appended in this round.
    bool must_wait(uint64_t bytes);
    io::Task<> wait(uint64_t bytes);
    // The append takes a while.
    void hold();
    // It is made: the connection's next one may come.
    void end();

   private:
    friend class AppendTurns;
    AppendTurns& turns_;
    const uint64_t connection_;
    bool placed_ = false;
    io::Signal first_;  // None of its connection is before it any more.
  };

  explicit AppendTurns(io::Loop& loop) : loop_(loop) {}
  AppendTurns(const AppendTurns&) = delete;

  static constexpr uint64_t kSmallBytes = 4 << 10;    // Up to here a request never waits for those of others.
  static constexpr uint64_t kRoundBytes = 256 << 10;  // Appended in a round of the loop before others wait; the first always goes.

 private:
  void count(uint64_t bytes);
  // The first in the order that is of the connection; null: none.
  [[nodiscard]] Turn* first_of(uint64_t connection) const;

  io::Loop& loop_;
  io::MonoTime round_{};
  uint64_t appended_ = 0;      // In that round.
  std::vector<Turn*> placed_;  // Those that wait or hold, in order.
  size_t waiting_ = 0;         // Those that wait for a turn of the loop.
};

}  // namespace samsa::server
