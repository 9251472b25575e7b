#include "io/loop.h"

namespace samsa::io {
namespace detail {
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
