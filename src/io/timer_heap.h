// TimerHeap: the timers of one loop by deadline; equal deadlines fire in the order they were added. Part of a loop, used on its
// thread only. Adding and cancelling cost O(log n), the earliest deadline is at hand.
#pragma once

#include <vector>

#include "io/loop.h"

namespace samsa::io {

class TimerHeap {
 public:
  TimerHeap() = default;
  TimerHeap(const TimerHeap&) = delete;
  ~TimerHeap() { clear(); }

  void add(Timer& timer) {
    SAMSA_ASSERT(!timer.linked());
    timer.sequence = ++sequence_;
    timer.heap_index = heap_.size();
    heap_.push_back({timer.deadline.ns, timer.sequence, &timer});
    sift_up(timer.heap_index);
  }
  void remove(Timer& timer) {
    const size_t at = timer.heap_index;
    SAMSA_ASSERT(at < heap_.size() && heap_[at].timer == &timer);
    timer.heap_index = SIZE_MAX;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (last.timer == &timer) return;
    place(at, last);
    sift_up(at);
    sift_down(last.timer->heap_index);
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  // kNever where there is none.
  [[nodiscard]] MonoTime earliest() const { return heap_.empty() ? kNever : MonoTime{heap_[0].deadline_ns}; }
  // Unlinks and returns the earliest timer that is due by `now`; null where none is.
  Timer* pop_due(MonoTime now) {
    if (heap_.empty() || heap_[0].deadline_ns > now.ns) return nullptr;
    Timer* timer = heap_[0].timer;
    remove(*timer);
    return timer;
  }
  // Unlinks all without firing.
  void clear() {
    for (auto& entry : heap_) entry.timer->heap_index = SIZE_MAX;
    heap_.clear();
  }

 private:
  struct Entry {
    int64_t deadline_ns;
    uint64_t sequence;
    Timer* timer;
    bool operator<(const Entry& other) const {
      return deadline_ns != other.deadline_ns ? deadline_ns < other.deadline_ns : sequence < other.sequence;
    }
  };
  void place(size_t at, const Entry& entry) {
    heap_[at] = entry;
    entry.timer->heap_index = at;
  }
  void sift_up(size_t at) {
    const Entry entry = heap_[at];
    while (at > 0 && entry < heap_[(at - 1) / 2]) {
      place(at, heap_[(at - 1) / 2]);
      at = (at - 1) / 2;
    }
    place(at, entry);
  }
  void sift_down(size_t at) {
    const Entry entry = heap_[at];
    while (true) {
      size_t child = 2 * at + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
      if (!(heap_[child] < entry)) break;
      place(at, heap_[child]);
      at = child;
    }
    place(at, entry);
  }
  std::vector<Entry> heap_;
  uint64_t sequence_ = 0;
};

}  // namespace samsa::io
