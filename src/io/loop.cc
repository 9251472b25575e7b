#include "io/loop.h"

namespace samsa::io {
namespace detail {

// The outermost frame of a spawned task: frees itself when the task ends, and is known to its loop until then.
struct Root {
  using promise_type = RootPromise;
  std::coroutine_handle<RootPromise> handle;
};

struct RootPromise : FrameAllocation {
  RootPromise(Loop& on, Task<>&) : loop(on), order(++*on.root_counter_), previous(on.last_root_) {
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

namespace {

Root run_root(Loop& /*loop*/, Task<> task) { co_await std::move(task); }

struct RemoteFunction : RemoteItem {
  explicit RemoteFunction(UniqueFunction<void()> f) : function(std::move(f)) {
    run = [](RemoteItem& item, bool dropped) {
      auto* self = static_cast<RemoteFunction*>(&item);
      if (!dropped) self->function();
      delete self;
    };
  }
  UniqueFunction<void()> function;
};

}  // namespace
}  // namespace detail

Loop::~Loop() { SAMSA_ASSERT(last_root_ == nullptr, "the loop's owner must destroy its tasks first"); }

void Loop::post_remote(UniqueFunction<void()> function) { post_remote(*new detail::RemoteFunction(std::move(function))); }

uint64_t Loop::latest_root() const { return last_root_ ? last_root_->order : 0; }

void Loop::destroy_latest_root() { std::coroutine_handle<detail::RootPromise>::from_promise(*last_root_).destroy(); }

void Loop::destroy_roots() {
  while (last_root_) destroy_latest_root();
}

void spawn(Loop& loop, Task<> task) {
  if (loop.tearing_down()) return;
  loop.post(detail::run_root(loop, std::move(task)).handle);
}

void spawn_now(Loop& loop, Task<> task) {
  if (loop.tearing_down()) return;
  detail::run_root(loop, std::move(task)).handle.resume();
}

}  // namespace samsa::io
