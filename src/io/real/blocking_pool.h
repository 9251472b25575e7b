// BlockingPool: a few threads for calls that may block (cold reads, fdatasync, name look-ups). Shared by the shards of a node.
//
// co_await pool.run(loop, f) runs f() on one of them and resumes on `loop` with its value. The job lives in the awaiting frame, so
// loops must not be torn down before shut_down() has returned. Threads start when they are first needed.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "io/loop.h"

namespace samsa::io::real {

class BlockingPool {
 public:
  explicit BlockingPool(size_t threads) : limit_(threads) {}
  BlockingPool(const BlockingPool&) = delete;
  ~BlockingPool() { shut_down(); }

  // Runs what was submitted, then ends the threads.
  void shut_down();

  template <class F>
  auto run(Loop& loop, F function) {
    return Awaiter<F>(*this, loop, std::move(function));
  }

 private:
  struct Job : RemoteItem {
    void (*execute)(Job&) = nullptr;
    Loop* loop = nullptr;
    Job* next_job = nullptr;
    std::coroutine_handle<> handle;
  };

  template <class F>
  class Awaiter : Job {
   public:
    using T = std::invoke_result_t<F&>;
    Awaiter(BlockingPool& pool, Loop& on, F function) : pool_(pool), function_(std::move(function)) {
      this->loop = &on;
      this->execute = [](Job& job) {
        auto& self = static_cast<Awaiter&>(job);
        self.value_.emplace(self.function_());
      };
      RemoteItem::run = [](RemoteItem& item, bool dropped) {
        if (!dropped) static_cast<Awaiter&>(item).handle.resume();
      };
    }
    Awaiter(const Awaiter&) = delete;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
      this->handle = awaiting;
      pool_.submit(*this);
    }
    T await_resume() { return std::move(*value_); }

   private:
    BlockingPool& pool_;
    F function_;
    std::optional<T> value_;
  };

  void submit(Job& job);
  void work();

  const size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  size_t queued_ = 0;
  size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace samsa::io::real
