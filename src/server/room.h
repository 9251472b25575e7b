// Room: whether a shard can take another connection that would be served there with fewer hops (server/home.h).
//
// It can where it serves no more of them than the shard from which that one comes, or has little to do. A few connections that ask for much
// fill a shard, though they may all ask within a millisecond: so one that is on its way counts as served, and the next one is taken for the
// sake of idle time only when the shard has seen what the last one brought. Consumers of one partition that move gigabytes a second stay
// divided over the shards: they gain more by the other processor than the hop costs.
// Owner: the shard.
#pragma once

#include <chrono>
#include <cstddef>

#include "io/loop.h"

namespace samsa::server {

class Room {
 public:
  static constexpr std::chrono::milliseconds kLoadShows{4};
  static constexpr double kEnough = 0.5;  // Of the time.

  // Until `now` the loop had nothing to do for `idle` in all. To be told about once a second.
  void note(io::MonoTime now, io::Duration idle) {
    if (now < io::after(noted_, kLoadShows)) return;
    share_ = noted_ == io::MonoTime{} ? 0 : static_cast<double>((idle - idle_then_).count()) / static_cast<double>((now - noted_).count());
    begin(now, idle);
    taken_ = 0;
  }
  // Takes room for one of a shard that serves `there`, if this one, which serves `here`, has any.
  bool take(io::MonoTime now, io::Duration idle, size_t here, size_t there) {
    note(now, idle);
    const bool fits = here + taken_ <= there || (taken_ == 0 && share_ >= kEnough);
    taken_ += fits;
    return fits;
  }
  // One that was taken is here: what it brings shows from now on.
  void has_come(io::MonoTime now, io::Duration idle) {
    begin(now, idle);
    share_ = 0;
    if (taken_ > 0) --taken_;
  }

 private:
  void begin(io::MonoTime now, io::Duration idle) {
    noted_ = now;
    idle_then_ = idle;
  }

  io::MonoTime noted_;  // At first never.
  io::Duration idle_then_{};
  double share_ = 0;  // Of the time before noted_ that was idle.
  size_t taken_ = 0;  // Since then; they may not be here yet.
};

}  // namespace samsa::server
