#include "io/sim/loop.h"

namespace samsa::io::sim {
namespace {
// What a step costs in virtual time, so that a loop that only yields does not stop the clock.
constexpr int64_t kStepNs = 500;
constexpr int kTimersPerTurn = 64;
}  // namespace

void SimLoop::take_turn(size_t limit) {
  now_ = host_.mono();
  kernel_.trace.mix(static_cast<uint64_t>(kernel_.now_ns));
  kernel_.trace.mix(as_bytes(host_.name()));
  kernel_.trace.mix(static_cast<uint64_t>(shard_));
  for (int i = 0; i < kTimersPerTurn; ++i) {
    Timer* timer = timers_.pop_due(now_);
    if (!timer) break;
    timer->fire(*timer);
    kernel_.now_ns += kStepNs;
  }
  size_t ran = 0;
  for (; ran < limit && !ready_.empty(); ++ran) {
    const Post post = ready_.front();
    ready_.pop_front();
    if (post.item) {
      post.item->run(*post.item, false);
    } else {
      post.handle.resume();
    }
    kernel_.now_ns += kStepNs;
  }
  kernel_.trace.mix(ran);
}

void SimLoop::start_teardown() {
  begin_teardown();
  timers_.clear();
  while (!ready_.empty()) {
    RemoteItem* item = ready_.front().item;
    ready_.pop_front();
    if (item) item->run(*item, true);
  }
}

}  // namespace samsa::io::sim
