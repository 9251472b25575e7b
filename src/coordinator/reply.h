// Reply: an answer that a state machine gives later (a parked JoinGroup, say). One side keeps it and resolves it, the other awaits it.
//
// Shared by copy, one shard only. The first resolve counts, later ones are ignored, so that a machine may resolve without asking
// who was first. The waiter resumes through the loop, never inside resolve(). A reply that nobody awaits is simply dropped.
#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "io/loop.h"

namespace samsa::coordinator {

template <class T>
class Reply {
 public:
  Reply() = default;  // Empty: resolve() does nothing.
  explicit Reply(io::Loop& loop) : state_(std::make_shared<State>(State{&loop, {}, {}})) {}

  explicit operator bool() const { return state_ != nullptr; }
  [[nodiscard]] bool resolved() const { return state_ && state_->value.has_value(); }

  void resolve(T value) {
    if (!state_ || state_->value) return;
    state_->value.emplace(std::move(value));
    if (state_->waiter) state_->loop->post(std::exchange(state_->waiter, {}));
  }

  // The value; at most one coroutine waits, once.
  auto wait() const {
    struct Awaiter {
      std::shared_ptr<State> state;
      explicit Awaiter(std::shared_ptr<State> shared) : state(std::move(shared)) {}
      Awaiter(const Awaiter&) = delete;
      ~Awaiter() { state->waiter = {}; }  // The waiter's frame may be destroyed while it waits (shutdown).
      bool await_ready() const noexcept { return state->value.has_value(); }
      void await_suspend(std::coroutine_handle<> handle) { state->waiter = handle; }
      T await_resume() { return std::move(*state->value); }
    };
    return Awaiter(state_);
  }

 private:
  struct State {
    io::Loop* loop;
    std::optional<T> value;
    std::coroutine_handle<> waiter;
  };
  std::shared_ptr<State> state_;
};

}  // namespace samsa::coordinator
