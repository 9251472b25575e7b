#include "io/real/blocking_pool.h"

#include <csignal>

namespace samsa::io::real {

void BlockingPool::submit(Job& job) {
  const std::lock_guard lock(mutex_);
  SAMSA_ASSERT(!ending_, "work for a pool that has been shut down");
  (last_ ? last_->next_job : first_) = &job;
  last_ = &job;
  ++queued_;
  if (queued_ > idle_ && threads_.size() < limit_) {
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    threads_.emplace_back([this] { work(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  wake_.notify_one();
}

void BlockingPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    while (!first_ && !ending_) {
      ++idle_;
      wake_.wait(lock);
      --idle_;
    }
    if (!first_) return;
    Job& job = *first_;
    first_ = job.next_job;
    if (!first_) last_ = nullptr;
    --queued_;
    lock.unlock();
    job.execute(job);
    job.loop->post_remote(static_cast<RemoteItem&>(job));  // The job may be gone from here on.
    lock.lock();
  }
}

void BlockingPool::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace samsa::io::real
