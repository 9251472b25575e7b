// Waiting within one shard, without locks: Signal (a condition), Mutex (first come, first served), TaskGroup (background tasks
// that a shutdown joins). None of them may be used from two shards. Waiters resume through the loop, never inside notify.
#pragma once

#include <coroutine>
#include <cstdint>

#include "io/loop.h"
#include "io/task.h"

namespace samsa::io {

// A condition to wait for. A waiter re-checks its own predicate after waking. Waiters that are left when it is destroyed are
// detached: those with a deadline wake at it, the others stay until the loop goes down.
class Signal {
 public:
  class Waiter;

  Signal() = default;
  Signal(const Signal&) = delete;
  ~Signal();

  // co_await wait_until(loop, deadline): true when notified, false when the deadline came first (kNever: no deadline).
  [[nodiscard]] Waiter wait_until(Loop& loop, MonoTime deadline);
  [[nodiscard]] Waiter wait(Loop& loop);

  void notify_all();
  void notify_one();
  [[nodiscard]] bool has_waiters() const { return head_ != nullptr; }

 private:
  friend class Waiter;
  void unlink(Waiter& waiter);
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
};

class Signal::Waiter : Timer {
 public:
  Waiter(Signal& signal, Loop& loop, MonoTime until) : signal_(&signal), loop_(loop) { deadline = until; }
  Waiter(const Waiter&) = delete;
  ~Waiter();
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  bool await_resume() const noexcept { return notified_; }

 private:
  friend class Signal;
  Signal* signal_;  // Null once woken or detached.
  Loop& loop_;
  std::coroutine_handle<> handle_;
  Waiter* previous_ = nullptr;
  Waiter* next_ = nullptr;
  bool notified_ = false;
};

// Exclusive access across awaits, in order of arrival: auto held = co_await mutex.lock(loop);
class Mutex {
 public:
  class Held {
   public:
    Held() = default;
    explicit Held(Mutex* mutex) : mutex_(mutex) {}
    Held(Held&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
      release();
      mutex_ = std::exchange(other.mutex_, nullptr);
      return *this;
    }
    ~Held() { release(); }
    void release();

   private:
    Mutex* mutex_ = nullptr;
  };
  Task<Held> lock(Loop& loop);
  [[nodiscard]] bool locked() const { return locked_; }

 private:
  bool locked_ = false;
  Signal free_;
};

// Background tasks of one owner. spawn() starts them; join() waits until all have ended (the owner tells them to end first).
// Destroying a group whose tasks still run is an error, except when the loop goes down.
class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop) : loop_(loop) {}
  TaskGroup(const TaskGroup&) = delete;
  ~TaskGroup();
  void spawn(Task<> task);
  Task<> join();
  [[nodiscard]] size_t size() const { return running_; }

 private:
  // Lives in the frame of a running task; whichever of task and group goes first unlinks it.
  struct Member {
    explicit Member(TaskGroup* group);
    Member(const Member&) = delete;
    ~Member();
    TaskGroup* group;
    Member* previous = nullptr;
    Member* next = nullptr;
  };
  static detail::Root run(Loop& loop, TaskGroup* group, Task<> task);
  Loop& loop_;
  size_t running_ = 0;
  Member* first_ = nullptr;
  Signal ended_;
};

}  // namespace samsa::io
