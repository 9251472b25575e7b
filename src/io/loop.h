// Loop: one shard's scheduler and clock. Everything of a shard (connections, partitions, coordinators) runs on its one thread,
// one coroutine at a time; only post_remote may be called from another thread.
//
// Real: io/real/loop.h (epoll). Simulated: io/sim/world.h (virtual time, one run queue for all nodes, seeded).
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/ids.h"
#include "base/unique_function.h"
#include "io/random.h"
#include "io/task.h"

namespace samsa::io {

using Duration = std::chrono::nanoseconds;
// Monotonic time since an arbitrary start; never goes back, not even in a simulated clock jump.
struct MonoTime {
  int64_t ns = 0;
  auto operator<=>(const MonoTime&) const = default;
  MonoTime operator+(Duration d) const { return {ns + d.count()}; }
  Duration operator-(MonoTime other) const { return Duration(ns - other.ns); }
};
inline constexpr MonoTime kNever{INT64_MAX};
inline MonoTime after(MonoTime from, std::chrono::milliseconds d) { return from + Duration(d); }

// A timer that its owner keeps alive; add_timer links it, firing or cancel_timer unlinks it. It must not be destroyed while linked.
struct Timer {
  MonoTime deadline;
  void (*fire)(Timer&) = nullptr;  // Called on the loop's thread, already unlinked.
  // Owned by the loop:
  size_t heap_index = SIZE_MAX;
  uint64_t sequence = 0;
  [[nodiscard]] bool linked() const { return heap_index != SIZE_MAX; }
};

// Work for another thread's loop that needs no allocation: its sender keeps it alive until it ran.
struct RemoteItem {
  // Called once, on the loop's thread; `dropped`: the loop goes down, free what you own and do nothing else.
  void (*run)(RemoteItem&, bool dropped) = nullptr;
  RemoteItem* next = nullptr;  // Owned by the loop.
};

namespace detail {
struct RootPromise;
}  // namespace detail

// How soon posted work runs.
enum class Priority : uint8_t {
  kNow,         // Requests, answers, replication: all of it in the next round, in the order of the posts.
  kBulk,        // Who moves a lot (a flood, a catching-up consumer): a slice at a time, after everybody else had a look at what arrived.
  kBackground,  // Compaction, retention: when there is nothing else to do, and at least every few milliseconds.
};

class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  virtual ~Loop();

  // Resumes the coroutine in a later step of this loop, in the order of the posts. Own thread only.
  virtual void post(std::coroutine_handle<> handle) = 0;
  // The same behind work of higher priority. Loops without priorities take it as post.
  virtual void post_behind(std::coroutine_handle<> handle, Priority) { post(handle); }
  // Runs the function on this loop; from any thread. In the order of the posts of one sender.
  void post_remote(UniqueFunction<void()> function);
  virtual void post_remote(RemoteItem& item) = 0;

  // Links the timer; it fires at its deadline or the first turn after it. Own thread only.
  virtual void add_timer(Timer& timer) = 0;
  virtual void cancel_timer(Timer& timer) = 0;

  // Monotonic time as of this turn of the loop.
  [[nodiscard]] virtual MonoTime now() const = 0;
  // Wall clock in milliseconds since 1970; may jump.
  [[nodiscard]] virtual TimestampMs wall_ms() const = 0;
  // Monotonic time measured now, for latency metrics.
  [[nodiscard]] virtual MonoTime now_precise() const = 0;

  // How long in all the loop has had nothing to do; for idle-percent metrics.
  [[nodiscard]] virtual Duration idle_time() const { return {}; }

  // This shard's own random numbers; never shared between shards.
  // Whether lately more than one connection, or another shard, had work for it: whether anybody else would wait where one holds the loop up.
  [[nodiscard]] virtual bool has_company() { return true; }
  virtual Random& random() = 0;
  // Which shard of the node this is, from 0.
  [[nodiscard]] virtual int shard() const = 0;

  // The node stops or has crashed: what is still suspended is destroyed, latest first, and nothing resumes any more. Destructors
  // that run then may meet waiters and tasks that did not end; posts, timers and spawns are ignored.
  [[nodiscard]] bool tearing_down() const { return tearing_down_; }

 protected:
  friend struct detail::RootPromise;
  // First on every shard of a node, then the roots of all, latest first.
  void begin_teardown() { tearing_down_ = true; }
  // Destroys the spawned tasks that have not ended, with all that they await.
  void destroy_roots();
  // When the latest root of this loop that still runs was spawned, in the counter's order; 0: there is none.
  [[nodiscard]] uint64_t latest_root() const;
  void destroy_latest_root();
  // Shards of one thread share a counter, so that their roots have one order.
  void share_root_counter(uint64_t& counter) { root_counter_ = &counter; }

 private:
  bool tearing_down_ = false;
  uint64_t own_roots_ = 0;
  uint64_t* root_counter_ = &own_roots_;
  detail::RootPromise* last_root_ = nullptr;
};

// Starts the task in a later step of the loop and lets it run to its end on its own. The loop owns and frees it. Own thread only.
void spawn(Loop& loop, Task<> task);
// The same, starting at once, inside the call.
void spawn_now(Loop& loop, Task<> task);

namespace detail {

// The outermost frame of a spawned task: frees itself when the task ends, and is known to its loop until then. A coroutine that returns one has
// the loop as its first parameter.
struct Root {
  using promise_type = RootPromise;
  std::coroutine_handle<RootPromise> handle;
};

struct RootPromise : FrameAllocation {
  explicit RootPromise(Loop& on, const auto&...) : loop(on), order(++*on.root_counter_), previous(on.last_root_) {
    if (previous) previous->next = this;
    on.last_root_ = this;
  }
  RootPromise(const RootPromise&) = delete;
  ~RootPromise() {
    if (previous) previous->next = next;
    (next ? next->previous : loop.last_root_) = previous;
  }
  Root get_return_object() noexcept { return {std::coroutine_handle<RootPromise>::from_promise(*this)}; }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  Loop& loop;
  uint64_t order;
  RootPromise* previous;
  RootPromise* next = nullptr;
};

}  // namespace detail

// Suspends until the time has come: co_await sleep_for(loop, 10ms).
class SleepAwaiter : Timer {
 public:
  SleepAwaiter(Loop& loop, MonoTime until) : loop_(loop) { deadline = until; }
  SleepAwaiter(const SleepAwaiter&) = delete;
  ~SleepAwaiter() {
    if (linked()) loop_.cancel_timer(*this);
  }
  bool await_ready() const noexcept { return deadline <= loop_.now(); }
  void await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    fire = [](Timer& t) { static_cast<SleepAwaiter&>(t).handle_.resume(); };
    loop_.add_timer(*this);
  }
  void await_resume() const noexcept {}

 private:
  Loop& loop_;
  std::coroutine_handle<> handle_;
};
inline SleepAwaiter sleep_until(Loop& loop, MonoTime until) { return {loop, until}; }
inline SleepAwaiter sleep_for(Loop& loop, Duration d) { return {loop, loop.now() + d}; }

// Gives the other coroutines of the loop a turn: co_await yield(loop).
inline auto yield(Loop& loop, Priority priority = Priority::kNow) {
  struct Awaiter {
    Loop& loop;
    Priority priority;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { loop.post_behind(handle, priority); }
    void await_resume() const noexcept {}
  };
  return Awaiter{loop, priority};
}

// The slices of a long background computation: if (slice.is_over()) co_await slice.pause();
class BackgroundSlice {
 public:
  static constexpr Duration kLength = std::chrono::microseconds(200);

  explicit BackgroundSlice(Loop& loop) : loop_(loop), began_(loop.now_precise()) {}
  [[nodiscard]] bool is_over() const { return loop_.now_precise() - began_ >= kLength; }
  Task<> pause() {
    co_await yield(loop_, Priority::kBackground);
    began_ = loop_.now_precise();
  }

 private:
  Loop& loop_;
  MonoTime began_;
};

// Runs `function` (() -> Task<T>) on the loop `to` and resumes the caller on its own loop `from` with the value. The function
// object lives until then. Where both are the same loop it is a plain await.
template <class F>
auto call_on(Loop& from, Loop& to, F function) -> decltype(function());

namespace detail {
// One call on another shard's loop. Goes there and comes back as the same item, so a hop allocates nothing but frames.
template <class T, class F>
struct RemoteCall : RemoteItem {
  Loop& from;
  Loop& to;
  F& function;
  std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> value;
  std::coroutine_handle<> awaiter;

  RemoteCall(Loop& from, Loop& to, F& function) : from(from), to(to), function(function) {}
  RemoteCall(const RemoteCall&) = delete;

  static Task<> call(RemoteCall& self) {
    if constexpr (std::is_void_v<T>) {
      co_await self.function();
    } else {
      self.value.emplace(co_await self.function());
    }
    self.run = [](RemoteItem& item, bool dropped) {
      if (!dropped) static_cast<RemoteCall&>(item).awaiter.resume();
    };
    self.from.post_remote(self);  // From here on the frame of the awaiter may be gone.
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    awaiter = handle;
    run = [](RemoteItem& item, bool dropped) {
      auto& self = static_cast<RemoteCall&>(item);
      if (!dropped) spawn_now(self.to, call(self));
    };
    to.post_remote(*this);
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(*value);
  }
};
template <class T>
struct TaskValue;
template <class T>
struct TaskValue<Task<T>> {
  using type = T;
};
}  // namespace detail

template <class F>
auto call_on(Loop& from, Loop& to, F function) -> decltype(function()) {
  using T = typename detail::TaskValue<decltype(function())>::type;
  if (&from == &to) co_return co_await function();
  co_return co_await detail::RemoteCall<T, F>{from, to, function};
}

}  // namespace samsa::io
