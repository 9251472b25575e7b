// SimLoop: the loop of one shard of a simulated node. The world decides when it takes a turn; within a loop the order is that of the
// posts, between loops it is drawn from the seed.
#pragma once

#include <deque>

#include "io/sim/kernel.h"
#include "io/timer_heap.h"

namespace samsa::io::sim {

class SimLoop final : public Loop {
 public:
  SimLoop(Kernel& kernel, const Host& host, int shard, uint64_t& root_counter)
      : kernel_(kernel), host_(host), shard_(shard), random_(kernel.random.next()), now_(host.mono()) {
    share_root_counter(root_counter);
  }

  using Loop::post_remote;
  void post(std::coroutine_handle<> handle) override {
    if (!tearing_down()) ready_.push_back({handle, nullptr});
  }
  void post_remote(RemoteItem& item) override {
    if (tearing_down()) return item.run(item, true);
    ready_.push_back({nullptr, &item});
  }
  void add_timer(Timer& timer) override {
    if (!tearing_down()) timers_.add(timer);
  }
  void cancel_timer(Timer& timer) override { timers_.remove(timer); }
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] TimestampMs wall_ms() const override { return host_.wall_ms(); }
  [[nodiscard]] MonoTime now_precise() const override { return host_.mono(); }
  Random& random() override { return random_; }
  [[nodiscard]] int shard() const override { return shard_; }

  // For the world:
  [[nodiscard]] const Host& host() const { return host_; }
  [[nodiscard]] bool has_work() const { return !ready_.empty() || timers_.earliest() <= host_.mono(); }
  [[nodiscard]] int64_t next_timer_ns() const { return host_.world_ns(timers_.earliest()); }
  // Fires what is due and runs up to `limit` posts.
  void take_turn(size_t limit);
  void start_teardown();
  // The order of its latest task, 0 where none is left; and ends that task.
  [[nodiscard]] uint64_t latest_task() const { return latest_root(); }
  void destroy_latest_task() { destroy_latest_root(); }

 private:
  struct Post {
    std::coroutine_handle<> handle;
    RemoteItem* item;
  };
  Kernel& kernel_;
  const Host& host_;
  const int shard_;
  Random random_;
  MonoTime now_;
  TimerHeap timers_;
  std::deque<Post> ready_;
};

}  // namespace samsa::io::sim
