// Room: whether a shard can take another connection that would be served there with fewer hops (server/home.h).
//
// It can where it serves no more of them than the shard from which that one comes, or has little to do. A few connections that ask for much fill a
// shard, though they may all ask within a millisecond: so it takes one at a time, and sees what that one brought before it takes the next. Consumers
// of one partition that move megabytes a second stay divided over the shards: they gain more by the other processor than the hop costs.
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

  // To be told about once a second: until `now` the loop had nothing to do for `idle` in all.
  void note(io::MonoTime now, io::Duration idle) {
    if (now > noted_) share_ = static_cast<double>((idle - idle_then_).count()) / static_cast<double>((now - noted_).count());
    noted_ = now;
    idle_then_ = idle;
  }
  // Takes room for one of a shard that serves `there`, if this one, which serves `here`, has any.
  bool take(io::MonoTime now, io::Duration idle, size_t here, size_t there) {
    if (here <= there) return true;
    if (now >= io::after(noted_, kLoadShows)) note(now, idle);
    const bool enough = share_ >= kEnough;
    share_ = 0;
    return enough;
  }

 private:
  io::MonoTime noted_;
  io::Duration idle_then_{};
  double share_ = 0;  // Of the time before noted_ that was idle; 0 once somebody asked, until it is noted again.
};

}  // namespace samsa::server
