// Task<T>: a lazy coroutine. It starts when it is awaited (or spawned, io/loop.h) and resumes its awaiter by symmetric transfer.
//
// Invariants: a Task is awaited at most once; the Task object owns the frame; a frame lives and ends on one shard's thread.
// Frames come from a free list of the thread, so that a steady state allocates nothing.
// Rule for arguments: a coroutine copies its parameters into the frame, so pass values or references that outlive the await.
// Never make a coroutine of a lambda that captures and does not outlive it.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "base/assert.h"

namespace samsa::io {

// The thread's free lists of small blocks, by size class: coroutine frames, and in the program samsa whatever operator new is asked for.
// Blocks are of malloc; one may be given back on another thread, with the size that was asked for.
void* allocate_frame(size_t size);
void release_frame(void* frame, size_t size) noexcept;

template <class T>
class Task;

namespace detail {

struct FrameAllocation {
  static void* operator new(size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, size_t size) noexcept { release_frame(frame, size); }
};

struct PromiseBase : FrameAllocation {
  std::coroutine_handle<> continuation = std::noop_coroutine();

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) const noexcept {
      return self.promise().continuation;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  // Nothing may throw across a module; out of memory ends the process.
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U = T>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const noexcept {}
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  explicit operator bool() const { return static_cast<bool>(handle_); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      Handle handle;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) const noexcept {
        handle.promise().continuation = awaiter;
        return handle;
      }
      T await_resume() const { return handle.promise().take(); }
    };
    SAMSA_ASSERT(static_cast<bool>(handle_));  // "!= nullptr" would look at the operators of T.
    return Awaiter{handle_};
  }

 private:
  void destroy() noexcept {
    if (handle_) handle_.destroy();
    handle_ = nullptr;
  }
  Handle handle_ = nullptr;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept { return Task<void>(std::coroutine_handle<Promise>::from_promise(*this)); }
}  // namespace detail

}  // namespace samsa::io
