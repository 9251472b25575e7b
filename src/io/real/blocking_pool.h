// BlockingPool: a few threads for calls that may block (cold reads, writes that stand, fdatasync, name look-ups). Shared by the shards of a node.
// Its threads rank below the shards' with the system's scheduler: what they do is long, and nobody but who asked waits for it. So no
// lock of theirs is a shard's: what it submits goes into a list without one.
//
// co_await pool.run(loop, f) runs f() on one of them and resumes on `loop` with its value. The job lives in the awaiting frame, so
// loops must not be torn down before shut_down() has returned. Threads start when they are first needed.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "io/loop.h"

namespace samsa::io::real {

class BlockingPool {
 public:
  explicit BlockingPool(size_t threads);
  BlockingPool(const BlockingPool&) = delete;
  ~BlockingPool();

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
  void start_thread();
  void work();
  // Wakes a thread for a job, or to end.
  void announce() const;
  Job* next();

  const size_t limit_;
  const int announced_;                    // A counting eventfd.
  std::atomic<Job*> submitted_ = nullptr;  // The newest first.
  std::atomic<size_t> unfinished_ = 0;     // Jobs.
  std::atomic<size_t> started_ = 0;        // Threads.
  std::mutex taking_;                      // Of the pool's threads.
  Job* first_ = nullptr;                   // Taken from submitted_, the oldest first.
  std::mutex starting_;
  std::atomic<bool> ended_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace samsa::io::real
