// Fanout: the one hop to other shards that a request makes. Work for several shards is posted to each at once, so that two requests
// of one connection reach a shard in the order of their calls; the caller resumes when all parts have ended.
#pragma once

#include <coroutine>
#include <vector>

#include "io/loop.h"
#include "io/task.h"
#include "io/world.h"

namespace samsa::server {

// Runs `part(shard index)` -> io::Task<> on every shard of `shards` and resumes the caller on `home` when all have ended. The part
// on the home shard runs within this call up to its first suspension, after the others have been posted. `part` must outlive the
// await (a named object of the calling coroutine).
template <class F>
class Fanout {
 public:
  Fanout(io::Loop& home, const io::Worlds& worlds, const std::vector<int>& shards, F& part)
      : home_(home), worlds_(worlds), shards_(shards), part_(part) {}

  io::Task<> run() {
    bool here = false;
    for (const int shard : shards_) {
      io::Loop& loop = worlds_[static_cast<size_t>(shard)].loop;
      if (&loop == &home_) {
        here = true;
        continue;
      }
      ++pending_;
      loop.post_remote([this, shard, &loop] { io::spawn_now(loop, there(shard)); });
    }
    if (here) co_await part_(home_.shard());
    co_await Rest{*this};
  }

 private:
  struct Rest {
    Fanout& fanout;
    bool await_ready() const noexcept { return fanout.pending_ == 0; }
    void await_suspend(std::coroutine_handle<> handle) const { fanout.waiter_ = handle; }
    void await_resume() const noexcept {}
  };

  io::Task<> there(int shard) {
    co_await part_(shard);
    home_.post_remote([this] {
      if (--pending_ == 0 && waiter_) waiter_.resume();
    });
  }

  io::Loop& home_;
  const io::Worlds& worlds_;
  const std::vector<int>& shards_;
  F& part_;
  size_t pending_ = 0;  // Touched on the home shard only.
  std::coroutine_handle<> waiter_;
};

template <class F>
io::Task<> on_shards(io::Loop& home, const io::Worlds& worlds, const std::vector<int>& shards, F& part) {
  Fanout<F> fanout(home, worlds, shards, part);
  co_await fanout.run();
}

}  // namespace samsa::server
