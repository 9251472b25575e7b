// EpollLoop: a shard's loop on a real machine. One thread calls run(); a turn is: poll, timers, what other threads posted, then a
// few rounds of the ready queue, then one piece of bulk work, then background work if there is nothing else (Priority, io/loop.h).
// A round runs what was ready at its start, so yield() lets everybody else go first.
//
// Descriptors are edge-triggered and registered once. A Watch remembers whether its descriptor may be readable or writable, so that
// reading and writing are tried first and polled for only after the system said "would block".
// With nothing to do the loop sleeps in epoll until the next timer or a post_remote.
#pragma once

#include <atomic>
#include <vector>

#include "base/result.h"
#include "io/timer_heap.h"

namespace samsa::io::real {

class EpollLoop;

// A descriptor on a loop. Owned by a stream, listener or the loop itself; own thread only.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  ~Watch();
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

  bool readable = true;  // Perhaps; cleared by whoever sees EAGAIN or a short read.
  bool writable = true;
  bool hung_up = false;  // The peer has ended its side: a short read says nothing.
  // How who waits for it is woken: by how much it moved when it was last awake.
  Priority reader_priority = Priority::kNow;
  Priority writer_priority = Priority::kNow;

 private:
  friend class EpollLoop;
  friend class ReadyAwaiter;
  friend class WakeAt;
  void wake_reader();
  void wake_writer();
  EpollLoop* loop_ = nullptr;
  int fd_ = -1;
  std::coroutine_handle<> reader_;  // Who waits, or null.
  std::coroutine_handle<> writer_;
};

class EpollLoop final : public Loop {
 public:
  EpollLoop(int shard, uint64_t seed);
  ~EpollLoop() override;

  // Runs until stop(). The calling thread becomes the loop's.
  void run();
  // From any thread.
  void stop();

  // After run() has returned, and no other thread posts any more: first the former on every shard, then the latter.
  void start_teardown();
  void finish_teardown();

  using Loop::post_remote;
  void post(std::coroutine_handle<> handle) override {
    check_thread();
    if (!tearing_down()) ready_.push_back(handle);
  }
  void post_behind(std::coroutine_handle<> handle, Priority priority) override {
    check_thread();
    if (!tearing_down()) (priority == Priority::kNow ? ready_ : priority == Priority::kBulk ? bulk_.items : background_.items).push_back(handle);
  }
  void post_remote(RemoteItem& item) override;
  void add_timer(Timer& timer) override {
    check_thread();
    if (!tearing_down()) timers_.add(timer);
  }
  void cancel_timer(Timer& timer) override {
    check_thread();
    timers_.remove(timer);
  }
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] TimestampMs wall_ms() const override;
  [[nodiscard]] MonoTime now_precise() const override;
  [[nodiscard]] Duration idle_time() const override { return Duration(idle_ns_); }
  [[nodiscard]] bool has_company() override;
  // Something came in on the descriptor.
  void note_reader(const Watch& watch) {
    if (&watch != last_reader_) company_ = now_;
    last_reader_ = &watch;
  }
  Random& random() override { return random_; }
  [[nodiscard]] int shard() const override { return shard_; }

  // Takes the (non-blocking) descriptor over and watches it.
  void open_watch(Watch& watch, int fd);
  // Closes the descriptor and wakes who waits for it.
  void close_watch(Watch& watch);
  // Forgets the descriptor, which is the caller's from then on. Nobody may wait for it.
  int release_watch(Watch& watch);
  // Counts the rounds: what budgets of "per round" compare with.
  [[nodiscard]] uint64_t round() const { return round_; }

 private:
  // First in, first out; little is ever in it.
  struct Queue {
    std::vector<std::coroutine_handle<>> items;
    size_t at = 0;
    [[nodiscard]] bool empty() const { return items.empty(); }
    std::coroutine_handle<> take();
    void clear();
  };
  void poll(int timeout_ms);
  [[nodiscard]] int poll_timeout_ms();
  // While it runs, only its own thread may use it; a signal or stream of another shard is a mistake that would corrupt both.
  void check_thread() const { SAMSA_ASSERT(!running_loop_ || running_loop_ == this, "a loop is used from another shard: use post_remote"); }
  void run_timers();
  void run_remote(bool dropped);
  void run_round();
  void run_one(Queue& queue);
  [[nodiscard]] bool has_work() const { return !ready_.empty() || !bulk_.empty() || !background_.empty(); }
  void wake();

  static thread_local constinit const EpollLoop* running_loop_;

  const int shard_;
  Random random_;
  int epoll_fd_ = -1;
  Watch wake_watch_;
  MonoTime now_;
  int64_t idle_ns_ = 0;
  uint64_t round_ = 0;
  TimerHeap timers_;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;          // The round's; empty between rounds.
  Queue bulk_;
  Queue background_;
  MonoTime background_ran_;                               // Or had nothing to do.
  const Watch* last_reader_ = nullptr;                    // To compare with only: it may be gone.
  MonoTime company_;                                      // When somebody else than before had work.
  alignas(64) std::atomic<RemoteItem*> remote_{nullptr};  // Latest first.
  std::atomic<bool> asked_by_shard_{false};               // Since has_company() looked.
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopped_{false};
};

// Suspends until the descriptor may be readable (or writable), or was closed. Who waits is not destroyed before, but when the loop goes down.
class ReadyAwaiter {
 public:
  enum class For { kRead, kWrite };
  ReadyAwaiter(Watch& watch, For direction) : watch_(watch), direction_(direction) {}
  bool await_ready() const noexcept { return !watch_.is_open() || (direction_ == For::kRead ? watch_.readable : watch_.writable); }
  void await_suspend(std::coroutine_handle<> handle) {
    auto& slot = direction_ == For::kRead ? watch_.reader_ : watch_.writer_;
    SAMSA_ASSERT(!slot, "a stream has one reader and one writer at a time");
    slot = handle;
  }
  void await_resume() const noexcept {}

 private:
  Watch& watch_;
  For direction_;
};

// While it lives, wakes who waits to write at the time, whether it may or not.
class WakeAt : Timer {
 public:
  WakeAt(EpollLoop& loop, Watch& watch, MonoTime time);
  WakeAt(const WakeAt&) = delete;
  ~WakeAt();

 private:
  EpollLoop& loop_;
  Watch& watch_;
};

}  // namespace samsa::io::real
